"""Queues: the number, time and order of starts, and the reasons of waiting jobs."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd import Context, Retry, task
from launchd.clock import SECOND, SystemClock
from launchd.daemon import Daemon
from launchd.db.database import Connection, open_database
from launchd.engine.attempts.attempt import Stop
from launchd.engine.firing.callbacks import FireCallbacks
from launchd.engine.firing.scheduler import Scheduler
from launchd.engine.maker import JobMaker
from launchd.job import Job, JobState
from launchd.rate import Rate, RateLimiter
from launchd.schedules.recurrence import Every
from launchd.schedules.schedule import Schedule
from launchd.store.claims import Claimed
from launchd.store.schedules import ScheduleStore
from launchd.testing import TestDaemon, VirtualClock, running
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config

CLOCK: list[VirtualClock] = []
STARTS: list[tuple[str, float]] = []


@task(timeout=0, max_retries=0)
async def nap(_ctx: Context, *, name: str = "", minutes: float = 0) -> None:
    """Note when it starts, and sleep by the virtual clock."""
    STARTS.append((name, CLOCK[-1].monotonic()))
    if minutes:
        await CLOCK[-1].sleep(minutes * 60)


@task(lock="bed", timeout=0, max_retries=0, lock_wait_seconds=1e9)
async def nap_locked(ctx: Context, *, name: str = "", minutes: float = 0) -> None:
    """Note when it starts, and sleep, under a lock."""
    await nap(ctx, name=name, minutes=minutes)


@task
async def later(_ctx: Context) -> None:
    """Ask for a retry in an hour."""
    raise Retry("not now", after=3600)


@asynccontextmanager
async def virtual(config: str = "") -> AsyncIterator[TestDaemon]:
    async with running(tasks=[nap, nap_locked, later], config=config) as daemon:
        CLOCK.append(daemon.clock)
        STARTS.clear()
        yield daemon


async def want(daemon: TestDaemon, task: str = "nap", **wish: Any) -> Job:  # noqa: ANN401 - as `Control.trigger`
    job, _ = await daemon.daemon.control.trigger(task, wish.pop("args", {}), by="test", **wish)
    return job


# --- rate ---


async def test_a_queue_never_starts_more_jobs_in_any_window_than_its_rate_allows() -> None:
    async with virtual('[queues.default]\nrate = "5/m"') as daemon:
        for number in range(40):
            await want(daemon, args={"name": str(number)}, delay=float(number % 7) * 11)
        await daemon.advance(minutes=12)
        times = sorted(at for _, at in STARTS)
        assert len(times) == 40
        assert all(after - before >= 60 for before, after in zip(times, times[5:], strict=False))
        assert times[-1] < 60 * 9, "the rate was not used up"


async def test_the_rate_of_a_queue_can_be_set_and_removed_while_it_runs() -> None:
    async with virtual() as daemon:
        control = daemon.daemon.control
        assert (await control.resize_queue("default", None, "1/h", "test")).rate == "1/h"
        for _ in range(3):
            await want(daemon)
        await daemon.settle()
        assert len(STARTS) == 1
        assert (await control.resize_queue("default", 4, None, "test")).rate == "1/h"
        assert (await control.resize_queue("default", None, "none", "test")).rate is None
        await daemon.settle()
        assert len(STARTS) == 3


async def test_a_queue_with_a_rate_keeps_to_it_under_locks_too() -> None:
    async with virtual('[queues.default]\nrate = "2/m"') as daemon:
        for number in range(6):
            await want(daemon, "nap_locked", args={"name": str(number)})
            await want(daemon, args={"name": str(number)})
        await daemon.advance(minutes=8)
        times = sorted(at for _, at in STARTS)
        assert len(times) == 12
        assert all(after - before >= 60 for before, after in zip(times, times[2:], strict=False))


@pytest.mark.parametrize("task", ["nap", "nap_locked"])
async def test_a_window_of_a_rate_goes_on_over_restarts(task: str) -> None:
    async with virtual('[queues.default]\nrate = "5/m"') as daemon:
        for number in range(40):
            await want(daemon, task, args={"name": str(number)})
        for seconds in (1, 7, 20, 45, 3, 90, 1, 1, 1, 30):
            await daemon.stop()
            daemon.clock.move(daemon.clock.monotonic() + 1)  # it is away for a while
            await daemon.start()
            await daemon.advance(seconds=seconds)
        await daemon.advance(minutes=8)
        times = sorted(at for _, at in STARTS)
        assert len(times) == 40
        assert all(after - before >= 60 for before, after in zip(times, times[5:], strict=False))
        assert times[-1] < 60 * 8, "the rate was not used up"


async def test_starts_of_jobs_that_wait_for_another_attempt_count_after_a_restart() -> None:
    async with virtual('[queues.default]\nrate = "2/h"') as daemon:
        for _ in range(2):
            await want(daemon, "later")
        await daemon.settle()
        await daemon.stop()
        await daemon.start()
        job = await want(daemon, args={"name": "third"})
        await daemon.advance(minutes=59)
        why = daemon.daemon.control.waiting_on(await daemon.job(job.id))
        assert why is not None
        assert (why.reason, STARTS) == ("rate_limit", [])
        await daemon.advance(minutes=2)
        assert [name for name, _ in STARTS] == ["third"]


async def test_starts_under_a_rate_count_under_the_next_one() -> None:
    async with virtual('[queues.default]\nrate = "5/m"') as daemon:
        for number in range(20):
            await want(daemon, args={"name": str(number)})
        await daemon.settle()
        for rate, starts in (("5/m", 5), ("3/m", 5), ("7/m", 7)):
            await daemon.daemon.control.resize_queue("default", None, rate, "test")
            await daemon.settle()
            assert len(STARTS) == starts
        await daemon.daemon.control.resize_queue("default", None, "3/m", "test")
        job = await daemon.job((await daemon.jobs(state="queued"))[0].id)
        why = daemon.daemon.control.waiting_on(job)
        assert why is not None
        assert why.until is not None
        await daemon.advance(seconds=(why.until - daemon.clock.now()) / SECOND - 1)
        assert len(STARTS) == 7
        await daemon.advance(seconds=1)
        assert len(STARTS) == 10


async def test_a_queue_keeps_no_more_starts_than_its_rate_allows_and_one_without_keeps_none() -> None:
    async with virtual('[queues.default]\nrate = "3/m"\n[queues.free]') as daemon:
        for number in range(20):
            await want(daemon, args={"name": str(number)}, queue="free" if number % 2 else "default")
        await daemon.advance(minutes=5)
        path = daemon.config.state_directory / "jobs.db"
        with closing(sqlite3.connect(path)) as db:
            noted = dict(db.execute("SELECT queue, sum(count) FROM starts GROUP BY queue"))
        assert len(STARTS) == 20
        assert noted == {"default": 1}  # of the last window


@given(st.integers(1, 5), st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_the_limiter_allows_at_most_its_limit_in_any_window(limit: int, gaps: list[float]) -> None:
    limiter, now, starts = RateLimiter(Rate(limit, 60.0)), 0.0, []
    for gap in gaps:
        now += gap
        for _ in range(limiter.free(now)):
            limiter.started(1, now)
            starts.append(now)
    assert all(after - before >= 60.0 for before, after in zip(starts, starts[limit:], strict=False))
    assert len(starts) >= min(limit, 1)


# --- order ---


async def test_jobs_start_by_priority_and_each_minute_of_waiting_counts_as_one_step() -> None:
    async with virtual("[queues.default]\nconcurrency = 1") as daemon:
        await want(daemon, args={"name": "first", "minutes": 10})
        for name, priority, minute in [("low", 0, 1), ("middle", 5, 2), ("high", 9, 3), ("late high", 9, 9)]:
            await daemon.advance(seconds=daemon_seconds(daemon, minute))
            await want(daemon, args={"name": name}, priority=priority)
        await daemon.advance(minutes=5)
        # at minute 10 they are worth 0+9, 5+8, 9+7 and 9+1
        assert [name for name, _ in STARTS] == ["first", "high", "middle", "late high", "low"]


def daemon_seconds(daemon: TestDaemon, minute: float) -> float:
    """The seconds to a minute of the virtual clock."""
    return minute * 60 - daemon.clock.monotonic()


async def test_a_job_that_needs_a_lock_takes_its_place_in_line_among_those_that_need_none() -> None:
    async with virtual("[queues.default]\nconcurrency = 1") as daemon:
        await want(daemon, args={"name": "first", "minutes": 1})
        await want(daemon, "nap_locked", args={"name": "locked low"}, priority=1)
        await want(daemon, args={"name": "middle"}, priority=5)
        await want(daemon, "nap_locked", args={"name": "locked high"}, priority=9)
        await want(daemon, args={"name": "low"}, priority=0)
        await daemon.advance(minutes=2)
        assert [name for name, _ in STARTS] == ["first", "locked high", "middle", "locked low", "low"]


# --- slots ---


async def test_a_lock_freed_together_with_a_slot_does_not_start_more_jobs_than_there_are_slots(
    tmp_path: Path,
) -> None:
    release, both = threading.Event(), threading.Event()
    inside: list[str] = []
    most: list[int] = []

    @task(lock="one", queue="other")
    def hold(_ctx: Context) -> None:
        release.wait(PATIENCE_SECONDS)

    def work(ctx: Context) -> None:
        inside.append(ctx.job_id)
        most.append(len(inside))
        both.wait(0.2)  # long enough for a second one to be seen, if there is one
        inside.remove(ctx.job_id)

    @task(lock="one", lock_wait_seconds=PATIENCE_SECONDS)
    def waits(ctx: Context) -> None:
        work(ctx)

    @task(lock="two", lock_wait_seconds=PATIENCE_SECONDS)
    def comes(ctx: Context) -> None:
        work(ctx)

    config = quiet_config(tmp_path, "[queues.default]\nconcurrency = 1\n[queues.other]\nconcurrency = 1")
    async with hosted(config, tasks=[hold, waits, comes]) as daemon:
        control = daemon.control
        holder, _ = await control.trigger("hold", {}, by="test")
        await until(daemon, holder, JobState.RUNNING)
        first, _ = await control.trigger("waits", {}, by="test")
        await reason(daemon, first, "lock")
        await control.pause_queue("default", None, "test")
        second, _ = await control.trigger("comes", {}, by="test")
        release.set()
        await ended(daemon, holder.id)
        await control.resume_queue("default", "test")
        for job in (first, second):
            assert (await ended(daemon, job.id)).state is JobState.SUCCEEDED
    assert most == [1, 1]


# --- stopping ---


async def test_a_job_that_starts_just_after_a_stop_of_all_is_stopped_too(tmp_path: Path) -> None:
    entered, release = threading.Event(), threading.Event()

    @task
    async def forever(_ctx: Context) -> None:
        await asyncio.Event().wait()

    def hold(_connection: Connection) -> None:
        entered.set()
        release.wait(PATIENCE_SECONDS)

    async with hosted(quiet_config(tmp_path), tasks=[forever]) as daemon:
        pool, database = daemon.control._pools["default"], daemon.control._jobs._db
        held = asyncio.create_task(database.write(hold))
        await asyncio.to_thread(entered.wait, PATIENCE_SECONDS)
        made = asyncio.create_task(daemon.control.trigger("forever", {}, by="test"))
        while pool._idle.is_set():  # noqa: ASYNC110 - nobody tells that a turn is under way
            await asyncio.sleep(0)
        pool.closing = True
        pool.stop_all(Stop.DRAIN)
        release.set()
        job, _ = await made
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(held, pool.idle())
        after = await daemon.control.job(job.id)
        assert (after.state, after.reason) == (JobState.QUEUED, "interrupted: the daemon stopped")


async def until(daemon: Daemon, job: Job, state: JobState) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await daemon.control.job(job.id)).state is not state:  # noqa: ASYNC110 - the store tells only who asks
            await asyncio.sleep(0.005)


async def reason(daemon: Daemon, job: Job, wanted: str) -> None:
    """Wait until a job waits for this reason."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            why = daemon.control.waiting_on(await daemon.control.job(job.id))
            if why is not None and why.reason == wanted:
                return
            await asyncio.sleep(0.005)


