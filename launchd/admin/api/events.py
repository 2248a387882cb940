"""GET /v1/events: server-sent events, live (HTML Standard §9.2).

A client that reconnects with Last-Event-ID resumes after that event; events that are lost are reported by an event
`gap`. Nothing is buffered for a slow client: one that does not read, or falls behind the ring of events, is
disconnected, reconnects by itself, and receives a `gap`.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from launchd.admin.api.mapper import Time, mapper
from launchd.admin.http.view import View, encode_line
from launchd.admin.route import EVENT_STREAM, Api, Body, Query, Request, Response, Route
from launchd.engine.events.feed import FeedReader, LostPlaceError
from launchd.errors import InvalidError
from launchd.event import NOUNS, TYPES, Event, Happening

# A client that reads nothing for so many seconds is disconnected. Real time: it is about the connection.
WRITE_SECONDS = 20.0
# The delay before a browser reconnects, in milliseconds.
_RETRY = 2000
_HEADERS = {"Content-Type": EVENT_STREAM, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventsQuery(Query):
    """A filter of events: types such as `job.ended`, or nouns such as `job`, separated by commas."""

    types: Annotated[str, Meta(max_length=1000)] | None = None
    job: Annotated[str, Meta(max_length=64)] | None = None


class EventView(View):
    """The data of one event."""

    type: str
    at: Time
    job_id: str | None
    data: dict[str, Any]


class GapView(View):
    """The data of an event `gap`: the number of lost events, null if it is not known."""

    missed: int | None


_event = mapper(EventView, Event)


class _Filter:
    """The events that a client has asked for."""

    def __init__(self, query: EventsQuery) -> None:
        self._job = query.job
        names = [name.strip() for name in query.types.split(",")] if query.types else []
        for name in names:
            if name not in TYPES and name not in NOUNS:
                raise InvalidError.at("types", f"no such type {name[:100]}; known: {', '.join((*NOUNS, *TYPES))}")
        self._types = frozenset(one for one in TYPES if one in names or one.partition(".")[0] in names) or None

    def matches(self, one: Happening) -> bool:
        """True if the filter selects the event."""
        if self._types is not None and one.type not in self._types:
            return False
        return self._job is None or one.job_id == self._job


async def events(api: Api, request: Request[EventsQuery, Body]) -> Response:
    """Events, live; resumed by Last-Event-ID."""
    wanted = _Filter(request.query)
    response = web.StreamResponse(headers=_HEADERS)
    with api.feed.follow(request.http.headers.get("Last-Event-ID")) as reader:
        await response.prepare(request.http)
        try:
            await _stream(response, reader, wanted)
        except TimeoutError:  # the client does not read: drop what the kernel still holds for it
            if request.http.transport is not None:
                request.http.transport.abort()
    return Response(response)


async def _stream(response: web.StreamResponse, reader: FeedReader, wanted: _Filter) -> None:
    """Send until the client disconnects, the feed ends, or the reader falls behind."""
    with suppress(ConnectionError, LostPlaceError):
        await _send(response, _greeting(reader))
        while (found := await reader.read()) is not None:
            await _send(response, _rendered(found, wanted, reader))


async def _send(response: web.StreamResponse, chunk: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(chunk)


def _greeting(reader: FeedReader) -> bytes:
    """The start of the stream: the reconnection delay, the id of the last event, and a gap if events were lost."""
    text = f"retry: {_RETRY}\nid: {reader.last_id}\n\n"
    if reader.gap is not None:
        text += f"event: gap\ndata: {encode_line(GapView(missed=reader.gap.missed)).decode()}\n\n"
    return text.encode()


def _rendered(found: Sequence[tuple[str, Happening]], wanted: _Filter, reader: FeedReader) -> bytes:
    """The selected events; if there are none, a comment that keeps the connection, or the id of the last event."""
    if not found:
        return b": heartbeat\n\n"
    chunks = [_block(number, one.event()) for number, one in found if wanted.matches(one)]
    return b"".join(chunks) if chunks else f"id: {reader.last_id}\n\n".encode()


def _block(number: str, one: Event) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (number.encode(), one.type.encode(), encode_line(_event(one)))


EVENT_ROUTES = (Route("GET", "/v1/events", events, EVENT_STREAM, query=EventsQuery, headers=("Last-Event-ID",)),)
