"""Tasks in a process of their own: everything that a task can do in the daemon, and an end that can be forced."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from launchd.daemon import Daemon
from launchd.engine.attempts import process as process_module
from launchd.engine.attempts.attempt import Attempt
from launchd.engine.attempts.process import ProcessRunner
from launchd.engine.attempts.wire import AttemptRequest
from launchd.job import Job, JobState, Outcome
from launchd.store.jobs import JobStore, Turn
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.paths import ROOT
from tests.support.process_tasks import ALL_APART
from tests.support.tasks import ALL


@pytest.fixture
async def apart(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with hosted(quiet_config(tmp_path), tasks=[*ALL, *ALL_APART]) as daemon:
        yield daemon


async def start(daemon: Daemon, task: str, **args: object) -> Job:
    job, _ = await daemon.control.trigger(task, dict(args), by="test")
    return job


async def told(path: Path) -> int:
    """The pid that a task has written."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (text := read(path)).endswith("\n"):  # noqa: ASYNC110 - another process tells only who asks
            await asyncio.sleep(0.01)
    return int(text)


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def alive(pid: int) -> bool:
    """True if a process runs and is no zombie."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while alive(pid):  # noqa: ASYNC110 - another process tells only who asks
            await asyncio.sleep(0.01)


def error_of(job: Job) -> dict[str, str]:
    return dict(msgspec.json.decode(job.error or "{}"))


# --- results, progress, log ---


async def test_a_process_returns_its_result_its_progress_and_its_log_lines(apart: Daemon) -> None:
    with structlog.testing.capture_logs() as lines:
        job = await ended(apart, (await start(apart, "measure", size=3)).id)
    result = msgspec.json.decode(job.result or "{}")
    assert (job.state, result["size"], result["job_id"], result["attempt"]) == (JobState.SUCCEEDED, 3, job.id, 1)
    assert result["pid"] != os.getpid()
    assert msgspec.json.decode(job.progress or "{}") == {"done": 1.0, "total": 2.0, "note": "half way"}
    (line,) = [line for line in lines if line["event"] == "measuring"]
    assert (line["job_id"], line["size"], line["log_level"]) == (job.id, 3, "warning")


async def test_a_process_makes_a_job_and_gets_its_id(apart: Daemon) -> None:
    job = await ended(apart, (await start(apart, "trigger_apart", value="from afar")).id)
    made = await ended(apart, msgspec.json.decode(job.result or "null"))
    assert (made.task, made.result) == ("echo", '"from afar"')


@pytest.mark.parametrize(
    ("how", "state", "attempt", "says"),
    [
        ("retry", JobState.QUEUED, 1, "come back"),
        ("snooze", JobState.QUEUED, 0, "sleepy"),
        ("cancel", JobState.CANCELLED, 1, "no need"),
        ("error", JobState.QUEUED, 1, "broken apart"),
    ],
)
async def test_an_error_of_a_process_has_the_same_verdict_as_in_the_daemon(
    apart: Daemon, how: str, state: JobState, attempt: int, says: str
) -> None:
    job = await start(apart, "end_apart", how=how)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while job.reason is None:
            await asyncio.sleep(0.01)
            job = await apart.control.job(job.id)
    assert (job.state, job.attempt) == (state, attempt)
    assert says in (job.reason or "")
    if how == "error":
        assert error_of(job)["type"] == "ValueError"
        assert "end_apart" in error_of(job)["traceback"]


@pytest.mark.parametrize("task", ["catch_apart", "catch_apart_plain"])
async def test_a_soft_time_limit_is_a_timeout_error_inside_a_process_and_may_be_caught(
    apart: Daemon, task: str
) -> None:
    job = await ended(apart, (await start(apart, task)).id)
    assert (job.state, job.result) == (JobState.SUCCEEDED, '"caught: ran longer than its 2 s"')


async def test_a_soft_time_limit_that_nobody_catches_fails_the_job(apart: Daemon) -> None:
    job = await ended(apart, (await start(apart, "late_apart")).id)
    assert (job.state, error_of(job)["type"]) == (JobState.FAILED, "TimeoutError")


# --- the end of a process ---


class Witness:
    """Records in order the signals to a process and the write of the job's end; changes nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: JobStore) -> None:
        self.pid = 0
        self.saw: list[str] = []
        kill, kill_group, turn = os.kill, os.killpg, store.turn

        def seen_kill(pid: int, number: int) -> None:
            self._see(pid, number)
            kill(pid, number)

        def seen_kill_group(pid: int, number: int) -> None:
            self._see(pid, number)
            kill_group(pid, number)

        async def seen_turn(
            queue: str,
            free: int,
            waiting: Sequence[int] | None,
            outcomes: Sequence[Outcome],
            now: Callable[[], int],
            **more: Any,  # noqa: ANN401 - the rest is passed on
        ) -> Turn:
            self.saw += [f"{outcome.verb.value}, {self._how()}" for outcome in outcomes]
            return await turn(queue, free, waiting, outcomes, now, **more)

        monkeypatch.setattr(os, "kill", seen_kill)
        monkeypatch.setattr(os, "killpg", seen_kill_group)
        monkeypatch.setattr(store, "turn", seen_turn)

    def _see(self, pid: int, number: int) -> None:
        if pid == self.pid:
            self.saw.append(f"{signal.Signals(number).name}, {self._how()}")

    def _how(self) -> str:
        if alive(self.pid):
            return "running"
        return "dead" if os.path.exists(f"/proc/{self.pid}") else "reaped"  # noqa: PTH110 - a look at the kernel


