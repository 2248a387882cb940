"""What comes near is told once for each mark, over restarts, outages and slips."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import DAY, HOUR, MINUTE, Instant, parse_instant
from launchd.event import Happening
from launchd.job import IdMaker
from launchd.launches.approach import MARKS, Mark, approach
from launchd.launches.ingest import plan
from launchd.launches.launch import LaunchStatus, Precision, Sighting
from launchd.schedules.tighten import LOOK, Near
from launchd.testing import TestDaemon, running
from tests.support.sightings import LL2, ROCKETLAUNCH, at, sight

START = "2026-06-01T12:00:00Z"
NOON = parse_instant(START)
IDS = IdMaker()


def near(when: Instant, width: Instant = MINUTE, key: str = "a") -> Near:
    return Near(when, when + width - 1, key, key)


# --- the rule ---


@given(
    st.lists(st.builds(near, st.integers(NOON, NOON + 3 * DAY), st.sampled_from([1, MINUTE, HOUR, DAY])), max_size=1),
    st.lists(st.integers(1, 5 * HOUR), max_size=40),
)
def test_each_mark_is_told_once_the_wider_before_the_narrower_and_none_after_the_time(
    listed: list[Near], steps: list[Instant]
) -> None:
    told: set[Mark] = set()
    heard: list[Mark] = []
    now = NOON
    for step in steps:
        found = approach([one for one in listed if one.latest >= now], told, now)
        told = (told | found.told) - found.forget
        heard += found.tell
        assert found.again_at > now
        assert all(one.earliest > now for one in listed if one.id in dict(found.tell))
        now += step
    assert len(heard) == len(set(heard))
    assert [hours for _, hours in heard] == sorted((hours for _, hours in heard), reverse=True)


@given(st.integers(NOON, NOON + 3 * DAY), st.sampled_from([1, MINUTE, HOUR]))
def test_whoever_looks_whenever_it_is_time_hears_each_mark_at_its_time(when: Instant, width: Instant) -> None:
    told: set[Mark] = set()
    now = NOON
    heard: dict[int, Instant] = {}
    while now <= when:
        found = approach([near(when, width)], told, now)
        told = (told | found.told) - found.forget
        heard |= {hours: now for _, hours in found.tell}
        assert now < found.again_at <= now + LOOK
        now = found.again_at
    expected = {hours: when - hours * HOUR for hours in MARKS if when - hours * HOUR > NOON}
    assert {hours: time for hours, time in heard.items() if time > NOON} == expected


def test_a_date_that_is_vaguer_than_a_mark_says_nothing_that_fine() -> None:
    day = near(NOON + HOUR // 2, DAY)
    assert approach([day], (), NOON).tell == (("a", 24),)
    assert approach([near(NOON + HOUR // 2, 7 * DAY)], (), NOON).tell == ()


def test_a_slip_is_told_again_when_it_is_longer_than_a_quarter_of_the_mark() -> None:
    told = [("a", 1), ("a", 24)]
    assert approach([near(NOON + 74 * MINUTE)], told, NOON).forget == set()
    assert approach([near(NOON + 76 * MINUTE)], told, NOON).forget == {("a", 1)}
    assert approach([], told, NOON).forget == set(told)


# --- the whole daemon ---


@asynccontextmanager
async def listening(directory: Path, start: str | Instant = START) -> AsyncIterator[tuple[TestDaemon, list[Any]]]:
    """A daemon and the approaches that it has told: name, hours, and the minutes that were left."""
    heard: list[Any] = []

    def listen(happenings: Sequence[Happening]) -> None:
        events = (one.event() for one in happenings if one.type == "launch.approaching")
        heard.extend((one.data["name"], one.data["hours"], round(one.data["seconds"] / 60)) for one in events)

    async with running(start=start, directory=directory) as daemon:
        daemon.daemon.control._bus.subscribe(listen)
        yield daemon, heard


async def said(daemon: TestDaemon, *sightings: Sighting) -> None:
    """What a scrape does with what sources say, and what it causes."""
    launches, now = daemon.daemon.launches, daemon.clock.now()
    made = plan(await launches.stored(), sightings, {}, now, lambda: IDS(now))
    await launches.apply(made, None, now)
    daemon.daemon.approaches.look_again()
    await daemon.settle()


def crew(net: str, source: str = LL2, **more: Any) -> Sighting:  # noqa: ANN401 - fields of a sighting
    more.setdefault("status", LaunchStatus.GO)
    return sight(source, "Falcon 9 | Crew-20", at(net, Precision.MINUTE), key="uuid", **more)


async def test_a_day_and_an_hour_before_its_time_a_launch_is_told_once(tmp_path: Path) -> None:
    async with listening(tmp_path) as (daemon, heard):
        await said(daemon, crew("2026-06-03T12:00:00Z"))
        await daemon.advance(hours=24, seconds=-1)
        assert heard == []
        await daemon.advance(hours=26)
        assert heard == [("Falcon 9 | Crew-20", 24, 1440), ("Falcon 9 | Crew-20", 1, 60)]


async def test_a_restart_tells_nothing_twice_and_what_came_near_meanwhile_is_told_then(tmp_path: Path) -> None:
    async with listening(tmp_path) as (daemon, heard):
        await said(daemon, crew("2026-06-02T13:00:00Z"))
        await daemon.advance(hours=1)
        assert [hours for _, hours, _ in heard] == [24]
    async with listening(tmp_path, NOON + 3 * HOUR) as (daemon, heard):
        await daemon.advance(hours=1)
        assert heard == []
    async with running(start=NOON + 25 * HOUR - 20 * MINUTE, directory=tmp_path) as daemon:
        rows = await daemon.daemon.launches._db.read("SELECT hours, told_at FROM approaches ORDER BY hours")
        assert [(row["hours"], row["told_at"]) for row in rows] == [
            (1, NOON + 25 * HOUR - 20 * MINUTE),
            (24, NOON + HOUR),
        ]


async def test_a_launch_that_slips_away_is_told_anew_and_one_that_is_done_not_at_all(tmp_path: Path) -> None:
    async with listening(tmp_path) as (daemon, heard):
        await said(daemon, crew("2026-06-01T12:50:00Z"))
        await said(daemon, crew("2026-06-01T15:50:00Z"))
        await daemon.advance(hours=3)
        assert [(hours, left) for _, hours, left in heard] == [(1, 50), (1, 60)]
        await said(daemon, crew("2026-06-02T20:00:00Z", status=LaunchStatus.CANCELLED))
        await daemon.advance(hours=40)
        assert len(heard) == 2


async def test_two_records_that_turn_out_to_be_one_launch_are_told_once(tmp_path: Path) -> None:
    async with listening(tmp_path) as (daemon, heard):
        net = "2026-06-02T12:00:00Z"
        await said(daemon, crew(net))
        other = sight(ROCKETLAUNCH, "Electron", at(net, Precision.MINUTE), key="r", status=LaunchStatus.GO)
        await said(daemon, other)
        assert [hours for _, hours, _ in heard] == [24, 24]
        await said(daemon, crew(net, ROCKETLAUNCH, vehicle="Falcon 9"), crew(net))
        await daemon.advance(hours=24)
        assert [hours for _, hours, _ in heard if hours == 24] == [24, 24]
