"""Stacks of running jobs, and reports of a coroutine that blocks its loop."""

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from launchd import Context, task
from launchd.daemon import Daemon
from launchd.engine.attempts.stall import BEAT_SECONDS, MonitoredLoop, StallMonitor, _Beat
from launchd.job import Job, JobState
from launchd.ops.health import Level
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.process_tasks import ALL_APART
from tests.support.tasks import fact


async def get(daemon: Daemon, path: str) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(daemon.socket))
    async with aiohttp.ClientSession("http://launchd", connector=connector) as session, session.get(path) as response:
        return response.status, await response.json()


async def stack_with(daemon: Daemon, job: Job, wanted: str) -> str:
    """The job's stack, once it contains a word: an earlier stack may not."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status, answer = await get(daemon, f"/v1/jobs/{job.id}/stack")
            if status == 200 and wanted in answer["stack"]:
                assert answer["job_id"] == job.id
                return str(answer["stack"])
            await asyncio.sleep(0.01)


# --- stacks ---


async def test_the_stack_of_a_coroutine_that_waits_leads_to_the_line_where_it_waits(tmp_path: Path) -> None:
    gates: list[asyncio.Event] = []

    async def inner_most() -> None:
        gates.append(asyncio.Event())
        await gates[0].wait()

    async def middle() -> None:
        await inner_most()

    @task
    async def outer(_ctx: Context) -> None:
        await middle()

    async with hosted(quiet_config(tmp_path), tasks=[outer]) as daemon:
        job, _ = await daemon.control.trigger("outer", {}, by="test")
        stack = await stack_with(daemon, job, "inner_most")
        lines = [line.strip() for line in stack.splitlines()]
        calls = [lines.index(call) for call in ("await middle()", "await inner_most()", "await gates[0].wait()")]
        assert calls == sorted(calls), "outermost first"
        assert "executor.py" not in stack, "only the task's own calls"
        await daemon.control.cancel(job.id, terminate=False, reason=None, by="test")
        await ended(daemon, job.id)
        assert (await get(daemon, f"/v1/jobs/{job.id}/stack"))[0] == 409


async def test_the_stack_of_a_thread_and_of_a_blocking_coroutine_is_the_line_that_blocks(tmp_path: Path) -> None:
    release = threading.Event()

    def hold_right_here() -> None:
        release.wait(PATIENCE_SECONDS)

    @task
    def plain(_ctx: Context) -> None:
        hold_right_here()

    @task
    async def blocks(_ctx: Context) -> None:
        hold_right_here()

    async with hosted(quiet_config(tmp_path), tasks=[plain, blocks]) as daemon:
        for name in ("plain", "blocks"):
            job, _ = await daemon.control.trigger(name, {}, by="test")
            stack = await stack_with(daemon, job, "release.wait(PATIENCE_SECONDS)")
            assert f"in {name}" in stack
        release.set()


async def test_the_stack_of_a_process_is_its_own(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=ALL_APART) as daemon:
        job, _ = await daemon.control.trigger("stand", {"path": str(tmp_path / "pid")}, by="test")
        assert "process_tasks.py" in await stack_with(daemon, job, "stand_right_here")
        job, _ = await daemon.control.trigger("compute_forever", {"path": str(tmp_path / "other")}, by="test")
        await stack_with(daemon, job, "in compute_forever")  # the stack is readable even in a loop in C
        await daemon.control.cancel(job.id, terminate=True, reason=None, by="test")
        (tmp_path / "pid.go").touch()
        assert (await ended(daemon, job.id)).state is JobState.CANCELLED


# --- stalls ---


async def test_a_blocking_coroutine_is_named_in_log_and_health_while_the_socket_answers_and_its_end_is_logged(
    tmp_path: Path,
) -> None:
    entered, release = threading.Event(), threading.Event()

    @task
    async def block(_ctx: Context) -> None:
        entered.set()
        release.wait(PATIENCE_SECONDS)

    with structlog.testing.capture_logs() as lines:
        async with hosted(quiet_config(tmp_path), tasks=[block]) as daemon:
            job, _ = await daemon.control.trigger("block", {}, by="test")
            await fact(entered)
            assert (await get(daemon, "/v1/status"))[0] == 200
            line = await told(lines, "loop_blocked", daemon)
            assert (line["loop"], line["task"], line["job_id"]) == ("task loop", "block", job.id)
            assert "release.wait(PATIENCE_SECONDS)" in line["stack"]
            finding = (await daemon.control.health()).checks["event_loop"]
            assert finding.level is Level.DEGRADED
            assert f"by block {job.id}" in finding.detail
            release.set()
            assert (await ended(daemon, job.id)).state is JobState.SUCCEEDED
            line = await told(lines, "loop_goes_on", daemon)
            assert (line["task"], line["job_id"]) == ("block", job.id)
            assert (await daemon.control.health()).checks["event_loop"].level is Level.HEALTHY


async def told(lines: list[Any], event: str, daemon: Daemon) -> dict[str, Any]:
    """A line of the log, once it is there; the control loop must answer meanwhile."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = [line for line in lines if line["event"] == event and line["loop"] == "task loop"]
            if found:
                return dict(found[0])
            await daemon.control.status()
            await asyncio.sleep(0.01)


class DeafLoop:
    """A loop that takes calls and answers them only when the test allows it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def call_soon_threadsafe(self, call: Any) -> None:  # noqa: ANN401 - any callback
        self.calls.append(call)

    def answer(self) -> None:
        for call in self.calls:
            call()
        self.calls.clear()


@pytest.mark.parametrize("phase", [0.0, 0.1, 0.249])
def test_a_stall_is_logged_within_a_second_wherever_it_begins_between_two_beats(
    phase: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    loop, monitor = DeafLoop(), StallMonitor(lambda: 60)
    monitored = MonitoredLoop("task loop", lambda: loop, threading.get_ident, lambda: None)  # type: ignore[arg-type,return-value] # all that is used
    beat = _Beat(monitored)
    monitor.check(beat, 100.0)
    loop.answer()
    now = began = 100.0 + phase
    now = 100.0
    while not monitor.stalls:
        now += BEAT_SECONDS
        monitor.check(beat, now)
    assert now - began <= 1.0
    loop.answer()
    monitor.check(beat, now + BEAT_SECONDS)
    assert monitor.stalls == {}
