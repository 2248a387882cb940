"""The endpoints of jobs and tasks: list, create, cancel, retry."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from launchd.admin.api import job_views
from launchd.admin.api.pages import page_of
from launchd.admin.request import moment, moment_in_query
from launchd.admin.route import ONCE, Api, Body, Moment, PageQuery, Query, Reason, Request, Response, Route, SourceName
from launchd.cursor import parse_cursor
from launchd.engine.maker import MAX_DELAY_SECONDS, MAX_RETRIES, TriggerRequest
from launchd.engine.snapshots import JobQuery
from launchd.errors import ConflictError
from launchd.job import Job, JobState
from launchd.store.idempotency import Idempotency

MAX_BATCH = 1000


# These limits are for the OpenAPI document; the maker of jobs checks them, and reports all problems at once.
_LONGEST = {"maximum": MAX_DELAY_SECONDS}
Priority = Annotated[int, Meta(description="9 runs first", extra_json_schema={"minimum": 0, "maximum": 9})]
Delay = Annotated[float, Meta(description="seconds until the job may run", extra_json_schema={"minimum": 0} | _LONGEST)]
ExpiresIn = Annotated[
    float,
    Meta(
        description="seconds after which the job expires if it has not started",
        extra_json_schema={"exclusiveMinimum": 0} | _LONGEST,
    ),
]
Retries = Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": MAX_RETRIES})]


class TriggerBody(Body):
    """`POST /v1/tasks/{task}/trigger`: omitted fields have the task's defaults; at most one of `delay` and `run_at`."""

    args: dict[str, Any] = msgspec.field(default_factory=dict)
    queue: str | None = None
    priority: Priority | None = None
    delay: Delay | None = None
    run_at: Moment | None = None
    expires_in: ExpiresIn | None = None
    max_retries: Retries | None = None


class JobBody(TriggerBody, kw_only=True):
    """One of `POST /v1/jobs`."""

    task: str


class JobsBody(Body):
    """`POST /v1/jobs`."""

    jobs: Annotated[list[JobBody], Meta(min_length=1, max_length=MAX_BATCH)]


class RefreshBody(Body):
    """`POST /v1/refresh`: without `sources`, all enabled sources are refreshed."""

    sources: Annotated[list[SourceName], Meta(min_length=1)] | None = None
    force: bool = False


class CancelBody(Body):
    """`POST /v1/jobs/{id}/cancel`."""

    terminate: bool = False
    reason: Reason | None = None


class JobsQuery(PageQuery, kw_only=True):
    """`GET /v1/jobs`."""

    state: JobState | None = None
    queue: str | None = None
    task: str | None = None
    schedule: str | None = None
    since: Moment | None = None
    until: Moment | None = None
    brief: Annotated[bool, Meta(description="leave out arguments, results and tracebacks")] = False


class JobQueryOne(Query):
    """`GET /v1/jobs/{id}`."""

    wait: Annotated[float, Meta(ge=0, le=300, description="respond when the job ends, or after so many seconds")] = 0.0


def view(api: Api, job: Job, *, brief: bool = False) -> job_views.JobView:
    """A job as it is shown."""
    return job_views.job(job, api.control.waiting_on(job), enforceable=api.control.enforceable(job), brief=brief)


def made(api: Api, job: Job, status: int = 202) -> Response:
    """The response with a new job."""
    return Response(view(api, job), status, {"Location": f"/v1/jobs/{job.id}"})


def fresh(key: Idempotency | None) -> int:
    """202 for a job that was made now, 200 for one that an earlier request with the key has made."""
    return 200 if key is not None and key.replayed else 202


def _wanted(task: str, given: TriggerBody, where: str = "") -> TriggerRequest:
    """The job that a body asks for; `where` is the path of that part of the body."""
    run_at = moment(f"{where}run_at", given.run_at) if given.run_at is not None else None
    return TriggerRequest(
        task, given.args, given.queue, given.priority, given.delay, run_at, given.expires_in, given.max_retries
    )


async def refresh(api: Api, request: Request[Query, RefreshBody]) -> Response:
    """Refresh launch data now, whatever the schedule."""
    key = request.idempotency
    job = await api.control.refresh(request.body.sources, force=request.body.force, by=request.by, idempotency=key)
    return made(api, job, fresh(key))


async def tasks(api: Api, request: Request[PageQuery, Body]) -> Response:
    """The tasks."""
    found, cursor = page_of(sorted(api.control.tasks.items()), request.query.limit, request.query.cursor)
    return Response(job_views.TaskPageView(items=[job_views.task(one) for one in found], next=cursor))


