"""Schedules and their ledger in jobs.db: a fire is one transaction of ledger row, job row and cursor."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Database, Row, one_by_one
from launchd.job import NewJob
from launchd.schedules.recurrence import Recurrence, occurrences
from launchd.schedules.schedule import (
    Fire,
    FireOutcome,
    Overlap,
    Plan,
    Schedule,
    correct,
    ended_at,
    set_in_words,
    without,
)
from launchd.store.idempotency import Idempotency, recall, remember
from launchd.store.jobs import cancel_job, insert_jobs
from launchd.values.failure import describe

_SQL = sql.statements("jobs", "schedules")
# Ledger rows that a correction takes away in one commit.
CUT_BATCH = 500
# So many jobs of a backlog are cancelled in one transaction.
CANCEL_BATCH = 500
_HOW = {Overlap.CANCEL_OTHER: "cancel", Overlap.TERMINATE_OTHER: "terminate"}


class ScheduleState(NamedTuple):
    """What is remembered of a schedule between restarts; `spec` says what it meant then."""

    cursor: Instant
    paused: bool
    note: str | None
    spec: str | None


class DueSchedule(NamedTuple):
    """A schedule whose plan is to be carried out; `make` builds the job of a fire."""

    schedule: Schedule
    plan: Plan
    make: Callable[[Fire], NewJob]


class Cancelled(NamedTuple):
    """A job that an overlap policy ended, or asked to end: `how` is "cancel" or "terminate"."""

    job_id: str
    queue: str
    how: str
    reason: str


class Recorded(NamedTuple):
    """A row that the ledger got: what became of an occurrence, and the job that was made of it."""

    schedule: str
    fire: Fire
    job_id: str | None


class Correction(NamedTuple):
    """A schedule whose clock was set: by how much, and the cursor that it had reached by the clock before."""

    schedule: Schedule
    cursor: Instant
    set_by: Instant
    paused: bool


class Corrected(NamedTuple):
    """A schedule after a correction: its plan, and the last occurrence to come that has a job already."""

    plan: Plan
    fired_until: Instant | None


class CarriedOut(NamedTuple):
    """A tick as it is on disk: the jobs made, those whose end is wanted, and the rows of the ledger.

    `failed` names the schedules of which nothing was written, each with the reason.
    """

    made: list[NewJob]
    cancelled: list[Cancelled]
    recorded: list[Recorded]
    failed: Sequence[tuple[str, str]] = ()


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
        """Remember schedules seen for the first time, from now on, and fire those of them that are due at once."""

        def act(connection: Connection) -> CarriedOut:
            connection.executemany(_SQL["begin"], [(schedule.name, now, schedule.spec) for schedule in new])
            return _carry_out(connection, first, now)

        return await self._db.write(act)

    async def redefine(self, changed: Sequence[tuple[Schedule, Instant]]) -> None:
        """Set cursor and meaning of known schedules whose definition has changed."""
        rows = [{"name": schedule.name, "cursor": cursor, "spec": schedule.spec} for schedule, cursor in changed]
        await self._db.write(lambda connection: connection.executemany(_SQL["redefine"], rows))

    async def cut(self, schedules: Sequence[Schedule], now: Instant) -> int:
        """Take off the ledger what was said, without a job, of occurrences yet to come; returns how many rows.

        In batches. What has a job stays: it was fired, and its occurrence is not fired again.
        """
        total, more = 0, True
        while more:
            cut, more = await self._db.write(lambda connection: _cut(connection, schedules, now))
            total += cut
        return total

    async def correct(self, corrections: Sequence[Correction], now: Instant) -> tuple[list[Corrected], list[Recorded]]:
        """Let schedules go on from now, whatever they had reached, and say why on the ledger."""

        def act(connection: Connection) -> tuple[list[Corrected], list[Recorded]]:
            recorded: list[Recorded] = []
            return [_correct(connection, one, now, recorded) for one in corrections], recorded

        return await self._db.write(act)

    async def carry_out(self, due: Sequence[DueSchedule], now: Instant) -> CarriedOut:
        """Write the ledger rows, jobs and cursors of all plans in one transaction.

        Where a policy ends a long backlog, most of it is cancelled in transactions before.
        """
        cancelled: list[Cancelled] = []
        for one in due:
            if one.schedule.overlap in _HOW and any(fire.outcome is FireOutcome.FIRED for fire in one.plan.fires):
                cancelled += await self._shorten(one.schedule, now)
        done = await self._db.write_batch(
            lambda connection, each: (_carry_out_each if each else _carry_out)(connection, due, now)
        )
        return done._replace(cancelled=cancelled + done.cancelled)

    async def _shorten(self, schedule: Schedule, now: Instant) -> list[Cancelled]:
        """Cancel jobs of a schedule that wait, the oldest first, until no more of them wait than one batch."""
        cancelled: list[Cancelled] = []

        def act(connection: Connection) -> list[Cancelled]:
            rows = connection.execute(_SQL["queued_jobs"], (schedule.name, CANCEL_BATCH + 1)).fetchall()
            how, reason = _HOW[schedule.overlap], _newer(schedule)
            few = len(rows) <= CANCEL_BATCH
            return [] if few else [_end(connection, row, how, reason, now) for row in rows[:CANCEL_BATCH]]

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
        """Make the jobs of all occurrences in [first, last] that were never fired, one after another; the jobs made.

        Each replaces what the ledger said of its occurrence. A key that was used before makes none.
        """

        def act(connection: Connection) -> list[NewJob]:
            if recall(connection, idempotency, now):
                return []
            fired = _make_room(connection, schedule, first, last)
            wanted = [at for at in _within(schedule.recurrence, first, last) if at not in fired]
            made: list[NewJob] = []
            for at in wanted:
                fire = Fire(at, FireOutcome.BACKFILLED)
                job = make(fire) if schedule.overlap is Overlap.ALLOW else _chain(connection, schedule, make(fire))
                connection.execute(_SQL["record"], _ledger_values(schedule.name, fire, job.id))
                insert_jobs(connection, [job])
                made.append(job)
            remember(connection, idempotency, [job.id for job in made], now)
            return made

        return await self._db.write(act)

    async def pause(self, name: str, *, paused: bool, note: str | None) -> None:
        """Remember that a schedule is paused, or no longer."""
        values = {"name": name, "paused": int(paused), "note": note}
        await self._db.write(lambda connection: connection.execute(_SQL["pause"], values))

    async def fires(self, name: str, limit: int, cursor: Instant | None = None) -> list[Row]:
        """Ledger rows of a schedule, newest first, before `cursor`."""
        return await self._db.read(_SQL["fires"], {"schedule": name, "limit": limit, "cursor": cursor})


def _carry_out(connection: Connection, due: Sequence[DueSchedule], now: Instant) -> CarriedOut:
    done = CarriedOut([], [], [])
    for one in due:
        for fire in one.plan.fires:
            _record(connection, one, fire, now, done)
    connection.executemany(_SQL["advance"], [{"name": one.schedule.name, "cursor": one.plan.cursor} for one in due])
    return done


def _carry_out_each(connection: Connection, due: Sequence[DueSchedule], now: Instant) -> CarriedOut:
    """The same schedule by schedule, after they were refused together: one that fails leaves the others theirs."""
    done = CarriedOut([], [], [])
    failed: list[tuple[str, str]] = []
    for one in due:
        errors: list[str] = []

        def give_up(error: Exception, errors: list[str] = errors) -> CarriedOut:
            errors.append(describe(error).message)
            return CarriedOut([], [], [])

        part = one_by_one(connection, partial(_carry_out, connection, [one], now), give_up)
        failed += [(one.schedule.name, error) for error in errors]
        done.made.extend(part.made)
        done.cancelled.extend(part.cancelled)
        done.recorded.extend(part.recorded)
    return done._replace(failed=failed)


def _cut(connection: Connection, schedules: Sequence[Schedule], now: Instant) -> tuple[int, bool]:
    """One batch for each schedule: how many rows were cut, and whether there may be more."""
    cut, more = 0, False
    for schedule in schedules:
        values = {"schedule": schedule.name, "now": now, "limit": CUT_BATCH}
        gone = connection.execute(_SQL["forget_ahead"], values).rowcount
        cut += gone + _cut_ranges(connection, schedule, now)
        more = more or gone == CUT_BATCH
    return cut, more


def _cut_ranges(connection: Connection, schedule: Schedule, now: Instant) -> int:
    """End at `now` the ranges that begin before it and reach beyond; returns how many."""
    cut = 0
    for row in connection.execute(_SQL["last_rows"], (schedule.name, now)).fetchall():
        if row["job_id"] is not None or row["until"] is None or row["until"] <= now:
            continue
        connection.execute(_SQL["forget_fire"], (schedule.name, row["fire_time"]))
        fire = Fire(row["fire_time"], FireOutcome(row["outcome"]), row["reason"], row["until"], row["count"])
        for part in ended_at(schedule.recurrence, fire, now):
            connection.execute(_SQL["record"], _ledger_values(schedule.name, part, None))
        cut += 1
    return cut


def _correct(connection: Connection, one: Correction, now: Instant, recorded: list[Recorded]) -> Corrected:
    """One schedule goes on from now; a ledger row says why: a new one for what was missed, else the last there is."""
    schedule, name = one.schedule, one.schedule.name
    rows = connection.execute(_SQL["last_rows"], (name, now)).fetchall()
    ahead = connection.execute(_SQL["fired_ahead"], {"schedule": name, "now": now}).fetchone()["fire_time"]
    known = [row["until"] or row["fire_time"] for row in rows]
    if one.cursor <= now:
        known.append(one.cursor)
    if not known:  # of the time up to now nothing is known
        known.append(now if ahead is not None else (schedule.recurrence.previous(now) or now) - 1)
    reason = set_in_words(one.set_by)
    plan = correct(schedule, max(known), now, reason, paused=one.paused)
    for fire in plan.fires:
        connection.execute(_SQL["record"], _ledger_values(name, fire, None))
        recorded.append(Recorded(name, fire, None))
    last = rows[0]["fire_time"] if rows else ahead
    if not plan.fires and one.set_by < 0:
        connection.execute(_SQL["add_reason"], {"schedule": name, "fire_time": last, "reason": reason})
    connection.execute(_SQL["correct_cursor"], {"name": name, "cursor": plan.cursor})
    return Corrected(plan, ahead)


def _record(connection: Connection, due: DueSchedule, fire: Fire, now: Instant, done: CarriedOut) -> None:
    """One ledger row, and the job that goes with it; an occurrence that is on record already is left alone."""
    name, job = due.schedule.name, None
    if fire.outcome is FireOutcome.FIRED:
        before = connection.execute(_SQL["on_record"], (name, fire.fire_time)).fetchone()
        if before is not None and before["until"] >= fire.fire_time:
            return
        fire, job = _overlap(connection, due, fire, now, done.cancelled)
    if job is not None:
        (made,) = insert_jobs(connection, [job])
        if made != job.id:
            reason = f"unique: job {made} with the same arguments had not ended"
            fire, job = Fire(fire.fire_time, FireOutcome.OVERLAP_SKIPPED, reason), None
    if job is not None:
        done.made.append(job)
    for row in [fire] if job is not None else _unrecorded(connection, due.schedule, fire):
        connection.execute(_SQL["record"], _ledger_values(name, row, job.id if job else None))
        done.recorded.append(Recorded(name, row, job.id if job else None))


def _unrecorded(connection: Connection, schedule: Schedule, fire: Fire) -> tuple[Fire, ...]:
    """The part of a row without a job that is new to the ledger: a clock that was put back passes occurrences again."""
    until = fire.until or fire.fire_time
    known = connection.execute(_SQL["last_within"], (schedule.name, fire.fire_time, until)).fetchone()["until"]
    return (fire,) if known is None else without(schedule.recurrence, fire, fire.fire_time, known)


def _overlap(
    connection: Connection, due: DueSchedule, fire: Fire, now: Instant, cancelled: list[Cancelled]
) -> tuple[Fire, NewJob | None]:
    """What a fire becomes while its predecessors have not ended: only this transaction can know."""
    schedule, job = due.schedule, due.make(fire)
    policy = schedule.overlap
    if policy is Overlap.SKIP and fire.catch_up:
        policy = Overlap.BUFFER_ALL  # those that are made up for run one after another
    if policy is Overlap.ALLOW:
        return fire, job
    last = connection.execute(_SQL["last_active"], (schedule.name,)).fetchone()
    if last is None:
        return fire, job
    waits = last["waits_for"] is not None
    if policy is Overlap.SKIP or (policy is Overlap.BUFFER_ONE and waits):
        reason = f"job {last['id']} had not {'started' if waits else 'ended'}"
        return Fire(fire.fire_time, FireOutcome.OVERLAP_SKIPPED, reason), None
    if policy in _HOW:
        active = connection.execute(_SQL["active_jobs"], (schedule.name,)).fetchall()
        cancelled += [_end(connection, row, _HOW[policy], _newer(schedule), now) for row in active]
    return fire, _chain(connection, schedule, job)


def _newer(schedule: Schedule) -> str:
    return f"a newer fire of {schedule.name} is due"


def _end(connection: Connection, row: Row, how: str, reason: str, now: Instant) -> Cancelled:
    cancel_job(connection, row["id"], how=how, reason=reason, now=now)
    return Cancelled(row["id"], row["queue"], how, reason)


def _chain(connection: Connection, schedule: Schedule, job: NewJob) -> NewJob:
    """The job, made to wait for the last of its schedule that has not ended."""
    last = connection.execute(_SQL["last_active"], (schedule.name,)).fetchone()
    return msgspec.structs.replace(job, waits_for=last["id"]) if last is not None else job


def _make_room(connection: Connection, schedule: Schedule, first: Instant, last: Instant) -> set[Instant]:
    """Take away what the ledger says of [first, last], but for what was fired; returns those occurrences."""
    fired: set[Instant] = set()
    values = {"schedule": schedule.name, "first": first, "last": last}
    for row in connection.execute(_SQL["fires_within"], values).fetchall():
        if row["job_id"] is not None:
            fired.add(row["fire_time"])
            continue
        connection.execute(_SQL["forget_fire"], (schedule.name, row["fire_time"]))
        fire = Fire(row["fire_time"], FireOutcome(row["outcome"]), row["reason"], row["until"], row["count"])
        for part in without(schedule.recurrence, fire, first, last):
            connection.execute(_SQL["record"], _ledger_values(schedule.name, part, None))
    return fired


def _within(recurrence: Recurrence, first: Instant, last: Instant) -> list[Instant]:
    found = []
    for instant in occurrences(recurrence, first - 1):
        if instant > last:
            break
        found.append(instant)
    return found


def _ledger_values(schedule: str, fire: Fire, job_id: str | None) -> tuple[object, ...]:
    until = fire.until if fire.count > 1 else None
    return (schedule, fire.fire_time, fire.outcome.value, fire.reason, job_id, fire.count, until)
