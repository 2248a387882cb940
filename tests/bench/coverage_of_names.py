"""How many recorded records the registry of names resolves, by subject, and the words that it does not know."""

import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from launchd.launches.launch import Sighting
from launchd.launches.sources import SOURCES
from launchd.launches.unknown import SUBJECTS, Names, judged
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
    said: dict[str, list[tuple[str, bool]]] = {subject: [] for subject in SUBJECTS}
    for one in sightings:
        for subject, word, resolved in judged(_names(one)):
            said[subject].append((word, resolved))
    return [
        Coverage(subject, len(words), sum(ok for _, ok in words), Counter(word for word, ok in words if not ok))
        for subject, words in said.items()
    ]


def _names(one: Sighting) -> Names:
    return Names(one.provider, one.vehicle, one.pad, one.location.name if one.location else None, one.orbit)


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
