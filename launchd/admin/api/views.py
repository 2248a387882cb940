"""Nouns to JSON: the shapes of the wire contract, as types. Times are RFC 3339 UTC, durations seconds.

The same structs encode the answers and make the OpenAPI document, so the two cannot disagree.
"""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from launchd.admin.http.view import RowView, View, json_text, lost, total
from launchd.clock import UNREADABLE, Instant, format_instant, local_time
from launchd.engine.snapshots import (
    DaemonStatus,
    LedgerRow,
    LockSnapshot,
    Preview,
    QueueSnapshot,
    ScheduleSnapshot,
)
from launchd.ops.health import HealthReport, Level
from launchd.schedules import zones
from launchd.schedules.cron import Cron, DayMatch, DstFold, DstGap
from launchd.schedules.recurrence import STARTUP, Every, Recurrence
from launchd.schedules.schedule import Catchup, FireOutcome, Overlap
from launchd.schedules.tighten import Tightening
from launchd.task import Isolation, Task

T = TypeVar("T")
Time = Annotated[
    str,
    Meta(
        description=f"RFC 3339, UTC; {UNREADABLE} where the stored value is beyond the years 1 to 9999",
        extra_json_schema={"anyOf": [{"format": "date-time"}, {"const": UNREADABLE}]},
    ),
]
Seconds = Annotated[float, Meta(description="seconds")]
Engine = Annotated[str, Meta(extra_json_schema={"enum": ["local"]}, description="who runs its jobs")]
# Kept as JSON text and passed on as it is (msgspec.Raw); always an object.
JsonObject = Annotated[Any, Meta(extra_json_schema={"type": "object"})]


class WordView(View):
    """A word on the daemon's state."""

    status: str


class QueueView(RowView):
    """Where jobs wait; `oldest_wait` is 0 when none does.

    `slots` is how many may run at once now: `concurrency`, and one for each job that had to give its slot away.
    """

    name: str
    concurrency: int
    slots: int
    rate: str | None
    engine: Engine
    paused: bool
    note: str | None
    waiting: int
    running: int
    oldest_wait: Seconds


class QueuePageView(View):
    """A page of queues."""

    items: list[QueueView]
    next: str | None


class ComingView(View):
    """The next fire of a schedule."""

    schedule: str
    at: Time


class StatusView(View):
    """The daemon in one look. `leader` says whether it is the one that fires the schedules, at this moment."""

    version: str
    instance: str
    pid: int
    started_at: Time
    uptime: Seconds
    leader: bool
    ready: bool
    stopping: bool
    lock_backend: str
    queues: list[QueueView]
    next_fires: list[ComingView]
    memory_bytes: int


class CheckView(View):
    """What a check found, and since when it has been at this level."""

    status: Level
    detail: str
    since: Time


class HealthView(View):
    """The verdict and every check."""

    status: Level
    checks: dict[str, CheckView]


class TaskView(RowView):
    """A task and what it takes: `args` is the JSON Schema of its arguments."""

    name: str
    description: str
    queue: str
    lock: str | None
    max_retries: int
    timeout: Seconds
    priority: int
    unique: bool
    isolation: Isolation
    args: dict[str, Any]


class TaskPageView(View):
    """A page of tasks."""

    items: list[TaskView]
    next: str | None


class FireView(RowView):
    """A row of the ledger: what became of an occurrence, or of `count` of them up to `until`."""

    schedule: str
    fire_time: Time
    outcome: Annotated[str, Meta(extra_json_schema={"enum": [*FireOutcome, UNREADABLE]})]
    reason: str | None
    job_id: str | None
    count: int
    until: Time | None


class FirePageView(View):
    """A page of the ledger."""

    items: list[FireView]
    next: str | None


class TightenView(View):
    """A rule: while a launch is within so many seconds, the schedule also fires every so many."""

    within: Seconds
    every: Seconds


class TightenedView(TightenView):
    """The rule in force, and the launch that puts it in force, from `since` until `until`."""

    id: str
    name: str
    since: Time
    until: Time


class ScheduleView(RowView):
    """When jobs of a task are made."""

    name: str
    task: str
    args: JsonObject
    description: str
    cron: str | None
    every: str | None
    timezone: str
    dst_gap: DstGap | None
    dst_fold: DstFold | None
    day_match: DayMatch | None
    catchup: Catchup
    overlap: Overlap
    jitter_seconds: Seconds
    misfire_grace_seconds: Seconds | None
    paused: bool
    note: str | None
    next: list[Time]
    last: FireView | None
    tighten: list[TightenView]
    tightened: TightenedView | None


class SchedulePageView(View):
    """A page of schedules."""

    items: list[ScheduleView]
    next: str | None


class PreviewedFireView(View):
    """An occurrence, in UTC and by the local clock."""

    utc: Time
    local: Time


class PreviewView(View):
    """What an expression means, what may surprise, and when it is due."""

    description: str
    warnings: list[str]
    fires: list[PreviewedFireView]


class LockView(RowView):
    """A lock that is held; its token stays secret."""

    name: str
    owner: str
    job_id: str | None
    since: Time
    expires_at: Time
    fence: int
    waiters: int


