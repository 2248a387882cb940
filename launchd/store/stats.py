"""How tasks, queues and locks fared in a window, read from the jobs themselves: a restart loses nothing of it.

The newest `MOST_JOBS` jobs are looked at; where there are more, the answer says since when those were made.
"""

from typing import NamedTuple

from launchd import sql
from launchd.clock import DAY, HOUR, SECOND, Instant
from launchd.db.database import Database, Row
from launchd.store.series import MOST_JOBS, Window

_SQL = sql.statements("jobs", "stats")
LENGTHS = {Window.HOUR: HOUR, Window.DAY: DAY, Window.WEEK: 7 * DAY}


class Percentiles(NamedTuple):
    """Seconds, by nearest rank; None where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


class Fared(NamedTuple):
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
    tasks: tuple[Fared, ...]
    queues: tuple[Fared, ...]
    locks: tuple[Contention, ...]


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
        oldest = await self._db.read_one(_SQL["counted_since"], {"most": MOST_JOBS})
        return Stats(
            window,
            now - LENGTHS[window],
            None if oldest is None else oldest["created_at"],
            tuple(_fared(row) for row in tasks),
            tuple(_fared(row) for row in queues),
            tuple(Contention(row["name"], row["ended"], row["skipped"], _percentiles(row, "wait")) for row in locks),
        )


def _fared(row: Row) -> Fared:
    counts = (row["ended"], row["runs"], row["succeeded"], row["failures"], row["retries"])
    return Fared(row["name"], *counts, row["busy"] / SECOND, _percentiles(row, "run"), _percentiles(row, "wait"))


def _percentiles(row: Row, what: str) -> Percentiles:
    found = (row[f"{what}_{rank}"] for rank in Percentiles._fields)
    return Percentiles(*(None if value is None else value / SECOND for value in found))