async def trigger(api: Api, request: Request[Query, TriggerBody]) -> Response:
    """Create a job; a repeated Idempotency-Key returns the earlier job, with 200."""
    wanted = _wanted(request.path["task"], request.body)
    key = request.idempotency
    text = None if key is None else key.key
    job, is_new = await api.control.trigger(**wanted._asdict(), idempotency_key=text, by=request.by)
    return made(api, job, 202 if is_new else 200)


async def make_jobs(api: Api, request: Request[Query, JobsBody]) -> Response:
    """Create many jobs, all or none."""
    wanted = [_wanted(one.task, one, f"jobs[{number}].") for number, one in enumerate(request.body.jobs)]
    key = request.idempotency
    ids = await api.control.enqueue(wanted, request.by, key)
    return Response(job_views.IdsView(ids=ids), fresh(key))


async def jobs(api: Api, request: Request[JobsQuery, Body]) -> Response:
    """Jobs, newest first."""
    given = request.query
    since, until = moment_in_query("since", given.since), moment_in_query("until", given.until)
    wanted = JobQuery(given.state, given.queue, given.task, given.schedule, since, until, given.limit, given.cursor)
    page = await api.control.jobs(wanted)
    items = [view(api, one, brief=given.brief) for one in page.items]
    return Response(job_views.JobPageView(items=items, next=page.next))


async def job(api: Api, request: Request[JobQueryOne, Body]) -> Response:
    """One job with its history; with `wait`, when the job has ended."""
    job_id, seconds = request.path["id"], request.query.wait
    if seconds:
        await api.control.wait(job_id, seconds)
    found, entries = await api.control.history(job_id)
    return Response(msgspec.structs.replace(view(api, found), history=job_views.history(entries)))


async def cancel(api: Api, request: Request[Query, CancelBody]) -> Response:
    """Cancel a job; a running job is asked to end, and `enforceable` says whether it can be forced."""
    wanted = request.body
    found = await api.control.cancel(
        request.path["id"], terminate=wanted.terminate, reason=wanted.reason, by=request.by
    )
    return Response(view(api, found), 202)


async def retry(api: Api, request: Request[Query, Body]) -> Response:
    """Queue an ended job again."""
    key = request.idempotency
    job = await api.control.retry(request.path["id"], request.by, key)
    return Response(view(api, job), fresh(key))


async def stack(api: Api, request: Request[Query, Body]) -> Response:
    """The stack of a running job."""
    found = await api.control.stack(request.path["id"])
    if found is None:
        raise ConflictError("the job is not running now")
    return Response(job_views.StackView(job_id=request.path["id"], stack=found))


async def logs(api: Api, request: Request[PageQuery, Body]) -> Response:
    """The last log lines of a job; older lines are in the log."""
    given, after = request.query, parse_cursor(request.query.cursor)
    job = await api.control.job(request.path["id"])
    lines, missing = api.job_lines.of(job.id, after or 0, given.limit + 1)
    items = [job_views.line(one) for one in lines[: given.limit]]
    following = str(lines[given.limit - 1].number) if len(lines) > given.limit else None
    return Response(job_views.JobLinesView(items=items, next=following, missing=missing))


JOB_ROUTES = (
    Route("POST", "/v1/refresh", refresh, job_views.JobView, body=RefreshBody, status=202, also=(200,), headers=ONCE),
    Route("GET", "/v1/tasks", tasks, job_views.TaskPageView, query=PageQuery),
    Route(
        "POST",
        "/v1/tasks/{task}/trigger",
        trigger,
        job_views.JobView,
        body=TriggerBody,
        status=202,
        also=(200,),
        headers=ONCE,
    ),
    Route("POST", "/v1/jobs", make_jobs, job_views.IdsView, body=JobsBody, status=202, also=(200,), headers=ONCE),
    Route("GET", "/v1/jobs", jobs, job_views.JobPageView, query=JobsQuery),
    Route("GET", "/v1/jobs/{id}", job, job_views.JobView, query=JobQueryOne),
    Route("POST", "/v1/jobs/{id}/cancel", cancel, job_views.JobView, body=CancelBody, status=202, errors=(409,)),
    Route(
        "POST",
        "/v1/jobs/{id}/retry",
        retry,
        job_views.JobView,
        status=202,
        also=(200,),
        errors=(409,),
        headers=ONCE,
    ),
    Route("GET", "/v1/jobs/{id}/logs", logs, job_views.JobLinesView, query=PageQuery),
    Route("GET", "/v1/jobs/{id}/stack", stack, job_views.StackView, errors=(409,)),
)
