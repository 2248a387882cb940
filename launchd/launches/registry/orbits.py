"""Orbits under one abbreviation each. Pure."""

from functools import cache, lru_cache

import msgspec

from launchd.launches.registry.words import Words, normal, read, readings


class Orbit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A kind of orbit that payloads are launched into."""

    abbreviation: str
    name: str
    words: tuple[str, ...] = ()

    @property
    def search_words(self) -> tuple[str, ...]:
        """All words that mean this orbit, its abbreviation first."""
        return (self.abbreviation, self.name, *self.words)


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    words: tuple[str, ...]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    facts: str
    nothing: tuple[str, ...]
    orbits: dict[str, _Row]


@cache
def _file() -> _File:
    return read("orbits", _File)


@cache
def all_orbits() -> dict[str, Orbit]:
    """All orbits by abbreviation."""
    return {short: Orbit(abbreviation=short, name=row.name, words=row.words) for short, row in _file().orbits.items()}


@cache
def _words() -> Words[Orbit]:
    return Words((one, one.search_words) for one in all_orbits().values())


@cache
def _nothing() -> frozenset[str]:
    return frozenset(map(normal, _file().nothing))


@lru_cache(maxsize=4096)
def orbit(word: str) -> Orbit | None:
    """The orbit that the word means, else what it means without its brackets; None for a word of several orbits."""
    for reading in list(readings(word))[:2]:
        found = _words().find(reading)
        if found is not None:
            return found
    return None


def names_no_orbit(word: str) -> bool:
    """True if the word is one for an unknown orbit ("N/A")."""
    return normal(word) in _nothing()
