"""Gives a test a real daemon that scrapes from a replay server on loopback, and a client of its admin socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from launchd.clock import Clock, Instant, SystemClock
from launchd.daemon import Daemon
from launchd.job import Job, JobState
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.replay_server import Replay


class SteppedClock(SystemClock):
    """The clock of this machine, ahead by `ahead` microseconds of wall time."""

    ahead = 0

    def now(self) -> Instant:
        return super().now() + self.ahead


@asynccontextmanager
async def scraping(replay: Replay, directory: Path, clock: Clock | None = None) -> AsyncIterator[Daemon]:
    """A daemon that scrapes from `replay`, its state in `directory`."""
    extra = f"""
[sources.launch_library]
base_url = "{replay.url}/ll/"
rate = "1000/s"
[sources.gcat]
base_url = "{replay.url}/gcat"
rate = "1000/s"
"""
    async with hosted(quiet_config(directory, extra), clock=clock) as daemon:
        yield daemon


@asynccontextmanager
async def asking(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the daemon's admin socket."""
    async with aiohttp.ClientSession("http://d", connector=aiohttp.UnixConnector(str(daemon.socket))) as session:
        yield session


async def refresh(daemon: Daemon, *sources: str, force: bool = False) -> Job:
    """Scrape these sources now; returns the job once it has ended."""
    job = await daemon.control.refresh(list(sources) or None, force=force, by="test")
    return await ended(daemon, job.id)


def statistics(job: Job) -> dict[str, Any]:
    """The statistics of a scrape by source; fails unless the job succeeded."""
    assert job.state is JobState.SUCCEEDED, job.error
    found: dict[str, Any] = msgspec.json.decode(job.result or "{}")["sources"]
    return found
