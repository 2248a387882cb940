"""Ingest: identities, history and conflicts after each scrape, in any order of the sources."""

from collections.abc import Sequence
from itertools import count, permutations
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.errors import NotFoundError
from launchd.launches.ingest import plan
from launchd.launches.launch import Launch, LaunchStatus, Precision, Sighting
from launchd.launches.store import LaunchStore
from tests.support.launch_memory import MemoryTracker
from tests.support.sightings import (
    AGREEING,
    CONTRADICTING,
    GCAT,
    LIBRARY,
    LL2,
    NOON,
    PRIORITIES,
    ROCKETLAUNCH,
    SPACEX_API,
    UPCOMING,
    VAGUE,
    at,
    by_source,
    sight,
    worlds,
)


def records(tracker: MemoryTracker) -> list[dict[str, object]]:
    """The launches without their ids, and which sightings each has."""
    members: dict[str, list[object]] = {}
    for one, seen in tracker.stored.seen.items():
        members.setdefault(seen.launch_id, []).append(one)
    return sorted(
        (
            {"members": sorted(map(str, members[one.id])), **{field: getattr(one, field) for field in FIELDS}}
            for one in tracker.stored.launches.values()
        ),
        key=lambda record: str(record["members"]),
    )


FIELDS = tuple(field for field in Launch.__struct_fields__ if field != "id")


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_the_order_of_sources_changes_nothing(sightings: list[Sighting]) -> None:
    expected = None
    for order in list(permutations(by_source(sightings)))[:6]:
        tracker = MemoryTracker()
        for batch in order:
            tracker.scrape(*batch, now=1)
        expected = expected or records(tracker)
        assert records(tracker) == expected


def test_two_records_that_were_one_launch_for_want_of_a_third_source_part_when_it_comes() -> None:
    """Two launches with one name, an hour apart; each source is vague about another of them."""
    name, day = "Falcon 9 | Starlink Group 6-1", at("1970-01-01T00:00:00Z", Precision.DAY)
    early, late = "1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"
    batches = [
        [sight(SPACEX_API, name, early, key="1"), sight(SPACEX_API, name, day, key="2")],
        [sight(LL2, name, early, key="1"), sight(LL2, name, late, key="2")],
        [sight(GCAT, name, day, key="1"), sight(GCAT, name, late, key="2")],
        [sight(ROCKETLAUNCH, name, early, key="1")],
    ]
    found = []
    for order in permutations(batches):
        tracker = MemoryTracker()
        for batch in order:
            tracker.scrape(*batch, now=1)
        found.append(records(tracker))
    assert all(one == found[0] for one in found)


@settings(max_examples=60, deadline=None)
@given(worlds(), worlds())
def test_scraping_the_same_sightings_again_writes_nothing(
    first: Sequence[Sighting], second: Sequence[Sighting]
) -> None:
    tracker = MemoryTracker()
    tracker.scrape(*first)
    tracker.scrape(*second)
    before = tracker.stored
    made = tracker.scrape(*second)
    assert (made.seen, made.launches, made.changes, made.merged, made.revived) == ((), (), (), (), ())
    assert tracker.stored == before


@settings(max_examples=100, deadline=None)
@given(st.lists(worlds(), min_size=2, max_size=4))
def test_every_id_ever_given_still_leads_to_a_launch_and_each_launch_has_its_own(
    scrapes: list[list[Sighting]],
) -> None:
    tracker, redirects, given_out = MemoryTracker(), dict[str, str](), set[str]()
    for sightings in scrapes:
        made = tracker.scrape(*sightings)
        for young, old in made.merged:
            redirects = {one: old if to == young else to for one, to in redirects.items()} | {young: old}
        for one in made.revived:
            del redirects[one]
        given_out |= set(tracker.stored.launches)
        assert not set(redirects) & set(tracker.stored.launches)
        assert {redirects.get(one, one) for one in given_out} == set(tracker.stored.launches)
        assert {seen.launch_id for seen in tracker.stored.seen.values()} == set(tracker.stored.launches)


# --- merge and split ---


def test_merged_launches_keep_the_older_id_and_split_ones_get_their_own_back_again_and_again() -> None:
    tracker = MemoryTracker()
    tracker.scrape(LIBRARY)
    tracker.scrape(VAGUE)
    older, younger = tracker.launch_of(LIBRARY), tracker.launch_of(VAGUE)
    assert older < younger
    for _ in range(2):
        assert tracker.scrape(AGREEING).merged == ((younger, older),)
        assert tracker.launch_of(AGREEING) == tracker.launch_of(LIBRARY) == older
        assert tracker.scrape(CONTRADICTING).revived == (younger,)
        assert (tracker.launch_of(LIBRARY), tracker.launch_of(CONTRADICTING)) == (older, younger)
        assert tracker.launch(LIBRARY).sources == (LL2,)


