"""The lock backend that the configuration names: SQLite or Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from launchd import config as configuration
from launchd.clock import Clock
from launchd.config import Config
from launchd.db.database import Database
from launchd.launches.store import LaunchStore
from launchd.lock import Locks
from launchd.locks.sqlite import SqliteLocks


@asynccontextmanager
async def lock_backend(config: Config, jobs_db: Database, launches: LaunchStore, clock: Clock) -> AsyncIterator[Locks]:
    """The configured backend; redis is imported only if it is configured."""
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
