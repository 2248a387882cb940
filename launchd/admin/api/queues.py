"""The endpoints of queues and locks."""

from typing import Annotated

from msgspec import Meta

from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.api.pages import page_of
from launchd.admin.http.access import Role
from launchd.admin.http.view import RowView, View, total
from launchd.admin.route import Api, Body, PageQuery, Query, Reason, Request, Response, Route
from launchd.engine.control import MAX_CONCURRENCY, NO_RATE
from launchd.engine.snapshots import LockSnapshot, QueueSnapshot
from launchd.lock import Lock

Engine = Annotated[str, Meta(extra_json_schema={"enum": ["local"]}, description="the engine that runs its jobs")]


class QueueView(RowView):
    """A queue; `oldest_wait` is 0 when no job waits.

    `slots` is how many jobs may run at once now: `concurrency`, and one for each job that gave its slot away.
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
    """A lock that was released by an operator."""

    name: str
    job_id: str | None
    fence: int
    released: bool


class NoteBody(Body):
    """`POST .../pause`."""

    note: Reason | None = None


class ResizeBody(Body):
    """`PATCH /v1/queues/{queue}`: null changes nothing."""

    concurrency: Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)] | None = None
    rate: Annotated[str, Meta(description=f'such as "30/m"; "{NO_RATE}" for no limit')] | None = None


class ReasonQuery(Query):
    """The reason of a change."""

    reason: Reason | None = None


_queue = mapper(QueueView, QueueSnapshot)
_lock = mapper(LockView, Lock, "waiters")


@total(QueueView, lambda one: {"name": one.name})
def queue(one: QueueSnapshot) -> QueueView:
    """A queue now."""
    return _queue(one)


@total(LockView, lambda one: {"name": one.lock.name})
def lock(one: LockSnapshot) -> LockView:
    """A lock that is held; its token stays secret."""
    return _lock(one.lock, waiters=one.waiters)


async def queues(api: Api, request: Request[PageQuery, Body]) -> Response:
    """The queues."""
    named = [(one.name, one) for one in await api.control.queues()]
    found, cursor = page_of(named, request.query.limit, request.query.cursor)
    return Response(QueuePageView(items=[queue(one) for one in found], next=cursor))


async def pause_queue(api: Api, request: Request[Query, NoteBody]) -> Response:
    """Pause a queue: no more of its jobs start."""
    return Response(queue(await api.control.pause_queue(request.path["queue"], request.body.note, request.by)))


async def resume_queue(api: Api, request: Request[Query, Body]) -> Response:
    """Resume a queue."""
    return Response(queue(await api.control.resume_queue(request.path["queue"], request.by)))


async def resize_queue(api: Api, request: Request[Query, ResizeBody]) -> Response:
    """Change the concurrency or the rate of a queue, until the daemon restarts."""
    wanted = request.body
    resized = await api.control.resize_queue(request.path["queue"], wanted.concurrency, wanted.rate, request.by)
    return Response(queue(resized))


async def locks(api: Api, request: Request[PageQuery, Body]) -> Response:
    """The locks that are held."""
    named = [(one.lock.name, one) for one in await api.control.locks()]
    found, cursor = page_of(named, request.query.limit, request.query.cursor)
    return Response(LockPageView(items=[lock(one) for one in found], next=cursor))


async def release_lock(api: Api, request: Request[ReasonQuery, Body]) -> Response:
    """Release a lock; the job that holds it is stopped and retried."""
    held = await api.control.release_lock(request.path["name"], request.query.reason, request.by)
    return Response(ReleasedView(name=held.name, job_id=held.job_id, fence=held.fence, released=True))


QUEUE_ROUTES = (
    Route("GET", "/v1/queues", queues, QueuePageView, query=PageQuery),
    Route("PATCH", "/v1/queues/{queue}", resize_queue, QueueView, body=ResizeBody),
    Route("POST", "/v1/queues/{queue}/pause", pause_queue, QueueView, body=NoteBody),
    Route("POST", "/v1/queues/{queue}/resume", resume_queue, QueueView),
    Route("GET", "/v1/locks", locks, LockPageView, query=PageQuery),
    Route("DELETE", "/v1/locks/{name}", release_lock, ReleasedView, needs=Role.ADMIN, query=ReasonQuery),
)
