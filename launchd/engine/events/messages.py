"""The engine's events, made from its values. Pure; called only while somebody listens."""

from launchd.clock import Instant, format_instant
from launchd.engine.attempts.attempt import Attempt
from launchd.event import Event
from launchd.job import NewJob, Progress
from launchd.lock import Lock
from launchd.ops.health import CheckReport, Level
from launchd.schedules.schedule import FireOutcome
from launchd.store.fires import Recorded

# The type of the event for each action of an operator in the audit.
_ACTIONS = {
    "cancel": "job.cancel_requested",
    "terminate": "job.cancel_requested",
    "retry": "job.requeued",
    "pause_queue": "queue.paused",
    "resume_queue": "queue.resumed",
    "resize_queue": "queue.resized",
    "pause_schedule": "schedule.paused",
    "resume_schedule": "schedule.resumed",
    "backfill": "schedule.backfilled",
    "release_lock": "lock.released",
    "reload": "config.reloaded",
}


def job_made(job: NewJob) -> Event:
    """A job is on disk."""
    data = {"task": job.task, "queue": job.queue, "schedule": job.schedule, "run_at": format_instant(job.run_at)}
    return Event(type="job.made", at=job.created_at, job_id=job.id, data=data)


def job_started(attempt: Attempt, now: Instant) -> Event:
    """An attempt has begun."""
    job = attempt.job
    data = {"task": job.task, "queue": job.queue, "schedule": job.schedule, "attempt": job.attempt}
    return Event(type="job.started", at=now, job_id=job.id, data=data)


def job_progress(job_id: str, progress: Progress, now: Instant) -> Event:
    """A task has reported its progress."""
    data = {"done": progress.done, "total": progress.total, "note": progress.note}
    return Event(type="job.progress", at=now, job_id=job_id, data=data)


def fired(row: Recorded, now: Instant) -> Event:
    """The outcome of an occurrence, or of many in a row."""
    fire = row.fire
    word = "passed_over" if fire.outcome is FireOutcome.PAUSED else fire.outcome.value
    until = None if fire.until is None else format_instant(fire.until)
    data = {"schedule": row.schedule, "fire_time": format_instant(fire.fire_time), "reason": fire.reason}
    return Event(type=f"schedule.{word}", at=now, job_id=row.job_id, data=data | {"count": fire.count, "until": until})


def lock_changed(what: str, lock: Lock, now: Instant) -> Event:
    """A lock was taken, released or lost."""
    return Event(type=f"lock.{what}", at=now, job_id=lock.job_id, data={"lock": lock.name, "fence": lock.fence})


def health_changed(name: str, before: Level | None, found: CheckReport, now: Instant) -> Event:
    """The level of a check has changed."""
    data = {"check": name, "before": before, "status": found.level, "detail": found.detail}
    return Event(type="health.changed", at=now, data=data)


def operator_action(by: str, action: str, target: str, detail: str | None, now: Instant) -> Event | None:
    """An operator's action on a job, queue, schedule or lock; None for an action that has events of its own."""
    kind = _ACTIONS.get(action)
    if kind is None:
        return None
    noun = kind.partition(".")[0]
    data = {"by": by, "detail": detail} | ({} if noun == "job" else {noun: target})
    return Event(type=kind, at=now, job_id=target if noun == "job" else None, data=data)
