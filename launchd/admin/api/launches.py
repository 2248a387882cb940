"""The endpoints of launch data: launches as JSON, calendar, feed and table, conflicts, overrides and sources.

Every GET here has an ETag of its content, so a request with If-None-Match gets 304 while nothing has changed.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from launchd.admin.api import launch_files
from launchd.admin.api import launch_views as views
from launchd.admin.request import moment_in_query
from launchd.admin.route import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Api,
    Body,
    Cursor,
    Limit,
    Moment,
    PageQuery,
    Query,
    Reason,
    Request,
    Response,
    Route,
    SourceName,
)
from launchd.clock import FOREVER
from launchd.errors import InvalidError, NotFoundError
from launchd.launches import feeds, override
from launchd.launches.calendar_feed import MAX_ALARM_MINUTES
from launchd.launches.launch import LaunchStatus
from launchd.launches.override import Override
from launchd.launches.query import MAX_TEXT, LaunchQuery
from launchd.launches.sources import SOURCES

# The moments of change that a feed lists.
FEED_MOMENTS = 50
Alarm = Annotated[int, Meta(ge=0, le=MAX_ALARM_MINUTES, description="remind so many minutes before each launch")]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]


class OverrideBody(Body):
    """`POST /v1/launches/{id}/override`: the fields as `GET /v1/launches/{id}` names them; null means unknown."""

    fields: Annotated[
        dict[str, Any], Meta(extra_json_schema={"propertyNames": {"enum": [*override.FIELDS, "net_precision"]}})
    ]
    reason: Reason | None = None


class FilterQuery(Query, kw_only=True):
    """A filter of launches. A file has no pages."""

    when: Literal["upcoming", "past"] | None = None
    provider: Text | None = None
    vehicle: Text | None = None
    place: Text | None = None
    country: Text | None = None
    status: LaunchStatus | None = None
    source: SourceName | None = None
    q: Text | None = None
    since: Moment | None = None
    until: Moment | None = None
    crewed: bool | None = None
    webcast: bool | None = None
    limit: Limit | None = None


class LaunchesQuery(FilterQuery, kw_only=True):
    """`GET /v1/launches`."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None
    slips: Annotated[bool, Meta(description="include how often each launch has slipped")] = False


class CalendarQuery(FilterQuery, kw_only=True):
    """`GET /v1/launches.ics`."""

    alarm: Alarm | None = None


class NextQuery(Query, kw_only=True):
    """`GET /v1/launches/next`."""

    provider: Text | None = None
    vehicle: Text | None = None
    place: Text | None = None


class ConflictsQuery(PageQuery, kw_only=True):
    """`GET /v1/conflicts`."""

    kind: str | None = None
    source: SourceName | None = None


class TakeBackQuery(Query):
    """`DELETE /v1/launches/{id}/override`: one field, or all."""

    field: Annotated[str, Meta(extra_json_schema={"enum": list(override.FIELDS)})] | None = None
    reason: Reason | None = None


def launch_query(given: FilterQuery, most: int | None) -> LaunchQuery:
    """The query of a filter; `most` is the limit if the filter has none."""
    _check_source(given.source)
    return LaunchQuery(
        given.when,
        given.provider,
        given.status,
        given.source,
        given.q,
        moment_in_query("since", given.since),
        moment_in_query("until", given.until),
        given.limit or most,
        given.cursor if isinstance(given, LaunchesQuery) else None,
        vehicle=given.vehicle,
        place=given.place,
        country=given.country,
        crewed=given.crewed,
        webcast=given.webcast,
    )


async def launches(api: Api, request: Request[LaunchesQuery, Body]) -> Response:
    """Reconciled launches."""
    wanted, now = launch_query(request.query, None), api.control.now()
    page = await api.launches.list(wanted, now)
    slips = await api.launches.slips_of(page.items) if request.query.slips else (None,) * len(page.items)
    items = [views.launch(one, slipped) for one, slipped in zip(page.items, slips, strict=True)]
    credit = launch_files.credits_of(page.items) or msgspec.UNSET
    view = views.LaunchPageView(items=items, next=page.next, attribution=credit)
    return Response(view, until=await api.launches.same_until(wanted, now))


async def calendar(api: Api, request: Request[CalendarQuery, Body]) -> Response:
    """Launches as a calendar, for subscriptions."""
    return await launch_files.calendar(api, launch_query(request.query, MAX_LIMIT), alarm=request.query.alarm)


