"""Providers of launches under one name each, whatever a source calls them. Pure.

Codes of GCAT that join several organisations ("LERC/AFSSD") mean the first one named. The other ones stay in the
source's own word.
"""

from functools import cache, lru_cache

import msgspec

from launchd.launches.registry.words import LONGEST, Words, normal, read, readings


class Provider(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An organisation that launches. `parent` is the name of the one that it belongs to.

    `country` is a code of ISO 3166-1 alpha-2, or "SU" for the Soviet Union; None for an organisation of several states.
    `kind` is agency, company, military or research. `words` are the names that sources use beside `name` and `short`.
    """

    name: str
    short: str
    kind: str
    country: str | None = None
    parent: str | None = None
    words: tuple[str, ...] = ()

    @property
    def search_words(self) -> tuple[str, ...]:
        """All words that mean this provider, its name first."""
        return tuple(dict.fromkeys((self.name, self.short, *self.words)))


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    short: str
    kind: str
    words: tuple[str, ...]
    country: str | None = None
    parent: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    facts: str
    nothing: tuple[str, ...]
    providers: dict[str, _Row]


@cache
def _file() -> _File:
    return read("providers", _File)


@cache
def all_providers() -> dict[str, Provider]:
    """All providers by name."""
    return {name: Provider(name=name, **msgspec.structs.asdict(row)) for name, row in _file().providers.items()}


@cache
def _words() -> Words[Provider]:
    return Words((one, one.search_words) for one in all_providers().values())


@cache
def _nothing() -> frozenset[str]:
    return frozenset(map(normal, _file().nothing))


@lru_cache(maxsize=16384)
def provider(word: str) -> Provider | None:
    """The provider that the word means; None if it is not in the registry."""
    found = next((known for one in readings(word) if (known := _words().find(one)) is not None), None)
    if found is not None or "/" not in word[:LONGEST]:
        return found
    # "USAF SSD/NASA LaRC/STG": a name may hold a slash itself, so the longest beginning that is known counts
    parts = word[:LONGEST].split("/")
    starts = ("/".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
    return next((known for start in starts if (known := _words().find(start)) is not None), None)


def lineage(one: Provider) -> tuple[Provider, ...]:
    """The provider, its parent, and so on: a filter for a parent accepts the launches of its children."""
    found = [one]
    while found[-1].parent is not None:
        found.append(all_providers()[found[-1].parent])
    return tuple(found)


def names_no_provider(word: str) -> bool:
    """True if the word is one for an unknown provider ("TBD")."""
    return normal(word) in _nothing()
