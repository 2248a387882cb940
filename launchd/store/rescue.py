"""Taking back what dead instances were running, a batch of rows in a transaction."""

from collections.abc import Mapping
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, one_by_one
from launchd.job import MAX_CRASHES, MAX_INTERRUPTIONS
from launchd.store.bad_rows import fail_bad_row
from launchd.store.job_events import note_rescue, note_stopped

_SQL = sql.statements("jobs", "jobs")
# So many jobs of dead instances are taken back in one transaction.
RESCUE_BATCH = 500


class Rescued(NamedTuple):
    """Ids of the jobs that a dead instance was running, by what became of them."""

    queued: list[str]
    quarantined: list[str]
    cancelled: list[str]
    failed: list[str]

    def and_also(self, more: "Rescued") -> "Rescued":
        """Both together."""
        return Rescued(*(mine + its for mine, its in zip(self, more, strict=True)))


def rescue_batch(connection: Connection, instance: str, stopped: str | None, now: Instant) -> Rescued | None:
    """The first batch, within a transaction; None when there is nothing left.

    `instance` is this daemon's own; `stopped` is one that did not crash: it was asked to stop, and could not write that
    its jobs go back. A job whose row refuses it fails, alone.
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
    """The row `last` alone: those before it have been taken back."""

    def give_up(error: Exception) -> Rescued:
        fail_bad_row(connection, int(str(values["last"])), error, now)
        return Rescued([], [], [], [])

    return one_by_one(connection, lambda: _rescue(connection, values), give_up)


def _rescue(connection: Connection, values: Mapping[str, object]) -> Rescued:
    """Take back the rows up to `last`."""

    def ids(name: str) -> list[str]:
        return [row["id"] for row in connection.execute(_SQL[name], values)]

    cancelled = ids("rescue_cancelled")
    note_stopped(connection, values)
    queued = ids("rescue_stopped")
    quarantined, failed = ids("quarantine"), ids("rescue_failed")
    note_rescue(connection, values)
    return Rescued(queued + ids("rescue"), quarantined, cancelled, failed)