class LockPageView(View):
    """A page of locks."""

    items: list[LockView]
    next: str | None


class ReleasedView(View):
    """A lock that was taken from its holder."""

    name: str
    job_id: str | None
    fence: int
    released: bool


class SignInView(View):
    """The link that signs a browser in, once."""

    url: str
    expires_at: Time


def instant(value: Instant | None) -> str | None:
    """An instant as text, None as null."""
    return None if value is None else format_instant(value)


def status(one: DaemonStatus) -> StatusView:
    """The daemon in one look."""
    return StatusView(
        **one._asdict()
        | {
            "started_at": format_instant(one.started_at),
            "queues": [queue(each) for each in one.queues],
            "next_fires": [ComingView(schedule=name, at=format_instant(at)) for name, at in one.next_fires],
        }
    )


def health(one: HealthReport) -> HealthView:
    """The verdict and every check."""
    checks = {
        name: CheckView(status=check.level, detail=check.detail, since=format_instant(check.since))
        for name, check in one.checks.items()
    }
    return HealthView(status=one.level, checks=checks)


@total(TaskView, lambda one: {"name": one.name})
def task(one: Task) -> TaskView:
    """A task and what it takes."""
    names = ("name", "description", "queue", "lock", "max_retries", "timeout", "priority", "unique", "isolation")
    return TaskView(**{name: getattr(one, name) for name in names}, args=one.schema())


@total(QueueView, lambda one: {"name": one.name})
def queue(one: QueueSnapshot) -> QueueView:
    """A queue now."""
    return QueueView(**one._asdict())


@total(FireView, lambda one: {"schedule": one.schedule, "fire_time": format_instant(one.fire_time)})
def fire(one: LedgerRow) -> FireView:
    """A row of the ledger."""
    return FireView(
        schedule=one.schedule,
        fire_time=format_instant(one.fire_time),
        outcome=one.outcome,
        reason=one.reason,
        job_id=one.job_id,
        count=one.count,
        until=instant(one.until),
        unreadable=lost(one.unreadable),
    )


@total(ScheduleView, lambda one: {"name": one.schedule.name})
def schedule(one: ScheduleSnapshot) -> ScheduleView:
    """A schedule with its next fires."""
    planned, missing = one.schedule, list[str]()
    return ScheduleView(
        name=planned.name,
        task=planned.task,
        args=json_text(planned.args, "args", missing, is_object=True),
        description=one.description,
        **_when(planned.recurrence),
        catchup=planned.catchup,
        overlap=planned.overlap,
        jitter_seconds=planned.jitter_seconds,
        misfire_grace_seconds=planned.grace_seconds,
        paused=one.paused,
        note=one.note,
        next=[format_instant(at) for at in one.next],
        last=None if one.last is None else fire(one.last),
        tighten=[TightenView(within=rule.within, every=rule.every.seconds) for rule in planned.tighten],
        tightened=None if one.tightening is None else _tightened(one.tightening),
        unreadable=lost(missing),
    )


def _tightened(one: Tightening) -> TightenedView:
    return TightenedView(
        within=one.rule.within,
        every=one.rule.every.seconds,
        id=one.near.id,
        name=one.near.name,
        since=format_instant(one.since),
        until=format_instant(one.until),
    )


def preview(one: Preview) -> PreviewView:
    """What an expression means and when it is due, in UTC and by the local clock."""
    zone = zones.zone(one.timezone)
    fires = [PreviewedFireView(utc=format_instant(at), local=local_time(at, zone)) for at in one.fires]
    return PreviewView(description=one.description, warnings=list(one.warnings), fires=fires)


def _when(recurrence: Recurrence) -> dict[str, Any]:
    """How a schedule's recurrence was written."""
    found: dict[str, Any] = {"cron": None, "every": None, "timezone": "UTC"}
    found |= {"dst_gap": None, "dst_fold": None, "day_match": None}
    match recurrence:
        case Cron(expression, timezone, gap, fold, days):
            found |= {"cron": expression, "timezone": timezone}
            return found | {"dst_gap": gap, "dst_fold": fold, "day_match": days}
        case Every(seconds):
            return found | {"every": f"{seconds}s"}
        case _:
            return found | {"cron": STARTUP}


@total(LockView, lambda one: {"name": one.lock.name})
def lock(one: LockSnapshot) -> LockView:
    """A lock that is held; its token stays secret."""
    held = one.lock
    return LockView(
        name=held.name,
        owner=held.owner,
        job_id=held.job_id,
        since=format_instant(held.since),
        expires_at=format_instant(held.expires_at),
        fence=held.fence,
        waiters=one.waiters,
    )


def page_of(named: Sequence[tuple[str, T]], limit: int, cursor: str | None) -> tuple[list[T], str | None]:
    """One page of a short list by name, and the cursor of the next: the last name, so nothing is lost or doubled."""
    after = sorted((name, index) for index, (name, _) in enumerate(named) if cursor is None or name > cursor)
    page = after[:limit]
    return [named[index][1] for _, index in page], page[-1][0] if len(after) > limit else None
