"""Schedules and their ledger in jobs.db: a fire is one transaction of ledger row, job row and cursor.

The statements that carry out a tick are in launchd/store/fires.py, those after a change of the wall clock in
launchd/store/corrections.py.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Database, Row
from launchd.job import NewJob
from launchd.schedules.recurrence import Recurrence, occurrences
from launchd.schedules.schedule import (
    Fire,
    FireOutcome,
    Overlap,
    Schedule,
    without,
)
from launchd.store.corrections import Corrected, Correction, correct_schedule, cut_ahead
from launchd.store.fires import (
    OVERLAP_ENDS,
    Cancelled,
    CarriedOut,
    DueSchedule,
    Recorded,
    carry_out,
    carry_out_each,
    chained,
    end_overlapped,
    ledger_values,
)
from launchd.store.idempotency import Idempotency, recall, remember
from launchd.store.jobs import insert_jobs

_SQL = sql.statements("jobs", "schedules")
# The most jobs of a backlog that one transaction cancels.
CANCEL_BATCH = 500


class ScheduleState(NamedTuple):
    """The stored row of a schedule. `spec` is its definition (recurrence, task, arguments) when the row was written."""

    cursor: Instant
    paused: bool
    note: str | None
    spec: str | None


class ScheduleStore:
    """The cursors, pauses and ledger of one daemon's schedules."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def states(self) -> dict[str, ScheduleState]:
        """All schedules ever seen, by name."""
        rows = await self._db.read(_SQL["states"])
        return {
            row["name"]: ScheduleState(row["cursor"], bool(row["paused"]), row["note"], row["spec"]) for row in rows
        }

    async def begin(self, new: Sequence[Schedule], first: Sequence[DueSchedule], now: Instant) -> CarriedOut:
        """Insert schedules seen for the first time, with their cursors at `now`, and carry out the plans in `first`."""

        def act(connection: Connection) -> CarriedOut:
            connection.executemany(_SQL["begin"], [(schedule.name, now, schedule.spec) for schedule in new])
            return carry_out(connection, first, now)

        return await self._db.write(act)

    async def redefine(self, changed: Sequence[tuple[Schedule, Instant]]) -> None:
        """Set cursor and `spec` of known schedules whose definition has changed."""
        rows = [{"name": schedule.name, "cursor": cursor, "spec": schedule.spec} for schedule, cursor in changed]
        await self._db.write(lambda connection: connection.executemany(_SQL["redefine"], rows))

    async def cut(self, schedules: Sequence[Schedule], now: Instant) -> int:
        """Delete ledger rows of future occurrences that have no job, in batches; returns how many rows.

        A row with a job stays: its occurrence was fired and must not be fired again.
        """
        total, more = 0, True
        while more:
            cut, more = await self._db.write(lambda connection: cut_ahead(connection, schedules, now))
            total += cut
        return total

    async def correct(self, corrections: Sequence[Correction], now: Instant) -> tuple[list[Corrected], list[Recorded]]:
        """Set the cursors of schedules to `now` after the wall clock was set, and write the reason to the ledger."""

        def act(connection: Connection) -> tuple[list[Corrected], list[Recorded]]:
            recorded: list[Recorded] = []
            return [correct_schedule(connection, one, now, recorded) for one in corrections], recorded

        return await self._db.write(act)

    async def carry_out(self, due: Sequence[DueSchedule], now: Instant) -> CarriedOut:
        """Write the ledger rows, jobs and cursors of all plans in one transaction.

        If an overlap policy ends a long backlog, most of it is cancelled before that, in transactions of its own.
        """
        cancelled: list[Cancelled] = []
        for one in due:
            fires = any(fire.outcome is FireOutcome.FIRED for fire in one.plan.fires)
            if fires and one.schedule.overlap in OVERLAP_ENDS:
                cancelled += await self._shorten(one.schedule, now)
        done = await self._db.write_batch(
            lambda connection, each: (carry_out_each if each else carry_out)(connection, due, now)
        )
        return done._replace(cancelled=cancelled + done.cancelled)

    async def _shorten(self, schedule: Schedule, now: Instant) -> list[Cancelled]:
        """Cancel queued jobs of a schedule, the oldest first, until at most CANCEL_BATCH of them are left."""
        cancelled: list[Cancelled] = []

        def act(connection: Connection) -> list[Cancelled]:
            rows = connection.execute(_SQL["queued_jobs"], (schedule.name, CANCEL_BATCH + 1)).fetchall()
            few = len(rows) <= CANCEL_BATCH
            return [] if few else [end_overlapped(connection, schedule, row, now) for row in rows[:CANCEL_BATCH]]

        while batch := await self._db.write(act):
            cancelled += batch
        return cancelled

    async def backfill(
        self,
        schedule: Schedule,
        first: Instant,
        last: Instant,
        make: Callable[[Fire], NewJob],
        *,
        now: Instant,
        idempotency: Idempotency | None = None,
    ) -> list[NewJob]:
        """Make a job for each occurrence in [first, last] that was never fired; returns the jobs, in order.

        Each replaces the ledger row of its occurrence and waits for the job before it, unless the schedule's `overlap`
        is "allow". An Idempotency-Key that was used in the last 24 h makes none. Raises IdempotencyError.
        """

        def act(connection: Connection) -> list[NewJob]:
            if recall(connection, idempotency, now):
                return []
            fired = _make_room(connection, schedule, first, last)
            wanted = [at for at in _within(schedule.recurrence, first, last) if at not in fired]
            made: list[NewJob] = []
            for at in wanted:
                fire = Fire(at, FireOutcome.BACKFILLED)
                job = make(fire) if schedule.overlap is Overlap.ALLOW else chained(connection, schedule, make(fire))
                connection.execute(_SQL["record"], ledger_values(schedule.name, fire, job.id))
                insert_jobs(connection, [job])
                made.append(job)
            remember(connection, idempotency, [job.id for job in made], now)
            return made

        return await self._db.write(act)

    async def pause(self, name: str, *, paused: bool, note: str | None) -> None:
        """Store whether a schedule is paused, with a note."""
        values = {"name": name, "paused": int(paused), "note": note}
        await self._db.write(lambda connection: connection.execute(_SQL["pause"], values))

    async def fires(self, name: str, limit: int, cursor: Instant | None = None) -> list[Row]:
        """Ledger rows of a schedule, newest first, before `cursor`."""
        return await self._db.read(_SQL["fires"], {"schedule": name, "limit": limit, "cursor": cursor})


def _make_room(connection: Connection, schedule: Schedule, first: Instant, last: Instant) -> set[Instant]:
    """Delete the ledger rows of [first, last], except those of fired occurrences; returns the latter."""
    fired: set[Instant] = set()
    values = {"schedule": schedule.name, "first": first, "last": last}
    for row in connection.execute(_SQL["fires_within"], values).fetchall():
        if row["job_id"] is not None:
            fired.add(row["fire_time"])
            continue
        connection.execute(_SQL["forget_fire"], (schedule.name, row["fire_time"]))
        fire = Fire(row["fire_time"], FireOutcome(row["outcome"]), row["reason"], row["until"], row["count"])
        for part in without(schedule.recurrence, fire, first, last):
            connection.execute(_SQL["record"], ledger_values(schedule.name, part, None))
    return fired


def _within(recurrence: Recurrence, first: Instant, last: Instant) -> list[Instant]:
    found = []
    for instant in occurrences(recurrence, first - 1):
        if instant > last:
            break
        found.append(instant)
    return found
