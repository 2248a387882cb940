"""Deletes rows of jobs.db that are past their retention: jobs with their events, ledger rows, keys, the audit log.

Each function walks along a primary key in steps: a reader reads `step` rows, a write deletes those of them that are
due. No transaction deletes more than twice `step` rows, and none scans rows that are kept.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Database, Row

_SQL = sql.statements("jobs", "prune")


async def prune_jobs(db: Database, *, succeeded_before: Instant, others_before: Instant, step: int) -> int:
    """Delete jobs that ended before these instants, with their events; returns how many jobs."""
    deleted, newest = 0, max(succeeded_before, others_before)
    async for rows in _walk(db, "jobs_after", "seq", 0, step):
        if all(row["created_at"] >= newest for row in rows):
            break  # no job ends before it was created
        past = [
            row["seq"]
            for row in rows
            if row["finished_at"] is not None
            and row["finished_at"] < (succeeded_before if row["state"] == "succeeded" else others_before)
        ]
        deleted += await _delete_jobs(db, past, step) if past else 0
    return deleted


async def prune_fires(db: Database, *, before: Instant, step: int) -> int:
    """Delete ledger rows whose last occurrence was before this instant; returns how many."""
    deleted, schedule = 0, ""
    while True:
        row = await db.read_one(_SQL["schedule_after"], {"after": schedule})
        if row is None or row["schedule"] is None:
            return deleted
        schedule = row["schedule"]
        values = {"schedule": schedule, "before": before, "limit": step}
        while count := await _run(db, "fires", values):
            deleted += count


async def prune_keys(db: Database, *, before: Instant, step: int) -> int:
    """Delete idempotency keys that were used before this instant; returns how many."""
    deleted = 0
    async for rows in _walk(db, "keys_after", "key", "", step):
        past = [row["key"] for row in rows if row["created_at"] < before]
        deleted += await _run(db, "keys", {"keys": _json(past), "before": before}) if past else 0
    return deleted


async def prune_audit(db: Database, *, before: Instant, step: int) -> int:
    """Delete rows of the audit log from before this instant; returns how many.

    It stops at the first step without such a row: the rows are nearly in the order of their time.
    """
    deleted = 0
    async for rows in _walk(db, "audit_after", "seq", 0, step):
        past = [row["seq"] for row in rows if row["at"] < before]
        if not past:
            break
        deleted += await _run(db, "audit", {"seqs": _json(past)})
    return deleted


async def _walk(db: Database, statement: str, key: str, first: Any, step: int) -> AsyncIterator[list[Row]]:  # noqa: ANN401 - a key is a number or a text
    """All rows of a table in steps of `step` rows, in the order of its primary key."""
    after = first
    while rows := await db.read(_SQL[statement], {"after": after, "limit": step}):
        after = rows[-1][key]
        yield rows


async def _delete_jobs(db: Database, seqs: Sequence[int], step: int) -> int:
    values = {"seqs": _json(seqs), "limit": step}

    def act(connection: Connection) -> int | None:
        """Delete the jobs once fewer than `step` of their events were left; None while there are more events."""
        if connection.execute(_SQL["events"], values).rowcount >= step:
            return None
        return connection.execute(_SQL["jobs"], values).rowcount

    while (deleted := await db.write(act)) is None:
        continue
    return deleted


async def _run(db: Database, statement: str, values: dict[str, object]) -> int:
    return await db.write(lambda connection: connection.execute(_SQL[statement], values).rowcount)


def _json(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()
