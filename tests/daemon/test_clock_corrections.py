"""A wrong clock leaves no damage once it is right: schedules, waits, keys, limits, health."""

from pathlib import Path
from typing import Any

import pytest

from launchd import Context, Retry, Snooze, task
from launchd.clock import DAY, HOUR, MINUTE, SECOND, Instant, SystemClock, parse_instant
from launchd.db.database import open_database
from launchd.engine.checks.loops import waits_too_long
from launchd.engine.firing.entry import must_correct
from launchd.job import JobState
from launchd.launches.circuit import Circuit
from launchd.launches.source_store import FetchAttempt, SourceStore, Traffic
from launchd.ops.health import CheckReport, Level
from launchd.testing import TestDaemon, VirtualClock, running
from tests.support.tasks import ALL

NOON = "2026-06-01T12:00:00Z"
RIGHT = parse_instant(NOON)
YEAR = 365 * DAY
FOUR_HOURS = 4 * HOUR
SCHEDULES: dict[str, dict[str, Any]] = {
    "secondly": {"task": "echo", "every": "1s", "overlap": "allow"},
    "hourly": {"task": "echo", "cron": "0 * * * *"},
    "yearly": {"task": "echo", "cron": "0 0 1 1 *"},
}


@task
async def once_failing(ctx: Context) -> int:
    """Raise Retry for five minutes, once."""
    if ctx.attempt == 1:
        raise Retry(after=300)
    return ctx.attempt


@task
async def once_snoozing(ctx: Context) -> str:
    """Raise Snooze for five minutes, once."""
    if ctx.job_id not in SNOOZED:
        SNOOZED.add(ctx.job_id)
        raise Snooze(300)
    return "awake"


SNOOZED: set[str] = set()


def doubled(jobs: list[Any]) -> list[Any]:
    """The occurrences that have more than one job."""
    fires = [(job.schedule, job.fire_time) for job in jobs]
    return sorted({one for one in fires if fires.count(one) > 1})


async def said(daemon: TestDaemon, schedule: str) -> str:
    """All reasons on the ledger of a schedule."""
    return " | ".join(row.reason or "" for row in await daemon.fires(schedule))


async def check(daemon: TestDaemon) -> CheckReport:
    return (await daemon.daemon.control.health()).checks["scheduler"]


@pytest.mark.parametrize("ahead", [FOUR_HOURS, 10 * YEAR])
@pytest.mark.parametrize("same_boot", [True, False])
async def test_a_daemon_that_was_stopped_while_the_clock_was_ahead_goes_on_when_it_is_right(
    tmp_path: Path, ahead: Instant, same_boot: bool
) -> None:
    wrong = VirtualClock(RIGHT + ahead, boot=100.0)
    async with running(tasks=ALL, schedules=SCHEDULES, start=RIGHT + ahead, directory=tmp_path) as daemon:
        await daemon.stop()
        await daemon.start(wrong)
        await daemon.advance(seconds=5)
        await daemon.stop()
        boot_id = wrong.boot_id() if same_boot else None
        await daemon.start(VirtualClock(RIGHT, boot=200.0, boot_id=boot_id))
        await daemon.advance(seconds=3)
        now = daemon.clock.now()
        fired = [job.fire_time for job in await daemon.jobs(schedule="secondly") if (job.fire_time or 0) <= now]
        assert fired == [RIGHT + 3 * SECOND, RIGHT + 2 * SECOND, RIGHT + SECOND]
        assert "the clock was put back" in await said(daemon, "secondly")
        assert "the clock was put back" in await said(daemon, "hourly")
        assert daemon.daemon.live.scheduler.entries["hourly"].next_fire == RIGHT + HOUR
        assert (await check(daemon)).level is Level.HEALTHY


async def test_a_clock_that_was_a_year_ahead_for_ten_minutes_leaves_no_false_range_and_fires_go_on() -> None:
    async with running(tasks=ALL, schedules=SCHEDULES, start=NOON) as daemon:
        await daemon.advance(minutes=1)
        daemon.clock.jump(YEAR / SECOND)
        await daemon.advance(minutes=10)
        daemon.clock.jump(-YEAR / SECOND)
        await daemon.advance(seconds=3)
        now = daemon.clock.now()
        recent = [
            job for job in await daemon.jobs(schedule="secondly") if now - 3 * SECOND < (job.fire_time or 0) <= now
        ]
        assert len(recent) == 3
        for name in SCHEDULES:
            rows = await daemon.fires(name)
            assert all((row.until or row.fire_time) <= now for row in rows if row.job_id is None), name
        missed = [row for row in await daemon.fires("secondly") if row.outcome == "missed" and row.fire_time <= now]
        assert sum(row.count for row in missed) == 600
        await daemon.advance(hours=1)
        assert RIGHT + HOUR in [row.fire_time for row in await daemon.fires("hourly") if row.outcome == "fired"]
        assert doubled(await daemon.jobs()) == []


