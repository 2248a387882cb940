"""The endpoints of queues and locks: what holds jobs back, and how to change that."""

from typing import Annotated

from msgspec import Meta

from launchd.admin.api import views
from launchd.admin.http.access import Role
from launchd.admin.route import Answer, Api, Ask, Body, PageQuery, Query, Reason, Route
from launchd.engine.control import MAX_CONCURRENCY, NO_RATE


class NoteBody(Body):
    """`POST .../pause`."""

    note: Reason | None = None


class ResizeBody(Body):
    """`PATCH /v1/queues/{queue}`: null leaves it as it is."""

    concurrency: Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)] | None = None
    rate: Annotated[str, Meta(description=f'such as "30/m"; "{NO_RATE}" for no limit')] | None = None


class ReasonQuery(Query):
    """Why something is taken back."""

    reason: Reason | None = None


async def queues(api: Api, ask: Ask[PageQuery, Body]) -> Answer:
    """Where jobs wait."""
    named = [(one.name, one) for one in await api.control.queues()]
    found, cursor = views.page_of(named, ask.query.limit, ask.query.cursor)
    return Answer(views.QueuePageView(items=[views.queue(one) for one in found], next=cursor))


async def pause_queue(api: Api, ask: Ask[Query, NoteBody]) -> Answer:
    """Start no more jobs of a queue."""
    return Answer(views.queue(await api.control.pause_queue(ask.path["queue"], ask.body.note, ask.by)))


async def resume_queue(api: Api, ask: Ask[Query, Body]) -> Answer:
    """Start jobs of a queue again."""
    return Answer(views.queue(await api.control.resume_queue(ask.path["queue"], ask.by)))


async def resize_queue(api: Api, ask: Ask[Query, ResizeBody]) -> Answer:
    """Change slots or rate of a queue, until the next start."""
    wanted = ask.body
    resized = await api.control.resize_queue(ask.path["queue"], wanted.concurrency, wanted.rate, ask.by)
    return Answer(views.queue(resized))


async def locks(api: Api, ask: Ask[PageQuery, Body]) -> Answer:
    """The locks that are held."""
    named = [(one.lock.name, one) for one in await api.control.locks()]
    found, cursor = views.page_of(named, ask.query.limit, ask.query.cursor)
    return Answer(views.LockPageView(items=[views.lock(one) for one in found], next=cursor))


async def release_lock(api: Api, ask: Ask[ReasonQuery, Body]) -> Answer:
    """Take a lock from its holder, who is stopped and runs again."""
    held = await api.control.release_lock(ask.path["name"], ask.query.reason, ask.by)
    return Answer(views.ReleasedView(name=held.name, job_id=held.job_id, fence=held.fence, released=True))


QUEUE_ROUTES = (
    Route("GET", "/v1/queues", queues, views.QueuePageView, query=PageQuery),
    Route("PATCH", "/v1/queues/{queue}", resize_queue, views.QueueView, body=ResizeBody),
    Route("POST", "/v1/queues/{queue}/pause", pause_queue, views.QueueView, body=NoteBody),
    Route("POST", "/v1/queues/{queue}/resume", resume_queue, views.QueueView),
    Route("GET", "/v1/locks", locks, views.LockPageView, query=PageQuery),
    Route("DELETE", "/v1/locks/{name}", release_lock, views.ReleasedView, needs=Role.ADMIN, query=ReasonQuery),
)
