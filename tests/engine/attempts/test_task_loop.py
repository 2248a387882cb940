"""The loop that all coroutine tasks share: none of them can end it, and one that blocks it delays coroutines only."""

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from launchd.daemon import Daemon
from launchd.job import Job, JobError, JobState
from launchd.task import Context, Task, task
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.process_tasks import ALL_APART


@task(max_retries=0)
async def exit_in_a_subtask(_ctx: Context) -> None:
    """Start a subtask that exits, and wait for something else."""

    async def leave() -> None:
        await asyncio.sleep(0)
        sys.exit(3)

    subtask = asyncio.create_task(leave())
    await asyncio.Event().wait()
    await subtask


@task(max_retries=0)
async def exit_in_a_callback(_ctx: Context, *, later: bool) -> None:
    """Schedule an exit, and wait for something else."""
    loop = asyncio.get_running_loop()
    if later:
        loop.call_later(0.001, sys.exit, 3)
    else:
        loop.call_soon(sys.exit, 3)
    await asyncio.Event().wait()


@task(max_retries=0)
async def exit_within_wait_for(_ctx: Context) -> None:
    """Exit in the awaited subtask."""

    async def leave() -> None:
        sys.exit(3)

    await asyncio.wait_for(leave(), PATIENCE_SECONDS)


@task(max_retries=0)
async def stop_the_loop(_ctx: Context) -> None:
    """Try to stop the loop that is not the task's own."""
    asyncio.get_running_loop().stop()


@task(max_retries=0)
async def exit_for_nobody(_ctx: Context) -> None:
    """Schedule an exit in a context that belongs to no job."""
    import contextvars  # noqa: PLC0415 - only here

    asyncio.get_running_loop().call_soon(sys.exit, 3, context=contextvars.Context())
    await asyncio.sleep(0.01)


@task(max_retries=0)
async def wait(_ctx: Context) -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


@task
async def work(_ctx: Context) -> str:
    """Succeed."""
    return "done"


@task
def work_in_a_thread(_ctx: Context) -> str:
    """Succeed."""
    return threading.current_thread().name


TASKS = [
    *(exit_in_a_subtask, exit_in_a_callback, exit_within_wait_for, stop_the_loop, exit_for_nobody, wait, work),
    work_in_a_thread,
]


async def start(daemon: Daemon, what: Task, **args: object) -> Job:
    job, _ = await daemon.control.trigger(what.name, dict(args), by="test")
    return job


def error_of(job: Job) -> JobError:
    return msgspec.json.decode(job.error or "", type=JobError)


@pytest.mark.parametrize(
    ("what", "args", "says"),
    [
        (exit_in_a_subtask, {}, "SystemExit: 3"),
        (exit_in_a_callback, {"later": False}, "SystemExit: 3"),
        (exit_in_a_callback, {"later": True}, "SystemExit: 3"),
        (exit_within_wait_for, {}, "SystemExit: 3"),
        (stop_the_loop, {}, "RuntimeError: a task may not stop the loop"),
    ],
    ids=["subtask", "callback", "timer", "wait_for", "stop"],
)
async def test_a_task_that_tries_to_end_the_loop_ends_only_itself(
    tmp_path: Path, what: Task, args: dict[str, Any], says: str
) -> None:
    async with hosted(quiet_config(tmp_path), tasks=TASKS) as daemon:
        neighbour = await start(daemon, wait)
        job = await ended(daemon, (await start(daemon, what, **args)).id)
        assert job.state is JobState.FAILED
        assert f"{error_of(job).type}: {error_of(job).message}".startswith(says)
        assert (await ended(daemon, (await start(daemon, work)).id)).state is JobState.SUCCEEDED
        assert (await daemon.control.job(neighbour.id)).state is JobState.RUNNING
        await daemon.control.cancel(neighbour.id, terminate=False, reason=None, by="test")


