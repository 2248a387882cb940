"""The views of schedules. Times are RFC 3339 UTC, durations seconds."""

from typing import Annotated, Any

from msgspec import Meta

from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.http.view import JsonObject, RowView, View, json_text, lost, total
from launchd.clock import UNREADABLE, format_instant, local_time
from launchd.engine.snapshots import LedgerRow, Preview, ScheduleSnapshot
from launchd.schedules import zones
from launchd.schedules.cron import Cron, DayMatch, DstFold, DstGap
from launchd.schedules.recurrence import STARTUP, Every, Recurrence
from launchd.schedules.schedule import Catchup, FireOutcome, Overlap
from launchd.schedules.tighten import Tightening


class FireView(RowView):
    """A row of the ledger: the outcome of an occurrence, or of `count` occurrences up to `until`."""

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
    """A rule: while a launch is less than `within` seconds away, the schedule also fires `every` so many seconds."""

    within: Seconds
    every: Seconds


class TightenedView(TightenView):
    """The rule in force, and the launch that causes it, from `since` until `until`."""

    id: str
    name: str
    since: Time
    until: Time


class ScheduleView(RowView):
    """A schedule: its task, its times, and its next fires."""

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
    """An occurrence, in UTC and in local time."""

    utc: Time
    local: Time


class PreviewView(View):
    """The meaning of an expression in words, its warnings, and its next occurrences."""

    description: str
    warnings: list[str]
    fires: list[PreviewedFireView]


_fire = mapper(FireView, LedgerRow)


@total(FireView, lambda one: {"schedule": one.schedule, "fire_time": format_instant(one.fire_time)})
def fire(one: LedgerRow) -> FireView:
    """A row of the ledger."""
    return _fire(one)


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
    """The preview of an expression, its occurrences in UTC and in local time."""
    zone = zones.zone(one.timezone)
    fires = [PreviewedFireView(utc=format_instant(at), local=local_time(at, zone)) for at in one.fires]
    return PreviewView(description=one.description, warnings=list(one.warnings), fires=fires)


def _when(recurrence: Recurrence) -> dict[str, Any]:
    """The fields of a view that say how the recurrence is written."""
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
