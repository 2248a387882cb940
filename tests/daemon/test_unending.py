"""Loops of the daemon go on after any exception; an exit or an interrupt inside one ends the daemon with an error."""

import asyncio
import contextlib
import sqlite3
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from launchd.daemon import running
from launchd.daemon.unending import BrokenLoopError, unending
from launchd.job import JobState
from launchd.task import Context, task
from launchd.testing import VirtualClock
from tests.support.hosted_daemon import PATIENCE_SECONDS, quiet_config
from tests.support.odd_values import UnreadableError


async def test_a_loop_goes_on_after_exceptions_of_any_kind_with_a_growing_pause() -> None:
    clock = VirtualClock()
    pauses: list[float] = []
    endings: list[Exception | None] = [ValueError("slip"), UnreadableError(), None, ExceptionGroup("g", [OSError()])]

    async def body() -> None:
        if not endings:
            await asyncio.Event().wait()
        ending = endings.pop(0)
        if ending is not None:
            raise ending

    with capture_logs() as lines:
        loop = asyncio.create_task(unending("things", body, clock))
        while len(pauses) < 4:
            await asyncio.sleep(0)
            wake = clock.next_wake()
            if wake is not None and wake > clock.monotonic():
                pauses.append(wake - clock.monotonic())
                clock.move(wake)
        loop.cancel()
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert [(line["event"], line["loop"], line["error"]) for line in lines] == [
        ("loop_failed", "things", "slip"),
        ("loop_failed", "things", "<UnreadableError: its text cannot be read: TypeError>"),
        ("loop_failed", "things", "it returned"),
        ("loop_failed", "things", "g (1 sub-exception)"),
    ]


@pytest.mark.parametrize("fatal", [SystemExit(0), KeyboardInterrupt()])
async def test_an_exit_in_a_loop_becomes_an_error_that_ends_the_daemon(fatal: BaseException) -> None:
    async def body() -> None:
        raise fatal

    with pytest.raises(BrokenLoopError, match=f"the loop of things was ended by {type(fatal).__name__}"):
        await unending("things", body, VirtualClock())


async def test_a_daemon_whose_loop_was_ended_puts_its_jobs_back_and_fails(tmp_path: Path) -> None:
    @task
    async def wait(_ctx: Context) -> None:
        await asyncio.Event().wait()

    @task(queue="monitoring")
    async def work(_ctx: Context) -> None:
        """Wake the other queue."""

    def leave(*_: object) -> NoReturn:
        sys.exit(0)

    made: list[str] = []

    async def live() -> None:
        async with running(quiet_config(tmp_path), tasks=[wait, work]) as daemon:
            job, _ = await daemon.control.trigger("wait", {}, by="test")
            made.append(job.id)
            while (await daemon.control.job(job.id)).state is not JobState.RUNNING:  # noqa: ASYNC110 - as it says
                await asyncio.sleep(0)
            daemon.control._pools["monitoring"]._doze = leave  # type: ignore[method-assign]
            await daemon.control.trigger("work", {}, by="test")
            await asyncio.Event().wait()  # the daemon ends under us

    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(live(), PATIENCE_SECONDS)
    assert raised.group_contains(BrokenLoopError, match="queue monitoring was ended by SystemExit")
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db")) as database:
        found = database.execute("SELECT state, reason FROM jobs WHERE id = ?", tuple(made)).fetchone()
    assert found == ("queued", "interrupted: the daemon stopped")


async def test_a_cancelled_loop_ends() -> None:
    loop = asyncio.create_task(unending("things", asyncio.Event().wait, VirtualClock()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
