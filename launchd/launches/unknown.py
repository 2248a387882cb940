"""Words of sources that the registry of names does not have, so that somebody can add them. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from launchd.launches import registry

SUBJECTS = ("provider", "vehicle", "pad", "orbit")


class Names(NamedTuple):
    """The names in a record of a source."""

    provider: str | None
    vehicle: str | None
    pad: str | None
    location: str | None
    orbit: str | None


class UnknownName(NamedTuple):
    """A word of a source that the registry does not have, and the number of its records that have the word.

    The word of a pad is followed by that of its location.
    """

    source: str
    subject: str
    word: str
    records: int


def judged(names: Names) -> Iterator[tuple[str, str, bool]]:
    """Each subject and its word, and True if the registry has it; a word for an unknown thing ("TBD") is left out."""
    if names.provider and not registry.names_no_provider(names.provider):
        yield "provider", names.provider, registry.provider(names.provider) is not None
    if names.vehicle and not registry.names_no_vehicle(names.vehicle):
        yield "vehicle", names.vehicle, registry.vehicle(names.vehicle) is not None
    places = [word for word in (names.pad, names.location) if word and not registry.names_no_place(word)]
    if places:
        yield "pad", ", ".join(places), registry.is_placed(names.pad, names.location)
    if names.orbit and not registry.names_no_orbit(names.orbit):
        yield "orbit", names.orbit, registry.orbit(names.orbit) is not None


def unknown(rows: Iterable[tuple[str, Names, int]]) -> tuple[UnknownName, ...]:
    """The unknown words in records, given as source, names and number of records; the most frequent first."""
    found: Counter[tuple[str, str, str]] = Counter()
    for source, names, records in rows:
        for subject, word, known in judged(names):
            if not known:
                found[source, subject, word] += records
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return tuple(UnknownName(*key, records) for key, records in ranked)
