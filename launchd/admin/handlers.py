"""What each endpoint does: read the request, ask the control or the launch store, answer with a view."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import msgspec
from aiohttp import web

from launchd.admin import views
from launchd.clock import Instant, parse_instant
from launchd.cron import DstFold, DstGap
from launchd.engine.control import Control
from launchd.engine.maker import TriggerRequest
from launchd.engine.snapshots import JobQuery
from launchd.errors import ConflictError, InvalidError, MalformedError, NotFoundError
from launchd.job import Job
from launchd.launches.source_store import SourceStore
from launchd.launches.sources import SOURCES
from launchd.launches.store import LaunchStore
from launchd.ops.health import Level
from launchd.store.series import Window

T = TypeVar("T", bound=msgspec.Struct)
E = TypeVar("E", bound=StrEnum)
MAX_LIMIT, DEFAULT_LIMIT = 1000, 50
MAX_BATCH = 1000
_ENCODER = msgspec.json.Encoder()
_BY = "admin socket"


class Answer(NamedTuple):
    """What goes back: a view (or a Document), the status and headers of its own."""

    view: Any
    status: int = 200
    headers: dict[str, str] | None = None


class Document(NamedTuple):
    """An answer that is no JSON."""

    body: bytes
    content_type: str


class Api(NamedTuple):
    """What the endpoints work on."""

    control: Control
    launches: LaunchStore
    sources: SourceStore


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request body; what it does not know is refused."""


class TriggerBody(_Body):
    """`POST /v1/tasks/{task}/trigger`."""

    args: dict[str, Any] = {}
    queue: str | None = None
    priority: int | None = None
    delay: float | None = None
    run_at: str | None = None
    expires_in: float | None = None
    max_retries: int | None = None


class JobBody(TriggerBody, kw_only=True):
    """One of `POST /v1/jobs`."""

    task: str


class JobsBody(_Body):
    """`POST /v1/jobs`."""

    jobs: list[JobBody]


class RefreshBody(_Body):
    """`POST /v1/refresh`."""

    sources: list[str] | None = None
    force: bool = False


class CancelBody(_Body):
    """`POST /v1/jobs/{id}/cancel`."""

    terminate: bool = False
    reason: str | None = None


class NoteBody(_Body):
    """`POST .../pause`."""

    note: str | None = None


class ResizeBody(_Body):
    """`PATCH /v1/queues/{queue}`."""

    concurrency: int | None = None
    rate: str | None = None


class BackfillBody(_Body):
    """`POST /v1/schedules/{schedule}/backfill`: both ends are included."""

    to: str
    from_: str = msgspec.field(name="from")


class EmptyBody(_Body):
    """A request that says everything by its address."""


def encode(view: object) -> bytes:
    """JSON with a final newline, as a terminal likes it."""
    return _ENCODER.encode(view) + b"\n"


async def body(request: web.Request, kind: type[T]) -> T:
    """The request's body as `kind`; an empty one is `{}`. Raises MalformedError, HTTP 415, and ValidationError."""
    raw = await request.read()
    # curl -d without a header calls JSON a form
    is_form = request.content_type == "application/x-www-form-urlencoded" and raw.lstrip()[:1] == b"{"
    if raw and not is_form and request.content_type not in {"application/json", "application/octet-stream"}:
        raise web.HTTPUnsupportedMediaType(reason="send JSON as application/json")
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"the body is not JSON: {error}") from error


def query(request: web.Request, *allowed: str) -> dict[str, str]:
    """The query parameters; one that is not `allowed` is refused."""
    for name in request.query:
        if name not in allowed:
            raise InvalidError(f"{name}: no such parameter; known: {', '.join(allowed) or 'none'}")
    return {name: value for name, value in request.query.items() if value}


def limit(given: dict[str, str], name: str = "limit") -> int:
    """How many items a page has."""
    text = given.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_LIMIT):  # noqa: PLR2004 - no huge numbers
        raise InvalidError(f"{name}: expected 1..{MAX_LIMIT}, got {text!r}")
    return int(text)


