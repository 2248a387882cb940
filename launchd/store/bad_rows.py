"""Job rows that no statement can work on: a value beyond its type, a broken CHECK, a text that is none.

No code of ours writes one; a damaged file, another program or an old bug may have. A statement on many rows is refused
because of one of them, again and again: such a row fails with the reason, and the others go on.
"""

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, breaks_transaction, one_by_one
from launchd.job import JobError
from launchd.values.failure import describe

_SQL = sql.statements("jobs", "jobs")


def fail_bad_row(connection: Connection, seq: int, error: Exception, now: Instant) -> None:
    """Fail a job whose row is unfit, within a transaction, whichever of its columns breaks a CHECK."""
    reason = f"the job's row cannot be used: {describe(error).message}"
    text = msgspec.json.encode(JobError("BadRowError", reason)).decode()
    connection.execute("PRAGMA ignore_check_constraints = ON")
    try:
        connection.execute(_SQL["fail_bad_row"], {"seq": seq, "now": now, "error": text, "reason": reason})
    finally:
        connection.execute("PRAGMA ignore_check_constraints = OFF")


def fail_bad_rows(connection: Connection, seqs: Sequence[int], trial: Callable[[int], None], now: Instant) -> None:
    """Condemn those of the rows on which `trial` fails, within a transaction; what it changes is undone."""
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
    """Run an UPDATE of many rows (`:seqs`, `:now`), within a transaction; the ids that it returned.

    Where it is refused, it is run row by row, and those that refuse it are condemned.
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
