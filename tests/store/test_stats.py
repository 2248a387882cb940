"""What ended over time: the buckets agree with a plain count of the jobs."""

import asyncio
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import SECOND, SystemClock, parse_instant
from launchd.daemon import Daemon
from launchd.db.database import Connection, Database, open_database
from launchd.store import stats
from launchd.store.stats import BUCKETS, Span, StatsStore, Window
from tests.support.hosted_daemon import ended
from tests.support.scraping_daemon import asking
from tests.support.tasks import fact, gate, started

NOW = parse_instant("2026-03-04T05:06:07Z")
ENDS = ["succeeded", "failed", "quarantined", "cancelled", "skipped", "expired"]


class Past(NamedTuple):
    """A job that ended: how many seconds before NOW, how long it ran and had waited; `ran` None: it never started."""

    state: str
    ago: int
    ran: int | None
    waited: int


pasts = st.builds(
    Past, st.sampled_from(ENDS), st.integers(0, 5000), st.none() | st.integers(0, 900), st.integers(-5, 900)
)


async def insert(database: Database, jobs: list[Past]) -> None:
    def act(connection: Connection) -> None:
        for number, job in enumerate(jobs):
            finished = NOW - job.ago * SECOND
            started = None if job.ran is None else finished - job.ran * SECOND
            run_at = (finished if started is None else started) - job.waited * SECOND
            connection.execute(
                "INSERT INTO jobs (id, task, queue, state, args, priority, attempt, max_retries, created_at, run_at, "
                "started_at, finished_at, claim_order) VALUES (?, 't', 'q', ?, '{}', 5, 1, 0, ?, ?, ?, ?, 0)",
                (str(number), job.state, run_at, run_at, started, finished),
            )

    await database.write(act)


def nearest_rank(values: list[int], percent: int) -> float | None:
    """The smallest value that at least `percent` of all are not above."""
    return float(sorted(values)[math.ceil(len(values) * percent / 100) - 1]) if values else None


def counted(jobs: list[Past], at: int, step: int) -> tuple[Any, ...]:
    inside = [job for job in jobs if at <= NOW - job.ago * SECOND < at + step]
    ran = [job.ran for job in inside if job.ran is not None]
    waited = [max(job.waited, 0) for job in inside if job.ran is not None]
    failed = sum(job.state in {"failed", "quarantined"} for job in inside)
    succeeded = sum(job.state == "succeeded" for job in inside)
    quantiles = [(nearest_rank(values, 50), nearest_rank(values, 95)) for values in (ran, waited)]
    return (succeeded, failed, len(inside) - succeeded - failed, *quantiles)


@settings(deadline=None, max_examples=40)  # each one makes a database
@given(st.lists(pasts, max_size=40))
def test_every_bucket_agrees_with_a_plain_count(jobs: list[Past]) -> None:
    async def check() -> None:
        with TemporaryDirectory() as directory:
            async with open_database(Path(directory) / "jobs.db", "jobs", SystemClock()) as database:
                await insert(database, jobs)
                found = await StatsStore(database).series(Window.HOUR, NOW)
        step, count = BUCKETS[Window.HOUR]
        assert [bucket.at for bucket in found.buckets] == [
            (NOW // step - count + 1 + index) * step for index in range(count)
        ]
        for bucket in found.buckets:
            assert tuple(bucket)[1:] == counted(jobs, bucket.at, step), bucket
        assert found.counted_since is None

    asyncio.run(check())


async def test_only_the_newest_jobs_are_looked_at_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "MOST_JOBS", 3)
    jobs = [Past("succeeded", ago, 1, 0) for ago in (500, 400, 300, 200, 100)]
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        await insert(database, jobs[:3])
        assert (await StatsStore(database).series(Window.DAY, NOW)).counted_since is None
    async with open_database(tmp_path / "more.db", "jobs", SystemClock()) as database:
        await insert(database, jobs)
        found = await StatsStore(database).series(Window.DAY, NOW)
        assert sum(bucket.succeeded for bucket in found.buckets) == 3
        assert found.counted_since == NOW - 301 * SECOND


@pytest.mark.parametrize("window", list(Window))
async def test_the_endpoint_tells_each_window(daemon: Daemon, window: Window) -> None:
    job, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
    await ended(daemon, job.id)
    async with asking(daemon) as client, client.get("/v1/stats/series", params={"window": window}) as response:
        assert response.status == 200
        found = await response.json()
    assert len(found["items"]) == BUCKETS[window][1]
    assert found["items"][-1]["failed"] + found["items"][-2]["failed"] == 1  # the minute may have changed meanwhile
    async with asking(daemon) as client, client.get("/v1/stats/series?window=2h") as response:
        assert response.status == 422


@settings(deadline=None, max_examples=40)  # each one makes a database
@given(st.lists(pasts, max_size=40), st.integers(1, 30))
def test_a_timeline_holds_what_ran_in_its_span_the_longest_first(jobs: list[Past], limit: int) -> None:
    async def check() -> None:
        with TemporaryDirectory() as directory:
            async with open_database(Path(directory) / "jobs.db", "jobs", SystemClock()) as database:
                await insert(database, jobs)
                found = await StatsStore(database).timeline(Span.QUARTER, limit, NOW)
        inside = {
            str(at): min(job.ran, 900 - job.ago)
            for at, job in enumerate(jobs)
            if job.ago <= 900 and job.ran is not None
        }
        assert found.found == len(inside)
        shown = [inside[run.id] for run in found.runs]
        assert shown == sorted(inside.values(), reverse=True)[:limit]
        assert len({run.id for run in found.runs}) == len(shown)

    asyncio.run(check())


async def test_the_timeline_tells_what_runs_and_what_has_ended(daemon: Daemon) -> None:
    started("timeline").clear()
    gate("timeline").clear()
    running, _ = await daemon.control.trigger("waiting", {"name": "timeline"}, by="test")
    await fact(started("timeline"))
    failed, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
    await ended(daemon, failed.id)
    try:
        async with asking(daemon) as client, client.get("/v1/stats/timeline?span=1h") as response:
            assert response.status == 200
            found = await response.json()
    finally:
        gate("timeline").set()
    told = {one["id"]: (one["state"], one["finished_at"] is None) for one in found["items"]}
    assert told == {running.id: ("running", True), failed.id: ("failed", False)}
    assert found["found"] == 2