async def test_an_exit_that_belongs_to_no_job_ends_no_job_and_is_logged(tmp_path: Path) -> None:
    with capture_logs() as lines:
        async with hosted(quiet_config(tmp_path), tasks=TASKS) as daemon:
            assert (await ended(daemon, (await start(daemon, exit_for_nobody)).id)).state is JobState.SUCCEEDED
            assert (await ended(daemon, (await start(daemon, work)).id)).state is JobState.SUCCEEDED
    assert [line["error"] for line in lines if line["event"] == "task_loop_interrupted"] == ["SystemExit: 3"]


async def test_a_loop_that_was_closed_is_replaced_and_its_jobs_fail(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=TASKS) as daemon:
        executor = daemon.control._dispatcher.executor
        lost = executor.loop
        waiting = [await start(daemon, wait) for _ in range(3)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(executor._here) < 3:  # noqa: ASYNC110 - another thread tells only who asks
                await asyncio.sleep(0)
        # asyncio lets nobody close a loop that runs: this one is closed where it would be run again
        lost.run_forever = lost.close  # type: ignore[method-assign]
        lost.call_soon_threadsafe(lost.end)
        for job in waiting:
            assert error_of(await ended(daemon, job.id)).type == "TaskLoopLostError"
        assert executor.loop is not lost
        assert (await ended(daemon, (await start(daemon, work)).id)).state is JobState.SUCCEEDED


async def test_threads_and_processes_start_end_and_are_terminated_while_a_coroutine_blocks_the_loop(
    tmp_path: Path,
) -> None:
    entered, release = threading.Event(), threading.Event()

    @task
    async def block(_ctx: Context) -> None:
        entered.set()
        release.wait(2 * PATIENCE_SECONDS)

    async with hosted(quiet_config(tmp_path), tasks=[*TASKS, *ALL_APART, block]) as daemon:
        try:
            blocked = await start(daemon, block)
            assert await asyncio.to_thread(entered.wait, PATIENCE_SECONDS)
            in_a_thread = await ended(daemon, (await start(daemon, work_in_a_thread)).id)
            assert (in_a_thread.state, in_a_thread.result) == (JobState.SUCCEEDED, '"task:work_in_a_thread"')
            measured, _ = await daemon.control.trigger("measure", {"size": 3}, by="test")
            assert (await ended(daemon, measured.id)).state is JobState.SUCCEEDED
            looping, _ = await daemon.control.trigger("compute_forever", {"path": str(tmp_path / "pid")}, by="test")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (tmp_path / "pid").exists():  # noqa: ASYNC110 - another process tells only who asks
                    await asyncio.sleep(0.01)
            await daemon.control.cancel(looping.id, terminate=True, reason=None, by="test")
            assert (await ended(daemon, looping.id)).state is JobState.CANCELLED
            assert (await daemon.control.job(blocked.id)).state is JobState.RUNNING
        finally:
            release.set()


@task(max_retries=0)
async def exit_for_ever(_ctx: Context) -> None:
    """Let a file that is always ready call sys.exit()."""
    import contextvars  # noqa: PLC0415 - only here
    import os  # noqa: PLC0415 - only here

    loop = asyncio.get_running_loop()
    readable, written = os.pipe()
    os.write(written, b"x")
    contextvars.Context().run(lambda: loop.add_reader(readable, sys.exit))
    await asyncio.sleep(0.05)
    loop.remove_reader(readable)
    os.close(readable)
    os.close(written)


async def test_repeated_interruptions_of_the_loop_are_logged_once_a_second(tmp_path: Path) -> None:
    with capture_logs() as lines:
        async with hosted(quiet_config(tmp_path), tasks=[*TASKS, exit_for_ever]) as daemon:
            assert (await ended(daemon, (await start(daemon, exit_for_ever)).id)).state is JobState.SUCCEEDED
            assert (await ended(daemon, (await start(daemon, work)).id)).state is JobState.SUCCEEDED
    assert 1 <= len([line for line in lines if line["event"] == "task_loop_interrupted"]) < PATIENCE_SECONDS
