"""The views of jobs and tasks. Times are RFC 3339 UTC, durations seconds."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.http.view import JsonObject, RowView, Unreadable, View, json_text, lost, member, total, word
from launchd.clock import UNREADABLE
from launchd.engine.snapshots import WaitingOn
from launchd.job import Job, JobError, JobState, Progress
from launchd.job_history import Entry, JobEvent
from launchd.logs.joblines import JobLine
from launchd.task import Isolation, Task
from launchd.values.rows import log_unreadable

_CANCEL_WORDS = ("cancel", "terminate")
CancelWord = Annotated[str, Meta(extra_json_schema={"enum": [*_CANCEL_WORDS, UNREADABLE]})]
StateWord = Annotated[str, Meta(extra_json_schema={"enum": [*JobState, UNREADABLE]})]


class WaitingView(View):
    """The reason why a queued job does not run yet."""

    reason: str
    detail: str
    until: Time | None


class JobEventView(RowView):
    """An event of a job; `detail` is for people."""

    at: Time
    event: Annotated[str, Meta(extra_json_schema={"enum": [*JobEvent, UNREADABLE]})]
    detail: str | None


class JobView(RowView, kw_only=True):
    """A job of a task. Only the endpoint of one job has its `history`, oldest first.

    A brief view has no `args`, no `result`, and an error without its traceback.
    """

    id: str
    task: str
    queue: str
    state: StateWord
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
    """The ids of new jobs."""

    ids: list[str]


class StackView(View):
    """The stack of a running job."""

    job_id: str
    stack: str


class JobLineView(View):
    """A line of a job's log."""

    at: str
    level: str
    logger: str
    event: str
    fields: dict[str, Any]


class JobLinesView(View):
    """A page of a job's last log lines, oldest first; `missing` earlier lines are in the log only."""

    items: list[JobLineView]
    next: str | None
    missing: int


class TaskView(RowView):
    """A task; `args` is the JSON Schema of its arguments."""

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


_job = mapper(
    JobView,
    Job,
    *("args", "result", "error", "progress", "waiting_on", "cancel_requested", "enforceable", "unreadable"),
)
_waiting = mapper(WaitingView, WaitingOn)
_entry = mapper(JobEventView, Entry)
line = mapper(JobLineView, JobLine)


def history(entries: Sequence[Entry]) -> list[JobEventView]:
    """The events of a job."""
    return [_entry(one) for one in entries]


@total(JobView, lambda one: {"id": one.id})
def job(one: Job, waiting: WaitingOn | None, *, enforceable: bool, brief: bool = False) -> JobView:
    """A job as every endpoint shows it; `brief` leaves out fields that may be large."""
    missing = list(one.unreadable)
    requested = one.cancel_requested
    return _job(
        one,
        args=msgspec.UNSET if brief else json_text(one.args, "args", missing, is_object=True),
        result=msgspec.UNSET if brief else json_text(one.result, "result", missing),
        error=_error(one.error, missing, brief=brief),
        progress=member(one.progress, Progress, "progress", missing),
        waiting_on=None if waiting is None else _waiting(waiting),
        cancel_requested=requested and word(requested, _CANCEL_WORDS, "cancel_requested", missing),
        enforceable=enforceable,
        unreadable=_lost(one, missing),
    )


def _lost(one: Job, missing: list[str]) -> Unreadable | msgspec.UnsetType:
    """The fields of a job that cannot be shown; those of its JSON texts are logged here, once."""
    texts = missing[len(one.unreadable) :]
    if texts:
        log_unreadable("jobs", one.id, texts)
    return lost(missing)


def _error(text: str | None, missing: list[str], *, brief: bool) -> JobError | None:
    """The error of an attempt; an unreadable one is shown as unreadable, since null would mean no error."""
    error = member(text, JobError, "error", missing)
    if error is None:
        return None if text is None else JobError(UNREADABLE, "the stored error cannot be read")
    return msgspec.structs.replace(error, traceback=None) if brief else error


@total(TaskView, lambda one: {"name": one.name})
def task(one: Task) -> TaskView:
    """A task."""
    names = ("name", "description", "queue", "lock", "max_retries", "timeout", "priority", "unique", "isolation")
    return TaskView(**{name: getattr(one, name) for name in names}, args=one.schema())
