"""The registry knows the words of the recorded payloads."""

from collections import Counter, defaultdict
from itertools import combinations, count
from pathlib import Path

import pytest

from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.launches import registry
from launchd.launches.ingest import plan
from launchd.launches.launch import Place, Sighting
from launchd.launches.query import LaunchQuery
from launchd.launches.store import LaunchStore
from tests.bench import quality
from tests.bench.coverage_of_names import Coverage, coverage, recorded
from tests.support.paths import SHARED

RECORDED = SHARED / "sources"
TRUTH = SHARED / "matching_truth.csv"
WANTED = 0.99
# The rest are launches that changed their vehicle or their site between two captures.
ALIKE = 0.995


def sighting(
    provider: str | None = None, pad: str | None = None, location: str | None = None, orbit: str | None = None
) -> Sighting:
    where = Place(location) if location else None
    return Sighting(source="test", source_id="1", name="A", provider=provider, pad=pad, location=where, orbit=orbit)


def test_a_record_counts_where_it_says_something_and_its_unknown_words_are_listed() -> None:
    said = [
        sighting("SPX", "CC LC40", "CC", "LEO"),
        sighting("Acme", "CC LC999", "CC", "N/A"),
        sighting("Unknown", "Wenchang", "WEN"),
        sighting(),
    ]
    assert coverage(said) == [
        Coverage("provider", 2, 1, Counter({"Acme": 1})),
        Coverage("vehicle", 0, 0, Counter()),
        Coverage("pad", 3, 2, Counter({"CC LC999, CC": 1})),
        Coverage("orbit", 1, 1, Counter()),
    ]


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
@pytest.mark.parametrize("subject", ["provider", "vehicle", "pad", "orbit"])
def test_of_a_hundred_recorded_records_the_registry_resolves_at_least_99(subject: str) -> None:
    found = {one.subject: one for one in coverage(recorded(RECORDED))}[subject]
    assert found.records > 500
    assert found.share >= WANTED, found.unknown.most_common(20)


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
async def test_a_search_of_recorded_launches_finds_what_people_call_them(tmp_path: Path) -> None:
    async with open_database(tmp_path / "launches.db", "launches", SystemClock()) as database:
        store, ids = LaunchStore(database), count()
        made = plan(await store.stored(), recorded(RECORDED), {}, 1, lambda: f"{next(ids):06d}")
        await store.apply(made, None, 1)
        for words in (
            "Inspiration4",
            "Crew-2",
            "Ax-1",
            "Apollo 11",
            "Demo-2",
            "CZ-5B tianhe",
            "ULA atlas 5 lucy",
        ):
            assert (await store.list(LaunchQuery(q=words), 1)).items, words


@pytest.mark.recorded
@pytest.mark.skipif(not (RECORDED.is_dir() and TRUTH.is_file()), reason="the recorded payloads are not here")
def test_records_of_one_launch_have_one_family_and_one_site() -> None:
    found = quality.parsed(RECORDED)
    by_launch: dict[str, list[Sighting]] = defaultdict(list)
    for (label, record), launch in quality.true_launches(TRUTH, found).items():
        by_launch[launch].append(found[label][record])
    pairs = [pair for records in by_launch.values() for pair in combinations(records, 2)]
    for what, name in (("family", family_of), ("site", site_of)):
        both = [(name(a), name(b)) for a, b in pairs if name(a) and name(b)]
        assert len(both) > 100, what
        assert sum(a == b for a, b in both) / len(both) >= ALIKE, Counter(pair for pair in both if pair[0] != pair[1])


def family_of(one: Sighting) -> str | None:
    found = registry.vehicle(one.vehicle) if one.vehicle else None
    return found.family if found else None


def site_of(one: Sighting) -> str | None:
    found = registry.place(one.pad, one.location.name if one.location else None)
    return found and found[0].name
