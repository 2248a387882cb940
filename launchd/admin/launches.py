"""The endpoints of launch data: launches as JSON, calendar, feed and table, conflicts, overrides and sources.

Every GET here has an ETag of its content, so a client that asks again with If-None-Match gets 304.
"""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from launchd.admin import launch_views as views
from launchd.admin.handlers import (
    _BY,
    MAX_LIMIT,
    Answer,
    Api,
    Document,
    EmptyBody,
    Handler,
    body,
    limit,
    query,
    when,
)
from launchd.clock import DAY
from launchd.errors import InvalidError
from launchd.launches import feeds, override
from launchd.launches.override import Override
from launchd.launches.query import LaunchQuery
from launchd.launches.sources import SOURCES

_TEXTS = ("when", "provider", "status", "source", "q", "cursor")
_FILTERS = (*_TEXTS, "since", "until", "limit")
# A calendar that says nothing of time shows what is to come and what has just been.
_CALENDAR_PAST = 30 * DAY
_MAX_REASON = 500


class OverrideBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/launches/{id}/override`: the fields as `GET /v1/launches/{id}` names them, null for not known."""

    fields: dict[str, Any]
    reason: str | None = None


def _wanted(request: web.Request, *, without: tuple[str, ...] = (), most: int | None = None) -> LaunchQuery:
    """The filters of a request; a file has no pages, so it has no `cursor`, and its limit is `most` unless given."""
    given = query(request, *(name for name in _FILTERS if name not in without))
    texts = {name: given.get(name) for name in _TEXTS}
    if texts["source"] is not None and texts["source"] not in SOURCES:
        raise InvalidError(f"source: no such source {texts['source']}; known: {', '.join(SOURCES)}")
    count = most if "cursor" in without and "limit" not in given else limit(given)
    return LaunchQuery(**texts, since=when(given, "since"), until=when(given, "until"), limit=count)


async def launches(api: Api, request: web.Request) -> Answer:
    """Reconciled launches."""
    page = await api.launches.list(_wanted(request), api.control.now())
    return Answer({"items": [views.launch(one) for one in page.items], "next": page.next})


async def calendar(api: Api, request: web.Request) -> Answer:
    """Launches as a calendar to subscribe to."""
    wanted, now = _wanted(request, without=("cursor",), most=MAX_LIMIT), api.control.now()
    if wanted.when is None and wanted.since is None and wanted.until is None:
        today = now // DAY * DAY  # by whole days, so that the calendar stays the same for as long
        wanted = wanted._replace(since=today - _CALENDAR_PAST)
    page = await api.launches.list(wanted, now)
    attributions = {name: source.attribution for name, source in SOURCES.items()}
    text = await asyncio.to_thread(feeds.calendar, page.items, attributions)
    return Answer(Document(text, "text/calendar"))


async def atom(api: Api, request: web.Request) -> Answer:
    """What changed, as a feed."""
    wanted = _wanted(request, without=("cursor",), most=50)
    changes = await api.launches.changed(wanted, api.control.now())
    feed = await asyncio.to_thread(feeds.atom, changes, await api.launches.feed_id())
    return Answer(Document(feed, "application/atom+xml"))


async def table(api: Api, request: web.Request) -> Answer:
    """All launches that the filters select, as a table."""
    page = await api.launches.list(_wanted(request, without=("cursor",)), api.control.now())
    text = await asyncio.to_thread(feeds.table, page.items)
    return Answer(Document(text, "text/csv"), headers={"Content-Disposition": 'attachment; filename="launches.csv"'})


async def launch(api: Api, request: web.Request) -> Answer:
    """One launch with all that is known of it."""
    query(request)
    return Answer(views.launch_detail(await api.launches.get(request.match_info["id"])))


async def set_override(api: Api, request: web.Request) -> Answer:
    """Set fields of a launch by hand; scrapes leave them alone."""
    query(request)
    wanted = await body(request, OverrideBody)
    reason = _reason(wanted.reason)
    now = api.control.now()
    given = [Override(name, value, _BY, reason, now) for name, value in override.values(wanted.fields).items()]
    detail = await api.launches.override(request.match_info["id"], given, now)
    said = "; ".join(f"{one.field} = {one.encoded().decode()}" for one in given)
    await api.control.audit(_BY, "override", detail.record.launch.id, f"{said}: {reason or ''}")
    return Answer(views.launch_detail(detail))


async def take_back_override(api: Api, request: web.Request) -> Answer:
    """Let the sources speak again, for one field or for all."""
    given = query(request, "field", "reason")
    await body(request, EmptyBody)
    field, reason = given.get("field"), _reason(given.get("reason"))
    if field is not None and field not in override.FIELDS:
        raise InvalidError(f"field: no such field; known: {', '.join(override.FIELDS)}")
    wanted = [field] if field is not None else []
    detail, gone = await api.launches.take_back(request.match_info["id"], wanted, api.control.now())
    said = f"{', '.join(gone)}: {reason or ''}"
    await api.control.audit(_BY, "take_back_override", detail.record.launch.id, said)
    return Answer(views.launch_detail(detail))


async def conflicts(api: Api, request: web.Request) -> Answer:
    """The disagreements that are open, the newest first."""
    given = query(request, "kind", "source", "limit", "cursor")
    source = given.get("source")
    if source is not None and source not in SOURCES:
        raise InvalidError(f"source: no such source {source}; known: {', '.join(SOURCES)}")
    found, cursor = await api.launches.conflicts(
        kind=given.get("kind"), source=source, limit=limit(given), after=given.get("cursor")
    )
    return Answer({"items": [views.conflict(one) for one in found], "next": cursor})


async def sources(api: Api, request: web.Request) -> Answer:
    """The sources and how they fare."""
    query(request)
    states, now = await api.sources.states(), api.control.now()
    return Answer({"items": [views.source(name, states.get(name), now) for name in SOURCES], "next": None})


def _reason(text: str | None) -> str | None:
    if text is not None and len(text) > _MAX_REASON:
        raise InvalidError(f"reason: expected at most {_MAX_REASON} characters")
    return text


LAUNCH_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/launches", launches),
    ("GET", "/v1/launches.ics", calendar),
    ("GET", "/v1/launches.atom", atom),
    ("GET", "/v1/launches.csv", table),
    ("GET", "/v1/launches/{id}", launch),
    ("POST", "/v1/launches/{id}/override", set_override),
    ("DELETE", "/v1/launches/{id}/override", take_back_override),
    ("GET", "/v1/conflicts", conflicts),
    ("GET", "/v1/sources", sources),
)