async def test_a_lock_taken_away_before_its_job_has_begun_stops_that_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()

    @task(lock="one", max_retries=0)
    def work(ctx: Context) -> None:
        while not ctx.stopping and not stopped.wait(0.01):
            pass

    async with hosted(quiet_config(tmp_path), tasks=[work]) as daemon:
        control = daemon.control
        store = control._pools["default"]._store
        claim = store.claim_locked

        async def robbed(seq: int, fence: int, now: int, *, window: float | None) -> Claimed | None:
            """Release the lock by force between the lock and the claim."""
            await control.release_lock("one", "in between", "test")
            return await claim(seq, fence, now, window=window)

        monkeypatch.setattr(store, "claim_locked", robbed)
        job, _ = await control.trigger("work", {}, by="test")
        found = await ended(daemon, job.id)
        stopped.set()
        assert found.state is JobState.FAILED
        assert "LockLostError" in (found.error or "")


# --- why a job waits ---


async def test_the_first_reason_that_applies_is_why_a_job_waits() -> None:
    config = """
    [queues.default]
    concurrency = 1
    [queues.scraping]
    rate = "1/h"
    """
    async with virtual(config) as daemon:
        control = daemon.daemon.control

        async def why(job: Job) -> tuple[str, str, float | None]:
            found = control.waiting_on(await daemon.job(job.id))
            assert found is not None
            until = None if found.until is None else (found.until - daemon.clock.now()) / SECOND
            return found.reason, found.detail, until

        failed = await want(daemon, "later")
        await daemon.settle()
        assert await why(failed) == ("retry", "attempt 1 of 4 failed: not now", 3600)
        running = await want(daemon, "nap_locked", args={"minutes": 30})
        await daemon.settle()
        assert control.waiting_on(await daemon.job(running.id)) is None
        assert await why(await want(daemon)) == ("slots", "1 of 1 slots of default are busy", None)
        assert (await why(await want(daemon, delay=90)))[::2] == ("run_at", 90)
        await want(daemon, queue="scraping")
        limited = await want(daemon, queue="scraping")
        await daemon.settle()
        assert await why(limited) == ("rate_limit", "queue scraping starts at most 1/h", 3600)
        barred = await want(daemon, "nap_locked", queue="monitoring")
        await daemon.settle()
        assert (await why(barred))[:1] == ("lock",)
        assert running.id in (await why(barred))[1]
        await control.pause_queue("monitoring", "maintenance", "test")
        assert await why(barred) == ("queue_paused", "maintenance", None)
        await control.pause_queue("default", None, "test")
        assert (await why(await want(daemon)))[1] == "queue default is paused"


