"""How many recorded records the registry of names resolves, by subject, and the words that it does not know."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from launchd.launches import registry
from launchd.launches.launch import Sighting
from launchd.launches.sources import SOURCES
from tests.support.recorded_payloads import recordings

SHOWN = 10
# Pages of Launch Library 2 that hold launches as the source sends them.
_PAGES = ("2.2.0_detailed", "2.2.0_list", "2.2.0_normal", "2.3.0_detailed_excerpt", "2.3.0_normal")


class Coverage(NamedTuple):
    """The records that say something of a subject, and those of them that the registry resolves."""

    subject: str
    records: int
    resolved: int
    unknown: Counter[str]

    @property
    def share(self) -> float:
        """The share of the records that is resolved."""
        return self.resolved / self.records if self.records else 1.0


@cache
def recorded(root: Path) -> tuple[Sighting, ...]:
    """The newest record of each launch by source; GCAT's launches without and with the tables of its codes."""
    found: dict[tuple[str, str], Sighting] = {}
    for one in recordings(root):
        for sighting in SOURCES[one.source].parse(one.payloads).sightings:
            found[one.label, sighting.source_id] = sighting
    for folder in _PAGES:
        for path in sorted((root / "2026" / f"ll2_{folder}").glob("*.json")):
            for sighting in SOURCES["launch_library"].parse([path.read_bytes()]).sightings:
                found["ll2", sighting.source_id] = sighting
    tables = [path.read_bytes() for path in sorted(root.glob("gcat/*.tsv"))]
    named = SOURCES["gcat"].parse(tables).sightings if tables else ()
    return (*found.values(), *named)


def coverage(sightings: Iterable[Sighting]) -> list[Coverage]:
    """One entry for each subject; a word for an unknown thing ("TBD") says nothing and does not count."""
    said: dict[str, list[tuple[str, bool]]] = {"provider": [], "vehicle": [], "pad": [], "orbit": []}
    for one in sightings:
        for subject, word, resolved in _words(one):
            said[subject].append((word, resolved))
    return [
        Coverage(subject, len(words), sum(ok for _, ok in words), Counter(word for word, ok in words if not ok))
        for subject, words in said.items()
    ]


def _words(one: Sighting) -> Iterator[tuple[str, str, bool]]:
    """The words of a record: subject, word, True if the registry resolves it."""
    if one.provider and not registry.names_no_provider(one.provider):
        yield "provider", one.provider, registry.provider(one.provider) is not None
    if one.vehicle and not registry.names_no_vehicle(one.vehicle):
        yield "vehicle", one.vehicle, registry.vehicle(one.vehicle) is not None
    location = one.location.name if one.location else None
    if one.pad or location:
        yield "pad", f"{one.pad} at {location}", placed(one.pad, location)
    if one.orbit and not registry.names_no_orbit(one.orbit):
        yield "orbit", one.orbit, registry.orbit(one.orbit) is not None


def placed(pad: str | None, location: str | None) -> bool:
    """True if the site and the pad are found, or the site alone where the source's pad names only the site."""
    found = registry.place(pad, location)
    if found is None:
        return False
    site_alone = pad is None or registry.names_no_place(pad) or registry.place(pad, None) == (found[0], None)
    return found[1] is not None or site_alone


def report(root: Path) -> None:
    """Print one line for each subject, and below it the words that are not in the registry."""
    sys.stdout.write(f"{'names in the registry':24} {'records':>8} {'resolved':>8} {'share':>8}\n")
    for one in coverage(recorded(root)):
        sys.stdout.write(f"{one.subject:24} {one.records:8} {one.resolved:8} {one.share:8.2%}\n")
        for word, count in one.unknown.most_common(SHOWN):
            sys.stdout.write(f"    {count} times {word}\n")
        if len(one.unknown) > SHOWN:
            sys.stdout.write(f"    and {len(one.unknown) - SHOWN} more words\n")
    sys.stdout.write("\n")
