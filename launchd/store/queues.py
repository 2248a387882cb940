"""Queues in jobs.db: which are paused, and when jobs of those with a rate started.

Starts are noted where jobs are claimed, so that a rate's window survives a restart. The rows of the jobs would not do:
a job that waits for its retry has forgotten its start, and no index finds the rest. A queue never has more rows of
starts than its rate allows starts; one without a rate has none.
"""

from contextlib import suppress

from launchd import sql
from launchd.clock import DAY, SECOND, Instant
from launchd.db.database import Connection, Database
from launchd.errors import StoreError

_SQL = sql.statements("jobs", "queues")
# No window is longer.
_LONGEST = DAY


def note_starts(connection: Connection, queue: str, count: int, now: Instant, window: float) -> None:
    """Note starts within a transaction; `window` in seconds is how long they count."""
    values = {"queue": queue, "count": count, "now": now}
    connection.execute(_SQL["note"], values)
    connection.execute(_SQL["forget"], {"queue": queue, "before": now - int(window * SECOND)})


class QueueStore:
    """Reads and writes what is remembered of queues."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def start_ages(self, now: Instant) -> dict[str, list[float]]:
        """By queue, for each start noted: how many seconds ago it was, the oldest first."""
        with suppress(StoreError):  # those that count no more are in nobody's way
            await self._db.write(lambda connection: connection.execute(_SQL["forget_all"], {"before": now - _LONGEST}))
        found: dict[str, list[float]] = {}
        for row in await self._db.read(_SQL["all"]):
            found.setdefault(row["queue"], []).extend([(now - row["at"]) / SECOND] * row["count"])
        return found

    async def pauses(self) -> dict[str, tuple[bool, str | None]]:
        """By queue: True where it is paused, and the note."""
        return {row["name"]: (bool(row["paused"]), row["note"]) for row in await self._db.read(_SQL["states"])}

    async def pause(self, name: str, *, paused: bool, note: str | None) -> None:
        """Remember that a queue is paused, or no longer."""
        values = {"name": name, "paused": int(paused), "note": note}
        await self._db.write(lambda connection: connection.execute(_SQL["pause"], values))
