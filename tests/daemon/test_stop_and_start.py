"""A stop and a start while a database refuses writes: no job is lost, and none is counted as crashed."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from launchd.config import Config
from launchd.daemon import Daemon
from launchd.daemon.stop_mark import StopMark
from launchd.engine.control import Control
from launchd.job import JobState
from tests.support.hosted_daemon import (
    PATIENCE_SECONDS,
    QUIET_SCHEDULES,
    ended,
    hosted,
    only_these_sources,
    quiet_config,
)
from tests.support.paths import ROOT
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL, gate, started


def short(directory: Path, *, drain: float) -> Config:
    config = quiet_config(directory)
    times = {"drain_seconds": drain, "cancel_seconds": 0.0}
    return msgspec.structs.replace(config, daemon=msgspec.structs.replace(config.daemon, **times))


def refuse(daemon: Daemon, *, writes: bool) -> None:
    """Let SQLite refuse every write of jobs.db, or allow them again."""
    daemon.control._databases[0]._writer._connection.execute(f"PRAGMA query_only = {int(writes)}")


@asynccontextmanager
async def held_job(daemon: Daemon, name: str) -> AsyncIterator[str]:
    """A job that runs until its gate is opened."""
    job, _ = await daemon.control.trigger("waiting", {"name": name}, by="test")
    await asyncio.to_thread(started(name).wait, PATIENCE_SECONDS)
    yield job.id


async def counted(control: Control, job_id: str) -> tuple[Any, ...]:
    rows = await control._databases[0].read("SELECT crashes, interruptions FROM jobs WHERE id = ?", (job_id,))
    return tuple(rows[0])


async def test_a_stop_that_cannot_write_goes_on_and_the_next_start_counts_no_crash(
    tmp_path: Path,
    held: Any,  # noqa: ANN401 - the fixture
) -> None:
    held("full")
    config = short(tmp_path, drain=0.0)
    async with hosted(config, tasks=ALL) as daemon, held_job(daemon, "full") as job_id:
        refuse(daemon, writes=True)
        daemon.hurry.set()
    assert StopMark(tmp_path).stopped() is not None
    async with hosted(config, tasks=ALL) as daemon:
        assert StopMark(tmp_path).stopped() is None
        assert await counted(daemon.control, job_id) == (0, 1)
        gate("full").set()
        job = await ended(daemon, job_id)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)


async def test_a_stop_puts_its_jobs_back_once_writes_succeed_again(tmp_path: Path, held: Any) -> None:  # noqa: ANN401 - the fixture
    held("room")
    config = short(tmp_path, drain=0.0)
    async with hosted(config, tasks=ALL) as daemon, held_job(daemon, "room") as job_id:
        refuse(daemon, writes=True)
        room = asyncio.create_task(make_room_once_refused(daemon))
    await room
    assert StopMark(tmp_path).stopped() is None
    async with hosted(config, tasks=ALL) as daemon:
        assert await counted(daemon.control, job_id) == (0, 1)


async def make_room_once_refused(daemon: Daemon) -> None:
    db = daemon.control._databases[0]
    while db.last_error is None:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.005)
    refuse(daemon, writes=False)


async def test_a_client_that_waits_for_a_job_gets_it_as_it_is_when_the_daemon_begins_to_stop(
    tmp_path: Path,
    held: Any,  # noqa: ANN401 - the fixture
) -> None:
    held("waited")
    leave = asyncio.Event()

    async def live(ready: asyncio.Future[Daemon]) -> None:
        async with hosted(short(tmp_path, drain=60.0), tasks=ALL) as daemon:
            ready.set_result(daemon)
            await leave.wait()

    ready: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
    life = asyncio.create_task(live(ready))
    daemon = await ready
    async with held_job(daemon, "waited") as job_id, asking(daemon) as session:
        waits = asyncio.create_task(answer(session, f"/v1/jobs/{job_id}?wait=300"))
        while daemon.control._bus.waiting == 0:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)
        leave.set()
        assert (await asyncio.wait_for(waits, PATIENCE_SECONDS))["state"] == "running"
        assert not life.done()  # it drains
        gate("waited").set()
    await life


async def answer(session: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    async with session.get(path) as response:
        assert response.status == 200
        return await response.json()


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_start_that_the_store_refuses_is_retried_until_it_succeeds_or_is_stopped(
    tmp_path: Path, stopped: bool
) -> None:
    async with hosted(quiet_config(tmp_path)):
        pass
    lock = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
    lock.execute("PRAGMA locking_mode = EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    text = f'[daemon]\nstate_directory = "{tmp_path}"\nlog_format = "json"\n[admin]\nsocket = "{tmp_path}/a.sock"\n'
    config = written(tmp_path / "launchd.toml", only_these_sources(text + QUIET_SCHEDULES))
    command = [sys.executable, "-m", "launchd", "run", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    try:
        await line(process, "start_delayed")
        if not stopped:
            lock.execute("ROLLBACK")
            lock.close()
            await line(process, "ready")
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0
    finally:
        lock.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def line(process: asyncio.subprocess.Process, event: str) -> None:
    """Wait for a line of the log."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while f'"{event}"'.encode() not in (text := await process.stderr.readline()):
            assert text, f"it ended without {event}"
