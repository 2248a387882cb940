"""Tightening: the rule in force at each time, and the additional fires in the ledger."""

import json
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd import Context, config, task
from launchd.clock import DAY, HOUR, MINUTE, SECOND, Instant, format_instant, parse_instant
from launchd.errors import ConfigError, StoreError
from launchd.job import IdMaker
from launchd.launches.fetch.politeness import affords
from launchd.launches.ingest import plan as ingest
from launchd.launches.launch import LaunchStatus, Precision
from launchd.schedules.cron import parse_cron
from launchd.schedules.recurrence import Every
from launchd.schedules.schedule import FireOutcome, Schedule, TightenRule, plan
from launchd.schedules.tighten import AFTER, Look, Near, coming, look, near_window, next_extra, tightened
from launchd.testing import TestDaemon, running
from tests.support.sightings import LL2, at, sight

NOON = parse_instant("2026-06-01T12:00:00Z")
DAILY = TightenRule(24 * 3600, Every(1800), '{"every_seconds":1800}')
HOURLY = TightenRule(3600, Every(300), '{"every_seconds":300}')
RULES = (DAILY, HOURLY)
SIX_HOURLY = Schedule(name="s", task="t", recurrence=parse_cron("0 */6 * * *"), spec="", tighten=RULES)


def launch(when: Instant, width: Instant = MINUTE, name: str = "Crew-20") -> Near:
    return Near(when, when + width - 1, f"id of {name}", name)


def in_force(near: Sequence[Near], now: Instant) -> int | None:
    """The seconds between additional fires."""
    found = look(RULES, near, now).tightening
    return None if found is None else found.rule.every.seconds


@pytest.mark.parametrize(
    ("before", "every"),
    [
        (25 * HOUR, None),
        (24 * HOUR + 1, None),
        (24 * HOUR, 1800),
        (HOUR + 1, 1800),
        (HOUR, 300),
        (0, 300),
        (-30 * MINUTE, 300),
        (-HOUR - 2 * MINUTE, 1800),
        (-AFTER - 2 * MINUTE, None),
    ],
)
def test_the_tightest_rule_whose_time_has_come_is_in_force_until_shortly_after(
    before: Instant, every: int | None
) -> None:
    assert in_force([launch(NOON + before)], NOON) == every


def test_a_date_vaguer_than_a_rule_never_puts_it_in_force() -> None:
    assert in_force([launch(NOON, DAY)], NOON + HOUR) == 1800
    assert in_force([launch(NOON, 30 * DAY)], NOON + HOUR) is None


def test_of_several_launches_the_nearest_gives_the_reason() -> None:
    late, soon = launch(NOON + 50 * MINUTE, name="late"), launch(NOON + 5 * MINUTE, name="soon")
    found = look(RULES, [late, soon], NOON).tightening
    assert found is not None
    assert (found.near.name, found.rule) == ("soon", HOURLY)


NEARS = st.lists(
    st.builds(
        launch,
        st.integers(NOON - 2 * DAY, NOON + 4 * DAY),
        st.sampled_from([1, MINUTE, HOUR, DAY, 30 * DAY]),
        st.sampled_from("abc"),
    ),
    max_size=4,
)


@given(NEARS, st.integers(NOON, NOON + DAY), st.data())
def test_nothing_changes_before_the_time_of_the_next_look(near: list[Near], now: Instant, data: st.DataObject) -> None:
    found = look(RULES, near, now)
    assert now < found.again_at <= now + HOUR
    between = data.draw(st.integers(now, found.again_at - 1))
    assert look(RULES, near, between).tightening == found.tightening


@given(NEARS, st.integers(NOON, NOON + DAY))
def test_events_outside_the_queried_interval_make_no_difference_until_the_next_look(
    near: list[Near], now: Instant
) -> None:
    first, last = near_window(RULES, now)
    asked = [one for one in near if one.latest >= first and one.earliest <= last]
    asked = [one for one in asked if one.latest - one.earliest <= last - first]
    assert look(RULES, asked, now) == look(RULES, near, now)


@given(NEARS, st.lists(st.integers(1, 3 * HOUR), min_size=1, max_size=60))
def test_however_the_time_is_cut_no_occurrence_is_fired_twice_and_each_is_one_of_the_recurrence_or_of_a_rule(
    near: list[Near], steps: list[Instant]
) -> None:
    cursor = now = NOON
    extra: Instant | None = None
    fired: list[Instant] = []
    for step in steps:
        now += step
        made = tightened(plan(SIX_HOURLY, cursor, now), look(RULES, near, now), extra, now, paused=False)
        for fire in made.fires:
            if fire.args is not None:
                found = look(RULES, near, now).tightening
                assert found is not None
                # a fire that came due under the earlier rule is fired under the next one
                assert fire.fire_time == extra or fire.fire_time % (found.rule.every.seconds * SECOND) == 0
                assert found.since <= fire.fire_time <= now
            fired += [fire.fire_time] if fire.outcome is FireOutcome.FIRED else []
        assert cursor <= made.cursor <= now
        cursor = made.cursor
        extra = next_extra(look(RULES, near, now), max(cursor, now))
    assert fired == sorted(set(fired))