@pytest.mark.parametrize("task", ["compute_forever", "call_c_forever"])
async def test_a_loop_in_c_is_asked_then_killed_and_cancelled_only_once_the_process_is_gone(
    apart: Daemon, tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "KILL_SECONDS", 0.3)  # `make bench ARGS=kill` has the real one
    witness = Witness(monkeypatch, apart.control._pools["default"]._store)
    job = await start(apart, task, path=str(tmp_path / "pid"))
    witness.pid = await told(tmp_path / "pid")
    wanted = await apart.control.cancel(job.id, terminate=True, reason="enough", by="test")
    assert (wanted.state, wanted.cancel_requested, apart.control.enforceable(wanted)) == (
        JobState.RUNNING,
        "terminate",
        True,
    )
    job = await ended(apart, job.id)
    assert (job.state, job.reason) == (JobState.CANCELLED, "enough")
    assert [what for what, _ in groupby(witness.saw)] == [
        "SIGTERM, running",  # asked
        "SIGKILL, running",  # told
        "SIGKILL, dead",  # what it may have started
        "cancel, reaped",
    ]


@pytest.mark.parametrize("forever", [False, True])
async def test_the_children_of_a_process_are_killed_when_it_ends(apart: Daemon, tmp_path: Path, forever: bool) -> None:
    job = await start(apart, "with_grandchild", path=str(tmp_path / "pid"), forever=forever)
    grandchild = await told(tmp_path / "pid")
    if forever:
        assert alive(grandchild)
        await apart.control.cancel(job.id, terminate=True, reason=None, by="test")
    state = (await ended(apart, job.id)).state
    assert state is (JobState.CANCELLED if forever else JobState.SUCCEEDED)
    await gone(grandchild)


@pytest.mark.parametrize(("task", "says"), [("crash", "SIGSEGV"), ("leave", "exit code 3")])
async def test_a_process_that_dies_without_a_result_fails_the_job_with_the_signal_or_exit_code(
    apart: Daemon, task: str, says: str
) -> None:
    job = await ended(apart, (await start(apart, task)).id)
    assert job.state is JobState.FAILED
    assert error_of(job)["message"] == f"the task's process ended by {says} without a result"


async def test_a_process_dies_with_a_killed_daemon(tmp_path: Path) -> None:
    (tmp_path / "launchd.toml").write_text(
        f'[daemon]\nstate_directory = "{tmp_path}"\n[admin]\nsocket = "{tmp_path}/admin.sock"\n'
        '[tasks]\nmodules = ["tests.support.process_tasks"]\n'
        '[schedules]\nscrape_launch_data.enabled = false\n[schedules.now]\ncron = "@startup"\ntask = "stand"\n'
        f'args = {{ path = "{tmp_path}/pid" }}\n'
    )
    command = [sys.executable, "-m", "launchd", "run", "--config", str(tmp_path / "launchd.toml")]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL)
    try:
        pid = await told(tmp_path / "pid")
        assert alive(pid)
    finally:
        process.kill()
        await process.wait()
    await gone(pid)


def test_a_process_whose_daemon_died_before_it_had_begun_does_nothing(tmp_path: Path) -> None:
    arguments, context = {"path": str(tmp_path / "pid")}, {"job_id": "j", "task": "stand"}
    request = AttemptRequest("tests.support.process_tasks", "stand", arguments, context, sys.path, 9, logging.WARNING)
    (tmp_path / "pid.go").touch()
    reader, writer = os.pipe()
    for daemon, ran in ((os.getpid(), True), (1, False)):
        asked, asks = os.pipe()
        os.write(asks, msgspec.json.encode(request) + b"\n")
        found = subprocess.run(
            [sys.executable, "-m", "launchd.engine.attempts.child", *map(str, (asked, writer, writer, daemon))],
            pass_fds=(asked, writer),
            check=False,
        )
        os.close(asks)
        os.close(asked)
        assert (found.returncode == 0, (tmp_path / "pid").exists()) == (ran, ran)
        (tmp_path / "pid").unlink(missing_ok=True)
    os.close(reader)
    os.close(writer)


async def test_reading_the_stack_of_a_process_that_is_just_starting_does_not_end_it(
    apart: Daemon, tmp_path: Path
) -> None:
    job = await start(apart, "stand", path=str(tmp_path / "pid"))
    attempt: Attempt | None = None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while attempt is None or attempt.runner is None:
            await asyncio.sleep(0)
            attempt = apart.control._pools["default"].attempt_of(job.id)
    stack = await apart.control.stack(job.id)  # the process has hardly been started
    assert stack is None or "File" in stack
    pid = await told(tmp_path / "pid")
    assert alive(pid)
    Path(f"{tmp_path}/pid.go").touch()  # noqa: ASYNC240 - the word to go on
    assert (await ended(apart, job.id)).state is JobState.SUCCEEDED


def test_the_result_of_a_process_that_has_just_ended_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    looked: list[int] = []
    waitid = os.waitid

    def last_word(*asked: Any) -> object:  # noqa: ANN401 - as waitid
        """The process writes and ends between the check of the pipe and the check of the process."""
        if not looked:
            os.write(writer, b'{"kind":"returned","value":1}\n')
        looked.append(1)
        return waitid(*asked)

    monkeypatch.setattr(os, "waitid", last_word)
    runner = ProcessRunner(None, lambda *_: None)  # type: ignore[arg-type] # no attempt is asked for here
    runner._process = process
    runner._listen(reader)
    process.wait()
    os.close(reader)
    os.close(writer)
    assert runner._said is not None
    assert bytes(runner._said.value) == b"1"
