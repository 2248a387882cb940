"""Statistics: counts, durations and waits of the jobs that ended in a window, and their endpoint."""

import statistics as reference
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import HOUR, SECOND, SystemClock
from launchd.db.database import Database, open_database
from launchd.store import stats as statistics
from launchd.store.stats import StatsStore, Window
from launchd.testing import START, running
from tests.support.admin_clients import get
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL

INSERT = """
INSERT INTO jobs (id, task, queue, state, args, priority, attempt, max_retries, created_at, run_at, started_at,
  finished_at, claim_order, lock)
VALUES (?, ?, ?, ?, '{}', 5, ?, 3, ?, ?, ?, ?, 0, ?)
"""


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


async def test_jobs_that_ended_in_the_window_are_counted_by_task_and_by_queue(database: Database) -> None:
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


async def test_a_lock_counts_skipped_jobs_and_measures_how_long_the_others_waited(database: Database) -> None:
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


async def test_only_the_newest_jobs_are_counted_and_the_result_says_since_when(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "MOST_JOBS", 10)
    now = 100 * HOUR
    await insert(database, [row(number, end=now - 100 + number) for number in range(30)])
    found = await StatsStore(database).stats(Window.HOUR, now)
    assert found.tasks[0].ended == 10
    assert found.counted_since == now - 100 + 20 - 1


async def test_the_endpoint_shows_the_use_of_slots_also_after_a_restart(tmp_path: Path) -> None:
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


async def test_statistics_follow_the_daemons_own_clock() -> None:
    async with running(tasks=ALL) as daemon:
        await daemon.trigger("echo")
        store = StatsStore(daemon.daemon.control._jobs._db)
        assert len((await store.stats(Window.HOUR, daemon.clock.now())).tasks) == 1
        await daemon.advance(hours=1, seconds=1)
        assert (await store.stats(Window.HOUR, daemon.clock.now())).tasks == ()
        assert daemon.clock.now() > START
