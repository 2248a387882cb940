"""How a request is read: its address, its query parameters and its body become the types that its route names.

Every value is checked here, and refused with the path of the field and what is allowed there.
"""

import asyncio
import functools
import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import msgspec
from aiohttp import web

from launchd.admin.http.access import Caller
from launchd.admin.http.connections import reading
from launchd.admin.route import Body, Query, Request, Route
from launchd.clock import Instant, parse_instant
from launchd.errors import InvalidError, MalformedError

# A body that has not arrived after so many seconds is refused.
BODY_SECONDS = 20.0
# So much later its connection is cut off, in case the client does not read the refusal either.
_GRACE_SECONDS = 5.0
_NAMED = re.compile(r"Object (?P<what>contains unknown|missing required) field `(?P<field>.*)`", re.DOTALL)


async def read(route: Route, request: web.Request, caller: Caller) -> Request[Any, Any]:
    """Read a request as its route says.

    Raises InvalidError, MalformedError, HTTP 415 for a body that is not JSON, HTTP 408 for one that does not arrive.
    """
    for name, value in request.match_info.items():
        clean(name, value)
    query = read_query(request.query, route.query)
    body = None if route.method == "GET" else await _body(request, route.body or Body)
    return Request(request.match_info, query, body, caller, request)


def read_query(given: Mapping[str, str], kind: type[Query]) -> Query:
    """The query parameters as `kind`; an unknown or repeated one is refused, an empty one counts as left out."""
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
    for name, value in said.items():  # "null" would be decoded as None, which means "any state": refuse it
        if read[name] is None:
            raise InvalidError.at(name, f"expected a value, got {value!r}")
        if isinstance(read[name], float) and not math.isfinite(read[name]):
            raise InvalidError.at(name, f"expected a number, got {value!r}")
    return query


@functools.cache
def _parameters(kind: type[Query]) -> tuple[str, ...]:
    """The names of the parameters of a query type. Cached: msgspec evaluates the annotations each time."""
    return tuple(field.encode_name for field in msgspec.structs.fields(kind))


async def _body(request: web.Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """The body as `kind`; an empty one is `{}`."""
    try:
        with reading(request, BODY_SECONDS + _GRACE_SECONDS):
            async with asyncio.timeout(BODY_SECONDS):
                raw = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason=f"the body did not arrive within {BODY_SECONDS:g} s") from None
    except web.RequestPayloadError as error:
        raise MalformedError("the body does not match the headers of the request") from error
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise web.HTTPUnsupportedMediaType(reason="send the body without Content-Encoding")
    # `curl -d` without a header sends JSON as a form
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
    """The error of msgspec ("Expected `int`, got `str` - at `$.limit`") as a problem with its path."""
    message, _, where = str(error).partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    named = _NAMED.fullmatch(message)  # the message names the object, and the field separately
    if named is not None:
        path = f"{path}.{named['field']}".lstrip(".")
        message = "no such field" if named["what"] == "contains unknown" else "required"
    return InvalidError.at(path, message) if path else InvalidError(message)


def _with_choices(error: InvalidError, kind: type[Query]) -> InvalidError:
    """The error with the allowed values of a parameter, if it is an enumeration."""
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
    """A text of a request; raises InvalidError if UTF-8 cannot encode it, such as half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidError.at(name, "expected UTF-8") from None
    return value


def moment(name: str, text: str) -> Instant:
    """The time in a field; raises InvalidError with the name of the field."""
    try:
        return parse_instant(text)
    except InvalidError as error:
        raise InvalidError.at(name, error.detail) from error


def moment_in_query(name: str, text: str | None) -> Instant | None:
    """The time in a query parameter, or None; a `+` that was not escaped has arrived as a space."""
    return None if text is None else moment(name, text.replace(" ", "+"))
