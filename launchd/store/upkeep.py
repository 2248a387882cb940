"""Reads of jobs.db for the health checks: running and overdue jobs."""

from collections.abc import Sequence
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Database

_SQL = sql.statements("jobs", "jobs")


class Running(NamedTuple):
    """A job whose row has the state running."""

    seq: int
    attempt: int
    id: str
    task: str
    queue: str


class UpkeepStore:
    """Reads running and overdue jobs."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def running(self) -> Sequence[Running]:
        """The jobs in the state running, the oldest first."""
        return [Running(*row) for row in await self._db.read(_SQL["running"])]

    async def settled(self) -> None:
        """Wait until every earlier write has been answered."""
        await self._db.write(lambda _connection: None)

    async def overdue(self, before: Instant) -> tuple[int, Instant | None]:
        """How many jobs have a `run_at` before an instant and are not ready yet, and the oldest such `run_at`."""
        row = await self._db.read_one(_SQL["overdue"], (before,))
        return (row["count"], row["oldest"]) if row is not None else (0, None)
