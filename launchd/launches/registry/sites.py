"""Launch sites and their pads under one name each. Pure.

A site is on land, at sea, an airfield for launches from an aircraft, or on the Moon. Sources that say only "Air launch
to orbit" mean a site without coordinates; where they name the airfield as the pad, that airfield is the site.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import msgspec

from launchd.launches.registry.words import LONGEST, Words, normal, read, readings

_COMPLEX = re.compile(r"\b(?:space launch complex|launch complex|slc|lc)\b")
_AREA = re.compile(r"\blaunch area\b")
# "Pad 39A", "Launch Pad 39A", "39A"
_NUMBERED = re.compile(r"(?:launch )?(?:pad |complex )?(?=\d)")


# what names a pad by a number, known or not: "LC-99", "Site 7/2"
_SOME_PAD = re.compile(r"(?:launch )?(?:lc|la|ls|lp|pad|site|area|platform)(?: [a-z])? \d[\d ]*[a-z]?")
# shorter words of sites are codes that may stand for something else in a sentence
_NAME = 4


class Pad(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A pad of a site, or its runway (`kind` air). Degrees, north and east positive."""

    name: str
    kind: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    words: tuple[str, ...] = ()

    @property
    def search_words(self) -> tuple[str, ...]:
        """All words that mean this pad at its site, its name first."""
        return (self.name, *self.words)


class Site(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A place of launches. `kind` is land, sea, air or moon; `zone` a time zone of IANA, none on the Moon.

    `country` is the code of ISO 3166-1 alpha-2 of the place today. `near` names sites whose pads sources put here.
    """

    name: str
    kind: str
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    zone: str | None = None
    near: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    pads: tuple[Pad, ...] = ()

    @property
    def search_words(self) -> tuple[str, ...]:
        """All words that mean this site, its name first."""
        return (self.name, *self.words)


class _PadRow(msgspec.Struct, forbid_unknown_fields=True):
    words: tuple[str, ...]
    kind: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    words: tuple[str, ...]
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    zone: str | None = None
    near: tuple[str, ...] = ()
    pads: dict[str, _PadRow] = {}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    facts: str
    nothing: tuple[str, ...]
    sites: dict[str, _Row]


@cache
def _file() -> _File:
    return read("sites", _File)


@cache
def all_sites() -> dict[str, Site]:
    """All sites by name."""
    found = {}
    for name, row in _file().sites.items():
        pads = tuple(Pad(name=pad, **msgspec.structs.asdict(one)) for pad, one in row.pads.items())
        found[name] = Site(name=name, **(msgspec.structs.asdict(row) | {"pads": pads}))
    return found


@cache
def _sites() -> Words[Site]:
    return Words((one, one.search_words) for one in all_sites().values())


@cache
def _pads(site: str) -> Words[Pad]:
    return Words((pad, map(_key, pad.search_words)) for pad in all_sites()[site].pads)


@cache
def _nothing() -> frozenset[str]:
    return frozenset(map(normal, _file().nothing))


@lru_cache(maxsize=16384)
def place(pad: str | None, location: str | None) -> tuple[Site, Pad | None] | None:
    """The site and the pad that a source's two words mean; the pad is None if the registry does not have it.

    None if neither word names a site. A pad's number alone names no site: many sites have a pad 1.
    """
    where, said = _site(location), _site(pad)
    general = where is not None and where.latitude is None
    site = said if said is not None and (where is None or general) else where
    if site is None:
        return None
    if general and site is where:
        return _of_kind(site.kind, pad) or (site, None)
    for one in [site, *([said] if said else []), *(all_sites()[name] for name in site.near)]:
        found = _pad(one, pad) or _pad(one, location)
        if found is not None:
            return one, found
    runways = [one for one in site.pads if one.kind == "air"]
    return site, runways[0] if general and where is not site and len(runways) == 1 else None


def _of_kind(kind: str, pad: str | None) -> tuple[Site, Pad] | None:
    """The one pad of that name among all sites of a kind; None if two sites have it."""
    found = [(site, one) for site in all_sites().values() if site.kind == kind and (one := _pad(site, pad)) is not None]
    return found[0] if len(found) == 1 else None


def is_placed(pad: str | None, location: str | None) -> bool:
    """True if the site and the pad are known, or the site alone where the word for a pad names the site only."""
    found = place(pad, location)
    if found is None:
        return False
    site_alone = pad is None or names_no_place(pad) or place(pad, None) == (found[0], None)
    return found[1] is not None or site_alone


def names_no_place(word: str) -> bool:
    """True if the word is one for an unknown pad or location ("TBD")."""
    return normal(word) in _nothing()


@lru_cache(maxsize=16384)
def _site(text: str | None) -> Site | None:
    """The site in a location ("Kourou, French Guiana") or in a pad with its site before it ("CC LC40")."""
    if text is None or len(text) > LONGEST:
        return None
    for reading in list(readings(text))[:2]:
        found = _sites().find(reading) or _site_of_parts(reading) or _site_before_pad(reading)
        if found is not None:
            return found
    return None


def _site_of_parts(text: str) -> Site | None:
    """The one site that is named between commas; None if there are two."""
    found = {one.name: one for part in text.split(",") if (one := _sites().find(part)) is not None}
    return next(iter(found.values())) if len(found) == 1 else None


def _site_before_pad(text: str) -> Site | None:
    """The site with which the text begins if the rest is a pad of it, or a numbered pad behind a site's full name."""
    for site, rest in _splits(text):
        named = len(normal(text)) - len(rest) > _NAME
        if _pads(site.name).find(_key(rest)) is not None or (named and _SOME_PAD.fullmatch(_key(rest))):
            return site
    return None


def _splits(text: str) -> Iterator[tuple[Site, str]]:
    """Each site with which the text begins, the longest first, and the rest."""
    words = normal(text).split()
    for length in range(len(words) - 1, 0, -1):
        site = _sites().find(" ".join(words[:length]))
        if site is not None:
            yield site, " ".join(words[length:])


def _pad(site: Site, text: str | None) -> Pad | None:
    """The pad of the site that the text means, with or without the site's own words before it."""
    if text is None or len(text) > LONGEST or not site.pads:
        return None
    known = _pads(site.name)
    for reading in readings(text):
        parts = [reading, *reading.split(",")]
        keys = [_key(part) for part in parts] + [
            _key(rest) for part in parts for at, rest in _splits(part) if at == site
        ]
        for key in keys:
            found = known.find(key) or known.find(_NUMBERED.sub("lc ", key, count=1))
            if found is not None:
                return found
    return None


@lru_cache(maxsize=16384)
def _key(text: str) -> str:
    """The normal form of a pad's name, with one word for a launch complex and one for a launch area."""
    return _AREA.sub("la", _COMPLEX.sub("lc", normal(text)))
