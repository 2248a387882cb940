"""The audit in jobs.db, for those who read it: who did what to what, when."""

from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db import Database
from launchd.errors import InvalidError

_SQL = sql.statements("jobs", "audit")
_MAX_DIGITS = 18


class AuditQuery(NamedTuple):
    """Which rows to list, newest first. `cursor` is the `next` of the page before."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: int = 50
    cursor: str | None = None


class AuditRow(NamedTuple):
    """One thing that somebody did."""

    seq: int
    at: Instant
    actor: str
    action: str
    target: str
    detail: str | None


class AuditStore:
    """Reads the audit."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list(self, query: AuditQuery) -> tuple[list[AuditRow], str | None]:
        """One page and the cursor of the next; raises InvalidError for a cursor that is none."""
        cursor = query.cursor
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_DIGITS):
            raise InvalidError("cursor: expected the `next` of an earlier page")
        values = query._asdict() | {"limit": query.limit + 1, "cursor": None if cursor is None else int(cursor)}
        rows = [AuditRow(*row) for row in await self._db.read(_SQL["list"], values)]
        page = rows[: query.limit]
        return page, str(page[-1].seq) if len(rows) > query.limit else None
