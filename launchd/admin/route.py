"""A route: one row of the API's table, and how its request is read and its answer is written.

Everything that is said of an endpoint is said in its row: who may call it, which parameters and body it takes, what it
answers. Requests are decoded, refused and documented (openapi.py) by that row alone.
"""

import asyncio
import functools
import hashlib
import math
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar, get_args, get_origin

import msgspec
from aiohttp import web
from msgspec import Meta

from launchd.admin.http.access import Access, Caller, Role
from launchd.admin.http.connections import reading
from launchd.admin.http.view import encode
from launchd.admin.metrics import Metered
from launchd.alerts.alerting import Alerting
from launchd.backup.backup import Backups
from launchd.clock import Instant, parse_instant
from launchd.engine.control import Control
from launchd.engine.events.feed import Feed
from launchd.errors import InvalidError, MalformedError
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
# A body that has not come whole after so many seconds is given up.
BODY_SECONDS = 20.0
# So much later its connection is cut off, in case it does not take the refusal either.
_GRACE_SECONDS = 5.0
_NAMED = re.compile(r"Object (?P<what>contains unknown|missing required) field `(?P<field>.*)`", re.DOTALL)
_MAX_KEY = 200
# What every endpoint that makes jobs honours.
ONCE = ("Idempotency-Key",)
Q = TypeVar("Q")
B = TypeVar("B")

Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="how many items a page has")]
Cursor = Annotated[str, Meta(max_length=512, description="the `next` of the page before")]
# RFC 3339, checked by parse_instant, whose message says more than a schema's.
Moment = Annotated[
    str, Meta(description="a time such as 2026-01-31T06:00:00Z", extra_json_schema={"format": "date-time"})
]
# Checked where it is used, whose message names the known ones.
SourceName = Annotated[str, Meta(extra_json_schema={"enum": list(SOURCES)})]
Reason = Annotated[str, Meta(max_length=500, description="why, for the audit")]


class Kept(NamedTuple):
    """What is kept of the past, for those who look back."""

    stats: StatsStore
    audit: AuditStore
    job_lines: JobLines


class Api(NamedTuple):
    """What the endpoints work on."""

    control: Control
    launches: LaunchStore
    sources: SourceStore
    access: Access
    feed: Feed
    backups: Backups
    kept: Kept
    reloader: Reloader
    metered: Metered
    alerting: Alerting


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request body; what it does not know is refused. This one says everything by its address."""


class Query(msgspec.Struct, forbid_unknown_fields=True):
    """The query parameters of an endpoint; this one takes none."""


class PageQuery(Query, kw_only=True):
    """Which page of a list."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class Answer(NamedTuple):
    """What goes back: a view, a Document or a response that was sent already; the status and headers of its own.

    `until` is for what `revalidates`: the moment up to which the address gives this very answer to whoever has the
    role, as long as launch data do not change. Without one it is made each time.
    """

    view: Any
    status: int = 200
    headers: dict[str, str] | None = None
    until: Instant = 0


class Document(NamedTuple):
    """An answer that is no JSON."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Ask(Generic[Q, B]):
    """A request, decoded by its route. `path` holds the parts of the address that have a name."""

    path: Mapping[str, str]
    query: Q
    body: B
    caller: Caller
    request: web.Request

    @property
    def by(self) -> str:
        """Who asks, for the audit."""
        return self.caller.name

    @property
    def idempotency(self) -> Idempotency | None:
        """The request's Idempotency-Key, bound to its address and its body; None without one. Raises InvalidError."""
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            return None
        if not (1 <= len(key) <= _MAX_KEY and key.isprintable()):
            raise InvalidError.at("Idempotency-Key", f"expected 1..{_MAX_KEY} printable characters")
        wish = msgspec.json.encode((self.request.method, self.request.path, self.body), order="deterministic")
        return Idempotency(key, hashlib.sha256(wish).hexdigest())

    @property
    def local(self) -> bool:
        """Whether it came over the Unix socket."""
        return over_unix_socket(self.request)


Handler = Callable[[Api, Ask[Any, Any]], Awaitable[Answer]]


