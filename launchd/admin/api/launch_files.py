"""Launches as files: calendar, feed of changes, table and one JSON document, for the API and for feed addresses."""

import asyncio
import uuid
from collections.abc import Sequence

from launchd.admin.api import launch_views as views
from launchd.admin.http.view import View
from launchd.admin.route import Api, Document, Response
from launchd.clock import DAY, Instant
from launchd.launches import feeds
from launchd.launches.feed_parts import attribution
from launchd.launches.query import LaunchQuery
from launchd.launches.sources import SOURCES
from launchd.launches.store import Record

# Without a filter of time, a calendar shows the coming launches and those of the last days.
_CALENDAR_PAST = 30 * DAY
_ATTRIBUTIONS = {name: source.attribution for name, source in SOURCES.items()}
_NAMED = feeds.FeedSources({name: source.title for name, source in SOURCES.items()}, _ATTRIBUTIONS)


class LaunchFileView(View):
    """All launches that a filter selects, up to its limit; `total` counts those beyond it, too."""

    items: list[views.LaunchView]
    total: int
    attribution: list[str]


def credits_of(records: Sequence[Record]) -> list[str]:
    """The attributions of the sources of some launches."""
    return list(attribution((one.launch for one in records), _ATTRIBUTIONS))


async def calendar(api: Api, wanted: LaunchQuery, *, alarm: int | None, title: str = feeds.TITLE) -> Response:
    """The calendar of a query; `alarm` is the time of its reminders, in minutes before each launch."""
    now = api.control.now()
    until = await api.launches.same_until(wanted, now)
    if wanted.when is None and wanted.since is None and wanted.until is None:
        today = now // DAY * DAY  # by whole days, so that the calendar is the same all day
        wanted, until = wanted._replace(since=today - _CALENDAR_PAST), today + DAY
    records, total = await _selected(api, wanted, now)
    text = await asyncio.to_thread(feeds.calendar, records, _ATTRIBUTIONS, title=title, alarm=alarm, total=total)
    return Response(Document(text, "text/calendar"), until=until)


async def atom(api: Api, wanted: LaunchQuery, links: feeds.Links, *, part: str | None = None) -> Response:
    """The feed of the last changes of the launches of a query; `part` gives it an id of its own (RFC 4287 §4.2.6)."""
    now = api.control.now()
    changes = await api.launches.changed(wanted, now)
    instance = await api.launches.feed_id()
    instance = instance if part is None else str(uuid.uuid5(uuid.UUID(instance), part))
    feed = await asyncio.to_thread(feeds.atom, changes, instance, links, _NAMED, limit=wanted.limit)
    return Response(Document(feed, "application/atom+xml"), until=await api.launches.same_until(wanted, now))


async def table(api: Api, wanted: LaunchQuery) -> Response:
    """The table of the launches of a query."""
    now = api.control.now()
    page = await api.launches.list(wanted, now)
    text = await asyncio.to_thread(feeds.table, page.items, _ATTRIBUTIONS)
    headers = {"Content-Disposition": 'attachment; filename="launches.csv"'}
    return Response(Document(text, "text/csv"), headers=headers, until=await api.launches.same_until(wanted, now))


async def json(api: Api, wanted: LaunchQuery) -> Response:
    """The launches of a query as JSON."""
    now = api.control.now()
    records, total = await _selected(api, wanted, now)
    view = LaunchFileView(items=[views.launch(one) for one in records], total=total, attribution=credits_of(records))
    return Response(view, until=await api.launches.same_until(wanted, now))


async def _selected(api: Api, wanted: LaunchQuery, now: Instant) -> tuple[tuple[Record, ...], int]:
    """The launches of a query, and how many there are without its limit."""
    page = await api.launches.list(wanted, now)
    total = len(page.items) if page.next is None else await api.launches.count(wanted, now)
    return page.items, total
