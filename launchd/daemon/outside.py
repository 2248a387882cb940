"""What the daemon joins to the engine from outside it: launch data, the lock server, the host, the configuration."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from launchd import config as configuration
from launchd.clock import Clock
from launchd.config import Config
from launchd.daemon.live import Live
from launchd.db.database import Database
from launchd.engine.events.bus import Bus
from launchd.event import Event
from launchd.launches.fetch.client import Identity
from launchd.launches.source_store import SourceStore
from launchd.launches.sources import SOURCES
from launchd.launches.store import LaunchStore
from launchd.launches.tasks import Tracker
from launchd.lock import Locks
from launchd.locks.sqlite import SqliteLocks
from launchd.logs.joblines import JobLines
from launchd.ops.reload import InForce, Reloader


class Host(NamedTuple):
    """What this process was given by who started it: sockets by name, whether and how often it must report.

    `alone` says that the process is the daemon's: whatever it has started may be killed when the daemon ends.
    `load` reads the configuration anew for a reload (None: the file it came from), `reloaded` hears of it.
    """

    listeners: Mapping[str, socket.socket] = {}
    supervised: bool = False
    watchdog_seconds: float | None = None
    alone: bool = False
    log_lines_dropped: Callable[[], int] = lambda: 0
    job_lines: JobLines | None = None
    load: Callable[[], Config] | None = None
    reloaded: Callable[[Config], None] = lambda _config: None


def launch_tracker(config: Config, database: Database, clock: Clock, bus: Bus) -> Tracker:
    """The launch data of this daemon; what happens to it is told on the bus."""
    loop = asyncio.get_running_loop()

    def tell(events: Sequence[Event]) -> None:
        """Called on the task loop."""
        if events:
            loop.call_soon_threadsafe(bus.publish, events)

    return Tracker(LaunchStore(database), SourceStore(database), config.sources, clock, _identity(config), publish=tell)


def _identity(config: Config) -> Identity:
    return Identity(config.fetch.contact, config.fetch.from_email)


def provider_of(launches: LaunchStore) -> Callable[[str], Awaitable[str | None]]:
    """Who flies a launch."""

    async def provider(launch_id: str) -> str | None:
        return (await launches.get(launch_id)).record.launch.provider

    return provider


def reloader_of(in_force: InForce, live: Live, tracker: Tracker, host: Host) -> Reloader:
    """Reads the configuration anew and takes it up."""
    first = in_force.config

    def load() -> Config:
        return configuration.load(Path(first.path), sources=SOURCES) if first.path else first

    async def apply(new: Config) -> None:
        await live.apply(new)
        tracker.configure(new.sources, _identity(new))
        host.reloaded(new)

    return Reloader(in_force, host.load or load, apply)


@asynccontextmanager
async def lock_backend(config: Config, jobs_db: Database, launches: LaunchStore, clock: Clock) -> AsyncIterator[Locks]:
    """The configured backend; redis is imported only when it is asked for."""
    lease = config.locks.lease_seconds
    if config.locks.backend == "sqlite":
        own = SqliteLocks(jobs_db, clock, lease_seconds=lease)
        await own.raise_fence(await launches.fence())  # another backend may have been here before
        yield own
        return
    from launchd.locks.redis import RedisLocks  # noqa: PLC0415 - see above

    files = (config.redis.password_file, config.redis.sentinel_password_file)
    password, sentinels = (configuration.read_secret(file) if file is not None else None for file in files)
    url = config.redis.url or ""
    shared = RedisLocks(url, clock, password=password, sentinel_password=sentinels, lease_seconds=lease)
    shared.raise_fence(await launches.fence())
    try:
        yield shared
    finally:
        await shared.close()
