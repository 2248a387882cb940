"""Histories of jobs in jobs.db, for those who read them; written by launchd/store/job_events.py."""

from typing import Any

import msgspec

from launchd import sql
from launchd.db.database import Database
from launchd.errors import NotFoundError
from launchd.job import Job
from launchd.job_history import Entry, Noted, history
from launchd.store.jobs import job_of
from launchd.values.rows import Reader

_SQL = sql.statements("jobs", "history")
_noted = Reader(Noted, "job_events", "job", "number")


class HistoryStore:
    """Reads the histories of jobs."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, job_id: str) -> tuple[Job, list[Entry]]:
        """A job with its history, as of one moment; raises NotFoundError."""
        row = await self._db.read_one(_SQL["job_with_events"], (job_id,))
        if row is None:
            raise NotFoundError(f"no job {job_id}")
        job = job_of(row)
        found = msgspec.json.decode(row["events"], type=list[list[Any]])
        names = Noted._fields[:-1]
        noted = [_noted({"job": job_id} | dict(zip(names, values, strict=True))) for values in found]
        return job, history(job, noted)
