"""Bad job rows: rows that no statement can process, because of a wrong type, a broken CHECK or a text without UTF-8.

launchd writes none; a damaged file, another program or an old bug may have. One bad row makes a statement on many rows
fail, again and again. So the job of a bad row is failed with the reason, and the statement runs on the other rows.
"""

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.batches import one_by_one
from launchd.db.database import Connection
from launchd.db.faults import breaks_transaction
from launchd.job import JobError
from launchd.values.failure import describe

_SQL = sql.statements("jobs", "jobs")


def fail_bad_row(connection: Connection, seq: int, error: Exception, now: Instant) -> None:
    """Set the job of a bad row to failed, within a transaction; its columns may break any CHECK constraint.

    SQLite's page on the pragma: https://www.sqlite.org/pragma.html#pragma_ignore_check_constraints
    """
    reason = f"the job's row cannot be used: {describe(error).message}"
    text = msgspec.json.encode(JobError("BadRowError", reason)).decode()
    connection.execute("PRAGMA ignore_check_constraints = ON")
    try:
        connection.execute(_SQL["fail_bad_row"], {"seq": seq, "now": now, "error": text, "reason": reason})
    finally:
        connection.execute("PRAGMA ignore_check_constraints = OFF")


def fail_bad_rows(connection: Connection, seqs: Sequence[int], trial: Callable[[int], None], now: Instant) -> None:
    """Fail each job on whose row `trial` raises, within a transaction; the changes of `trial` are undone."""
    for seq in seqs:
        connection.execute("SAVEPOINT trial")
        failure: Exception | None = None
        try:
            trial(seq)
        except (ValueError, TypeError, sqlite3.Error) as error:  # msgspec's own are ValueErrors
            if not connection.in_transaction or breaks_transaction(error):
                raise
            failure = error
        connection.execute("ROLLBACK TO trial")
        connection.execute("RELEASE trial")
        if failure is not None:
            fail_bad_row(connection, seq, failure, now)


def update_rows(connection: Connection, name: str, seqs: Sequence[int], now: Instant) -> list[str]:
    """Run an UPDATE with RETURNING on many rows (`:seqs`, `:now`), within a transaction; returns the ids.

    If it raises, it runs row by row, and the jobs of bad rows fail.
    """

    def run(some: Sequence[int]) -> list[str]:
        values = {"seqs": msgspec.json.encode(some).decode(), "now": now}
        return [row["id"] for row in connection.execute(_SQL[name], values)]

    def give_up(seq: int, error: Exception) -> list[str]:
        fail_bad_row(connection, seq, error, now)
        return []

    def each(_error: Exception) -> list[str]:
        found: list[str] = []
        for seq in seqs:
            found += one_by_one(connection, lambda seq=seq: run([seq]), lambda error, seq=seq: give_up(seq, error))  # type: ignore[misc]
        return found

    return one_by_one(connection, lambda: run(seqs), each) if seqs else []
