"""The endpoints of feed addresses: for operators to add, list and revoke them, and for everybody who has one to read.

A reader is nobody to the rest of the API: the address opens these four files and no other right (callers.py).
"""

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from launchd.admin.api import launch_files
from launchd.admin.api.launches import FEED_MOMENTS, Alarm, FilterQuery, launch_query
from launchd.admin.api.mapper import Time, mapper
from launchd.admin.feed_addresses import NewFeed
from launchd.admin.http.access import Role
from launchd.admin.http.view import JsonObject, RowView, View, json_text, lost, member, total
from launchd.admin.route import MAX_LIMIT, Api, Body, Query, Request, Response, Route
from launchd.errors import ConflictError, InvalidError, NotFoundError, Problem
from launchd.launches import feeds
from launchd.launches.query import LaunchQuery, selection
from launchd.store.feed_addresses import FeedAddress
from launchd.values.rows import decoded

Format = Literal["ics", "atom", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
FeedName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="a name of letters, digits and . _ -")
]
_PATH = "/feeds/{token}/launches.{kind}"


class FeedBody(Body, kw_only=True):
    """`POST /v1/feeds`: a name, the filters of `GET /v1/launches`, and the formats that may be read."""

    name: FeedName
    filters: FilterQuery = msgspec.field(default_factory=FilterQuery)
    formats: Annotated[list[Format], Meta(min_length=1)] = msgspec.field(default_factory=lambda: list(FORMATS))
    alarm: Alarm | None = None


class FeedView(RowView):
    """An address of a feed, without its secret. `alarm` is in minutes."""

    name: str
    filters: JsonObject
    formats: list[str]
    alarm: int | None
    created_by: str
    created_at: Time
    requests: int
    last_used_at: Time | None


class AddedFeedView(FeedView):
    """A new address. `url` is its first format, `urls` has each; they are secret and never shown again."""

    url: str
    urls: dict[str, str]


class FeedPageView(View):
    """All addresses of feeds."""

    items: list[FeedView]
    next: str | None


class FeedCalendarQuery(Query):
    """`GET /feeds/{token}/launches.ics`."""

    alarm: Alarm | None = None


_feed_view = mapper(FeedView, FeedAddress, "filters", "formats", "unreadable")


@total(FeedView, lambda one: {"name": one.name})
def feed_view(one: FeedAddress) -> FeedView:
    """An address as the API shows it."""
    missing = [name for name in one.unreadable if name in FeedView.__struct_fields__]
    filters = json_text(one.filters, "filters", missing, is_object=True)
    formats = member(one.formats, list[str], "formats", missing) or []
    return _feed_view(one, filters=filters, formats=formats, unreadable=lost(missing))


async def list_feeds(api: Api, _request: Request[Query, Body]) -> Response:
    """The addresses of feeds, with how often each was read."""
    return Response(FeedPageView(items=[feed_view(one) for one in await api.feeds.list()], next=None))


async def add_feed(api: Api, request: Request[Query, FeedBody]) -> Response:
    """Add an address that a calendar or a bot reads without signing in. The response alone has its URL."""
    body, base = request.body, api.access.base_url
    if not base:
        reason = f" ({api.access.tcp_error})" if api.access.tcp_error else ""
        raise ConflictError(
            f"feeds are read over TCP, which is off{reason}: enable launchd-tcp.socket, or set [admin] tcp, and restart"
        )
    filters, formats = _checked(body.filters, api.control.now()), list(dict.fromkeys(body.formats))
    address, token = await api.feeds.add(NewFeed(body.name, filters, formats, body.alarm, request.by))
    said = ", ".join(f"{name} = {value}" for name, value in filters.items()) or "all launches"
    await api.control.audit(request.by, "add_feed", body.name, f"{', '.join(formats)}: {said}")
    urls: dict[str, str] = {kind: f"{base}{_path(kind, token)}" for kind in formats}
    known = msgspec.structs.asdict(feed_view(address))
    return Response(AddedFeedView(**known, url=urls[formats[0]], urls=urls), 201, {"Cache-Control": "no-store"})


