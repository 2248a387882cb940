"""The counters of events: ended jobs with their run and wait times, fires from the ledger, loop lag.

Every other metric is read from the daemon at a scrape (admin/metrics.py). Counters start at 0 with the process, as
Prometheus expects. Owned by the control loop.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from launchd import sql
from launchd.clock import SECOND, Instant
from launchd.db.database import Database
from launchd.event import JobEnd

_SQL = sql.statements("jobs", "metrics")

# Upper bounds in seconds. Runs last from a millisecond to the longest time limit, lag matters from a millisecond on.
RUN_BOUNDS = (0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)
WAIT_BOUNDS = (0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600, 21_600)
LAG_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
LATE_BOUNDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)
LAG_SECONDS = 0.5
# The most rows of the ledger that are read at once; the next call reads the rest.
_LIMIT = 10_000


class Histogram:
    """How many values fell under each bound. `counts` has one more than `bounds`, for values beyond the last."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value; a bound includes itself, as with `le`."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """The cumulative buckets in the form of Prometheus: (`le`, count), "+Inf" last."""
        found, count = [], 0
        for bound, here in zip([*map(_bound, self.bounds), "+Inf"], self.counts, strict=True):
            count += here
            found.append((bound, float(count)))
        return found


class Tally:
    """Counts the ends of attempts; `count` must be cheap, since it is called for every job."""

    def __init__(self) -> None:
        self.ended: Counter[tuple[str, ...]] = Counter()  # (task, queue, state)
        self.returned: Counter[tuple[str, ...]] = Counter()  # (task, queue): retried, snoozed, interrupted
        self.runs: dict[tuple[str, ...], Histogram] = {}  # (task, queue)
        self.waits: dict[str, Histogram] = {}  # queue

    def count(self, ends: Sequence[JobEnd]) -> None:
        """Count ends of attempts."""
        for _, _, state, task, queue, seconds, waited in ends:
            if state == "queued":
                self.returned[task, queue] += 1
            else:
                self.ended[task, queue, state] += 1
            if seconds is None or waited is None:  # it ended without having run
                continue
            runs = self.runs.get((task, queue))
            if runs is None:
                runs = self.runs[task, queue] = Histogram(RUN_BOUNDS)
            runs.add(seconds)
            waits = self.waits.get(queue)
            if waits is None:
                waits = self.waits[queue] = Histogram(WAIT_BOUNDS)
            waits.add(waited)


class LagMeter:
    """How late the running loop calls its timers. Real time only: it measures this loop."""

    def __init__(self) -> None:
        self.lag = Histogram(LAG_BOUNDS)
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start to measure, twice a second."""
        due = self._loop.time() + LAG_SECONDS
        self._next = self._loop.call_at(due, self._measure, due)

    def stop(self) -> None:
        """Stop measuring."""
        if self._next is not None:
            self._next.cancel()

    def _measure(self, due: float) -> None:
        self.lag.add(max(self._loop.time() - due, 0.0))
        self.start()


class FireCount:
    """Fires of this run by (schedule, outcome), and how late each fired one made its job."""

    def __init__(self, db: Database) -> None:
        self.outcomes: Counter[tuple[str, ...]] = Counter()
        self.late: dict[str, Histogram] = {}
        self._db = db
        self._seen: dict[str, Instant] = {}

    async def begin(self) -> None:
        """Leave out the rows on the ledger now. Later rows count, also those about an outage before this run."""
        self._seen = {row["schedule"]: row["fire_time"] for row in await self._db.read(_SQL["last_fires"])}

    async def count_new(self, schedules: Iterable[str], now: Instant) -> None:
        """Count the new ledger rows of these schedules; after the clock was put back, counting goes on from now."""
        for schedule in schedules:
            after = self._seen[schedule] = min(self._seen.get(schedule, 0), now)
            values = {"schedule": schedule, "after": after, "now": now, "limit": _LIMIT}
            rows = await self._db.read(_SQL["fires_since"], values)
            if self._seen[schedule] != after:  # another call was faster
                continue
            for row in rows:
                self.outcomes[schedule, row["outcome"]] += row["count"]
                if row["outcome"] == "fired" and row["created_at"] is not None:
                    late = self.late.setdefault(schedule, Histogram(LATE_BOUNDS))
                    late.add(max((row["created_at"] - row["fire_time"]) / SECOND, 0.0))
                self._seen[schedule] = row["fire_time"]


def _bound(value: float) -> str:
    return repr(float(value))
