"""The words by which a search finds a launch: the words of all its sources, and all names in the registry. Pure.

The text is bounded. Names come first, so that they are kept where sources say too much.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from launchd.launches import canonical, registry
from launchd.launches.launch import Launch, Sighting
from launchd.launches.reconcile import StoredSighting

# The characters of a launch's text that are searched, and the former names of a sighting that are kept.
MAX_WORDS, MAX_FORMER = 8_000, 10
_TOKEN = re.compile(r"[^\W_]+")


def said_by(seen: Iterable[StoredSighting]) -> tuple[str, ...]:
    """The words of the sources of one launch: their names for it, now and before, then their words for the rest."""
    ranked = sorted(seen, key=lambda one: (one.sighting.source, one.sighting.source_id))
    names = (name for one in ranked for name in (one.sighting.name, *one.sighting.names, *one.former))
    return tuple(dict.fromkeys([*names, *(word for one in ranked for word in _words(one.sighting))]))


def _words(one: Sighting) -> Iterator[str]:
    place = one.location.name if one.location else None
    yield from (word for word in (one.mission, one.provider, one.vehicle, one.pad, place, one.orbit) if word)


def text(served: Launch, found: canonical.Entries, said: Iterable[str]) -> str:
    """The text that is searched for a launch, as it is served, as its sources describe it and as the registry does."""
    place = served.location.name if served.location else None
    names = (served.name, served.mission, served.designator)
    others = (served.provider, served.vehicle, served.pad, place, served.orbit)
    words = " ".join(dict.fromkeys(word for word in (*names, *others, *said) if word))
    return f"{words} {_aliases(found)}"[:MAX_WORDS]


@lru_cache(maxsize=16384)
def _aliases(found: canonical.Entries) -> str:
    """Every word of the entries, in parts without a blank: a search looks for each such part by itself."""
    known: list[str] = []
    if found.provider is not None:
        known += found.provider.search_words
        known += [word for one in registry.lineage(found.provider)[1:] for word in (one.name, one.short)]
    if found.vehicle is not None:
        family = registry.vehicle(found.vehicle.family)
        known += (*found.vehicle.search_words, found.vehicle.family, *(family.search_words if family else ()))
    for entry in (found.site, found.pad, found.orbit):
        known += () if entry is None else entry.search_words
    parts = {" ".join(_TOKEN.findall(part)).casefold(): None for word in known for part in word.split()}
    return " ".join(parts)


def former_names(before: StoredSighting, now: Sighting) -> tuple[str, ...]:
    """The former names of a sighting after its source has changed it: the newest first, without its present name."""
    names = dict.fromkeys((before.sighting.name, *before.former))
    return tuple(name for name in names if name != now.name)[:MAX_FORMER]
