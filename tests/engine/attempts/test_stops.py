"""Time limits and cancellation of coroutines, by the virtual clock."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from launchd import Context, task
from launchd.engine.attempts.attempt import STUCK_SECONDS
from launchd.job import Job, JobState
from launchd.ops.health import Level
from launchd.testing import TestDaemon, VirtualClock, running

CLOCK: list[VirtualClock] = []
FREE: list[bool] = []


@task(timeout=900, max_retries=0)
async def overrun(_ctx: Context) -> None:
    """Sleep for hours."""
    await CLOCK[-1].sleep(10_000)


@task(timeout=900, max_retries=0)
async def catch(_ctx: Context) -> str:
    """Catch the time limit and clean up for ten seconds."""
    try:
        await CLOCK[-1].sleep(10_000)
    except TimeoutError as error:
        await CLOCK[-1].sleep(10)
        return f"caught at {CLOCK[-1].monotonic():g}: {error}"
    return "never told"


@task(timeout=900, max_retries=0)
async def ignore(_ctx: Context) -> None:
    """Catch the time limit and go on."""
    with contextlib.suppress(TimeoutError):
        await CLOCK[-1].sleep(10_000)
    await CLOCK[-1].sleep(10_000)


@task(timeout=0, max_retries=0)
async def deaf(_ctx: Context) -> str:
    """Swallow every cancellation until the test allows an end."""
    while not FREE:
        with contextlib.suppress(asyncio.CancelledError):
            await CLOCK[-1].sleep(100_000)
    return "at last"


@task
async def quick(_ctx: Context) -> None:
    """Do nothing."""


@asynccontextmanager
async def daemon_of_one_slot() -> AsyncIterator[TestDaemon]:
    tasks = [overrun, catch, ignore, deaf, quick]
    async with running(tasks=tasks, config="[queues.default]\nconcurrency = 1") as daemon:
        CLOCK.append(daemon.clock)
        FREE.clear()
        yield daemon


def error_type(job: Job) -> str:
    return str(msgspec.json.decode(job.error or "{}")["type"])


def lasted(job: Job) -> float:
    assert job.started_at is not None
    assert job.finished_at is not None
    return (job.finished_at - job.started_at) / 1e6


async def test_a_soft_time_limit_is_a_timeout_error_inside_the_coroutine_which_may_catch_it() -> None:
    async with daemon_of_one_slot() as daemon:
        job = await daemon.trigger("catch")
        await daemon.advance(seconds=899)
        assert (await daemon.job(job.id)).state is JobState.RUNNING
        await daemon.advance(seconds=12)
        job = await daemon.job(job.id)
        assert (job.state, job.result) == (JobState.SUCCEEDED, '"caught at 910: ran longer than its 900 s"')


async def test_a_soft_time_limit_that_nobody_catches_fails_the_job_at_that_moment() -> None:
    async with daemon_of_one_slot() as daemon:
        job = await daemon.trigger("overrun")
        await daemon.advance(minutes=20)
        job = await daemon.job(job.id)
        assert (job.state, error_type(job), lasted(job)) == (JobState.FAILED, "TimeoutError", 900)


async def test_the_hard_time_limit_ends_a_job_that_goes_on_half_a_minute_later() -> None:
    async with daemon_of_one_slot() as daemon:
        job = await daemon.trigger("ignore")
        await daemon.advance(seconds=929)
        assert (await daemon.job(job.id)).state is JobState.RUNNING
        await daemon.advance(minutes=5)
        job = await daemon.job(job.id)
        assert (job.state, error_type(job), lasted(job)) == (JobState.FAILED, "TimeoutError", 930)


async def test_a_coroutine_that_swallows_every_cancellation_gives_its_slot_away_and_health_names_it() -> None:
    async with daemon_of_one_slot() as daemon:
        control = daemon.daemon.control
        job = await daemon.trigger("deaf")
        waiting = await daemon.trigger("quick")
        assert waiting.state is JobState.QUEUED
        await control.cancel(job.id, terminate=False, reason="enough", by="test")
        await daemon.advance(seconds=STUCK_SECONDS - 1)
        assert (await daemon.job(waiting.id)).state is JobState.QUEUED
        await daemon.advance(seconds=2)
        assert (await daemon.job(waiting.id)).state is JobState.SUCCEEDED
        assert (await daemon.job(job.id)).state is JobState.RUNNING
        finding = (await control.health()).checks["dispatcher"]
        assert finding.level is Level.DEGRADED
        assert f"deaf {job.id}" in finding.detail
        queue = next(one for one in await control.queues() if one.name == "default")
        assert (queue.concurrency, queue.slots, queue.running) == (1, 2, 1)
        FREE.append(True)
        await control.cancel(job.id, terminate=True, reason=None, by="test")
        await daemon.settle()
        assert (await daemon.job(job.id)).state is not JobState.RUNNING
        assert (await control.health()).checks["dispatcher"].level is Level.HEALTHY
        assert next(one.slots for one in await control.queues() if one.name == "default") == 1