async def test_a_step_back_of_two_hours_silences_no_schedule_and_refires_nothing() -> None:
    async with running(tasks=ALL, schedules=SCHEDULES, start=NOON) as daemon:
        await daemon.advance(seconds=10)
        daemon.clock.jump(-2 * 3600)
        await daemon.advance(seconds=3)
        now = daemon.clock.now()
        assert [job.fire_time for job in await daemon.jobs(schedule="secondly")][:3] == [
            now - number * SECOND for number in range(3)
        ]
        daemon.clock.jump(2 * 3600 - 10)  # over what was fired before
        await daemon.advance(seconds=20)
        assert doubled(await daemon.jobs()) == []


async def delayed(daemon: TestDaemon) -> dict[str, str]:
    """Jobs that wait for five minutes, each for a different reason, and one that waits for a named instant."""
    control = daemon.daemon.control
    made = {"delay": (await control.trigger("echo", {}, delay=300, by="test"))[0].id}
    made["retry"] = (await daemon.trigger("once_failing")).id
    made["snooze"] = (await daemon.trigger("once_snoozing")).id
    named = daemon.clock.now() + 300 * SECOND
    made["named"] = (await control.trigger("echo", {}, run_at=named, by="test"))[0].id
    await daemon.settle()
    return made


async def states(daemon: TestDaemon, made: dict[str, str]) -> dict[str, str]:
    return {name: (await daemon.job(job)).state.value for name, job in made.items()}


WAITING = {"delay": "queued", "retry": "queued", "snooze": "queued", "named": "queued"}
DONE = {"delay": "succeeded", "retry": "succeeded", "snooze": "succeeded"}
TASKS = [*ALL, once_failing, once_snoozing]


@pytest.mark.parametrize("ahead", [FOUR_HOURS, 10 * YEAR])
async def test_waits_that_began_under_a_wrong_clock_keep_their_length(ahead: Instant) -> None:
    async with running(tasks=TASKS, start=RIGHT + ahead) as daemon:
        made = await delayed(daemon)
        await daemon.advance(seconds=100)
        daemon.clock.jump(-ahead / SECOND)
        await daemon.advance(seconds=150)
        assert await states(daemon, made) == WAITING
        await daemon.advance(seconds=51)
        assert await states(daemon, made) == {**DONE, "named": "queued"}
        assert (await daemon.job(made["named"])).run_at == RIGHT + ahead + 300 * SECOND


async def test_waits_outlast_a_clock_that_was_wrong_in_between() -> None:
    async with running(tasks=TASKS, start=NOON) as daemon:
        made = await delayed(daemon)
        await daemon.advance(seconds=100)
        daemon.clock.jump(YEAR / SECOND)
        await daemon.advance(seconds=100)
        assert await states(daemon, made) == {**WAITING, "named": "succeeded"}
        daemon.clock.jump(-YEAR / SECOND)
        await daemon.advance(seconds=50)
        assert (await states(daemon, made))["delay"] == "queued"
        await daemon.advance(seconds=51)
        assert await states(daemon, made) == {**DONE, "named": "succeeded"}


@pytest.mark.parametrize("same_boot", [True, False])
async def test_waits_that_a_stopped_daemon_left_under_a_wrong_clock_are_shifted_at_the_start(
    tmp_path: Path, same_boot: bool
) -> None:
    async with running(tasks=TASKS, start=RIGHT + 10 * YEAR, directory=tmp_path) as daemon:
        made = await delayed(daemon)
        await daemon.advance(seconds=100)
        await daemon.stop()
        boot, boot_id = daemon.clock.boot(), daemon.clock.boot_id() if same_boot else None
        await daemon.start(VirtualClock(RIGHT, boot=boot, boot_id=boot_id))
        await daemon.advance(seconds=150)
        assert await states(daemon, made) == WAITING
        await daemon.advance(seconds=51)
        assert await states(daemon, made) == {**DONE, "named": "queued"}


