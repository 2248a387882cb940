"""Fires in jobs.db: carrying out the plans of schedules, within a transaction of ledger rows, jobs and cursors."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.batches import one_by_one
from launchd.db.database import Connection, Row
from launchd.job import NewJob
from launchd.schedules.schedule import Fire, FireOutcome, Overlap, Plan, Schedule, without
from launchd.store.jobs import cancel_job, insert_jobs
from launchd.values.failure import describe

_SQL = sql.statements("jobs", "schedules")
OVERLAP_ENDS = {Overlap.CANCEL_OTHER: "cancel", Overlap.TERMINATE_OTHER: "terminate"}


class DueSchedule(NamedTuple):
    """A schedule whose plan is to be carried out; `make` builds the job of a fire."""

    schedule: Schedule
    plan: Plan
    make: Callable[[Fire], NewJob]


class Cancelled(NamedTuple):
    """A job that an overlap policy cancelled, or asked to end if it runs: `how` is "cancel" or "terminate"."""

    job_id: str
    queue: str
    how: str
    reason: str


class Recorded(NamedTuple):
    """A row that was written to the ledger: the outcome of an occurrence, and its job if one was made."""

    schedule: str
    fire: Fire
    job_id: str | None


class CarriedOut(NamedTuple):
    """A tick as it is on disk: the jobs made, the jobs cancelled, and the rows of the ledger.

    `failed` has (schedule, reason) for each schedule whose plan could not be written.
    """

    made: list[NewJob]
    cancelled: list[Cancelled]
    recorded: list[Recorded]
    failed: Sequence[tuple[str, str]] = ()


def carry_out(connection: Connection, due: Sequence[DueSchedule], now: Instant) -> CarriedOut:
    """Write the ledger rows, jobs and cursors of these plans; an error undoes them all."""
    done = CarriedOut([], [], [])
    for one in due:
        for fire in one.plan.fires:
            _record(connection, one, fire, now, done)
    connection.executemany(_SQL["advance"], [{"name": one.schedule.name, "cursor": one.plan.cursor} for one in due])
    return done


def carry_out_each(connection: Connection, due: Sequence[DueSchedule], now: Instant) -> CarriedOut:
    """The same, schedule by schedule, after the whole failed: a plan that cannot be written fails alone."""
    done = CarriedOut([], [], [])
    failed: list[tuple[str, str]] = []
    for one in due:
        errors: list[str] = []

        def give_up(error: Exception, errors: list[str] = errors) -> CarriedOut:
            errors.append(describe(error).message)
            return CarriedOut([], [], [])

        part = one_by_one(connection, partial(carry_out, connection, [one], now), give_up)
        failed += [(one.schedule.name, error) for error in errors]
        done.made.extend(part.made)
        done.cancelled.extend(part.cancelled)
        done.recorded.extend(part.recorded)
    return done._replace(failed=failed)


def _record(connection: Connection, due: DueSchedule, fire: Fire, now: Instant, done: CarriedOut) -> None:
    """Write one ledger row and its job; an occurrence that the ledger has already is skipped."""
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
        connection.execute(_SQL["record"], ledger_values(name, row, job.id if job else None))
        done.recorded.append(Recorded(name, row, job.id if job else None))


def _unrecorded(connection: Connection, schedule: Schedule, fire: Fire) -> tuple[Fire, ...]:
    """The part of a row without a job that the ledger lacks: after the clock was put back, occurrences come again."""
    until = fire.until or fire.fire_time
    known = connection.execute(_SQL["last_within"], (schedule.name, fire.fire_time, until)).fetchone()["until"]
    return (fire,) if known is None else without(schedule.recurrence, fire, fire.fire_time, known)


def _overlap(
    connection: Connection, due: DueSchedule, fire: Fire, now: Instant, cancelled: list[Cancelled]
) -> tuple[Fire, NewJob | None]:
    """Apply the overlap policy to a fire, within the transaction: only here is it certain which jobs have not ended."""
    schedule, job = due.schedule, due.make(fire)
    policy = schedule.overlap
    if policy is Overlap.SKIP and fire.catch_up:
        policy = Overlap.BUFFER_ALL  # catch-up fires run one after another
    if policy is Overlap.ALLOW:
        return fire, job
    last = connection.execute(_SQL["last_active"], (schedule.name,)).fetchone()
    if last is None:
        return fire, job
    waits = last["waits_for"] is not None
    if policy is Overlap.SKIP or (policy is Overlap.BUFFER_ONE and waits):
        reason = f"job {last['id']} had not {'started' if waits else 'ended'}"
        return Fire(fire.fire_time, FireOutcome.OVERLAP_SKIPPED, reason), None
    if policy in OVERLAP_ENDS:
        active = connection.execute(_SQL["active_jobs"], (schedule.name,)).fetchall()
        cancelled += [end_overlapped(connection, schedule, row, now) for row in active]
    return fire, chained(connection, schedule, job)


def end_overlapped(connection: Connection, schedule: Schedule, row: Row, now: Instant) -> Cancelled:
    """Cancel or terminate an earlier job of a schedule, as its overlap policy says."""
    how, reason = OVERLAP_ENDS[schedule.overlap], f"a newer fire of {schedule.name} is due"
    cancel_job(connection, row["id"], how=how, reason=reason, now=now)
    return Cancelled(row["id"], row["queue"], how, reason)


def chained(connection: Connection, schedule: Schedule, job: NewJob) -> NewJob:
    """The job, waiting for the newest unfinished job of its schedule if there is one."""
    last = connection.execute(_SQL["last_active"], (schedule.name,)).fetchone()
    return msgspec.structs.replace(job, waits_for=last["id"]) if last is not None else job


def ledger_values(schedule: str, fire: Fire, job_id: str | None) -> tuple[object, ...]:
    """The parameters of the statement `record` for one ledger row."""
    until = fire.until if fire.count > 1 else None
    return (schedule, fire.fire_time, fire.outcome.value, fire.reason, job_id, fire.count, until)
