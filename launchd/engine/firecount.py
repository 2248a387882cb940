"""The ledger of fires, counted as it grows: each look reads only what came since the last."""

from collections import Counter
from collections.abc import Iterable

from launchd import sql
from launchd.clock import SECOND, Instant
from launchd.db.database import Database
from launchd.ops.tally import LATE_BOUNDS, Histogram

_SQL = sql.statements("jobs", "metrics")
# The most rows read at once; a longer run of them is taken up by the next look.
_LIMIT = 10_000


class FireCount:
    """Fires of this run by (schedule, outcome), and how late those that were fired made their job."""

    def __init__(self, db: Database) -> None:
        self.outcomes: Counter[tuple[str, ...]] = Counter()
        self.late: dict[str, Histogram] = {}
        self._db = db
        self._seen: dict[str, Instant] = {}

    async def begin(self) -> None:
        """Leave out what is on the ledger now; what comes to it later counts, and so does an outage before this run."""
        self._seen = {row["schedule"]: row["fire_time"] for row in await self._db.read(_SQL["last_fires"])}

    async def look(self, schedules: Iterable[str], now: Instant) -> None:
        """Count what is new on the ledger of these schedules; what was counted under a clock ahead of now is over."""
        for schedule in schedules:
            after = self._seen[schedule] = min(self._seen.get(schedule, 0), now)
            values = {"schedule": schedule, "after": after, "now": now, "limit": _LIMIT}
            rows = await self._db.read(_SQL["fires_since"], values)
            if self._seen[schedule] != after:  # another look was faster
                continue
            for row in rows:
                self.outcomes[schedule, row["outcome"]] += row["count"]
                if row["outcome"] == "fired" and row["created_at"] is not None:
                    late = self.late.setdefault(schedule, Histogram(LATE_BOUNDS))
                    late.add(max((row["created_at"] - row["fire_time"]) / SECOND, 0.0))
                self._seen[schedule] = row["fire_time"]