async def test_many_waits_are_shifted_in_batches_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launchd.store.clock.BATCH", 7)
    async with running(tasks=ALL, start=RIGHT + YEAR, directory=tmp_path) as daemon:
        control = daemon.daemon.control
        for number in range(30):
            await control.trigger("echo", {"value": number}, delay=600, by="test")
        daemon.clock.jump(-YEAR / SECOND)
        await daemon.settle()
        assert {job.run_at for job in await daemon.jobs()} == {RIGHT + 600 * SECOND}
        await daemon.stop()
        await daemon.start()
        assert {(job.run_at, job.created_at) for job in await daemon.jobs()} == {(RIGHT + 600 * SECOND, RIGHT)}


async def test_the_time_that_a_job_may_wait_is_not_used_up_by_a_clock_that_jumps() -> None:
    async with running(tasks=ALL, start=NOON) as daemon:
        control = daemon.daemon.control
        await control.pause_queue("default", None, "test")
        job, _ = await control.trigger("echo", {}, expires_in=60, by="test")
        for jump in (YEAR, -YEAR, -FOUR_HOURS, MINUTE):
            daemon.clock.jump(jump / SECOND)
            await daemon.advance(seconds=10)
            assert (await daemon.job(job.id)).state is JobState.QUEUED
        await daemon.advance(seconds=21)
        assert (await daemon.job(job.id)).state is JobState.EXPIRED


async def test_a_key_counts_for_a_day_whatever_the_clock_was() -> None:
    async with running(tasks=ALL, start=RIGHT + 10 * YEAR) as daemon:
        trigger = daemon.daemon.control.trigger
        first, _ = await trigger("echo", {}, idempotency_key="k", by="test")
        daemon.clock.jump(-10 * YEAR / SECOND)
        await daemon.settle()
        assert (await trigger("echo", {}, idempotency_key="k", by="test"))[0].id == first.id
        await daemon.advance(hours=25)
        assert (await trigger("echo", {}, idempotency_key="k", by="test"))[0].id != first.id


async def test_a_rate_is_not_used_up_for_years_by_starts_under_a_wrong_clock(tmp_path: Path) -> None:
    config = '[queues.default]\nrate = "2/m"\n'
    async with running(tasks=ALL, config=config, start=RIGHT + YEAR, directory=tmp_path) as daemon:
        await daemon.trigger("echo")
        await daemon.trigger("echo")
        await daemon.stop()
        await daemon.start(VirtualClock(RIGHT))
        await daemon.advance(minutes=2)
        await daemon.stop()
        await daemon.start()
        assert (await daemon.trigger("echo")).state is JobState.SUCCEEDED


async def test_a_source_is_not_fresh_for_years_because_the_clock_was_ahead(tmp_path: Path) -> None:
    async with open_database(tmp_path / "launches.db", "launches", SystemClock()) as db:
        store = SourceStore(db)
        await store.failed(FetchAttempt("gcat", RIGHT + YEAR, Traffic()), "away", Circuit(5, RIGHT + YEAR + HOUR))
        await store.not_after(RIGHT)
        row = await db.read_one("SELECT last_attempt, retry_at FROM sources")
        assert row is not None
        assert tuple(row) == (RIGHT, None)


async def test_health_names_a_schedule_that_waits_for_longer_than_its_recurrence() -> None:
    async with running(tasks=ALL, schedules=SCHEDULES, start=RIGHT + 10 * YEAR) as daemon:
        await daemon.advance(seconds=2)
        assert (await check(daemon)).level is Level.HEALTHY
        daemon.clock.jump(-10 * YEAR / SECOND)
        found = await check(daemon)  # before the scheduler has looked at the clock
        assert found.level is Level.UNHEALTHY
        assert "schedule secondly waits until 2036" in found.detail
        await daemon.settle()
        assert (await check(daemon)).level is Level.HEALTHY


async def test_a_rare_schedule_is_healthy() -> None:
    schedules = {"leap": {"task": "echo", "cron": "0 0 29 2 *"}, "start": {"task": "echo", "cron": "@startup"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        assert (await check(daemon)).level is Level.HEALTHY
        entry = daemon.daemon.live.scheduler.entries["leap"]
        assert waits_too_long(entry, RIGHT) is None
        entry.regular = None
        assert "never fires" in (waits_too_long(entry, RIGHT) or "")


def test_a_cursor_up_to_now_and_a_drift_needs_no_correction() -> None:
    assert not must_correct(RIGHT, RIGHT, 0)
    assert not must_correct(RIGHT + SECOND, RIGHT, 0)
    assert must_correct(RIGHT + SECOND, RIGHT, -MINUTE)
    assert must_correct(RIGHT + 2 * SECOND, RIGHT, 0)
    assert not must_correct(RIGHT, RIGHT, HOUR)
    assert must_correct(RIGHT, RIGHT, FOUR_HOURS)
