"""Statistics of jobs: how tasks, queues and locks fared in a window, what ended over time, which jobs ran when.

All of it is read from the jobs themselves, so a restart loses nothing. The newest `MOST_JOBS` jobs are looked at; where
there are more, the answer says since when those were made.
"""

from enum import StrEnum
from typing import NamedTuple

from launchd import sql
from launchd.clock import DAY, HOUR, MINUTE, SECOND, Instant
from launchd.db.database import Database, Row
from launchd.job import JobState
from launchd.values.rows import Reader

_SQL = sql.statements("jobs", "stats")
MOST_JOBS = 50_000


class Window(StrEnum):
    """How far to look back."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"


class Span(StrEnum):
    """How far back a timeline reaches."""

    QUARTER = "15m"
    HOUR = "1h"
    QUARTER_DAY = "6h"


SPANS = {Span.QUARTER: 15 * MINUTE, Span.HOUR: HOUR, Span.QUARTER_DAY: 6 * HOUR}
LENGTHS = {Window.HOUR: HOUR, Window.DAY: DAY, Window.WEEK: 7 * DAY}
# How long a bucket is, and how many there are.
BUCKETS = {Window.HOUR: (MINUTE, 60), Window.DAY: (HOUR // 2, 48), Window.WEEK: (3 * HOUR, 56)}


class Percentiles(NamedTuple):
    """Seconds, by nearest rank; None where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


class RunStats(NamedTuple):
    """How one task or queue fared. `ended` counts jobs, `runs` those of them that ran; `busy` is seconds of running."""

    name: str
    ended: int
    runs: int
    succeeded: int
    failures: int
    retries: int
    busy: float
    run: Percentiles
    wait: Percentiles

    @property
    def success_rate(self) -> float | None:
        """The share of successes among what succeeded or failed; None where nothing did."""
        judged = self.succeeded + self.failures
        return self.succeeded / judged if judged else None


class Contention(NamedTuple):
    """How contended a lock was: jobs under it that ended, those that never got it, how long the others waited."""

    name: str
    ended: int
    skipped: int
    wait: Percentiles


class Stats(NamedTuple):
    """What ended from `since` on. Jobs made before `counted_since` are not in it; None when all are."""

    window: Window
    since: Instant
    counted_since: Instant | None
    tasks: tuple[RunStats, ...]
    queues: tuple[RunStats, ...]
    locks: tuple[Contention, ...]


class Quantiles(NamedTuple):
    """Seconds: the median and the 95th percentile; None where nothing was measured."""

    p50: float | None
    p95: float | None


class Bucket(NamedTuple):
    """What ended from `at` on, for the series' step; `other` is cancelled, skipped or expired."""

    at: Instant
    succeeded: int
    failed: int
    other: int
    run: Quantiles
    wait: Quantiles


class Series(NamedTuple):
    """Buckets of `step` microseconds, oldest first, none left out.

    Jobs made before `counted_since` are not in it; None when all are.
    """

    window: Window
    step: int
    counted_since: Instant | None
    buckets: tuple[Bucket, ...]


class Run(NamedTuple):
    """The last attempt of a job; `finished_at` is None while it runs."""

    id: str
    task: str
    queue: str
    state: JobState
    attempt: int
    started_at: Instant
    finished_at: Instant | None
    unreadable: tuple[str, ...] = ()


class Timeline(NamedTuple):
    """The runs of a span, those that took longest first; `found` counts them all, shown or not."""

    span: Span
    since: Instant
    found: int
    runs: tuple[Run, ...]


_run = Reader(Run, "jobs", "id")


class StatsStore:
    """Reads statistics from jobs.db."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def stats(self, window: Window, now: Instant) -> Stats:
        """How everything fared in the window that ends now."""
        params = {"since": now - LENGTHS[window], "most": MOST_JOBS}
        tasks = await self._db.read(_SQL["by_name"], params | {"by": "task"})
        queues = await self._db.read(_SQL["by_name"], params | {"by": "queue"})
        locks = await self._db.read(_SQL["by_lock"], params)
        return Stats(
            window,
            now - LENGTHS[window],
            await self._counted_since(),
            tuple(_run_stats(row) for row in tasks),
            tuple(_run_stats(row) for row in queues),
            tuple(Contention(row["name"], row["ended"], row["skipped"], _percentiles(row, "wait")) for row in locks),
        )

    async def series(self, window: Window, now: Instant) -> Series:
        """The series of a window that ends with the bucket of `now`. Buckets lie at multiples of their length."""
        step, count = BUCKETS[window]
        since = (now // step - count + 1) * step
        params = {"since": since, "until": since + count * step, "step": step, "most": MOST_JOBS}
        found = {row["bucket"]: row for row in await self._db.read(_SQL["series"], params)}
        buckets = tuple(_bucket(since + index * step, found.get(index)) for index in range(count))
        return Series(window, step, await self._counted_since(), buckets)

    async def timeline(self, span: Span, limit: int, now: Instant) -> Timeline:
        """What ran in the span that ends now, at most `limit` of it: what took long is what can be seen."""
        since = now - SPANS[span]
        params = {"since": since, "now": now, "most": MOST_JOBS, "limit": limit}
        rows = await self._db.read(_SQL["timeline"], params)
        runs = tuple(_run(row) for row in rows)
        return Timeline(span, since, rows[0]["found"] if rows else 0, runs)

    async def _counted_since(self) -> Instant | None:
        """When the oldest job that is looked at was made; None when all jobs are looked at."""
        oldest = await self._db.read_one(_SQL["counted_since"], {"most": MOST_JOBS})
        return None if oldest is None else int(oldest["created_at"])


def _run_stats(row: Row) -> RunStats:
    counts = (row["ended"], row["runs"], row["succeeded"], row["failures"], row["retries"])
    return RunStats(row["name"], *counts, row["busy"] / SECOND, _percentiles(row, "run"), _percentiles(row, "wait"))


def _percentiles(row: Row, what: str) -> Percentiles:
    found = (row[f"{what}_{rank}"] for rank in Percentiles._fields)
    return Percentiles(*(None if value is None else value / SECOND for value in found))


def _bucket(at: Instant, row: Row | None) -> Bucket:
    if row is None:
        return Bucket(at, 0, 0, 0, Quantiles(None, None), Quantiles(None, None))
    run = Quantiles(_seconds(row["run_p50"]), _seconds(row["run_p95"]))
    wait = Quantiles(_seconds(row["wait_p50"]), _seconds(row["wait_p95"]))
    return Bucket(at, row["succeeded"], row["failed"], row["other"], run, wait)


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / SECOND
