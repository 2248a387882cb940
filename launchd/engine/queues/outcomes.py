"""Outcomes without a verdict of task code: an abandoned attempt, a task that is not loaded; and the event of an end."""

from launchd.clock import SECOND, Instant
from launchd.engine.attempts.attempt import Attempt, Stop
from launchd.event import JobEnd
from launchd.job import TRANSITIONS, JobState, Outcome, Verb
from launchd.lock import Lock
from launchd.store.claims import Claimed
from launchd.task import Port, Task

# The state of a running job after each verdict.
_STATES = {verb: state.value for (before, verb), state in TRANSITIONS.items() if before is JobState.RUNNING}


def abandoned(attempt: Attempt, now: Instant) -> Outcome:
    """The verdict on an attempt that the daemon abandons: cancelled if that was requested, else queued again."""
    job = attempt.job
    if attempt.stop in {Stop.CANCEL, Stop.TERMINATE}:
        return Outcome(job.seq, job.attempt, Verb.CANCEL, now, reason=attempt.reason)
    reason = "interrupted: the daemon stopped"
    return Outcome(job.seq, job.attempt, Verb.INTERRUPT, now, run_at=now, reason=reason)


def without_task(job: Claimed, lock: Lock | None, port: Port, started: float) -> Attempt:
    """An attempt of a task that is not loaded; it is never run."""
    return Attempt(job, Task(_missing, name=job.task), lock, port, started)


def job_end(attempt: Attempt, outcome: Outcome, seconds: float) -> JobEnd:
    """The event of an attempt that has ended after so many seconds."""
    job = attempt.job
    waited = max((outcome.finished_at - job.run_at) / SECOND - seconds, 0.0)
    return JobEnd(outcome.finished_at, job.id, _STATES[outcome.verb], job.task, job.queue, seconds, waited)


async def _missing(_context: object) -> None:
    """The function of a task that is not loaded; never run."""
