"""GET /v1/events: what happens, as it happens, as server-sent events (HTML Standard §9.2).

A client that comes back with Last-Event-ID goes on where it was; what it missed for good is told as an event `gap`.
Nothing is buffered for a slow reader: one that does not take what is sent, or falls out of the ring, is cut off, comes
back by itself, and is told of its gap.
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
from launchd.engine.events.feed import LostPlaceError, Reader
from launchd.errors import InvalidError
from launchd.event import NOUNS, TYPES, Event, Happening

# A reader that takes nothing for so long is cut off. Real time: it is about the connection.
WRITE_SECONDS = 20.0
# What a browser waits before it comes back, in milliseconds.
_RETRY = 2000
_HEADERS = {"Content-Type": EVENT_STREAM, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventsQuery(Query):
    """Which events are wanted: types such as `job.ended`, or nouns such as `job`, with commas between."""

    types: Annotated[str, Meta(max_length=1000)] | None = None
    job: Annotated[str, Meta(max_length=64)] | None = None


class EventView(View):
    """The data of one event."""

    type: str
    at: Time
    job_id: str | None
    data: dict[str, Any]


class GapView(View):
    """The data of an event `gap`: how many were missed for good, null where nobody can know."""

    missed: int | None


_event = mapper(EventView, Event)


class _Filter:
    """Which events a client wants to see."""

    def __init__(self, query: EventsQuery) -> None:
        self._job = query.job
        names = [name.strip() for name in query.types.split(",")] if query.types else []
        for name in names:
            if name not in TYPES and name not in NOUNS:
                raise InvalidError.at("types", f"no such type {name[:100]}; known: {', '.join((*NOUNS, *TYPES))}")
        self._types = frozenset(one for one in TYPES if one in names or one.partition(".")[0] in names) or None

    def matches(self, one: Happening) -> bool:
        """Whether an event is among them."""
        if self._types is not None and one.type not in self._types:
            return False
        return self._job is None or one.job_id == self._job


async def events(api: Api, request: Request[EventsQuery, Body]) -> Response:
    """What happens, as it happens; resumed by Last-Event-ID."""
    wanted = _Filter(request.query)
    response = web.StreamResponse(headers=_HEADERS)
    with api.feed.follow(request.http.headers.get("Last-Event-ID")) as reader:
        await response.prepare(request.http)
        try:
            await _stream(response, reader, wanted)
        except TimeoutError:  # it takes nothing: what the kernel still holds for it is not worth the wait
            if request.http.transport is not None:
                request.http.transport.abort()
    return Response(response)


async def _stream(response: web.StreamResponse, reader: Reader, wanted: _Filter) -> None:
    """Send until the client goes, the feed ends, or the reader has lost its place."""
    with suppress(ConnectionError, LostPlaceError):
        await _send(response, _greeting(reader))
        while (found := await reader.read()) is not None:
            await _send(response, _rendered(found, wanted, reader))


async def _send(response: web.StreamResponse, chunk: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(chunk)


def _greeting(reader: Reader) -> bytes:
    """When to come back, where the client is, and what it has missed."""
    text = f"retry: {_RETRY}\nid: {reader.last_id}\n\n"
    if reader.gap is not None:
        text += f"event: gap\ndata: {encode_line(GapView(missed=reader.gap.missed)).decode()}\n\n"
    return text.encode()


def _rendered(found: Sequence[tuple[str, Happening]], wanted: _Filter, reader: Reader) -> bytes:
    """The events that are wanted; else a comment that keeps the connection, or where the client is by now."""
    if not found:
        return b": heartbeat\n\n"
    chunks = [_block(number, one.event()) for number, one in found if wanted.matches(one)]
    return b"".join(chunks) if chunks else f"id: {reader.last_id}\n\n".encode()


def _block(number: str, one: Event) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (number.encode(), one.type.encode(), encode_line(_event(one)))


EVENT_ROUTES = (Route("GET", "/v1/events", events, EVENT_STREAM, query=EventsQuery, headers=("Last-Event-ID",)),)
