"""Schedules and their ledger in jobs.db: a fire is one transaction of ledger row, job row and cursor."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db import Connection, Database, Row
from launchd.job import NewJob
from launchd.schedule import Fire, FireOutcome, Overlap, Plan, Schedule
from launchd.store.jobs import insert_jobs

_SQL = sql.statements("jobs", "schedules")


class ScheduleState(NamedTuple):
    """What is remembered of a schedule between restarts."""

    cursor: Instant
    paused: bool
    note: str | None


class DueSchedule(NamedTuple):
    """A schedule whose plan is to be carried out; `make` builds the job of a fire time."""

    schedule: Schedule
    plan: Plan
    make: Callable[[Instant], NewJob]


class ScheduleStore:
    """The cursors, pauses and ledger of one daemon's schedules."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def states(self) -> dict[str, ScheduleState]:
        """All schedules ever seen, by name."""
        rows = await self._db.read(_SQL["states"])
        return {row["name"]: ScheduleState(row["cursor"], bool(row["paused"]), row["note"]) for row in rows}

    async def begin(self, new: Sequence[tuple[Schedule, Instant, NewJob | None]]) -> None:
        """Remember schedules seen for the first time; a job given with one is its fire on first start."""

        def act(connection: Connection) -> None:
            for schedule, cursor, job in new:
                begun = connection.execute(_SQL["begin"], (schedule.name, cursor)).rowcount
                if begun and job is not None:
                    insert_jobs(connection, [job])
                    fire = Fire(cursor, FireOutcome.FIRED, "first start")
                    connection.execute(_SQL["record"], _ledger_values(schedule.name, fire, job.id))

        await self._db.write(act)

    async def carry_out(self, due: Sequence[DueSchedule]) -> list[str]:
        """Write the ledger rows, jobs and cursors of all plans in one transaction; returns the queues given work."""

        def act(connection: Connection) -> list[str]:
            queues: list[str] = []
            for one in due:
                queues += _carry_out(connection, one)
            return queues

        return await self._db.write(act)

    async def pause(self, name: str, *, paused: bool, note: str | None) -> None:
        """Remember that a schedule is paused, or no longer."""
        values = {"name": name, "paused": int(paused), "note": note}
        await self._db.write(lambda connection: connection.execute(_SQL["pause"], values))

    async def fires(self, name: str, limit: int, cursor: Instant | None = None) -> list[Row]:
        """Ledger rows of a schedule, newest first, before `cursor`."""
        return await self._db.read(_SQL["fires"], {"schedule": name, "limit": limit, "cursor": cursor})


def _carry_out(connection: Connection, due: DueSchedule) -> list[str]:
    schedule, plan, make = due
    queues = []
    for fire in plan.fires:
        if fire.outcome is FireOutcome.FIRED:
            fire, job = _fire(connection, schedule, fire, make)  # noqa: PLW2901 - the verdict at the last moment
        else:
            job = None
        recorded = connection.execute(_SQL["record"], _ledger_values(schedule.name, fire, job.id if job else None))
        if job is not None and recorded.rowcount == 1:
            insert_jobs(connection, [job])
            queues.append(job.queue)
    connection.execute(_SQL["advance"], {"name": schedule.name, "cursor": plan.cursor})
    return queues


def _fire(
    connection: Connection, schedule: Schedule, fire: Fire, make: Callable[[Instant], NewJob]
) -> tuple[Fire, NewJob | None]:
    """The job of a fire, or the reason why overlap forbids it: only this transaction can know."""
    if schedule.overlap is Overlap.SKIP:
        active = connection.execute(_SQL["active_job"], (schedule.name,)).fetchone()
        if active is not None:
            reason = f"job {active['id']} had not ended"
            return Fire(fire.fire_time, FireOutcome.OVERLAP_SKIPPED, reason), None
    return fire, make(fire.fire_time)


def _ledger_values(schedule: str, fire: Fire, job_id: str | None) -> tuple[object, ...]:
    until = fire.until if fire.count > 1 else None
    return (schedule, fire.fire_time, fire.outcome.value, fire.reason, job_id, fire.count, until)