class Route(NamedTuple):
    """A row of the table. `needs` is the least role that may call it, None for whoever can connect.

    `body` None takes no body; `answer` is the type of the JSON answered with `status`, or the content type of a
    document. `also` are further statuses of success with the same shape, `errors` those of problems beyond the usual
    ones; `headers` are those of a request that mean something. `revalidates` gives the answer (200, a view or a
    document) an ETag, and keeps it as long as it holds.
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

    @property
    def has_head(self) -> bool:
        """Whether HEAD is answered as well: whatever is read, but what never ends."""
        return self.method == "GET" and self.answer != EVENT_STREAM


async def ask(route: Route, request: web.Request, caller: Caller) -> Ask[Any, Any]:
    """The request as its route reads it.

    Raises InvalidError, MalformedError, HTTP 415 for a body that is no JSON, HTTP 408 for one that does not come.
    """
    for name, value in request.match_info.items():
        clean(name, value)
    query = read_query(request.query, route.query)
    body = None if route.method == "GET" else await _body(request, route.body or Body)
    return Ask(request.match_info, query, body, caller, request)


def read_query(given: Mapping[str, str], kind: type[Query]) -> Query:
    """The query parameters as `kind`; an unknown or repeated one is refused, an empty one left out."""
    known = _parameters(kind)
    for name in given:
        if name not in known:
            raise InvalidError.at(name[:100], f"no such parameter; known: {', '.join(known) or 'none'}")
        if len(getattr(given, "getall", lambda one: [one])(name)) > 1:
            raise InvalidError.at(name, "given more than once")
    said = {name: clean(name, value) for name, value in given.items() if value}
    try:
        query = msgspec.convert(said, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _with_choices(invalid(error), kind) from error
    read = msgspec.to_builtins(query)
    for name, value in said.items():  # "null" is read as nothing: it is no state, and not "any state" either
        if read[name] is None:
            raise InvalidError.at(name, f"expected a value, got {value!r}")
        if isinstance(read[name], float) and not math.isfinite(read[name]):
            raise InvalidError.at(name, f"expected a number, got {value!r}")
    return query


@functools.cache
def _parameters(kind: type[Query]) -> tuple[str, ...]:
    """What a query may hold: asked once of each kind, since its annotations are evaluated for it."""
    return tuple(field.encode_name for field in msgspec.structs.fields(kind))


async def _body(request: web.Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """The body as `kind`; an empty one is `{}`."""
    try:
        with reading(request, BODY_SECONDS + _GRACE_SECONDS):
            async with asyncio.timeout(BODY_SECONDS):
                raw = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason=f"the body did not come within {BODY_SECONDS:g} s") from None
    except web.RequestPayloadError as error:
        raise MalformedError("the body is not as its head says") from error
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise web.HTTPUnsupportedMediaType(reason="send the body as it is, without Content-Encoding")
    # curl -d without a header calls JSON a form
    is_form = request.content_type == "application/x-www-form-urlencoded" and raw.lstrip()[:1] == b"{"
    if raw and not is_form and request.content_type not in {"application/json", "application/octet-stream"}:
        raise web.HTTPUnsupportedMediaType(reason="send JSON as application/json")
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise invalid(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"the body is not JSON: {error}") from error


def invalid(error: msgspec.ValidationError) -> InvalidError:
    """What msgspec says ("Expected `int`, got `str` - at `$.limit`") as a problem with its path."""
    message, _, where = str(error).partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    named = _NAMED.fullmatch(message)  # it says where the object is, and which of its fields is meant
    if named is not None:
        path = f"{path}.{named['field']}".lstrip(".")
        message = "no such field" if named["what"] == "contains unknown" else "required"
    return InvalidError.at(path, message) if path else InvalidError(message)


def _with_choices(error: InvalidError, kind: type[Query]) -> InvalidError:
    """The error with the values that a parameter may have, where they are few."""
    for problem in error.errors:
        types = [field.type for field in msgspec.structs.fields(kind) if field.encode_name == problem.path]
        choices = sorted(str(one) for each in types for one in _choices(each))
        if choices and "enum value" in problem.message:
            return InvalidError.at(problem.path, f"expected one of {', '.join(choices)}")
    return error


def _choices(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type
    """The values of an enumeration, or of a union with one."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(member.value for member in kind)
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(value for part in get_args(kind) for value in _choices(part))


def clean(name: str, value: str) -> str:
    """A text of a request; raises InvalidError for one that UTF-8 cannot say, such as half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidError.at(name, "expected UTF-8") from None
    return value


def moment(name: str, text: str) -> Instant:
    """The time that a field holds; raises InvalidError with the field's name."""
    try:
        return parse_instant(text)
    except InvalidError as error:
        raise InvalidError.at(name, error.detail) from error


def moment_in_query(name: str, text: str | None) -> Instant | None:
    """The time that a parameter holds, if any; a `+` that was not escaped came as a space."""
    return None if text is None else moment(name, text.replace(" ", "+"))


def over_unix_socket(request: web.Request) -> bool:
    """Whether a request came over the Unix socket; TCP is only ever loopback, and wants a token."""
    transport = request.transport
    connection = None if transport is None else transport.get_extra_info("socket")
    return connection is not None and connection.family == socket.AF_UNIX


def respond(answer: Answer) -> web.StreamResponse:
    """The answer as HTTP."""
    if isinstance(answer.view, web.StreamResponse):
        return answer.view
    made = document(answer)
    headers = {"Content-Type": content_type(made), **(answer.headers or {})}
    return web.Response(status=answer.status, body=made.body, headers=headers)


def document(answer: Answer) -> Document:
    """What an answer says, encoded: a view as JSON, a document as it is."""
    view = answer.view
    return view if isinstance(view, Document) else Document(encode(view), "application/json")


def content_type(made: Document) -> str:
    """The Content-Type of a document."""
    return f"{made.content_type}; charset=utf-8" if made.content_type.startswith("text/") else made.content_type
