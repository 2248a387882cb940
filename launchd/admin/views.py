"""Nouns to JSON: the shapes of the wire contract. Times are RFC 3339 UTC, durations seconds."""

from typing import Any

import msgspec

from launchd import zones
from launchd.clock import SECOND, Instant, format_instant, to_datetime
from launchd.cron import Cron
from launchd.engine.snapshots import (
    LedgerRow,
    LockSnapshot,
    Preview,
    QueueSnapshot,
    ScheduleSnapshot,
    Status,
    WaitingOn,
)
from launchd.job import Job
from launchd.ops.health import HealthReport
from launchd.recurrence import STARTUP, Every, Recurrence
from launchd.store.series import Series
from launchd.task import Task

View = dict[str, Any]


def instant(value: Instant | None) -> str | None:
    """An instant as text, None as null."""
    return None if value is None else format_instant(value)


def job(one: Job, waiting: WaitingOn | None, *, enforceable: bool) -> View:
    """A job as `GET /v1/jobs/{id}` shows it."""
    progress = _json(one.progress)
    view: View = {
        name: getattr(one, name)
        for name in ("id", "task", "queue", "state", "priority", "attempt", "max_retries", "schedule", "lock", "fence")
    }
    times = ("fire_time", "created_at", "run_at", "started_at", "finished_at")
    view |= {name: instant(getattr(one, name)) for name in times}
    view |= {"args": _json(one.args), "result": _json(one.result), "error": _json(one.error), "reason": one.reason}
    if isinstance(progress, list):
        progress = dict(zip(("done", "total", "note"), progress, strict=False))
    view |= {"progress": progress, "cancel_requested": one.cancel_requested, "enforceable": enforceable}
    view["waiting_on"] = None if waiting is None else waiting._asdict() | {"until": instant(waiting.until)}
    return view


def status(one: Status) -> View:
    """The daemon in one look."""
    return one._asdict() | {
        "started_at": instant(one.started_at),
        "queues": [queue(each) for each in one.queues],
        "next_fires": [{"schedule": name, "at": instant(at)} for name, at in one.next_fires],
    }


def health(one: HealthReport) -> View:
    """The verdict and every check."""
    checks = {
        name: {"status": check.level, "detail": check.detail, "since": instant(check.since)}
        for name, check in one.checks.items()
    }
    return {"status": one.level, "checks": checks}


def task(one: Task) -> View:
    """A task and what it takes."""
    names = ("name", "description", "queue", "lock", "max_retries", "timeout", "priority", "unique", "isolation")
    return {name: getattr(one, name) for name in names} | {"args": one.schema()}


def queue(one: QueueSnapshot) -> View:
    """A queue now."""
    return one._asdict()


def fire(one: LedgerRow) -> View:
    """A row of the ledger."""
    times = {"fire_time": instant(one.fire_time), "until": instant(one.until)}
    return msgspec.structs.asdict(one) | times


def schedule(one: ScheduleSnapshot) -> View:
    """A schedule with its next fires."""
    planned = one.schedule
    return {
        "name": planned.name,
        "task": planned.task,
        "args": _json(planned.args),
        "description": one.description,
        **_when(planned.recurrence),
        "catchup": planned.catchup,
        "overlap": planned.overlap,
        "jitter_seconds": planned.jitter_seconds,
        "misfire_grace_seconds": planned.grace_seconds,
        "paused": one.paused,
        "note": one.note,
        "next": [instant(at) for at in one.next],
        "last": None if one.last is None else fire(one.last),
    }


def preview(one: Preview) -> View:
    """What an expression means and when it is due, in UTC and by the local clock."""
    zone = zones.zone(one.timezone)
    fires = [{"utc": instant(at), "local": to_datetime(at).astimezone(zone).isoformat()} for at in one.fires]
    return {"description": one.description, "warnings": list(one.warnings), "fires": fires}


def _when(recurrence: Recurrence) -> View:
    """How a schedule's recurrence was written."""
    match recurrence:
        case Cron(expression, timezone, gap, fold):
            return {"cron": expression, "every": None, "timezone": timezone, "dst_gap": gap, "dst_fold": fold}
        case Every(seconds):
            return {"cron": None, "every": f"{seconds}s", "timezone": "UTC", "dst_gap": None, "dst_fold": None}
        case _:
            return {"cron": STARTUP, "every": None, "timezone": "UTC", "dst_gap": None, "dst_fold": None}


def lock(one: LockSnapshot) -> View:
    """A lock that is held; its token stays secret."""
    held = one.lock
    return {
        "name": held.name,
        "owner": held.owner,
        "job_id": held.job_id,
        "since": instant(held.since),
        "expires_at": instant(held.expires_at),
        "fence": held.fence,
        "waiters": one.waiters,
    }


def series(one: Series) -> View:
    """What ended over time."""
    items = [
        bucket._asdict() | {"at": instant(bucket.at), "run": bucket.run._asdict(), "wait": bucket.wait._asdict()}
        for bucket in one.buckets
    ]
    counted = instant(one.counted_since)
    return {"window": one.window, "step": one.step / SECOND, "counted_since": counted, "items": items}


def _json(text: str | None) -> Any:  # noqa: ANN401 - JSON has no narrower type
    return None if text is None else msgspec.json.decode(text)