def when(given: dict[str, str], name: str) -> Instant | None:
    """A time among the parameters."""
    return parse_instant(given[name].replace(" ", "+")) if name in given else None


def choice(given: dict[str, str], name: str, default: E) -> E:
    """One of the values of an enumeration among the parameters."""
    try:
        return type(default)(given.get(name, default))
    except ValueError:
        raise InvalidError(f"{name}: expected one of {', '.join(type(default))}, got {given[name]!r}") from None


def _wanted(task: str, given: TriggerBody) -> TriggerRequest:
    run_at = parse_instant(given.run_at) if given.run_at is not None else None
    return TriggerRequest(
        task, given.args, given.queue, given.priority, given.delay, run_at, given.expires_in, given.max_retries
    )


async def _job(api: Api, job: Job, status: int = 200, **headers: str) -> Answer:
    view = views.job(job, api.control.waiting_on(job), enforceable=api.control.enforceable(job))
    return Answer(view, status, headers or None)


async def healthz(_api: Api, _request: web.Request) -> Answer:
    """The process is alive."""
    return Answer({"status": "alive"})


async def readyz(api: Api, _request: web.Request) -> Answer:
    """Whether work is taken."""
    ready, word = api.control.ready()
    return Answer({"status": word}, 200 if ready else 503)


async def status(api: Api, _request: web.Request) -> Answer:
    """The daemon in one look."""
    return Answer(views.status(await api.control.status()))


async def health(api: Api, _request: web.Request) -> Answer:
    """Every check, run now."""
    report = await api.control.health()
    return Answer(views.health(report), 503 if report.level is Level.UNHEALTHY else 200)


async def series(api: Api, request: web.Request) -> Answer:
    """What ended over time."""
    return Answer(views.series(await api.control.series(choice(query(request, "window"), "window", Window.HOUR))))


async def refresh(api: Api, request: web.Request) -> Answer:
    """Scrape now."""
    wanted = await body(request, RefreshBody)
    job = await api.control.refresh(wanted.sources, force=wanted.force, by=_BY)
    return await _job(api, job, 202, Location=f"/v1/jobs/{job.id}")


async def tasks(api: Api, request: web.Request) -> Answer:
    """All tasks."""
    query(request)
    return Answer({"items": [views.task(one) for _, one in sorted(api.control.tasks.items())], "next": None})


async def trigger(api: Api, request: web.Request) -> Answer:
    """Make a job; a replayed Idempotency-Key gets the earlier one."""
    wanted = _wanted(request.match_info["task"], await body(request, TriggerBody))
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= 200:  # noqa: PLR2004 - characters, as the message says
        raise InvalidError("Idempotency-Key: expected 1..200 characters")
    job, made = await api.control.trigger(**wanted._asdict(), idempotency_key=key, by=_BY)
    return await _job(api, job, 202 if made else 200, Location=f"/v1/jobs/{job.id}")


async def make_jobs(api: Api, request: web.Request) -> Answer:
    """Make many jobs, all or none."""
    wanted = await body(request, JobsBody)
    if not 1 <= len(wanted.jobs) <= MAX_BATCH:
        raise InvalidError(f"jobs: expected 1..{MAX_BATCH} of them, got {len(wanted.jobs)}")
    ids = await api.control.enqueue([_wanted(one.task, one) for one in wanted.jobs], _BY)
    return Answer({"ids": ids}, 202)


async def jobs(api: Api, request: web.Request) -> Answer:
    """Jobs, newest first."""
    given = query(request, "state", "queue", "task", "schedule", "since", "until", "limit", "cursor")
    texts = {name: given.get(name) for name in ("state", "queue", "task", "schedule", "cursor")}
    wanted = JobQuery(**texts, since=when(given, "since"), until=when(given, "until"), limit=limit(given))
    page = await api.control.jobs(wanted)
    items = [
        views.job(job, api.control.waiting_on(job), enforceable=api.control.enforceable(job)) for job in page.items
    ]
    return Answer({"items": items, "next": page.next})


