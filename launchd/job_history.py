"""The history of a job: all its events in order. Pure.

The job's own row gives its creation, the start of its present attempt and its end. Other events are rare and have rows
of their own (`StoredEvent`). So a job that simply succeeds costs no more than its one row.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from launchd.clock import UNREADABLE, Instant, format_instant
from launchd.job import FINAL, Job, JobError, JobState, Outcome, Verb
from launchd.values.rows import decoded


class JobEvent(StrEnum):
    """The kinds of events. The ends have the names of the final states."""

    CREATED = "created"
    STARTED = "started"
    RETRIED = "retried"
    SNOOZED = "snoozed"
    INTERRUPTED = "interrupted"
    RESCUED = "rescued"
    CANCEL_REQUESTED = "cancel_requested"
    TERMINATE_REQUESTED = "terminate_requested"
    REQUEUED = "requeued"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    QUARANTINED = "quarantined"
    FORGOTTEN = "forgotten"  # replaces older events, which were deleted


# The event of each verdict that puts a job back into the queue.
RETURN_EVENTS = {
    Verb.RETRY: JobEvent.RETRIED,
    Verb.SNOOZE: JobEvent.SNOOZED,
    Verb.INTERRUPT: JobEvent.INTERRUPTED,
}
# The event of a request to end a running job, by how it is to be ended.
CANCEL_EVENTS = {"cancel": JobEvent.CANCEL_REQUESTED, "terminate": JobEvent.TERMINATE_REQUESTED}
# The attempt goes on after these events; all others end it.
_DURING = frozenset(CANCEL_EVENTS.values())


class Entry(NamedTuple):
    """One line of a history; `detail` is for people."""

    at: Instant
    event: JobEvent
    detail: str | None


class StoredEvent(NamedTuple):
    """A stored event, numbered from 1 in order. `attempt` and `started_at` are those of the attempt at that time.

    `started_at` is None if no attempt was running: the job waited, or had ended.
    """

    number: int
    at: Instant
    event: JobEvent
    detail: str | None
    attempt: int
    started_at: Instant | None
    unreadable: tuple[str, ...] = ()


def history(job: Job, stored: Iterable[StoredEvent]) -> list[Entry]:
    """All events of a job, the oldest first, from its row and its stored events."""
    return list(_entries(job, sorted(stored)))


def end_of(job: Job) -> Entry | None:
    """The event of a job's end; None if it has not ended."""
    if job.finished_at is None or job.state not in FINAL:
        return None
    return Entry(job.finished_at, JobEvent(str(job.state)), _why_it_ended(job))


def return_detail(outcome: Outcome) -> str:
    """The detail of a verdict that puts a job back: its reason, and when the job runs again."""
    reason = outcome.reason or "no reason was given"
    if outcome.verb is Verb.INTERRUPT or outcome.run_at is None:
        return reason
    return f"{reason}; again at {format_instant(outcome.run_at)}"


def _entries(job: Job, stored: list[StoredEvent]) -> Iterator[Entry]:
    yield Entry(job.created_at, JobEvent.CREATED, _origin(job))
    if stored and stored[0].number > 1:
        first = stored[0]
        yield Entry(first.started_at or first.at, JobEvent.FORGOTTEN, f"{first.number - 1} earlier events")
    begun: Instant | None = None  # one attempt may have several events: show its start once
    for one in stored:
        if one.started_at is not None and one.started_at != begun:
            yield _start(one.started_at, one.attempt)
        begun = one.started_at if one.event in _DURING else None
        yield Entry(one.at, one.event, one.detail)
    if job.started_at is not None and job.started_at != begun:
        yield _start(job.started_at, job.attempt)
    end = end_of(job)
    if end is not None:
        yield end


def _origin(job: Job) -> str | None:
    if job.schedule is None or job.fire_time is None:
        return None
    return f"by schedule {job.schedule} for {format_instant(job.fire_time)}"


def _start(at: Instant, attempt: int) -> Entry:
    return Entry(at, JobEvent.STARTED, f"attempt {attempt}")


def _why_it_ended(job: Job) -> str | None:
    """The job's reason, else its error; not for a job that succeeded, whose error is that of an earlier attempt."""
    if job.reason is not None or job.error is None or job.state is JobState.SUCCEEDED:
        return job.reason
    error = decoded(job.error, JobError)
    return UNREADABLE if error is None else f"{error.type}: {error.message}"