# --- ticks ---


class HandClock(SystemClock):
    """Wall time that is moved by hand."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000 * SECOND

    def now(self) -> int:
        return self.wall

    def boot(self) -> float:
        return self.wall / SECOND

    async def sleep_until(self, instant: int | None) -> None:
        """Never called: the test ticks by itself."""
        raise AssertionError(instant)


async def test_a_tick_during_another_misses_no_fire_and_the_next_fire_is_known_after_it(tmp_path: Path) -> None:
    clock, gate = HandClock(), threading.Event()
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as db:
        maker = JobMaker({"nap": nap}, ["default"], lambda _: f"job-{clock.wall}")
        store = ScheduleStore(db)
        callbacks = FireCallbacks(lambda _: None, lambda _: None, lambda _: None)
        scheduler = Scheduler(clock, store, lambda one, at: maker.fired(one, at, clock.now()), callbacks)
        await scheduler.load({"s": Schedule(name="s", task="nap", recurrence=Every(1), spec="every 1s")})
        blocked = asyncio.create_task(db.write(lambda _: gate.wait(PATIENCE_SECONDS)))
        clock.wall += 5 * SECOND
        first = asyncio.create_task(scheduler.run_once())
        await asyncio.sleep(0)  # it has decided, and its write waits
        clock.wall += 5 * SECOND
        second = asyncio.create_task(scheduler.run_once())
        await asyncio.sleep(0)
        assert not second.done(), "the second tick went by while the first had the schedule in its hands"
        gate.set()
        await asyncio.gather(blocked, first, second)
        rows = sorted(await store.fires("s", 100), key=lambda row: row["fire_time"])
        ends = [(row["fire_time"], row["until"] or row["fire_time"]) for row in rows]
        assert sum(row["count"] for row in rows) == 10
        assert all(later - earlier == SECOND for (_, earlier), (later, _) in pairwise(ends))
        assert scheduler.entries["s"].cursor == clock.wall
