"""The order of upcoming launches, and the next launch: what flies first comes first, and a vague date never leads."""

from collections.abc import AsyncIterator
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launchd.clock import DAY, HOUR, Instant, SystemClock, parse_instant
from launchd.db.database import Database, open_database
from launchd.errors import InvalidError
from launchd.launches.dates import net_from
from launchd.launches.ingest import plan
from launchd.launches.launch import LaunchStatus, Net, Place, Precision, Sighting
from launchd.launches.query import LaunchQuery
from launchd.launches.sources import SOURCES
from launchd.launches.store import LaunchStore
from tests.support.paths import SHARED
from tests.support.sightings import at

NOW = parse_instant("2026-06-01T00:00:00Z")
UPCOMING = LaunchQuery(when="upcoming")
FINE = (Precision.SECOND, Precision.MINUTE, Precision.HOUR, Precision.DAY)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "launches.db", "launches", SystemClock()) as database:
        yield database


@pytest.fixture
async def store(db: Database) -> LaunchStore:
    return LaunchStore(db)


def planned(key: str, net: Net | None, **more: object) -> Sighting:
    found = {"status": LaunchStatus.GO, "name": key} | more
    return Sighting(source="launch_library", source_id=key, net=net, **found)  # type: ignore[arg-type]


async def put(store: LaunchStore, *sightings: Sighting) -> None:
    stored = await store.stored()
    ids = iter(f"{number:012}" for number in range(len(stored.launches), 1 << 30))
    await store.apply(plan(stored, sightings, {}, NOW, lambda: next(ids)), None, NOW)


async def names(store: LaunchStore, query: LaunchQuery = UPCOMING, now: Instant = NOW) -> list[str]:
    return [one.launch.name for one in (await store.list(query, now)).items]


VAGUE_FIRST = (
    planned("this decade", at("2026-01-01T00:00:00Z", Precision.DECADE)),
    planned("2026", at("2026-12-31T00:00:00Z", Precision.YEAR)),
    planned("second half", at("2026-12-31T00:00:00Z", Precision.HALF)),
    planned("Q2", at("2026-06-30T00:00:00Z", Precision.QUARTER)),
    planned("June", at("2026-06-30T00:00:00Z", Precision.MONTH)),
    planned("30 June", at("2026-06-30T00:00:00Z", Precision.DAY)),
    planned("tomorrow noon", at("2026-06-02T12:00:00Z", Precision.MINUTE)),
    planned("tomorrow", at("2026-06-02T00:00:00Z", Precision.DAY)),
    planned("some day", None),
)
SOONEST = ["tomorrow noon", "tomorrow", "30 June", "June", "Q2", "second half", "2026", "this decade", "some day"]


async def test_upcoming_launches_are_in_the_order_of_the_ends_of_their_nets_the_most_precise_first(
    store: LaunchStore,
) -> None:
    await put(store, *VAGUE_FIRST)
    assert await names(store) == SOONEST


async def test_launches_that_end_together_are_in_the_order_of_their_names(store: LaunchStore) -> None:
    june = at("2026-06-30T00:00:00Z", Precision.MONTH)
    await put(store, *(planned(name, june) for name in ("c~1", "a", "b~", "~", "d")))
    assert await names(store) == ["a", "b~", "c~1", "d", "~"]