async def revoke_feed(api: Api, request: Request[Query, Body]) -> Response:
    """Revoke an address: from now on nobody can read it."""
    address = await api.feeds.revoke(request.path["name"])
    await api.control.audit(request.by, "revoke_feed", address.name, f"read {address.requests} times")
    return Response(feed_view(address))


async def read_calendar(api: Api, request: Request[FeedCalendarQuery, Body]) -> Response:
    """A feed as a calendar, for whoever has its address."""
    address, wanted = await _read(api, request, MAX_LIMIT)
    alarm = address.alarm if request.query.alarm is None else request.query.alarm
    return await launch_files.calendar(api, wanted, alarm=alarm, title=_title(address))


async def read_atom(api: Api, request: Request[Query, Body]) -> Response:
    """A feed of changes, for whoever has its address."""
    address, wanted = await _read(api, request, FEED_MOMENTS)
    path = _path("atom", request.path["token"])
    links = feeds.Links(api.access.base_url, path, launch=None, title=_title(address))
    return await launch_files.atom(api, wanted, links, part=address.token_hash.hex())


async def read_table(api: Api, request: Request[Query, Body]) -> Response:
    """A feed as CSV, for whoever has its address."""
    return await launch_files.table(api, (await _read(api, request, None))[1])


async def read_json(api: Api, request: Request[Query, Body]) -> Response:
    """A feed as JSON, for whoever has its address."""
    return await launch_files.json(api, (await _read(api, request, MAX_LIMIT))[1])


def _title(address: FeedAddress) -> str:
    return f"{feeds.TITLE} ({address.name})"


def _path(kind: str, token: str) -> str:
    return _PATH.format(token=token, kind=kind)


def _checked(filters: FilterQuery, now: int) -> dict[str, Any]:
    """The filters that are set; raises InvalidError for one that selects nothing because it is wrong."""
    try:
        selection(launch_query(filters, None), now)
    except InvalidError as error:
        wrong = [Problem(f"filters.{one.path}", one.message) for one in error.errors]
        raise InvalidError(f"filters.{error.detail}", errors=wrong) from error
    found: dict[str, Any] = msgspec.to_builtins(filters)
    return {name: value for name, value in found.items() if value not in (None, "")}


async def _read(api: Api, request: Request[Any, Body], most: int | None) -> tuple[FeedAddress, LaunchQuery]:
    """The address of a request and its query; raises NotFoundError if it was revoked meanwhile."""
    address = await api.feeds.find(request.path["token"])
    filters = None if address is None else decoded(address.filters, FilterQuery)
    if address is None or filters is None:
        raise NotFoundError("no such feed, or its filters cannot be read: revoke it and add it again")
    return address, launch_query(filters, most)


async def admit(api: Api, request: Any) -> None:  # noqa: ANN401 - the request of aiohttp, before it is read
    """Count a request of an address; raises NotFoundError and TooManyRequestsError."""
    await api.feeds.admit(request.match_info["token"], request.path.rpartition(".")[2])


def _reads(kind: Format, handler: Any, answer: Any, query: type[Query] = Query) -> Route:  # noqa: ANN401 - a handler, a type
    path = _path(kind, "{token}")
    return Route("GET", path, handler, answer, needs=None, query=query, revalidates=True, admit=admit)


FEED_ROUTES = (
    Route("GET", "/v1/feeds", list_feeds, FeedPageView),
    Route("POST", "/v1/feeds", add_feed, AddedFeedView, needs=Role.ADMIN, body=FeedBody, status=201),
    Route("DELETE", "/v1/feeds/{name}", revoke_feed, FeedView, needs=Role.ADMIN),
    _reads("ics", read_calendar, "text/calendar", FeedCalendarQuery),
    _reads("atom", read_atom, "application/atom+xml"),
    _reads("csv", read_table, "text/csv"),
    _reads("json", read_json, launch_files.LaunchFileView),
)
