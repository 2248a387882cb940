"""The rescue of jobs that dead instances of the daemon were running, one batch of rows in each transaction."""

from collections.abc import Mapping
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.batches import one_by_one
from launchd.db.database import Connection
from launchd.job import MAX_CRASHES, MAX_INTERRUPTIONS
from launchd.store.bad_rows import fail_bad_row
from launchd.store.job_events import note_rescue, note_stopped

_SQL = sql.statements("jobs", "jobs")
# The most jobs that one transaction rescues.
RESCUE_BATCH = 500


class Rescued(NamedTuple):
    """Ids of the jobs that dead instances were running, by the state that each has now."""

    queued: list[str]
    quarantined: list[str]
    cancelled: list[str]
    failed: list[str]

    def and_also(self, more: "Rescued") -> "Rescued":
        """The ids of both."""
        return Rescued(*(mine + its for mine, its in zip(self, more, strict=True)))


def rescue_batch(connection: Connection, instance: str, stopped: str | None, now: Instant) -> Rescued | None:
    """Rescue the first batch, within a transaction; None if no job is left.

    `instance` is this daemon's own. `stopped` is an instance that did not crash: it was asked to stop, and could not
    write that its jobs go back into the queue. A job whose row is bad fails alone.
    """
    values: dict[str, object] = {"now": now, "instance": instance, "stopped": stopped, "limit": RESCUE_BATCH}
    values |= {"max_crashes": MAX_CRASHES, "max_interruptions": MAX_INTERRUPTIONS}
    last = connection.execute(_SQL["rescue_last"], values).fetchone()["seq"]
    if last is None:
        return None

    def each(_error: Exception) -> Rescued:
        found = Rescued([], [], [], [])
        for row in connection.execute(_SQL["rescue_seqs"], {**values, "last": last}).fetchall():
            found = found.and_also(_one(connection, {**values, "last": row["seq"]}, now))
        return found

    return one_by_one(connection, lambda: _rescue(connection, {**values, "last": last}), each)


def _one(connection: Connection, values: Mapping[str, object], now: Instant) -> Rescued:
    """Rescue the row `last` alone: all rows before it were rescued already."""

    def give_up(error: Exception) -> Rescued:
        fail_bad_row(connection, int(str(values["last"])), error, now)
        return Rescued([], [], [], [])

    return one_by_one(connection, lambda: _rescue(connection, values), give_up)


def _rescue(connection: Connection, values: Mapping[str, object]) -> Rescued:
    """Rescue the rows up to `last`."""

    def ids(name: str) -> list[str]:
        return [row["id"] for row in connection.execute(_SQL[name], values)]

    cancelled = ids("rescue_cancelled")
    note_stopped(connection, values)
    queued = ids("rescue_stopped")
    quarantined, failed = ids("quarantine"), ids("rescue_failed")
    note_rescue(connection, values)
    return Rescued(queued + ids("rescue"), quarantined, cancelled, failed)
