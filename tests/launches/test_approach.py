"""Launches that approach are announced once for each mark, over restarts, outages and slips."""

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
def test_each_mark_is_announced_once_the_wider_before_the_narrower_and_none_after_the_time(
    listed: list[Near], steps: list[Instant]
) -> None:
    told: set[Mark] = set()
    heard: list[Mark] = []
    now = NOON
    for step in steps:
        found = approach([one for one in listed if one.latest >= now], told, now)
        told = (told | found.record) - found.forget
        heard += found.announce
        assert found.again_at > now
        assert all(one.earliest > now for one in listed if one.id in dict(found.announce))
        now += step
    assert len(heard) == len(set(heard))
    assert [hours for _, hours in heard] == sorted((hours for _, hours in heard), reverse=True)


@given(st.integers(NOON, NOON + 3 * DAY), st.sampled_from([1, MINUTE, HOUR]))
def test_checks_at_the_given_times_announce_each_mark_at_its_time(when: Instant, width: Instant) -> None:
    told: set[Mark] = set()
    now = NOON
    heard: dict[int, Instant] = {}
    while now <= when:
        found = approach([near(when, width)], told, now)
        told = (told | found.record) - found.forget
        heard |= {hours: now for _, hours in found.announce}
        assert now < found.again_at <= now + LOOK
        now = found.again_at
    expected = {hours: when - hours * HOUR for hours in MARKS if when - hours * HOUR > NOON}
    assert {hours: time for hours, time in heard.items() if time > NOON} == expected


def test_a_date_that_is_vaguer_than_a_mark_is_not_announced_for_it() -> None:
    day = near(NOON + HOUR // 2, DAY)
    assert approach([day], (), NOON).announce == (("a", 24),)
    assert approach([near(NOON + HOUR // 2, 7 * DAY)], (), NOON).announce == ()


def test_a_slip_of_more_than_a_quarter_of_the_mark_is_announced_again() -> None:
    told = [("a", 1), ("a", 24)]
    assert approach([near(NOON + 74 * MINUTE)], told, NOON).forget == set()
    assert approach([near(NOON + 76 * MINUTE)], told, NOON).forget == {("a", 1)}
    assert approach([], told, NOON).forget == set(told)


# --- the whole daemon ---


@asynccontextmanager
async def listening(directory: Path, start: str | Instant = START) -> AsyncIterator[tuple[TestDaemon, list[Any]]]:
    """A daemon and its announcements: name, hours, and the minutes that were left."""
    heard: list[Any] = []

    def listen(happenings: Sequence[Happening]) -> None:
        events = (one.event() for one in happenings if one.type == "launch.approaching")
        heard.extend((one.data["name"], one.data["hours"], round(one.data["seconds"] / 60)) for one in events)

    async with running(start=start, directory=directory) as daemon:
        daemon.daemon.control._bus.subscribe(listen)
        yield daemon, heard


async def scraped(daemon: TestDaemon, *sightings: Sighting) -> None:
    """Ingest sightings as a scrape does, and let the daemon check."""
    launches, now = daemon.daemon.launches, daemon.clock.now()
    made = plan(await launches.stored(), sightings, {}, now, lambda: IDS(now))
    await launches.apply(made, None, now)
    daemon.daemon.approaches.look_again()
    await daemon.settle()


def crew(net: str, source: str = LL2, **more: Any) -> Sighting:  # noqa: ANN401 - fields of a sighting
    more.setdefault("status", LaunchStatus.GO)
    return sight(source, "Falcon 9 | Crew-20", at(net, Precision.MINUTE), key="uuid", **more)


async def test_a_launch_is_announced_once_a_day_and_once_an_hour_before_its_time(tmp_path: Path) -> None:
    async with listening(tmp_path) as (daemon, heard):
        await scraped(daemon, crew("2026-06-03T12:00:00Z"))
        await daemon.advance(hours=24, seconds=-1)
        assert heard == []
        await daemon.advance(hours=26)
        assert heard == [("Falcon 9 | Crew-20", 24, 1440), ("Falcon 9 | Crew-20", 1, 60)]


async def test_a_restart_repeats_no_announcement_and_makes_those_that_were_missed(tmp_path: Path) -> None:
    async with listening(tmp_path) as (daemon, heard):
        await scraped(daemon, crew("2026-06-02T13:00:00Z"))
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


async def test_a_launch_that_slips_is_announced_again_and_one_that_is_cancelled_is_not(tmp_path: Path) -> None:
    async with listening(tmp_path) as (daemon, heard):
        await scraped(daemon, crew("2026-06-01T12:50:00Z"))
        await scraped(daemon, crew("2026-06-01T15:50:00Z"))
        await daemon.advance(hours=3)
        assert [(hours, left) for _, hours, left in heard] == [(1, 50), (1, 60)]
        await scraped(daemon, crew("2026-06-02T20:00:00Z", status=LaunchStatus.CANCELLED))
        await daemon.advance(hours=40)
        assert len(heard) == 2


async def test_two_records_that_turn_out_to_be_one_launch_are_announced_once(tmp_path: Path) -> None:
    async with listening(tmp_path) as (daemon, heard):
        net = "2026-06-02T12:00:00Z"
        await scraped(daemon, crew(net))
        other = sight(ROCKETLAUNCH, "Electron", at(net, Precision.MINUTE), key="r", status=LaunchStatus.GO)
        await scraped(daemon, other)
        assert [hours for _, hours, _ in heard] == [24, 24]
        await scraped(daemon, crew(net, ROCKETLAUNCH, vehicle="Falcon 9"), crew(net))
        await daemon.advance(hours=24)
        assert [hours for _, hours, _ in heard if hours == 24] == [24, 24]
