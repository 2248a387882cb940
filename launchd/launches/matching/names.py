"""Comparable forms of the words of different sources: vehicles, providers, pads, mission names, series numbers. Pure.

Particular names are data (`aliases/*.json`, checked by tests); this module holds the rules alone.
"""

import json
import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

_WORD = re.compile(r"[a-z]+|\d+")
_GROUP = re.compile(r"\bgroup (\d{1,2}) (\d{1,3})\b")
# "Starlink-45 (4-13)", "Starlink 4-36 (v1.5)": the group straight after the word and its serial, if there is one
_DASHED = re.compile(r"\s*[A-Za-z]+[ -]*(?:\d* *\()?(\d{1,2})-(\d{1,3})(?![\d-])")
_COMPLEX = re.compile(r"\b(?:space launch complex|launch complex|complex|slc)\b")
_BRACKETS = re.compile(r"\([^()]*\)")
# The shortest word that identifies by itself; shorter ones are articles, suffixes and versions.
_TELLING = 3


class Pad(NamedTuple):
    """A known site, and a known pad of it or None."""

    site: str
    pad: str | None


class Mission(NamedTuple):
    """A mission's name: its telling words and its numbers, without generic words."""

    words: frozenset[str]
    numbers: frozenset[str]
    telling: bool


@cache
def aliases(kind: str) -> dict[str, Any]:
    """The alias file of that kind."""
    text = resources.files("launchd.launches").joinpath("aliases", f"{kind}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _prefixes() -> dict[int, dict[str, str]]:
    """The vehicles' aliases by their number of words, the longest first."""
    found: dict[int, dict[str, str]] = {}
    for alias, family in sorted(aliases("vehicles").items(), key=lambda item: -len(item[0].split())):
        found.setdefault(len(alias.split()), {})[alias] = family
    return found


@cache
def _generic() -> frozenset[str]:
    return frozenset(aliases("words")["generic"])


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Lower case words and numbers, one space apart."""
    return " ".join(_WORD.findall(text.lower()))


@lru_cache(maxsize=16384)
def vehicle_family(text: str) -> str:
    """The family of a vehicle ("Chang Zheng 2D" -> "long march"): its longest alias, else its leading letters."""
    words = plain(text).split()
    for length, known in _prefixes().items():
        family = known.get(" ".join(words[:length]))
        if family is not None:
            return family
    leading = re.split(r"\s?\d", " ".join(words), maxsplit=1)[0]
    return leading or " ".join(words)


@lru_cache(maxsize=16384)
def provider_name(text: str) -> str:
    """The provider after aliases ("SPX" -> "spacex")."""
    words = plain(text)
    known: str = aliases("providers").get(words, words)
    return known


@lru_cache(maxsize=16384)
def pad_of(pad: str | None, location: str | None) -> Pad | None:
    """The site and the pad that the words mean ("CC LC40" and "Space Launch Complex 40" at the Cape); None if unknown.

    Only pads of the alias file are distinguished; elsewhere sources count pad numbers differently.
    """
    code, words = plain(pad or ""), f" {plain(pad or '')} {plain(location or '')} "
    for site, entry in aliases("pads").items():
        coded = any(code == one or code.startswith(f"{one} ") for one in entry["codes"])
        if coded or any(f" {name} " in words for name in entry["names"]):
            return Pad(site, _pad(f" {_COMPLEX.sub('lc', code)} ", entry["pads"]))
    return None


def _pad(words: str, pads: dict[str, list[str]]) -> str | None:
    found = [(len(phrase), pad) for pad, phrases in pads.items() for phrase in phrases if f" {phrase} " in words]
    return max(found)[1] if found else None


@lru_cache(maxsize=65536)
def mission_name(name: str) -> str:
    """The mission's part of "<vehicle> | <mission>", plain; empty when it is unknown."""
    words = plain(name.rpartition("|")[2])
    return "" if words.startswith("unknown") else words


@lru_cache(maxsize=65536)
def series_number(name: str) -> tuple[str, str, str] | None:
    """The (constellation, group, number) of "Starlink Group 12-7"; other series have no comparable numbers."""
    part = name.rpartition("|")[2]
    words = plain(part)
    constellation = words.partition(" ")[0]
    found = _GROUP.search(words)
    if found is None and constellation in aliases("words")["grouped"]:
        found = _DASHED.match(part)
    return (constellation, str(int(found[1])), str(int(found[2]))) if found else None


@lru_cache(maxsize=65536)
def missions(name: str, vehicle: str | None) -> tuple[Mission, ...]:
    """The missions that a name may mean: the whole, the part outside brackets, and each part in brackets.

    "NISAR (NASA-ISRO Synthetic Aperture Radar)" is NISAR, and "Lotos-S1 (Kosmos-2524)" is Kosmos-2524.
    """
    part = name.rpartition("|")[2]
    texts = dict.fromkeys([part, _BRACKETS.sub(" ", part), *_BRACKETS.findall(part)])
    found = (_mission(text, vehicle) for text in texts)
    return tuple(one for one in dict.fromkeys(found) if one.telling)


@lru_cache(maxsize=65536)
def words(name: str, vehicle: str | None) -> frozenset[str]:
    """The words of a mission's name, without the vehicle's and generic ones."""
    return _mission(name.rpartition("|")[2], vehicle).words


@lru_cache(maxsize=65536)
def _mission(text: str, vehicle: str | None) -> Mission:
    """The words and numbers of a name, without the vehicle's words.

    The mission is `telling` when it can name one launch: by a word of its own, or by a number within a constellation
    that all sources count alike.
    """
    known = aliases("words")
    own = frozenset(plain(vehicle).split()) if vehicle else frozenset[str]()
    found = [known["same"].get(word, word) for word in mission_name(text).split()]
    generic = _generic()
    numbers = frozenset(str(int(word)) for word in found if word.isdigit())
    words = frozenset(word for word in found if not word.isdigit() and word not in generic) - own
    distinct = any(len(word) >= _TELLING and word not in known["constellations"] for word in words)
    counted = bool(numbers) and bool(words) and words.isdisjoint(known["grouped"])
    return Mission(words, numbers, distinct or counted)


def same_mission(first: tuple[Mission, ...], second: tuple[Mission, ...]) -> bool:
    """True if two names are of one mission: the same numbers, and the words of one are among those of the other."""
    return any(
        a.numbers == b.numbers and bool(a.words & b.words) and (a.words <= b.words or b.words <= a.words)
        for a in first
        for b in second
    )


def alike(first: tuple[Mission, ...], second: tuple[Mission, ...]) -> bool:
    """True if one name is the other with words or numbers added: "Satria" and "Satria-1", "Astra 1P/SES-24"."""
    constellations = aliases("words")["constellations"]
    return any(
        any(len(word) > _TELLING and word not in constellations for word in a.words & b.words)
        and ((a.words <= b.words and a.numbers <= b.numbers) or (b.words <= a.words and b.numbers <= a.numbers))
        for a in first
        for b in second
    )


def lone_words(found: tuple[Mission, ...]) -> frozenset[str]:
    """The words by which names may be alike."""
    constellations = aliases("words")["constellations"]
    return frozenset(word for one in found for word in one.words if len(word) > _TELLING and word not in constellations)
