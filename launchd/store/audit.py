"""The audit log in jobs.db: who did what to what, and when."""

from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.cursor import parse_cursor
from launchd.db.database import Database
from launchd.values.rows import Reader

_SQL = sql.statements("jobs", "audit")


class Audit(NamedTuple):
    """A row to be written: at `at`, `actor` did `action` to `target`; `detail` is for people."""

    at: Instant
    actor: str
    action: str
    target: str
    detail: str | None


class AuditQuery(NamedTuple):
    """The rows to list, newest first: equal to each value given, `since` <= at < `until`.

    `cursor` is the `next` of the page before.
    """

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: int = 50
    cursor: str | None = None


class AuditRow(NamedTuple):
    """A stored row; `seq` is its number, which only grows."""

    seq: int
    at: Instant
    actor: str
    action: str
    target: str
    detail: str | None
    unreadable: tuple[str, ...] = ()


_row = Reader(AuditRow, "audit", "seq")


class AuditStore:
    """Reads the audit log."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list(self, query: AuditQuery) -> tuple[list[AuditRow], str | None]:
        """One page of rows, and the cursor of the next page or None; raises InvalidError for an invalid cursor."""
        values = query._asdict() | {"limit": query.limit + 1, "cursor": parse_cursor(query.cursor)}
        rows = [_row(row) for row in await self._db.read(_SQL["list"], values)]
        page = rows[: query.limit]
        return page, str(page[-1].seq) if len(rows) > query.limit else None
