"""The endpoints of schedules: list, preview, pause, trigger, backfill."""

from typing import Annotated

import msgspec
from msgspec import Meta

from launchd.admin.api import job_views
from launchd.admin.api import schedule_views as views
from launchd.admin.api.jobs import fresh, made
from launchd.admin.api.pages import page_of
from launchd.admin.api.queues import NoteBody
from launchd.admin.request import moment, moment_in_query
from launchd.admin.route import MAX_LIMIT, ONCE, Api, Body, Moment, PageQuery, Query, Request, Response, Route
from launchd.schedules.cron import DayMatch, DstFold, DstGap


class BackfillBody(Body):
    """`POST /v1/schedules/{schedule}/backfill`: both ends are included."""

    to: Moment
    from_: Moment = msgspec.field(name="from")


class PreviewQuery(Query, kw_only=True):
    """`GET /v1/cron/preview`."""

    expression: Annotated[str, Meta(max_length=1000)]
    timezone: Annotated[str, Meta(max_length=100)] = "UTC"
    after: Moment | None = None
    count: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = 10
    dst_gap: DstGap = DstGap.SHIFT
    dst_fold: DstFold = DstFold.FIRST
    day_match: DayMatch = DayMatch.OR


async def schedules(api: Api, request: Request[PageQuery, Body]) -> Response:
    """The schedules."""
    timetable = api.control.timetable
    names, cursor = page_of([(name, name) for name in timetable.names()], request.query.limit, request.query.cursor)
    found = await timetable.of(names)
    return Response(views.SchedulePageView(items=[views.schedule(one) for one in found], next=cursor))


async def schedule(api: Api, request: Request[Query, Body]) -> Response:
    """One schedule, with its next fires."""
    return Response(views.schedule(await api.control.timetable.get(request.path["schedule"])))


async def fires(api: Api, request: Request[PageQuery, Body]) -> Response:
    """The ledger of a schedule, newest first."""
    rows, cursor = await api.control.timetable.fires(
        request.path["schedule"], request.query.limit, request.query.cursor
    )
    return Response(views.FirePageView(items=[views.fire(row) for row in rows], next=cursor))


async def trigger_schedule(api: Api, request: Request[Query, Body]) -> Response:
    """Run the task of a schedule now, with its arguments; its fires stay as they are."""
    key = request.idempotency
    return made(api, await api.control.trigger_schedule(request.path["schedule"], request.by, key), fresh(key))


async def pause_schedule(api: Api, request: Request[Query, NoteBody]) -> Response:
    """Pause a schedule."""
    return Response(
        views.schedule(await api.control.timetable.pause(request.path["schedule"], request.body.note, request.by))
    )


async def resume_schedule(api: Api, request: Request[Query, Body]) -> Response:
    """Resume a schedule, from now on."""
    return Response(views.schedule(await api.control.timetable.resume(request.path["schedule"], request.by)))


async def backfill(api: Api, request: Request[Query, BackfillBody]) -> Response:
    """Create the jobs of past fires that have none."""
    first, last = moment("from", request.body.from_), moment("to", request.body.to)
    key = request.idempotency
    jobs = await api.control.timetable.backfill(request.path["schedule"], first, last, request.by, key)
    ids = key.ids if key is not None and key.replayed else [job.id for job in jobs]
    return Response(job_views.IdsView(ids=ids), fresh(key))


async def preview(api: Api, request: Request[PreviewQuery, Body]) -> Response:
    """The meaning of a cron expression, and its next occurrences."""
    given = request.query
    found = api.control.timetable.preview(
        given.expression,
        given.timezone,
        moment_in_query("after", given.after),
        given.count,
        gap=given.dst_gap,
        fold=given.dst_fold,
        day_match=given.day_match,
    )
    return Response(views.preview(found))


SCHEDULE_ROUTES = (
    Route("GET", "/v1/schedules", schedules, views.SchedulePageView, query=PageQuery),
    Route("GET", "/v1/schedules/{schedule}", schedule, views.ScheduleView),
    Route("GET", "/v1/schedules/{schedule}/fires", fires, views.FirePageView, query=PageQuery),
    Route(
        "POST",
        "/v1/schedules/{schedule}/trigger",
        trigger_schedule,
        job_views.JobView,
        status=202,
        also=(200,),
        headers=ONCE,
    ),
    Route("POST", "/v1/schedules/{schedule}/pause", pause_schedule, views.ScheduleView, body=NoteBody),
    Route("POST", "/v1/schedules/{schedule}/resume", resume_schedule, views.ScheduleView),
    Route(
        "POST",
        "/v1/schedules/{schedule}/backfill",
        backfill,
        job_views.IdsView,
        body=BackfillBody,
        status=202,
        also=(200,),
        headers=ONCE,
    ),
    Route("GET", "/v1/cron/preview", preview, views.PreviewView, query=PreviewQuery),
)