async def job(api: Api, request: web.Request) -> Answer:
    """One job, at once or when it has ended."""
    given = query(request, "wait")
    job_id = request.match_info["id"]
    try:
        seconds = float(given.get("wait", "0"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 300:  # noqa: PLR2004 - as the message says
        raise InvalidError(f"wait: expected 0..300 seconds, got {given['wait']!r}")
    return await _job(api, await (api.control.wait(job_id, seconds) if seconds else api.control.job(job_id)))


async def cancel(api: Api, request: web.Request) -> Answer:
    """End a job."""
    wanted = await body(request, CancelBody)
    found = await api.control.cancel(request.match_info["id"], terminate=wanted.terminate, reason=wanted.reason, by=_BY)
    return await _job(api, found, 202)


async def retry(api: Api, request: web.Request) -> Answer:
    """Queue an ended job again."""
    await body(request, EmptyBody)
    return await _job(api, await api.control.retry(request.match_info["id"], _BY), 202)


async def stack(api: Api, request: web.Request) -> Answer:
    """Where a running job stands right now."""
    query(request)
    found = await api.control.stack(request.match_info["id"])
    if found is None:
        raise ConflictError("the job does not run here at this moment")
    return Answer({"job_id": request.match_info["id"], "stack": found})


async def queues(api: Api, request: web.Request) -> Answer:
    """All queues."""
    query(request)
    return Answer({"items": [views.queue(one) for one in await api.control.queues()], "next": None})


async def pause_queue(api: Api, request: web.Request) -> Answer:
    """Start no more jobs of a queue."""
    note = (await body(request, NoteBody)).note
    return Answer(views.queue(await api.control.pause_queue(request.match_info["queue"], note, _BY)))


async def resume_queue(api: Api, request: web.Request) -> Answer:
    """Start jobs of a queue again."""
    await body(request, EmptyBody)
    return Answer(views.queue(await api.control.resume_queue(request.match_info["queue"], _BY)))


async def resize_queue(api: Api, request: web.Request) -> Answer:
    """Change slots or rate of a queue."""
    wanted = await body(request, ResizeBody)
    queue = request.match_info["queue"]
    return Answer(views.queue(await api.control.resize_queue(queue, wanted.concurrency, wanted.rate, _BY)))


async def schedules(api: Api, request: web.Request) -> Answer:
    """All schedules."""
    query(request)
    return Answer({"items": [views.schedule(one) for one in await api.control.timetable.all()], "next": None})


async def schedule(api: Api, request: web.Request) -> Answer:
    """One schedule."""
    return Answer(views.schedule(await api.control.timetable.get(request.match_info["schedule"])))


async def fires(api: Api, request: web.Request) -> Answer:
    """The ledger of a schedule."""
    given = query(request, "limit", "cursor")
    rows, cursor = await api.control.timetable.fires(request.match_info["schedule"], limit(given), given.get("cursor"))
    return Answer({"items": [views.fire(row) for row in rows], "next": cursor})


async def trigger_schedule(api: Api, request: web.Request) -> Answer:
    """Run a schedule's task now."""
    await body(request, EmptyBody)
    made = await api.control.trigger_schedule(request.match_info["schedule"], _BY)
    return await _job(api, made, 202, Location=f"/v1/jobs/{made.id}")


async def pause_schedule(api: Api, request: web.Request) -> Answer:
    """Fire no more until resumed."""
    note = (await body(request, NoteBody)).note
    return Answer(views.schedule(await api.control.timetable.pause(request.match_info["schedule"], note, _BY)))


async def resume_schedule(api: Api, request: web.Request) -> Answer:
    """Fire again."""
    await body(request, EmptyBody)
    return Answer(views.schedule(await api.control.timetable.resume(request.match_info["schedule"], _BY)))


async def backfill(api: Api, request: web.Request) -> Answer:
    """Make up for past fires."""
    wanted = await body(request, BackfillBody)
    first, last = parse_instant(wanted.from_), parse_instant(wanted.to)
    made = await api.control.timetable.backfill(request.match_info["schedule"], first, last, _BY)
    return Answer({"ids": [job.id for job in made]}, 202)


async def preview(api: Api, request: web.Request) -> Answer:
    """What a cron expression means."""
    given = query(request, "expression", "timezone", "after", "count", "dst_gap", "dst_fold")
    if "expression" not in given:
        raise InvalidError("expression: required")
    found = api.control.timetable.preview(
        given["expression"],
        given.get("timezone", "UTC"),
        when(given, "after"),
        limit({"limit": given.get("count", "10")}, "count"),
        gap=choice(given, "dst_gap", DstGap.SHIFT),
        fold=choice(given, "dst_fold", DstFold.FIRST),
    )
    return Answer(views.preview(found))


async def locks(api: Api, request: web.Request) -> Answer:
    """The locks that are held."""
    query(request)
    return Answer({"items": [views.lock(one) for one in await api.control.locks()], "next": None})


async def release_lock(api: Api, request: web.Request) -> Answer:
    """Take a lock from its holder."""
    given = query(request, "reason")
    held = await api.control.release_lock(request.match_info["name"], given.get("reason"), _BY)
    return Answer({"name": held.name, "job_id": held.job_id, "fence": held.fence, "released": True})


async def replay(api: Api, request: web.Request) -> Answer:
    """Read the last payloads of a source again."""
    await body(request, EmptyBody)
    name = request.match_info["source"]
    if name not in SOURCES:
        raise NotFoundError(f"no source {name}; known: {', '.join(SOURCES)}")
    state = (await api.sources.states()).get(name)
    if state is None or state.kept is None:
        raise ConflictError(f"nothing is kept of {name} yet: refresh it first")
    made, _ = await api.control.trigger("replay_source", {"source": name}, by=_BY)
    return await _job(api, made, 202, Location=f"/v1/jobs/{made.id}")


Handler = Callable[[Api, web.Request], Awaitable[Answer]]
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/healthz", healthz),
    ("GET", "/readyz", readyz),
    ("GET", "/v1/status", status),
    ("GET", "/v1/health", health),
    ("GET", "/v1/stats/series", series),
    ("POST", "/v1/refresh", refresh),
    ("GET", "/v1/tasks", tasks),
    ("POST", "/v1/tasks/{task}/trigger", trigger),
    ("POST", "/v1/jobs", make_jobs),
    ("GET", "/v1/jobs", jobs),
    ("GET", "/v1/jobs/{id}", job),
    ("POST", "/v1/jobs/{id}/cancel", cancel),
    ("POST", "/v1/jobs/{id}/retry", retry),
    ("GET", "/v1/jobs/{id}/stack", stack),
    ("GET", "/v1/queues", queues),
    ("PATCH", "/v1/queues/{queue}", resize_queue),
    ("POST", "/v1/queues/{queue}/pause", pause_queue),
    ("POST", "/v1/queues/{queue}/resume", resume_queue),
    ("GET", "/v1/schedules", schedules),
    ("GET", "/v1/schedules/{schedule}", schedule),
    ("GET", "/v1/schedules/{schedule}/fires", fires),
    ("POST", "/v1/schedules/{schedule}/trigger", trigger_schedule),
    ("POST", "/v1/schedules/{schedule}/pause", pause_schedule),
    ("POST", "/v1/schedules/{schedule}/resume", resume_schedule),
    ("POST", "/v1/schedules/{schedule}/backfill", backfill),
    ("GET", "/v1/cron/preview", preview),
    ("GET", "/v1/locks", locks),
    ("DELETE", "/v1/locks/{name}", release_lock),
    ("POST", "/v1/sources/{source}/replay", replay),
)
