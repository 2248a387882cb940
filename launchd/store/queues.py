"""Queues in jobs.db: which are paused, and when jobs of rate-limited queues started.

Starts are written in the transaction that claims the jobs, so that a rate's window survives a restart. The rows of the
jobs cannot replace them: a job that waits for its retry has no `started_at`, and no index finds the others. A queue has
at most as many rows as its rate allows starts; a queue without a rate has none.
"""

from contextlib import suppress

from launchd import sql
from launchd.clock import DAY, SECOND, Instant
from launchd.db.database import Connection, Database
from launchd.errors import StoreError

_SQL = sql.statements("jobs", "queues")
# The longest window that a rate can have.
_LONGEST = DAY


def note_starts(connection: Connection, queue: str, count: int, now: Instant, window: float) -> None:
    """Write `count` starts within a transaction, and delete those older than `window` seconds."""
    values = {"queue": queue, "count": count, "now": now}
    connection.execute(_SQL["note"], values)
    connection.execute(_SQL["forget"], {"queue": queue, "before": now - int(window * SECOND)})


class QueueStore:
    """Reads and writes the pauses and the starts of queues."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def start_ages(self, now: Instant) -> dict[str, list[float]]:
        """By queue: the age in seconds of each stored start, the oldest first."""
        with suppress(StoreError):  # rows that count no more do no harm
            await self._db.write(lambda connection: connection.execute(_SQL["forget_all"], {"before": now - _LONGEST}))
        found: dict[str, list[float]] = {}
        for row in await self._db.read(_SQL["all"]):
            found.setdefault(row["queue"], []).extend([(now - row["at"]) / SECOND] * row["count"])
        return found

    async def pauses(self) -> dict[str, tuple[bool, str | None]]:
        """By queue: (True if it is paused, the note)."""
        return {row["name"]: (bool(row["paused"]), row["note"]) for row in await self._db.read(_SQL["states"])}

    async def pause(self, name: str, *, paused: bool, note: str | None) -> None:
        """Store whether a queue is paused, with a note."""
        values = {"name": name, "paused": int(paused), "note": note}
        await self._db.write(lambda connection: connection.execute(_SQL["pause"], values))