nets = st.none() | st.builds(
    lambda hours, precision: net_from(NOW + hours * HOUR, precision),
    st.integers(0, 24 * 900),
    st.sampled_from(list(Precision)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(nets, min_size=2, max_size=12))
async def test_a_launch_with_an_earlier_end_never_comes_after_a_vaguer_one_that_ends_later(
    tmp_path_factory: pytest.TempPathFactory, found: list[Net | None]
) -> None:
    place = tmp_path_factory.mktemp("order") / "launches.db"
    async with open_database(place, "launches", SystemClock()) as db:
        store = LaunchStore(db)
        await put(store, *(planned(f"n{number}", net) for number, net in enumerate(found)))
        listed = [one.launch.net for one in (await store.list(UPCOMING, NOW)).items]
        assert len(listed) == sum(net is None or net.latest >= NOW for net in found)
        for before, after in pairwise(listed):
            if before is None:
                assert after is None
            elif after is not None:
                assert (before.latest, before.latest - before.earliest) <= (after.latest, after.latest - after.earliest)
        first = await store.next_launch(LaunchQuery(), NOW)
        dated = [net for net in listed if net is not None and net.latest - net.earliest < DAY]
        assert (None if first is None else first.launch.net) == (dated[0] if dated else None)
        await check_pages(store, [one.launch.id for one in (await store.list(UPCOMING, NOW)).items])


async def check_pages(store: LaunchStore, whole: list[str]) -> None:
    found, cursor = list[str](), None
    for _ in range(len(whole) + 1):
        page = await store.list(UPCOMING._replace(limit=2, cursor=cursor), NOW)
        found += [one.launch.id for one in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == whole


async def test_a_page_neither_repeats_nor_skips_a_launch_when_others_are_added_between_two_pages(
    store: LaunchStore,
) -> None:
    await put(store, *VAGUE_FIRST)
    first = await store.list(UPCOMING._replace(limit=4), NOW)
    assert first.next is not None
    await put(
        store,
        planned("tonight", at("2026-06-01T20:00:00Z", Precision.MINUTE)),
        planned("in July", at("2026-07-01T00:00:00Z", Precision.MONTH)),
    )
    rest = await names(store, UPCOMING._replace(cursor=first.next))
    assert rest == ["Q2", "in July", *SOONEST[5:]]


@pytest.mark.parametrize("cursor", ["", "x", "1~2", "1~2~3", "1~2~~a", "a~2~3~b", f"1~{10**20}~3~b", "1~id"])
async def test_an_invalid_cursor_of_upcoming_launches_is_refused(store: LaunchStore, cursor: str) -> None:
    with pytest.raises(InvalidError, match="cursor"):
        await store.list(UPCOMING._replace(cursor=cursor), NOW)


async def test_the_next_launch_has_a_day_or_better_and_is_not_in_flight(store: LaunchStore) -> None:
    await put(
        store,
        planned("this week", at("2026-06-02T00:00:00Z", Precision.WEEK)),
        planned("flying", at("2026-06-01T00:00:00Z", Precision.HOUR), status=LaunchStatus.IN_FLIGHT),
        planned("flown", at("2026-06-01T10:00:00Z"), status=LaunchStatus.SUCCESS),
    )
    assert await store.next_launch(LaunchQuery(), NOW) is None
    await put(
        store,
        planned("30 June", at("2026-06-30T00:00:00Z", Precision.DAY), provider="SpaceX", vehicle="Falcon 9 Block 5"),
        planned(
            "in July",
            at("2026-07-01T00:00:00Z", Precision.MINUTE),
            provider="Rocket Lab",
            vehicle="Electron",
            location=Place("Mahia Peninsula"),
            pad="LC-1A",
        ),
    )
    for query, name in (
        (LaunchQuery(), "30 June"),
        (LaunchQuery(provider="rocket"), "in July"),
        (LaunchQuery(vehicle="electron"), "in July"),
        (LaunchQuery(place="mahia"), "in July"),
        (LaunchQuery(place="lc-1a"), "in July"),
        (LaunchQuery(vehicle="falcon 9"), "30 June"),
    ):
        found = await store.next_launch(query, NOW)
        assert found is not None
        assert found.launch.name == name
    assert await store.next_launch(LaunchQuery(vehicle="Vulcan"), NOW) is None


# --- on recorded payloads ---

LISTS = {
    "2026-01-28T15:44:31Z": "2.2.0_upcoming_detailed_limit100_zenith/2026-01-28T154431Z.json",
    "2026-03-14T18:46:07Z": "2.2.0_upcoming_detailed_limit100_zenith/2026-03-14T184607Z.json",
    "2026-03-15T06:48:27Z": "2.2.0_upcoming_detailed_limit100_zenith/2026-03-15T064827Z.json",
}


@pytest.mark.recorded
@pytest.mark.parametrize("taken", LISTS)
async def test_upcoming_launches_are_in_the_order_of_launch_library_wherever_that_order_is_certain(
    store: LaunchStore, taken: str
) -> None:
    """Launch Library has a day at its first instant and a month at its last day; NETs that meet may change places."""
    now = parse_instant(taken)
    given = SOURCES["launch_library"].parse([(SHARED / "sources" / "ll2" / LISTS[taken]).read_bytes()]).sightings
    await put(store, *given)
    listed = [one.launch for one in (await store.list(UPCOMING._replace(limit=None), now)).items]
    expected = [one for one in given if one.net and one.net.latest >= now and one.status != LaunchStatus.SUCCESS]
    assert {one.name for one in listed} == {one.name for one in expected}
    place = {(one.name, one.net): number for number, one in enumerate(expected)}
    for before, after in combinations(listed, 2):
        assert before.net is not None
        assert after.net is not None
        assert place[before.name, before.net] < place[after.name, after.net] or before.net.overlaps(after.net)
    soonest = sorted(expected, key=lambda one: one.net.latest if one.net else 0)
    assert [one.net for one in listed[:20]] == [one.net for one in soonest[:20]]
    first = await store.next_launch(LaunchQuery(), now)
    assert first is not None
    assert first.launch.name == next(one.name for one in expected if one.net and one.net.precision in FINE)
    assert listed[0] == first.launch
