"""Gives a test the lock backends (SQLite; a server alone, behind Sentinels, in a Cluster), and waits on them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.lock import Lock, Locks
from launchd.locks.redis import RedisLocks
from launchd.locks.sqlite import SqliteLocks
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.redis_deployments import Deployment
from tests.support.valkey_server import Server, binaries

SERVERS = binaries()
# Fixtures of tests/conftest.py: a master behind a Sentinel, a Cluster.
DEPLOYMENTS = ("watched", "clustered") if "valkey" in SERVERS else ()
ME, OTHER = "node-a:1", "node-b:2"


@asynccontextmanager
async def sqlite_backend(directory: Path, lease: float) -> AsyncIterator[Locks]:
    async with open_database(directory / "jobs.db", "jobs", SystemClock()) as database:
        yield SqliteLocks(database, SystemClock(), lease_seconds=lease)


@asynccontextmanager
async def redis_backend(
    server: Server | Deployment, lease: float, password: str | None = None
) -> AsyncIterator[RedisLocks]:
    backend = RedisLocks(server.url, SystemClock(), lease_seconds=lease, password=password)
    try:
        yield backend
    finally:
        await backend.close()


async def take(locks: Locks, name: str = "l", owner: str = ME, job: str = "j", ttl: float = 3600) -> Lock:
    return await locks.acquire(name, owner=owner, job_id=job, ttl_seconds=ttl)


async def until_free(locks: Locks, name: str = "l") -> None:
    """Wait until the lock is free: a lease expires by the backend's own clock."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(lock.name == name for lock in await locks.list()):  # noqa: ASYNC110 - the backend's clock: nobody tells
            await asyncio.sleep(0.01)
