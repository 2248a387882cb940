"""A route: one row of the API's table, with the types of its request and its response.

The row of an endpoint says everything about it: the role that may call it, its parameters, its body and its response.
Requests are decoded, refused (request.py) and documented (openapi.py) by that row alone.
"""

import hashlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from launchd.admin.feed_addresses import FeedAddresses
from launchd.admin.http.access import Access, Caller, Role
from launchd.admin.http.view import encode
from launchd.admin.metrics import Metered
from launchd.alerts.alerting import Alerting
from launchd.backup.backup import Backups
from launchd.clock import Instant
from launchd.engine.control import Control
from launchd.engine.events.feed import Feed
from launchd.errors import InvalidError
from launchd.launches.source_store import SourceStore
from launchd.launches.sources import SOURCES
from launchd.launches.store import LaunchStore
from launchd.logs.joblines import JobLines
from launchd.ops.reload import Reloader
from launchd.store.audit import AuditStore
from launchd.store.idempotency import Idempotency
from launchd.store.stats import StatsStore

EVENT_STREAM = "text/event-stream"
MAX_LIMIT, DEFAULT_LIMIT = 1000, 50
_MAX_KEY = 200
# The header of every endpoint that makes jobs.
ONCE = ("Idempotency-Key",)
Q = TypeVar("Q")
B = TypeVar("B")

Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="the number of items of a page")]
Cursor = Annotated[str, Meta(max_length=512, description="the `next` of the previous page")]
# RFC 3339; checked by parse_instant, whose message is better than a schema's.
Moment = Annotated[
    str, Meta(description="a time such as 2026-01-31T06:00:00Z", extra_json_schema={"format": "date-time"})
]
# Checked where it is used, so that the message can name the known sources.
SourceName = Annotated[str, Meta(extra_json_schema={"enum": list(SOURCES)})]
Reason = Annotated[str, Meta(max_length=500, description="the reason, for the audit")]


class Api(NamedTuple):
    """The parts of the daemon that endpoints use."""

    control: Control
    launches: LaunchStore
    sources: SourceStore
    access: Access
    feed: Feed
    backups: Backups
    stats: StatsStore
    audit: AuditStore
    job_lines: JobLines
    reloader: Reloader
    metered: Metered
    alerting: Alerting
    feeds: FeedAddresses


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request body; unknown fields are refused. This one has no fields."""


class Query(msgspec.Struct, forbid_unknown_fields=True):
    """The query parameters of an endpoint; this one has none."""


class PageQuery(Query, kw_only=True):
    """The page of a list."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class Response(NamedTuple):
    """The result of a handler: a view, a Document or a web.Response that was sent already, with its status and headers.

    `until` is for a route that `revalidates`: the response stays valid for its address and role until that moment, as
    long as launch data do not change. Without it the response is made each time.
    """

    view: Any
    status: int = 200
    headers: dict[str, str] | None = None
    until: Instant = 0


class Document(NamedTuple):
    """A response that is not JSON."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Request(Generic[Q, B]):
    """A request, decoded by its route. `path` holds the named parts of the address, `http` is the original."""

    path: Mapping[str, str]
    query: Q
    body: B
    caller: Caller
    http: web.Request

    @property
    def by(self) -> str:
        """The name of the caller, for the audit."""
        return self.caller.name

    @property
    def idempotency(self) -> Idempotency | None:
        """The request's Idempotency-Key, bound to its address and its body; None without one. Raises InvalidError."""
        key = self.http.headers.get("Idempotency-Key")
        if key is None:
            return None
        if not (1 <= len(key) <= _MAX_KEY and key.isprintable()):
            raise InvalidError.at("Idempotency-Key", f"expected 1..{_MAX_KEY} printable characters")
        content = msgspec.json.encode((self.http.method, self.http.path, self.body), order="deterministic")
        return Idempotency(key, hashlib.sha256(content).hexdigest())

    @property
    def local(self) -> bool:
        """True if the request came over the Unix socket."""
        return over_unix_socket(self.http)


Handler = Callable[[Api, Request[Any, Any]], Awaitable[Response]]
Admit = Callable[[Api, web.Request], Awaitable[None]]


class Route(NamedTuple):
    """A row of the table. `needs` is the least role that may call it; None: no sign-in is needed.

    `body` None means no body; `answer` is the type of the JSON of a response with `status`, or the content type of a
    document. `also` are further statuses of success with the same type, `errors` are statuses of problems beyond the
    usual ones; `headers` are the request headers that the endpoint reads. `revalidates` gives the response (200, a view
    or a document) an ETag, and caches it while it is valid. `admit` marks an endpoint whose address is a secret: nobody
    signs in there, it may be read through the public address, and each request is admitted or refused before the cache.
    """

    method: str
    path: str
    handler: Handler
    answer: Any
    needs: Role | None = Role.OPERATOR
    query: type[Query] = Query
    body: type[msgspec.Struct] | None = None
    status: int = 200
    also: tuple[int, ...] = ()
    errors: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    revalidates: bool = False
    admit: Admit | None = None

    @property
    def has_head(self) -> bool:
        """True if HEAD is served as well: for each GET except streams."""
        return self.method == "GET" and self.answer != EVENT_STREAM


def over_unix_socket(request: web.Request) -> bool:
    """True if a request came over the Unix socket; else it came over loopback TCP, which needs a token."""
    transport = request.transport
    connection = None if transport is None else transport.get_extra_info("socket")
    return connection is not None and connection.family == socket.AF_UNIX


def respond(answer: Response) -> web.StreamResponse:
    """The response as HTTP."""
    if isinstance(answer.view, web.StreamResponse):
        return answer.view
    made = document(answer)
    headers = {"Content-Type": content_type(made), **(answer.headers or {})}
    return web.Response(status=answer.status, body=made.body, headers=headers)


def document(answer: Response) -> Document:
    """The encoded content of a response: a view as JSON, a document as it is."""
    view = answer.view
    return view if isinstance(view, Document) else Document(encode(view), "application/json")


def content_type(made: Document) -> str:
    """The Content-Type of a document."""
    return f"{made.content_type}; charset=utf-8" if made.content_type.startswith("text/") else made.content_type