async def atom(api: Api, request: Request[FilterQuery, Body]) -> Response:
    """Changes of launches, as an Atom feed."""
    links = feeds.Links(api.access.base_url, request.http.path_qs)
    return await launch_files.atom(api, launch_query(request.query, FEED_MOMENTS), links)


async def table(api: Api, request: Request[FilterQuery, Body]) -> Response:
    """All launches that the filter selects, as CSV."""
    return await launch_files.table(api, launch_query(request.query, None))


async def next_launch(api: Api, request: Request[NextQuery, Body]) -> Response:
    """The next launch whose day is known."""
    given, now = request.query, api.control.now()
    wanted = LaunchQuery(provider=given.provider, vehicle=given.vehicle, place=given.place)
    found = await api.launches.next_launch(wanted, now)
    if found is None:
        raise NotFoundError("no launch to come has a known day: ask with fewer filters, or see GET /v1/launches")
    return Response(views.next_launch(found, now))


async def launch(api: Api, request: Request[Query, Body]) -> Response:
    """One launch with all its details."""
    return Response(views.launch_detail(await api.launches.get(request.path["id"])), until=FOREVER)


async def set_override(api: Api, request: Request[Query, OverrideBody]) -> Response:
    """Override fields of a launch; scrapes do not change them."""
    now, reason = api.control.now(), request.body.reason
    wanted = override.values(request.body.fields)
    given = [Override(name, value, request.by, reason, now) for name, value in wanted.items()]
    detail = await api.launches.override(request.path["id"], given, now)
    changes = "; ".join(f"{one.field} = {one.encoded().decode()}" for one in given)
    await api.control.audit(request.by, "override", detail.record.launch.id, f"{changes}: {reason or ''}")
    return Response(views.launch_detail(detail))


async def take_back_override(api: Api, request: Request[TakeBackQuery, Body]) -> Response:
    """Remove overrides of a launch, for one field or for all."""
    field, reason = request.query.field, request.query.reason
    if field is not None and field not in override.FIELDS:
        raise InvalidError.at("field", f"no such field; known: {', '.join(override.FIELDS)}")
    wanted = [field] if field is not None else []
    detail, gone = await api.launches.take_back(request.path["id"], wanted, api.control.now())
    said = f"{', '.join(gone)}: {reason or ''}"
    await api.control.audit(request.by, "take_back_override", detail.record.launch.id, said)
    return Response(views.launch_detail(detail))


async def conflicts(api: Api, request: Request[ConflictsQuery, Body]) -> Response:
    """The open conflicts, newest first."""
    given = request.query
    _check_source(given.source)
    found, cursor = await api.launches.conflicts(
        kind=given.kind, source=given.source, limit=given.limit, after=given.cursor
    )
    return Response(views.ConflictPageView(items=[views.conflict(one) for one in found], next=cursor), until=FOREVER)


def _check_source(name: str | None) -> None:
    if name is not None and name not in SOURCES:
        raise InvalidError.at("source", f"no such source {name}; known: {', '.join(SOURCES)}")


_OVERRIDE = "/v1/launches/{id}/override"
_DETAIL = views.LaunchDetailView
LAUNCH_ROUTES = (
    Route("GET", "/v1/launches", launches, views.LaunchPageView, query=LaunchesQuery, revalidates=True),
    Route("GET", "/v1/launches.ics", calendar, "text/calendar", query=CalendarQuery, revalidates=True),
    Route("GET", "/v1/launches.atom", atom, "application/atom+xml", query=FilterQuery, revalidates=True),
    Route("GET", "/v1/launches.csv", table, "text/csv", query=FilterQuery, revalidates=True),
    Route("GET", "/v1/launches/next", next_launch, views.NextLaunchView, query=NextQuery, errors=(404,)),
    Route("GET", "/v1/launches/{id}", launch, _DETAIL, revalidates=True),
    Route("POST", _OVERRIDE, set_override, _DETAIL, body=OverrideBody),
    Route("DELETE", _OVERRIDE, take_back_override, _DETAIL, query=TakeBackQuery),
    Route("GET", "/v1/conflicts", conflicts, views.ConflictPageView, query=ConflictsQuery, revalidates=True),
)