def coming_until(shown: Look, after: Instant, until: Instant) -> list[Instant]:
    found = []
    for one in coming(SIX_HOURLY, shown, after):
        if one > until:
            break
        found.append(one)
    return found


def test_coming_occurrences_are_both_kinds_in_order_each_once() -> None:
    shown = look(RULES, [launch(NOON + 6 * HOUR)], NOON)
    times = coming_until(shown, NOON, NOON + 12 * HOUR)
    assert len(times) == len(set(times)) == 2 * 9 + 1
    assert times == sorted(times)
    assert set(coming_until(Look(None, NOON), NOON, NOON + 12 * HOUR)) <= set(times)


# --- configured ---


def problem(rules: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config.parse(f"[schedules.scrape_launch_data]\ntighten = {rules}")
    return str(caught.value)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ('[{ within = "24h", every = "soon" }]', "a whole number and a unit"),
        ('[{ within = "24h" }]', "a list of rules such as"),
        ('[{ within = "24h", every = "5m", sources = [] }]', "a list of rules such as"),
        ('[{ within = "1h", every = "10s" }]', "at least 60 s"),
        ('[{ within = "5m", every = "1h" }]', "within: expected"),
        ('[{ within = "300d", every = "5m" }]', "within: expected"),
        ("7", "a list of rules such as"),
    ],
)
def test_a_rule_beyond_its_limits_is_refused_with_the_reason(rules: str, words: str) -> None:
    assert "tighten" in problem(rules)
    assert words in problem(rules)


async def test_a_task_that_takes_no_every_seconds_cannot_be_tightened() -> None:
    schedules = {"s": {"task": "plain", "cron": "@hourly", "tighten": [{"within": "24h", "every": "30m"}]}}
    with pytest.raises(ConfigError, match="every_seconds"):
        async with running(tasks=[plain], schedules=schedules):
            raise AssertionError


# --- the whole daemon ---


@task(max_retries=0)
async def plain(_ctx: Context) -> None:
    """Do nothing."""


@task(max_retries=0)
async def scrape(_ctx: Context, *, every_seconds: float | None = None) -> float | None:
    """Return the interval that it was given."""
    return every_seconds


TIGHTEN = [{"within": "24h", "every": "30m"}, {"within": "1h", "every": "5m"}]
IDS = IdMaker()
SCHEDULES = {"s": {"task": "scrape", "cron": "0 */6 * * *", "tighten": TIGHTEN}}


async def put(daemon: TestDaemon, net: str, status: LaunchStatus = LaunchStatus.GO) -> str:
    """Let a source say this of the one launch there is, as a scrape does; its id."""
    launches, now = daemon.daemon.launches, daemon.clock.now()
    said = sight(LL2, "Falcon 9 | Crew-20", at(net, Precision.MINUTE), key="uuid", status=status)
    made = ingest(await launches.stored(), [said], {}, now, lambda: IDS(now))
    await launches.apply(made, None, now)
    daemon.daemon.live.scheduler.look_again()
    await daemon.settle()
    return made.launches[0].id


async def fired(daemon: TestDaemon) -> list[str]:
    rows = await daemon.fires("s")
    assert {(row.outcome, row.count) for row in rows} <= {("fired", 1)}
    return [format_instant(row.fire_time)[11:16] for row in rows]


# By the hour of the day, with a NET at 20:00 on the second of three days: twice an hour from 20:00 on the first day
# until 23:01, twelve times from 19:00 to 21:00 of them, and each six hours all the while.
HOURS = dict.fromkeys((f"{hour:02}" for hour in range(24)), 2)
HOURS |= {"00": 3, "06": 3, "12": 3, "18": 3, "19": 12, "20": 2 + 12, "21": 2 + 2, "22": 2 + 2, "23": 2 + 1}


async def test_around_its_time_a_launch_is_scraped_more_and_more_often_and_then_as_before() -> None:
    async with running(tasks=[scrape], schedules=SCHEDULES, start="2026-06-01T12:00:01Z") as daemon:
        await put(daemon, "2026-06-02T20:00:00Z")
        await daemon.advance(hours=24 * 2)
        times = Counter(time.partition(":")[0] for time in await fired(daemon))
        assert times == HOURS
        said = {json.loads(job.args).get("every_seconds") for job in await daemon.jobs(schedule="s")}
        assert said == {None, 1800, 300}


