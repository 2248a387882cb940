"""Reads of jobs.db that tell whether jobs are looked after: for health."""

from collections.abc import Sequence
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Database

_SQL = sql.statements("jobs", "jobs")


class Running(NamedTuple):
    """An attempt that runs, by its row."""

    seq: int
    attempt: int
    id: str
    task: str
    queue: str


class UpkeepStore:
    """Running and overdue jobs, as the disk has them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def running(self) -> Sequence[Running]:
        """The jobs that run, as far as the disk knows."""
        return [Running(*row) for row in await self._db.read(_SQL["running"])]

    async def settled(self) -> None:
        """Wait until every write that was asked for before has been answered."""
        await self._db.write(lambda _connection: None)

    async def overdue(self, before: Instant) -> tuple[int, Instant | None]:
        """The jobs whose time came before an instant and that are not ready yet: how many, and the oldest time."""
        row = await self._db.read_one(_SQL["overdue"], (before,))
        return (row["count"], row["oldest"]) if row is not None else (0, None)
