"""Statistics of jobs: counts and durations by task, queue and lock; ended jobs over time; a timeline of runs.

All figures are read from the rows of the jobs, so a restart loses nothing. Only the newest MOST_JOBS jobs are read;
if there are more, `counted_since` is the creation time of the oldest job that was read. Percentiles are by nearest
rank: the smallest value that at least p percent of all values do not exceed.
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
    """How far statistics and series look back from now."""

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
# The length of a bucket in microseconds, and the number of buckets.
BUCKETS = {Window.HOUR: (MINUTE, 60), Window.DAY: (HOUR // 2, 48), Window.WEEK: (3 * HOUR, 56)}


class Percentiles(NamedTuple):
    """Seconds, by nearest rank; None if nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


class RunStats(NamedTuple):
    """The jobs of one task or queue that ended in a window.

    `ended` counts jobs, `runs` those of them that started, `failures` failed and quarantined ones, `retries` attempts
    after the first. `busy` is the sum of running times within the window, in seconds.
    """

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
        """`succeeded / (succeeded + failures)`, from 0 to 1; None if neither happened."""
        decided = self.succeeded + self.failures
        return self.succeeded / decided if decided else None


class Contention(NamedTuple):
    """The contention of one lock: jobs under it that ended, jobs skipped without it, and the waits of the others."""

    name: str
    ended: int
    skipped: int
    wait: Percentiles


class Stats(NamedTuple):
    """Statistics of jobs that ended since `since`.

    Jobs created before `counted_since` are left out; None if none are.
    """

    window: Window
    since: Instant
    counted_since: Instant | None
    tasks: tuple[RunStats, ...]
    queues: tuple[RunStats, ...]
    locks: tuple[Contention, ...]


class Quantiles(NamedTuple):
    """Seconds: the median and the 95th percentile; None if nothing was measured."""

    p50: float | None
    p95: float | None


class Bucket(NamedTuple):
    """Jobs that ended in [at, at + step); `other` counts cancelled, skipped and expired ones."""

    at: Instant
    succeeded: int
    failed: int
    other: int
    run: Quantiles
    wait: Quantiles


class Series(NamedTuple):
    """Consecutive buckets of `step` microseconds, the oldest first.

    Jobs created before `counted_since` are left out; None if none are.
    """

    window: Window
    step: int
    counted_since: Instant | None
    buckets: tuple[Bucket, ...]


class Run(NamedTuple):
    """The last attempt of a job; `finished_at` is None while the job runs."""

    id: str
    task: str
    queue: str
    state: JobState
    attempt: int
    started_at: Instant
    finished_at: Instant | None
    unreadable: tuple[str, ...] = ()


class Timeline(NamedTuple):
    """The runs in a span, the longest first; `found` counts all of them, also those beyond the limit."""

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
        """Statistics of the window that ends at `now`, by task, by queue and by lock."""
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
        """The series whose last bucket holds `now`. Buckets begin at multiples of their length since 1970."""
        step, count = BUCKETS[window]
        since = (now // step - count + 1) * step
        params = {"since": since, "until": since + count * step, "step": step, "most": MOST_JOBS}
        found = {row["bucket"]: row for row in await self._db.read(_SQL["series"], params)}
        buckets = tuple(_bucket(since + index * step, found.get(index)) for index in range(count))
        return Series(window, step, await self._counted_since(), buckets)

    async def timeline(self, span: Span, limit: int, now: Instant) -> Timeline:
        """The `limit` longest runs in the span that ends at `now`: shorter ones are too narrow to be seen."""
        since = now - SPANS[span]
        params = {"since": since, "now": now, "most": MOST_JOBS, "limit": limit}
        rows = await self._db.read(_SQL["timeline"], params)
        runs = tuple(_run(row) for row in rows)
        return Timeline(span, since, rows[0]["found"] if rows else 0, runs)

    async def _counted_since(self) -> Instant | None:
        """The creation time of the oldest job that is read; None if all jobs are read."""
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
