"""Jobs to JSON: the shapes of the wire contract, as types. Times are RFC 3339 UTC."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from launchd.admin.views import JsonObject, Time, View, instant, raw
from launchd.clock import format_instant
from launchd.engine.snapshots import WaitingOn
from launchd.history import Entry, JobEvent
from launchd.job import Job, JobError, JobState, Progress

CancelWord = Annotated[str, Meta(extra_json_schema={"enum": ["cancel", "terminate"]})]


class WaitingView(View):
    """Why a queued job does not run."""

    reason: str
    detail: str
    until: Time | None


class JobEventView(View):
    """Something that happened to a job; `detail` is for people."""

    at: Time
    event: JobEvent
    detail: str | None


class JobView(View, kw_only=True):
    """One doing of a task. Its `history`, the oldest first, is told where one job is asked for.

    A brief one has no `args`, no `result`, and an error without its traceback.
    """

    id: str
    task: str
    queue: str
    state: JobState
    args: JsonObject | msgspec.UnsetType = msgspec.UNSET
    priority: int
    attempt: int
    max_retries: int
    schedule: str | None
    fire_time: Time | None
    created_at: Time
    run_at: Time
    started_at: Time | None
    finished_at: Time | None
    result: Any | msgspec.UnsetType = msgspec.UNSET
    error: JobError | None
    reason: str | None
    progress: Progress | None
    waiting_on: WaitingView | None
    lock: str | None
    fence: int | None
    cancel_requested: CancelWord | None
    enforceable: bool
    history: list[JobEventView] | msgspec.UnsetType = msgspec.UNSET


class JobPageView(View):
    """A page of jobs."""

    items: list[JobView]
    next: str | None


class IdsView(View):
    """The jobs that were made."""

    ids: list[str]


class StackView(View):
    """Where a job stands."""

    job_id: str
    stack: str


def history(entries: Sequence[Entry]) -> list[JobEventView]:
    """What happened to a job."""
    return [JobEventView(at=format_instant(one.at), event=one.event, detail=one.detail) for one in entries]


def job(one: Job, waiting: WaitingOn | None, *, enforceable: bool, brief: bool = False) -> JobView:
    """A job as every endpoint shows it; `brief` leaves out what may be large."""
    return JobView(
        id=one.id,
        task=one.task,
        queue=one.queue,
        state=one.state,
        args=msgspec.UNSET if brief else raw(one.args),
        priority=one.priority,
        attempt=one.attempt,
        max_retries=one.max_retries,
        schedule=one.schedule,
        fire_time=instant(one.fire_time),
        created_at=format_instant(one.created_at),
        run_at=format_instant(one.run_at),
        started_at=instant(one.started_at),
        finished_at=instant(one.finished_at),
        result=msgspec.UNSET if brief else raw(one.result),
        error=None if one.error is None else _error(one.error, brief=brief),
        reason=one.reason,
        progress=None if one.progress is None else msgspec.json.decode(one.progress, type=Progress),
        waiting_on=None if waiting is None else waiting_on(waiting),
        lock=one.lock,
        fence=one.fence,
        cancel_requested=one.cancel_requested,
        enforceable=enforceable,
    )


def _error(text: str, *, brief: bool) -> JobError:
    error = msgspec.json.decode(text, type=JobError)
    return msgspec.structs.replace(error, traceback=None) if brief else error


def waiting_on(one: WaitingOn) -> WaitingView:
    """Why a job waits."""
    return WaitingView(reason=one.reason, detail=one.detail, until=instant(one.until))
