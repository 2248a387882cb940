"""The whole daemon under a virtual clock: schedules over restarts, outages, clock jumps and daylight saving."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from launchd import Context, Retry, task
from launchd.clock import DAY, HOUR, SECOND, format_instant, parse_instant
from launchd.job import JobState
from launchd.schedules.cron import parse_cron
from launchd.schedules.recurrence import occurrences
from launchd.testing import TestDaemon, VirtualClock, running
from tests.support.tasks import ALL, echo

NOON = "2026-06-01T12:00:00Z"


def outcomes(rows: list[Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        found[row.outcome] += row.count
    return found


async def test_a_schedule_fires_at_each_of_its_times_and_each_job_knows_its_own() -> None:
    schedules = {"hourly": {"task": "about", "cron": "0 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        await daemon.advance(hours=5, seconds=1)
        jobs = await daemon.jobs(schedule="hourly")
        assert [format_instant(job.fire_time or 0) for job in jobs[::-1]] == [
            f"2026-06-01T{hour}:00:00Z" for hour in range(13, 18)
        ]
        assert {job.state for job in jobs} == {JobState.SUCCEEDED}
        assert outcomes(await daemon.fires("hourly")) == {"fired": 5}


async def test_a_restart_across_a_minute_fires_it_once() -> None:
    schedules = {"minutely": {"task": "echo", "cron": "* * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        await daemon.advance(seconds=59)
        await daemon.stop()
        daemon.clock.move(daemon.clock.monotonic() + 2)
        await daemon.start()
        rows = await daemon.fires("minutely")
        assert [(row.outcome, row.count, format_instant(row.fire_time)) for row in rows] == [
            ("fired", 1, "2026-06-01T12:01:00Z")
        ]
        await daemon.stop()
        await daemon.start()
        assert await daemon.fires("minutely") == rows


async def test_after_26_hours_off_a_minutely_schedule_catches_up_once_and_records_the_rest_in_one_row() -> None:
    schedules = {"minutely": {"task": "echo", "cron": "* * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        await daemon.stop()
        daemon.clock.move(26 * 3600)
        await daemon.start()
        rows = await daemon.fires("minutely")
        assert [(row.outcome, row.count) for row in rows] == [("missed", 1559), ("fired", 1)]
        assert len(await daemon.jobs(schedule="minutely")) == 1


async def test_a_clock_put_back_two_hours_fires_nothing_twice() -> None:
    schedules = {"quarterly": {"task": "echo", "cron": "*/15 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        await daemon.advance(hours=3)
        daemon.clock.jump(-2 * 3600)
        await daemon.advance(hours=2)
        assert outcomes(await daemon.fires("quarterly")) == {"fired": 12}
        await daemon.advance(hours=1)
        assert outcomes(await daemon.fires("quarterly")) == {"fired": 16}


async def test_a_clock_put_forward_two_hours_is_an_outage_like_any_other() -> None:
    schedules = {"quarterly": {"task": "echo", "cron": "*/15 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        await daemon.advance(minutes=16)
        daemon.clock.jump(2 * 3600)
        await daemon.settle()
        assert [(row.outcome, row.count) for row in await daemon.fires("quarterly")] == [
            ("fired", 1),
            ("missed", 7),
            ("fired", 1),
        ]


async def test_a_clock_put_forward_five_hours_is_a_correction_and_nothing_is_caught_up() -> None:
    schedules = {"quarterly": {"task": "echo", "cron": "*/15 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        await daemon.advance(minutes=16)
        daemon.clock.jump(5 * 3600)
        await daemon.settle()
        rows = await daemon.fires("quarterly")
        assert [(row.outcome, row.count, row.reason) for row in rows] == [
            ("fired", 1, None),
            ("missed", 20, "the clock was put forward"),
        ]
        await daemon.advance(minutes=15)
        assert outcomes(await daemon.fires("quarterly")) == {"fired": 2, "missed": 20}


async def test_a_schedule_that_changed_during_a_restart_catches_up_nothing(tmp_path: Path) -> None:
    first = {"s": {"task": "echo", "cron": "0 * * * *"}}
    async with running(tasks=ALL, schedules=first, start=NOON, directory=tmp_path) as daemon:
        await daemon.advance(hours=2)
    second = {"s": {"task": "echo", "cron": "*/10 * * * *"}}
    later = "2026-06-01T20:00:01Z"
    async with running(tasks=ALL, schedules=second, start=later, directory=tmp_path) as daemon:
        assert outcomes(await daemon.fires("s")) == {"fired": 2}
        await daemon.advance(minutes=10)
        assert outcomes(await daemon.fires("s")) == {"fired": 3}


async def test_retries_wait_one_two_and_four_minutes_and_survive_a_restart() -> None:
    async with running(tasks=[failing_three_times], start=NOON) as daemon:
        CLOCK.append(daemon.clock)
        FAILURES.clear()
        job = await daemon.trigger("failing_three_times")
        assert (job.state, job.attempt) == (JobState.QUEUED, 1)
        await daemon.stop()
        await daemon.start()
        await daemon.advance(minutes=9)
        job = await daemon.job(job.id)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 4)
        gaps = [late - early for early, late in pairwise(FAILURES)]
        assert [round(gap / 60) for gap in gaps] == [1, 2, 4]


async def test_a_retry_waits_for_as_long_as_the_task_asks() -> None:
    async with running(tasks=ALL, start=NOON) as daemon:
        job = await daemon.trigger("retry_later")
        assert job.run_at == parse_instant(NOON) + 2 * HOUR
        snoozed = await daemon.trigger("snoozing")
        assert (snoozed.attempt, snoozed.run_at) == (0, parse_instant(NOON) + HOUR)


async def test_a_job_that_nobody_starts_in_time_expires() -> None:
    async with running(tasks=ALL, start=NOON) as daemon:
        control = daemon.daemon.control
        await control.pause_queue("default", None, "test")
        job, _ = await control.trigger("echo", {}, expires_in=60, by="test")
        await daemon.advance(seconds=59)
        assert (await daemon.job(job.id)).state is JobState.QUEUED
        await daemon.advance(seconds=2)
        assert (await daemon.job(job.id)).state is JobState.EXPIRED


async def test_jitter_delays_the_start_and_not_the_fire() -> None:
    schedules = {"late": {"task": "echo", "cron": "0 * * * *", "jitter_seconds": 600.0}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        await daemon.advance(hours=1)
        (job,) = await daemon.jobs(schedule="late")
        assert job.fire_time == parse_instant("2026-06-01T13:00:00Z")
        assert 0 < job.run_at - job.fire_time < 600 * SECOND
        await daemon.advance(minutes=10)
        assert (await daemon.job(job.id)).started_at == job.run_at


async def test_a_start_schedule_fires_at_each_start() -> None:
    schedules = {"hello": {"task": "echo", "cron": "@startup"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        for count in (1, 2, 3):
            assert outcomes(await daemon.fires("hello")) == {"fired": count}
            await daemon.advance(hours=1)
            await daemon.stop()
            await daemon.start()


# --- overlap: tasks that take virtual time ---

CLOCK: list[VirtualClock] = []
FAILURES: list[float] = []


@task(max_retries=0, timeout=100_000)
async def slow(_ctx: Context, *, minutes: float = 27) -> None:
    """Take so long."""
    await CLOCK[-1].sleep(minutes * 60)


@task
async def failing_three_times(ctx: Context) -> None:
    """Fail three times, and note when."""
    FAILURES.append(CLOCK[-1].monotonic())
    if ctx.attempt < 4:
        raise Retry


async def overlapping(policy: str, hours: float = 1) -> tuple[list[str], list[str]]:
    """The ledger's outcomes and the jobs' states of a job of 27 minutes fired every 10."""
    schedules = {"s": {"task": "slow", "cron": "*/10 * * * *", "overlap": policy}}
    async with running(tasks=[slow], schedules=schedules, start=NOON) as daemon:
        CLOCK.append(daemon.clock)
        await daemon.advance(hours=hours)
        rows = [row.outcome.value for row in await daemon.fires("s")]
        jobs = [job.state.value for job in (await daemon.jobs(schedule="s"))[::-1]]
        await daemon.advance(hours=4, minutes=5)
        return rows, jobs


async def test_overlap_skip_skips_fires_during_a_run() -> None:
    assert await overlapping("skip") == (
        ["fired", "overlap_skipped", "overlap_skipped", "fired", "overlap_skipped", "overlap_skipped"],
        ["succeeded", "running"],
    )


async def test_overlap_allow_runs_them_side_by_side() -> None:
    rows, jobs = await overlapping("allow")
    assert rows == ["fired"] * 6
    assert jobs == ["succeeded", "succeeded", "succeeded", "running", "running", "running"]


async def test_overlap_buffer_one_keeps_one_waiting() -> None:
    rows, jobs = await overlapping("buffer_one")
    assert rows == ["fired", "fired", "overlap_skipped", "fired", "overlap_skipped", "overlap_skipped"]
    assert jobs == ["succeeded", "running", "queued"]


async def test_overlap_buffer_all_runs_all_one_after_another() -> None:
    rows, jobs = await overlapping("buffer_all")
    assert rows == ["fired"] * 6
    assert jobs == ["succeeded", "running", "queued", "queued", "queued", "queued"]


async def test_overlap_cancel_other_ends_the_older_and_then_starts_the_newer() -> None:
    rows, jobs = await overlapping("cancel_other")
    assert rows == ["fired"] * 6
    assert jobs == ["cancelled"] * 5 + ["running"]


async def test_overlap_terminate_other_does_so_too() -> None:
    assert (await overlapping("terminate_other"))[1] == ["cancelled"] * 5 + ["running"]


@task(timeout=0)
async def until_half_past(ctx: Context) -> None:
    """Run until half a minute past the next hour."""
    end = (ctx.fire_time or 0) + HOUR + 30 * SECOND
    while CLOCK[-1].now() < end:
        await CLOCK[-1].sleep_until(end)


async def test_a_buffered_job_that_is_released_before_its_jitter_is_over_starts_after_it() -> None:
    schedules = {"s": {"task": "until_half_past", "cron": "0 * * * *", "jitter_seconds": 900, "overlap": "buffer_one"}}
    async with running(tasks=[until_half_past], schedules=schedules, start=NOON) as daemon:
        CLOCK.append(daemon.clock)
        await daemon.advance(hours=2, minutes=1)
        second, first = await daemon.jobs(schedule="s")
        assert (first.state, second.state) == (JobState.SUCCEEDED, JobState.QUEUED)
        assert second.run_at > daemon.clock.now()
        await daemon.advance(minutes=14)
        assert (await daemon.job(second.id)).started_at == second.run_at


async def test_jobs_of_missed_fires_run_one_after_another() -> None:
    schedules = {"s": {"task": "slow", "cron": "0 * * * *", "catchup": "all", "args": {"minutes": 15}}}
    async with running(tasks=[slow], schedules=schedules, start=NOON) as daemon:
        CLOCK.append(daemon.clock)
        await daemon.stop()
        daemon.clock.move(3 * 3600 + 600)
        await daemon.start()
        assert [job.state.value for job in (await daemon.jobs())[::-1]] == ["running", "queued", "queued"]
        waiting = (await daemon.jobs())[0]
        why = daemon.daemon.control.waiting_on(waiting)
        assert why is not None
        assert why.reason == "overlap"
        await daemon.advance(hours=1, minutes=1)
        assert outcomes(await daemon.fires("s"))["fired"] == 4


async def test_a_buffered_job_goes_on_when_the_one_before_it_is_cancelled_in_the_queue() -> None:
    schedules = {"s": {"task": "slow", "cron": "*/10 * * * *", "overlap": "buffer_all"}}
    async with running(tasks=[slow], schedules=schedules, start=NOON) as daemon:
        CLOCK.append(daemon.clock)
        await daemon.advance(minutes=31)
        first, second, third = (await daemon.jobs())[::-1]
        await daemon.daemon.control.cancel(second.id, terminate=False, reason=None, by="test")
        await daemon.daemon.control.cancel(first.id, terminate=False, reason=None, by="test")
        await daemon.settle()
        assert [(await daemon.job(one.id)).state.value for one in (first, second, third)] == [
            "cancelled",
            "cancelled",
            "running",
        ]


async def test_a_buffered_job_whose_predecessor_is_cancelled_in_the_queue_still_waits_for_the_running_one() -> None:
    schedules = {"s": {"task": "slow", "cron": "*/10 * * * *", "overlap": "buffer_all"}}
    async with running(tasks=[slow], schedules=schedules, start=NOON) as daemon:
        CLOCK.append(daemon.clock)
        await daemon.advance(minutes=31)
        first, second, third = (await daemon.jobs())[::-1]
        await daemon.daemon.control.cancel(second.id, terminate=False, reason=None, by="test")
        await daemon.settle()
        states = [(await daemon.job(one.id)).state.value for one in (first, second, third)]
        assert states == ["running", "cancelled", "queued"]
        assert (await daemon.job(third.id)).waits_for == first.id
        await daemon.advance(minutes=7)
        assert (await daemon.job(third.id)).state is JobState.RUNNING
        again = await daemon.daemon.control.retry(second.id, by="test")
        assert again.waits_for is None


# --- backfill and pause ---


async def test_a_backfill_fires_missed_occurrences_and_none_twice() -> None:
    schedules = {"hourly": {"task": "echo", "cron": "0 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        await daemon.stop()
        daemon.clock.move(24 * 3600)
        await daemon.start()
        assert [(row.outcome, row.count) for row in await daemon.fires("hourly")] == [("missed", 23), ("fired", 1)]
        timetable = daemon.daemon.control.timetable
        first, last = parse_instant("2026-06-01T15:30:00Z"), parse_instant("2026-06-01T18:00:00Z")
        made = await timetable.backfill("hourly", first, last, "test")
        await daemon.settle()
        assert [format_instant(job.fire_time or 0)[11:16] for job in made] == ["16:00", "17:00", "18:00"]
        rows = await daemon.fires("hourly")
        assert [(row.outcome, row.count) for row in rows] == [
            ("missed", 3),
            ("backfilled", 1),
            ("backfilled", 1),
            ("backfilled", 1),
            ("missed", 17),
            ("fired", 1),
        ]
        assert await timetable.backfill("hourly", first, last, "test") == []
        assert {job.state for job in await daemon.jobs()} == {JobState.SUCCEEDED}


async def test_a_paused_schedule_records_the_fires_that_it_skips_and_goes_on_when_resumed() -> None:
    schedules = {"hourly": {"task": "echo", "cron": "0 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start=NOON) as daemon:
        timetable = daemon.daemon.control.timetable
        await timetable.pause("hourly", "maintenance", "test")
        await daemon.advance(hours=5)
        await timetable.resume("hourly", "test")
        await daemon.advance(hours=1)
        assert outcomes(await daemon.fires("hourly")) == {"paused": 5, "fired": 1}


# --- a year ---


def year_of_schedules() -> dict[str, dict[str, Any]]:
    zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana"]
    found: dict[str, dict[str, Any]] = {}
    for index, zone in enumerate(zones):
        found[f"daily{index}"] = {"task": "echo", "cron": "30 2 * * *", "timezone": zone}
        found[f"six{index}"] = {"task": "echo", "cron": f"{index} */6 * * *", "timezone": zone}
        found[f"weekly{index}"] = {"task": "echo", "cron": "15 1 * * 0", "timezone": zone, "jitter_seconds": 300.0}
        found[f"last{index}"] = {"task": "echo", "cron": "0 0 l * *", "timezone": zone, "dst_fold": "last"}
    return found


async def test_a_year_of_20_schedules_over_changes_of_the_clocks_with_a_restart_a_week_fires_each_once() -> None:
    schedules = year_of_schedules()
    async with running(tasks=[echo], schedules=schedules, start="2026-01-01T00:00:30Z") as daemon:
        start = daemon.clock.now()
        for _ in range(52):
            await daemon.advance(days=7)
            await restart(daemon)
        end = daemon.clock.now()
        assert end - start == 364 * DAY
        for name, table in schedules.items():
            cron = parse_cron(table["cron"], table.get("timezone", "UTC"))
            expected = []
            for instant in occurrences(cron, start):
                if instant > end:
                    break
                expected.append(instant)
            rows = await daemon.fires(name)
            assert [row.fire_time for row in rows] == expected, name
            assert {row.outcome for row in rows} == {"fired"}, name


async def restart(daemon: TestDaemon) -> None:
    """A restart as in a deploy."""
    await daemon.stop()
    await daemon.start()
