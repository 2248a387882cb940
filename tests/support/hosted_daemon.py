"""Gives a test a real daemon in its own process, and a configuration that fires nothing by itself.

A task of its own hosts the daemon, so that one task enters and leaves it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from launchd import config
from launchd.clock import Clock
from launchd.daemon import Daemon, HostProcess, running
from launchd.engine.firing.loading import Options
from launchd.job import Job, JobState
from launchd.launches.sources import SOURCES
from launchd.task import Task

# The longest wait for a fact; then the test fails instead of hanging.
PATIENCE_SECONDS = 30.0

QUIET_SCHEDULES = """
[schedules.scrape_launch_data]
enabled = false
[schedules.health_check]
enabled = false
[schedules.prune]
enabled = false
[schedules.backup]
enabled = false
"""


def only_these_sources(text: str) -> str:
    """The configuration with all sources off that it does not name: no test asks a server on the internet."""
    others = [name for name in SOURCES if f"[sources.{name}]" not in text]
    return text + "".join(f"\n[sources.{name}]\nenabled = false\n" for name in others)


def quiet_config(directory: Path, extra: str = "") -> config.Config:
    """A configuration with its state in `directory`, no schedules, and only the sources in `extra`, which is TOML."""
    text = f"""
[daemon]
state_directory = "{directory}"
drain_seconds = 5.0
cancel_seconds = 2.0
[admin]
socket = "{directory}/admin.sock"
{QUIET_SCHEDULES}
{extra}
"""
    return config.parse(only_these_sources(text))


@asynccontextmanager
async def hosted(
    configuration: config.Config,
    *,
    tasks: Iterable[Task] = (),
    clock: Clock | None = None,
    options: Options | None = None,
    host: HostProcess | None = None,
) -> AsyncIterator[Daemon]:
    """A running daemon; its errors are raised in the test."""
    ready: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def live() -> None:
        try:
            async with running(configuration, tasks=tasks, clock=clock, options=options, host=host) as daemon:
                ready.set_result(daemon)
                await leave.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
                return
            raise

    task = asyncio.create_task(live())
    await asyncio.wait(cast("list[asyncio.Future[Any]]", [ready, task]), return_when=asyncio.FIRST_COMPLETED)
    try:
        yield await ready
    finally:
        leave.set()
        await task


async def ended(daemon: Daemon, job_id: str) -> Job:
    """The job once it has reached a final state."""
    job = await daemon.control.wait(job_id, PATIENCE_SECONDS)
    assert job.state not in {JobState.QUEUED, JobState.RUNNING}, f"{job.task} is still {job.state}"
    return job