def test_one_record_that_becomes_two_splits_the_launch_and_the_old_id_stays_with_its_first_record() -> None:
    tracker = MemoryTracker()
    tracker.scrape(LIBRARY)
    tracker.scrape(AGREEING)
    (before,) = tracker.stored.launches
    second = sight(ROCKETLAUNCH, "Starlink (10-5)", NOON, key="r2", **UPCOMING)
    tracker.scrape(CONTRADICTING, second)
    assert tracker.launch_of(LIBRARY) == tracker.launch_of(second) == before
    assert tracker.launch_of(CONTRADICTING) > before


def test_an_id_stays_with_the_record_that_was_seen_first_and_of_one_scrape_with_the_first_source() -> None:
    tracker = MemoryTracker()
    tracker.scrape(AGREEING)
    tracker.scrape(LIBRARY)
    tracker.scrape(CONTRADICTING)
    assert tracker.launch_of(CONTRADICTING) == "0001" < tracker.launch_of(LIBRARY)
    tracker = MemoryTracker()
    flown = sight(GCAT, "?", "2026-05-01T12:00:00Z", key="g", vehicle="Falcon 9")
    library = sight(LL2, "Falcon 9 | ?", "2026-05-01T12:00:00Z", key="uuid")
    tracker.scrape(flown, library)
    moved = sight(GCAT, "?", "2026-05-09T12:00:00Z", key="g", vehicle="Falcon 9")
    tracker.scrape(moved)
    assert tracker.launch_of(library) == "0001" < tracker.launch_of(moved)


def test_a_slip_that_one_source_knows_of_leaves_the_launch_whole() -> None:
    tracker = MemoryTracker()
    nameless = sight(ROCKETLAUNCH, "Unknown", NOON, key="r1", **UPCOMING)
    tracker.scrape(LIBRARY, nameless)
    slipped = sight(
        LL2,
        "Falcon 9 | Starlink Group 10-5",
        at("2026-06-20T08:00:00Z", Precision.MINUTE),
        key="uuid",
        status=LaunchStatus.TBC,
    )
    tracker.scrape(slipped)
    assert tracker.launch_of(slipped) == tracker.launch_of(nameless)
    net = tracker.launch(slipped).net
    assert net is not None
    assert net.earliest == slipped.net.earliest if slipped.net else False


def test_a_record_that_its_source_no_longer_sends_keeps_its_launch_and_its_history() -> None:
    tracker = MemoryTracker()
    tracker.scrape(LIBRARY)
    before = tracker.stored
    made = tracker.scrape(sight(LL2, "Electron | StriX", "2026-05-03T00:00:00Z", key="other"))
    assert tracker.launch(LIBRARY) == before.launches[tracker.launch_of(LIBRARY)]
    assert tracker.launch_of(LIBRARY) not in {one.id for one in made.launches}


async def test_the_history_of_a_launch_goes_with_it_into_a_merge_and_out_of_a_split(tmp_path: Path) -> None:
    clock = SystemClock()
    ids = (f"{number:04d}" for number in count(1))
    later = sight(ROCKETLAUNCH, "Starlink", at("2026-05-02T19:00:00Z", Precision.MINUTE), key="r1", **UPCOMING)
    async with open_database(tmp_path / "launches.db", "launches", clock) as db:
        store = LaunchStore(db)

        async def scrape(now: int, *sightings: Sighting) -> None:
            await store.apply(plan(await store.stored(), sightings, PRIORITIES, now, lambda: next(ids)), None, now)

        async def nets(launch_id: str) -> list[str | None]:
            return [row.new for row in (await store.get(launch_id)).history if row.field == "net"]

        for now, one in enumerate([LIBRARY, VAGUE, later, AGREEING]):
            await scrape(now, one)
        assert (await store.get("0002")).record.launch.id == "0001"
        assert await nets("0001") == ["2026-05-02T19:00:00Z"]
        await scrape(9, CONTRADICTING)
        assert (await store.get("0002")).record.launch.id == "0002"
        assert await nets("0002") == ["2026-05-02T19:00:00Z"]
        assert await nets("0001") == []
        try:
            await store.get("0003")
        except NotFoundError:
            return
    raise AssertionError("an id was given to a launch that had its own")
