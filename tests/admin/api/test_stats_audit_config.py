"""What the admin API tells of the past: statistics, the audit, log lines; and of the configuration in force."""

import logging
import statistics as reference
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd import config as configuration
from launchd.clock import HOUR, SECOND, SystemClock
from launchd.daemon import Daemon, HostProcess
from launchd.db.database import Database, open_database
from launchd.logs import joblines
from launchd.logs import setup as logs
from launchd.logs.joblines import JobLines
from launchd.logs.redact import MASK, Redactor
from launchd.logs.writer import Line
from launchd.store import stats as statistics
from launchd.store.stats import StatsStore, Window
from launchd.testing import START, running
from tests.support.hosted_daemon import ended, hosted, only_these_sources, quiet_config
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL, gate

INSERT = """
INSERT INTO jobs (id, task, queue, state, args, priority, attempt, max_retries, created_at, run_at, started_at,
  finished_at, claim_order, lock)
VALUES (?, ?, ?, ?, '{}', 5, ?, 3, ?, ?, ?, ?, 0, ?)
"""


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with asking(daemon) as session:
        yield session


async def get(client: aiohttp.ClientSession, path: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    async with client.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


# --- statistics ---


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as opened:
        yield opened


def row(
    number: int,
    state: str = "succeeded",
    *,
    end: int,
    ran: int = 1,
    waited: int = 0,
    **more: Any,  # noqa: ANN401 - columns
) -> tuple[Any, ...]:
    """A job that ended at `end`; all in microseconds."""
    start = end - ran
    due = start - waited
    task, queue, attempt, lock = (
        more.get(name, default) for name, default in (("task", "t"), ("queue", "q"), ("attempt", 1), ("lock", None))
    )
    started = None if more.get("never_ran") else start
    return (f"id-{number:06}", task, queue, state, attempt, due, due, started, end, lock)


async def insert(database: Database, rows: list[tuple[Any, ...]]) -> None:
    await database.write(lambda connection: connection.executemany(INSERT, rows))


async def test_what_ended_in_the_window_is_counted_by_task_and_by_queue(database: Database) -> None:
    now = 100 * HOUR
    await insert(
        database,
        [
            row(1, end=now - 2 * HOUR),
            row(2, end=now - 1, attempt=3),
            row(3, "failed", end=now - 1, queue="other", attempt=4),
            row(4, "quarantined", end=now - 1),
            row(5, "cancelled", end=now - 1, never_ran=True),
            row(6, end=now - 1, task="u"),
        ],
    )
    found = await StatsStore(database).stats(Window.HOUR, now)
    task = {one.name: one for one in found.tasks}
    assert (task["t"].ended, task["t"].runs, task["t"].failures, task["t"].retries) == (4, 3, 2, 5)
    assert task["t"].success_rate == pytest.approx(1 / 3)
    assert task["u"].success_rate == 1.0
    assert [(one.name, one.ended) for one in found.queues] == [("other", 1), ("q", 4)]
    assert found.counted_since is None


async def test_a_run_that_began_before_the_window_counts_for_its_part_in_it(database: Database) -> None:
    now = 100 * HOUR
    await insert(database, [row(1, end=now - HOUR // 2, ran=10 * HOUR)])
    (queue,) = (await StatsStore(database).stats(Window.HOUR, now)).queues
    assert queue.busy == 1800.0
    assert queue.run.p50 == 36_000.0


async def test_a_lock_tells_who_never_got_it_and_how_long_the_others_waited(database: Database) -> None:
    now = 100 * HOUR
    await insert(
        database,
        [
            row(1, "skipped", end=now - 1, never_ran=True, lock="l"),
            row(2, end=now - 1, waited=3 * SECOND, lock="l"),
            row(3, end=now - 1),
        ],
    )
    (lock,) = (await StatsStore(database).stats(Window.HOUR, now)).locks
    assert (lock.name, lock.ended, lock.skipped, lock.wait.p95) == ("l", 2, 1, 3.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=150))
async def test_percentiles_are_the_nearest_ranks(runs: list[int]) -> None:
    now = 100 * HOUR
    with tempfile.TemporaryDirectory() as place:
        async with open_database(Path(place) / "jobs.db", "jobs", SystemClock()) as database:
            await insert(database, [row(n, end=now - 1, ran=ran * SECOND) for n, ran in enumerate(runs)])
            (task,) = (await StatsStore(database).stats(Window.HOUR, now)).tasks
    ordered = sorted(runs)
    for rank, got in zip((50, 95, 99), task.run, strict=True):
        assert got == ordered[-(-len(ordered) * rank // 100) - 1]
    assert task.run.p50 in {reference.median_low(runs), reference.median_high(runs)}


async def test_only_the_newest_jobs_are_looked_at_and_the_answer_says_since_when(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "MOST_JOBS", 10)
    now = 100 * HOUR
    await insert(database, [row(number, end=now - 100 + number) for number in range(30)])
    found = await StatsStore(database).stats(Window.HOUR, now)
    assert found.tasks[0].ended == 10
    assert found.counted_since == now - 100 + 20 - 1


async def test_the_endpoint_tells_the_use_of_slots_and_survives_a_restart(tmp_path: Path) -> None:
    for first in (True, False):
        async with hosted(quiet_config(tmp_path), tasks=ALL) as daemon, asking(daemon) as client:
            if first:
                job, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
                await ended(daemon, job.id)
            found = await get(client, "/v1/stats?window=24h")
            (queue,) = found["queues"]
            assert (queue["name"], queue["failures"], queue["success_rate"]) == ("default", 1, 0.0)
            assert 0.0 < queue["utilisation"] < 0.01
            await get(client, "/v1/stats?window=2h", 422)


# --- audit ---


async def test_the_audit_is_read_in_pages_that_hold_each_row_once(
    daemon: Daemon, client: aiohttp.ClientSession
) -> None:
    for number in range(7):
        await daemon.control.audit("alice" if number % 2 else "bob", "tested", f"target-{number}", None)
    targets: list[str] = []
    cursor: str | None = ""
    path = "/v1/audit?action=tested&limit=3"
    while cursor is not None:
        page = await get(client, f"{path}&cursor={cursor}")
        assert len(page["items"]) <= 3
        targets += [one["target"] for one in page["items"]]
        cursor = page["next"]
        await daemon.control.audit("carol", "tested", "newer", None)  # inserts do not shift the pages
    assert targets == [f"target-{number}" for number in range(6, -1, -1)]
    mine = await get(client, "/v1/audit?actor=alice")
    assert [one["target"] for one in mine["items"]] == ["target-5", "target-3", "target-1"]
    await get(client, "/v1/audit?cursor=x", 422)


# --- log lines ---


@pytest.fixture
def kept() -> JobLines:
    return JobLines(Redactor(["hunter2-secret"]))


def line(job_id: str, text: str = "said", **fields: Any) -> Line:  # noqa: ANN401 - any plain value
    event = {"event": text, "job_id": job_id, "level": "info", "logger": "l", "timestamp": "2026-01-01T00:00:00Z"}
    return Line(logging.INFO, event | fields, 100)


async def test_a_jobs_lines_are_told_with_their_fields_and_without_secrets(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as sink:
        log = logs.configure("info", "json", secrets=["hunter2-secret"], descriptor=sink.fileno())
        try:
            gate("logs").set()
            async with hosted(quiet_config(tmp_path), tasks=ALL, host=HostProcess(job_lines=log.job_lines)) as daemon:
                job, _ = await daemon.control.trigger("advancing", {"name": "logs"}, by="test")
                await ended(daemon, job.id)
                structlog.get_logger("x").warning("login hunter2-secret", job_id=job.id, password="p")
                async with asking(daemon) as client:
                    found = await get(client, f"/v1/jobs/{job.id}/logs")
                    nobody = await get(client, "/v1/jobs/00000000-0000-7000-8000-000000000000/logs", 404)
        finally:
            log.close()
            structlog.reset_defaults()
    events = [one["event"] for one in found["items"]]
    assert events == ["advanced", "job_ended", f"login {MASK}"]
    assert found["items"][0]["fields"]["name"] == "logs"
    assert found["items"][2]["fields"]["password"] == MASK
    assert (found["next"], found["missing"]) == (None, 0)
    assert nobody["code"] == "not_found"


async def test_lines_are_paged_by_number(tmp_path: Path, kept: JobLines) -> None:
    async with (
        hosted(quiet_config(tmp_path), tasks=ALL, host=HostProcess(job_lines=kept)) as daemon,
        asking(daemon) as client,
    ):
        job, _ = await daemon.control.trigger("echo", {}, by="test")
        await ended(daemon, job.id)
        for number in range(5):
            kept.keep(line(job.id, f"line {number}"))
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await get(client, f"/v1/jobs/{job.id}/logs?limit=2&cursor={cursor}")
            found += [one["event"] for one in page["items"]]
            cursor = page["next"]
        await get(client, f"/v1/jobs/{job.id}/logs?cursor=-1", 422)
    assert found == [f"line {number}" for number in range(5)]


def test_lines_jobs_and_characters_are_bounded(kept: JobLines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblines, "MAX_LINES", 3)
    monkeypatch.setattr(joblines, "MAX_JOBS", 2)
    for number in range(5):
        kept.keep(line("a", str(number)))
    found, missing = kept.of("a", 0, 100)
    assert ([one.event for one in found], missing) == (["2", "3", "4"], 2)
    kept.keep(line("b"))
    kept.keep(line("a", "again"))
    kept.keep(line("c"))
    assert kept.of("b", 0, 100) == ([], 0)
    assert len(kept.of("a", 0, 100)[0]) == 3
    monkeypatch.setattr(joblines, "MAX_CHARACTERS", 250)
    kept.keep(line("c"))
    assert kept.of("a", 0, 100) == ([], 0)
    assert len(kept.of("c", 0, 100)[0]) == 2
    kept.keep(Line(logging.INFO, {"event": "of no job"}, 10))


# --- configuration ---


async def test_the_configuration_in_force_is_shown_without_secrets(tmp_path: Path) -> None:
    text = """
[redis]
url = "redis://user:hunter2-secret@locks.example.org:6379/0"
[schedules.nightly]
task = "echo"
cron = "0 3 * * *"
args = { value = 1 }
"""
    async with hosted(quiet_config(tmp_path, text), tasks=ALL) as daemon, asking(daemon) as client:
        found = await get(client, "/v1/config")
    assert found["config"]["queues"]["scraping"]["concurrency"] == 2
    assert "hunter2" not in msgspec.json.encode(found).decode()
    assert found["config"]["redis"]["url"] == f"redis://user:{MASK}@locks.example.org:6379/0"
    assert found["needs_restart"] == []


async def test_a_reload_answers_with_what_has_changed_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    base = only_these_sources(
        f'[daemon]\nstate_directory = "{tmp_path}"\n[admin]\nsocket = "{tmp_path}/s"\n'
        "[schedules.scrape_launch_data]\nenabled = false\n[schedules.health_check]\nenabled = false\n"
        "[schedules.prune]\nenabled = false\n"
    )
    path.write_text(base)
    async with hosted(configuration.load(path), tasks=ALL) as daemon, asking(daemon) as client:
        path.write_text(base + "[queues.scraping]\nconcurrency = 5\n[locks]\nlease_seconds = 30.0\n")
        async with client.post("/v1/config/reload") as response:
            assert response.status == 200, await response.text()
            found = await response.json()
        assert found["applied"] == ["queues.scraping.concurrency"]
        assert found["needs_restart"] == ["locks.lease_seconds"]
        assert found["changes"] == [
            {"key": "locks.lease_seconds", "old": 60.0, "new": 30.0, "applied": False},
            {"key": "queues.scraping.concurrency", "old": 2, "new": 5, "applied": True},
        ]
        assert (await get(client, "/v1/config"))["needs_restart"] == ["locks.lease_seconds"]
        queues = {one["name"]: one for one in (await get(client, "/v1/queues"))["items"]}
        assert queues["scraping"]["concurrency"] == 5
        path.write_text(base + "[queues.scraping]\nconcurrency = 0\n")
        async with client.post("/v1/config/reload") as response:
            problem = await response.json(content_type=None)
            assert (response.status, problem["code"]) == (422, "config_invalid")
            assert problem["errors"][0]["path"] == "queues.scraping.concurrency"
        assert [one["action"] for one in (await get(client, "/v1/audit"))["items"]] == ["reload"]


async def test_statistics_follow_the_daemons_own_clock() -> None:
    async with running(tasks=ALL) as daemon:
        await daemon.trigger("echo")
        store = StatsStore(daemon.daemon.control._jobs._db)
        assert len((await store.stats(Window.HOUR, daemon.clock.now())).tasks) == 1
        await daemon.advance(hours=1, seconds=1)
        assert (await store.stats(Window.HOUR, daemon.clock.now())).tasks == ()
        assert daemon.clock.now() > START
