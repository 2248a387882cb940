"""One contract for both lock backends: a real SQLite file, a real server, one behind Sentinels, one in a Cluster."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from launchd.clock import SystemClock
from launchd.lock import Lock, Locks
from launchd.locks.manager import LockManager
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.lock_backends import DEPLOYMENTS, ME, OTHER, SERVERS, redis_backend, sqlite_backend, take, until_free
from tests.support.redis_deployments import Deployment
from tests.support.valkey_server import Server, serving

Make = Callable[[float], Awaitable[Locks]]


@pytest.fixture(params=["sqlite", *SERVERS, *DEPLOYMENTS])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """A function that makes a backend with a lease of this many seconds."""
    async with AsyncExitStack() as stack:
        server: Server | Deployment | None = None
        if request.param in DEPLOYMENTS:
            deployment: Deployment = request.getfixturevalue(request.param)
            deployment.primary.ask("FLUSHALL")
            server = deployment
        elif request.param != "sqlite":
            server = await stack.enter_async_context(serving(SERVERS[request.param], tmp_path))

        async def made(lease: float) -> Locks:
            if server is None:
                return await stack.enter_async_context(sqlite_backend(tmp_path, lease))
            return await stack.enter_async_context(redis_backend(server, lease))

        yield made


# --- the contract ---


async def test_a_free_lock_is_taken_and_a_held_one_names_its_holder(make: Make) -> None:
    locks = await make(60)
    mine = await take(locks)
    assert (mine.owner, mine.job_id, mine.name) == (ME, "j", "l")
    assert mine.token
    held = await take(locks, owner=OTHER, job="k")
    assert (held.owner, held.job_id, held.fence, held.since) == (ME, "j", mine.fence, mine.since)


async def test_a_holder_that_acquires_again_gets_its_own_lock(make: Make) -> None:
    locks = await make(60)
    first = await take(locks)
    again = await take(locks)
    assert (again.token, again.fence) == (first.token, first.fence)


async def test_of_many_concurrent_acquires_one_gets_the_lock(make: Make) -> None:
    locks = await make(60)
    answers = await asyncio.gather(*(take(locks, job=str(number)) for number in range(50)))
    assert len({(lock.job_id, lock.fence) for lock in answers}) == 1
    assert sum(lock.job_id == str(number) for number, lock in enumerate(answers)) == 1


async def test_fences_only_grow_over_all_locks(make: Make) -> None:
    locks = await make(60)
    fences = []
    for turn in range(10):
        lock = await take(locks, name=f"l{turn % 3}", job=str(turn))
        fences.append(lock.fence)
        assert await locks.release(lock)
    assert fences == sorted(set(fences))


async def test_a_released_lock_is_free_and_cannot_be_released_twice(make: Make) -> None:
    locks = await make(60)
    lock = await take(locks)
    assert await locks.release(lock)
    assert not await locks.release(lock)
    assert (await take(locks, owner=OTHER, job="k")).owner == OTHER
    assert not await locks.release(lock)
    assert [held.owner for held in await locks.list()] == [OTHER]


async def test_a_lease_expires_and_its_late_holder_cannot_renew_it(make: Make) -> None:
    locks = await make(0.15)
    late = await take(locks)
    await until_free(locks)
    assert await locks.renew([late]) == []
    second = await take(locks, owner=OTHER, job="k")
    assert second.owner == OTHER
    assert second.fence > late.fence
    assert await locks.renew([late]) == []
    assert not await locks.release(late)


async def test_a_renewal_extends_held_locks_and_leaves_out_lost_ones(make: Make) -> None:
    locks = await make(60)
    kept, lost = await take(locks, name="kept"), await take(locks, name="lost")
    await locks.force_release("lost")
    (renewed,) = await locks.renew([kept, lost])
    assert renewed.name == "kept"
    assert renewed.expires_at >= kept.expires_at
    assert await locks.renew([]) == []


async def test_no_renewal_goes_past_the_ceiling_on_the_whole_hold(make: Make) -> None:
    locks = await make(60)
    lock = await take(locks, ttl=0.2)
    assert lock.expires_at - lock.since <= 300_000
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await locks.renew([lock]):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
    assert await locks.list() == []


async def test_a_forced_release_frees_the_lock_and_raises_the_fence(make: Make) -> None:
    locks = await make(60)
    lock = await take(locks)
    taken = await locks.force_release("l")
    assert taken is not None
    assert (taken.owner, taken.job_id, taken.fence, taken.token) == (ME, "j", lock.fence, lock.token)
    assert await locks.force_release("l") is None
    assert (await take(locks, owner=OTHER, job="k")).fence > lock.fence + 1
    assert await locks.renew([lock]) == []


async def test_all_that_is_held_is_listed_by_name(make: Make) -> None:
    locks = await make(60)
    for name in ("b", "a", "c"):
        await take(locks, name=name)
    await locks.force_release("c")
    assert [(lock.name, lock.job_id) for lock in await locks.list()] == [("a", "j"), ("b", "j")]


async def test_names_may_hold_anything(make: Make) -> None:
    locks = await make(60)
    names = ["a b", "ä{x}", "*", "a:b", "'; --", "x" * 500]
    for name in names:
        await take(locks, name=name)
    assert [lock.name for lock in await locks.list()] == sorted(names)


async def test_locks_of_an_earlier_instance_of_this_directory_are_deleted(make: Make) -> None:
    locks = await make(60)
    await take(locks, name="old", owner="node-a:0")
    await take(locks, name="mine")
    assert await locks.void_others(ME) == 1
    assert [lock.name for lock in await locks.list()] == ["mine"]


# --- the manager, over either ---


async def test_a_holder_that_is_cancelled_during_its_release_leaves_no_lock_held(make: Make) -> None:
    locks = await make(60)
    manager = LockManager(locks, SystemClock(), ME, on_loss=lambda _lock: None, on_free=lambda: None)
    taken, lock = await manager.acquire("l", "j", 3600)
    assert taken
    giving = asyncio.create_task(manager.release(lock))
    await asyncio.sleep(0)
    giving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await giving
    await manager.close()
    assert await locks.list() == []


async def test_a_lost_lock_is_reported_to_its_holder_whose_result_no_longer_counts(make: Make) -> None:
    locks = await make(60)
    lost: list[Lock] = []
    manager = LockManager(locks, SystemClock(), ME, on_loss=lost.append, on_free=lambda: None)
    _, lock = await manager.acquire("l", "j", 3600)
    assert manager.holds(lock)
    await locks.force_release("l")
    await manager.renew_once()
    assert [one.job_id for one in lost] == ["j"]
    assert not manager.holds(lock)