async def test_a_restart_in_the_last_hour_fires_nothing_twice_and_leaves_nothing_out() -> None:
    async with running(tasks=[scrape], schedules=SCHEDULES, start="2026-06-01T12:00:01Z") as daemon:
        await put(daemon, "2026-06-01T13:00:00Z")
        await daemon.advance(minutes=9, seconds=57)
        assert await fired(daemon) == ["12:05"]
        await daemon.stop()
        daemon.clock.move(daemon.clock.monotonic() + 4)
        await daemon.start()
        assert await fired(daemon) == ["12:05", "12:10"]
        await daemon.stop()
        await daemon.start()
        await daemon.advance(minutes=5)
        assert await fired(daemon) == ["12:05", "12:10", "12:15"]


async def test_a_fire_that_is_due_as_another_rule_comes_into_force_is_fired_by_a_daemon_that_is_late() -> None:
    async with running(tasks=[scrape], schedules=SCHEDULES, start="2026-06-01T17:00:01Z") as daemon:
        await put(daemon, "2026-06-01T18:30:00Z")
        await daemon.advance(minutes=29, seconds=58)
        daemon.clock.move(daemon.clock.monotonic() + 1.5)
        await daemon.settle()
        assert await fired(daemon) == ["17:30"]


async def test_after_an_outage_near_a_launch_only_fires_of_the_recurrence_are_caught_up() -> None:
    async with running(tasks=[scrape], schedules=SCHEDULES, start="2026-06-01T17:00:01Z") as daemon:
        await put(daemon, "2026-06-01T18:30:00Z")
        await daemon.advance(minutes=31)
        assert await fired(daemon) == ["17:30"]
        await daemon.stop()
        daemon.clock.move(daemon.clock.monotonic() + 56 * 60)  # to 18:27
        await daemon.start()
        assert await fired(daemon) == ["17:30", "18:00"]
        await daemon.advance(minutes=4)
        assert await fired(daemon) == ["17:30", "18:00", "18:30"]


async def test_a_clock_put_back_fires_no_additional_occurrence_twice() -> None:
    async with running(tasks=[scrape], schedules=SCHEDULES, start="2026-06-01T12:30:01Z") as daemon:
        await put(daemon, "2026-06-01T13:00:00Z")
        await daemon.advance(minutes=10)
        assert await fired(daemon) == ["12:35", "12:40"]
        daemon.clock.jump(-8 * 60)
        await daemon.advance(minutes=9)
        assert await fired(daemon) == ["12:35", "12:40"]
        await daemon.advance(minutes=5)
        assert await fired(daemon) == ["12:35", "12:40", "12:45"]


async def test_a_launch_that_has_flown_or_slipped_no_longer_tightens() -> None:
    async with running(tasks=[scrape], schedules=SCHEDULES, start="2026-06-01T12:30:01Z") as daemon:
        timetable = daemon.daemon.control.timetable
        launch_id = await put(daemon, "2026-06-01T13:00:00Z")
        found = (await timetable.get("s")).tightening
        assert found is not None
        assert (found.near.id, found.near.name, found.rule.every.seconds) == (launch_id, "Falcon 9 | Crew-20", 300)
        await daemon.advance(minutes=5)
        await put(daemon, "2026-06-01T13:00:00Z", status=LaunchStatus.SUCCESS)
        assert (await timetable.get("s")).tightening is None
        await put(daemon, "2026-06-03T13:00:00Z")
        assert (await timetable.get("s")).tightening is None
        await daemon.advance(hours=4)
        assert await fired(daemon) == ["12:35"]


async def test_a_paused_schedule_has_no_additional_fires_and_none_are_caught_up() -> None:
    async with running(tasks=[scrape], schedules=SCHEDULES, start="2026-06-01T12:30:01Z") as daemon:
        timetable = daemon.daemon.control.timetable
        await put(daemon, "2026-06-01T13:00:00Z")
        await timetable.pause("s", "maintenance", "test")
        await daemon.advance(minutes=11)
        await timetable.resume("s", "test")
        await daemon.advance(minutes=5)
        assert await fired(daemon) == ["12:45"]


async def unknown(_first: Instant, _last: Instant) -> list[Near]:
    raise StoreError("the disk is away")


async def test_an_error_in_the_query_for_near_launches_fails_no_fire() -> None:
    async with running(tasks=[scrape], schedules=SCHEDULES, start="2026-06-01T17:30:01Z") as daemon:
        daemon.daemon.live.scheduler._near_by = unknown
        daemon.daemon.live.scheduler.look_again()
        await daemon.advance(hours=1)
        assert await fired(daemon) == ["18:00"]


@pytest.mark.parametrize(
    ("rate", "requests", "every", "enough"),
    [
        ("15/h", 5, 1800, True),  # two additional pulls in any hour, and one in its time
        ("15/h", 6, 1800, False),
        ("15/h", 1, 300, True),
        ("15/h", 2, 300, False),
        ("48/d", 1, 1800, False),
        ("1000/s", 6, 300, True),
    ],
)
def test_a_rate_allows_the_additional_pulls_that_fit_into_it(
    rate: str, requests: int, every: float, enough: bool
) -> None:
    assert affords(rate, requests, every) is enough
