"""Reconciling: the chosen source of each value, and the conflicts of sources, scrape by scrape."""

from launchd.launches.ingest import IngestPlan
from launchd.launches.launch import Launch, LaunchStatus, Precision
from tests.support.launch_memory import MemoryTracker
from tests.support.sightings import GCAT, LIBRARY, LL2, NOON, ROCKETLAUNCH, UPCOMING, at, sight

FIELDS = tuple(field for field in Launch.__struct_fields__ if field != "id")


def kinds(made: IngestPlan) -> list[str]:
    return [one.kind for one in made.conflicts]


def test_a_conflict_of_pads_is_found_through_aliases_and_gone_with_its_cause() -> None:
    tracker = MemoryTracker()
    same = sight(ROCKETLAUNCH, "Starlink (10-5)", NOON, key="r1", pad="SLC-40", place="Cape Canaveral SFS", **UPCOMING)
    other = sight(
        ROCKETLAUNCH, "Starlink (10-5)", NOON, key="r1", pad="LC-39A", place="Kennedy Space Center", **UPCOMING
    )
    library = sight(
        LL2,
        "Falcon 9 | Starlink Group 10-5",
        NOON,
        key="uuid",
        pad="Space Launch Complex 40",
        place="Cape Canaveral SFS, FL, USA",
        status=LaunchStatus.GO,
    )
    assert kinds(tracker.scrape(library, same)) == []
    assert kinds(tracker.scrape(other)) == ["pad"]
    assert kinds(tracker.scrape(same)) == []


def test_launches_that_may_be_one_are_listed_with_the_evidence_until_that_is_settled() -> None:
    tracker = MemoryTracker()
    unknown = sight(
        LL2,
        "Long March 2D | Unknown Payload",
        at("2025-05-13T04:10:00Z", Precision.MINUTE),
        key="u",
        status=LaunchStatus.GO,
    )
    flown = sight(GCAT, "Xingshidai 27", "2025-05-14T04:11:00Z", vehicle="Chang Zheng 2D")
    tracker.scrape(unknown)
    (doubt,) = tracker.scrape(flown).conflicts
    assert (doubt.kind, doubt.launch_id, doubt.other_id) == ("possible_duplicate", "0001", "0002")
    assert doubt.values["evidence"] == "near; same vehicle"
    settled = sight(LL2, "Long March 2D | Space Computing", "2025-05-14T04:12:00Z", key="u")
    made = tracker.scrape(settled)
    assert made.merged == (("0002", "0001"),)
    assert kinds(made) == []


# --- the chosen source ---


def test_every_value_has_its_source_and_the_time_when_it_was_seen() -> None:
    tracker = MemoryTracker()
    flown = sight(
        GCAT,
        "Starlink",
        "2026-05-01T12:00:31Z",
        key="2026-100",
        vehicle="Falcon 9",
        designator="2026-100",
        urls=("https://e.org",),
    )
    library = sight(LL2, "Falcon 9 | Starlink Group 10-5", "2026-05-01T12:00:00Z", key="uuid", orbit="LEO")
    tracker.scrape(library, now=5)
    tracker.scrape(flown, now=7)
    launch = tracker.launch(library)
    origins = {field: (one.source, one.seen_at) for field, one in launch.provenance.items()}
    filled = {field for field in FIELDS if getattr(launch, field) and field not in {"sources", "provenance"}}
    assert set(origins) == filled
    assert origins["net"] == origins["designator"] == origins["urls"] == (GCAT, 7)
    assert origins["name"] == origins["orbit"] == origins["status"] == (LL2, 5)


def test_a_window_is_taken_from_a_source_that_knows_of_the_slip() -> None:
    tracker = MemoryTracker()
    start = NOON.earliest
    stale = sight(
        LL2, "Falcon 9 | SXM-8", NOON, key="uuid", status=LaunchStatus.GO, window_start=start, window_end=start
    )
    tracker.scrape(stale, now=1)
    tomorrow = at("2026-05-03T12:00:00Z", Precision.MINUTE)
    fresh = sight(ROCKETLAUNCH, "SXM-8", tomorrow, key="r", window_start=tomorrow.earliest, **UPCOMING)
    tracker.scrape(fresh, now=2)
    launch = tracker.launch(stale)
    assert launch.net == tomorrow
    assert launch.window_start == tomorrow.earliest
    assert launch.provenance["window_start"].source == ROCKETLAUNCH


def test_in_flight_beats_a_plan_and_an_outcome_beats_both() -> None:
    tracker = MemoryTracker()
    for status in (LaunchStatus.GO, LaunchStatus.IN_FLIGHT, LaunchStatus.SUCCESS):
        tracker.scrape(
            LIBRARY, sight(ROCKETLAUNCH, "Starlink (10-5)", NOON, key="r1", vehicle="Falcon 9", status=status)
        )
        assert tracker.launch(LIBRARY).status is status
