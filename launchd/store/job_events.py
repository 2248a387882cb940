"""Rare events of jobs, written to jobs.db in the same transaction as the change itself.

Retry, snooze, interruption, rescue, cancel request, requeue: each gets a row. The ordinary events (creation, claim,
end) get none; launchd/job_history.py derives them from the job's own row.
"""

from collections.abc import Mapping, Sequence

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection
from launchd.job import Job, Outcome
from launchd.job_history import CANCEL_EVENTS, RETURN_EVENTS, Entry, JobEvent, end_of, return_detail

_SQL = sql.statements("jobs", "job_events")


def note_returns(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Note verdicts that put jobs back into the queue; call it before the verdicts are written."""
    rows = [
        {
            "seq": one.seq,
            "attempt": one.attempt,
            "at": one.finished_at,
            "event": RETURN_EVENTS[one.verb].value,
            "detail": return_detail(one),
        }
        for one in outcomes
    ]
    connection.executemany(_SQL["note_return"], rows)


def note_cancel_request(connection: Connection, job_id: str, how: str, reason: str | None, now: Instant) -> None:
    """Note that an operator asked to end a running job; `how` is "cancel" or "terminate"."""
    values = {"id": job_id, "at": now, "event": CANCEL_EVENTS[how].value, "detail": reason}
    connection.execute(_SQL["note_cancel_request"], values)


def note_rescue(connection: Connection, values: Mapping[str, object]) -> None:
    """Note the rescue of jobs that dead instances were running; call it just before the jobs are put back."""
    connection.execute(_SQL["note_rescue"], values)


def note_stopped(connection: Connection, values: Mapping[str, object]) -> None:
    """Note the interruption of jobs of an instance that was asked to stop and could not write it itself."""
    connection.execute(_SQL["note_stopped"], values)


def note_requeue(connection: Connection, job: Job, reason: str, now: Instant) -> None:
    """Note how the job had ended, since the requeue clears those columns, and then the requeue itself."""
    end = end_of(job)
    lines = [*([end] if end is not None else []), Entry(now, JobEvent.REQUEUED, reason)]
    for line in lines:
        began = job.started_at if line is end else None
        values = {"job_seq": job.seq, "attempt": job.attempt, "started_at": began}
        connection.execute(_SQL["note"], values | line._asdict() | {"event": line.event.value})
