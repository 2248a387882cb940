"""The OpenAPI 3.1 document, made of the table of routes and of the types of requests and responses. Pure.

The problems and the security that all endpoints share are written here once.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, get_args

import msgspec

from launchd.admin.api.events import EventView, GapView
from launchd.admin.http.access import COOKIE, SESSION_KEY
from launchd.admin.http.problems import CONTENT_TYPE, ProblemView
from launchd.admin.route import EVENT_STREAM, Route

Json = dict[str, Any]
_DESCRIPTION = (
    "Over the Unix socket the kernel identifies the caller; over TCP a token, or cookie and key of a session, does. "
    "Every error is a problem (RFC 9457). A method that an address does not have is refused with 405 and Allow."
)
_REFERENCE = "#/components/schemas/{name}"
_PART = re.compile(r"\{(\w+)\}")
_PROBLEM = "#/components/responses/{status}"
# Every status that a refusal may have. Unknown addresses and methods are refused with 404 and 405 on any address; an
# unknown Expect with 417.
_PROBLEMS = (400, 401, 403, 404, 405, 408, 409, 413, 415, 417, 422, 429, 500, 503)
# The refusals of every endpoint: not HTTP, an unknown parameter, too many wrong tokens, too many connections.
_ALWAYS = (400, 422, 429, 503)
_GUARDED, _NAMED, _WRITING = (401, 403), (404,), (408, 413, 415)
_HEADERS: dict[str, tuple[str, Json]] = {
    "Idempotency-Key": (
        "the same key within a day gives the same jobs",
        {"type": "string", "minLength": 1, "maxLength": 200},
    ),
    "Last-Event-ID": ("the id of the last event that the client has seen", {"type": "string"}),
}


def document(routes: Iterable[Route], version: str, cookie: str = COOKIE) -> Json:
    """The whole document; `cookie` is the name of this daemon's session cookie."""
    routes = list(routes)
    schemas, components = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        operation = _operation(route, schemas)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
        if route.has_head:
            paths[route.path]["head"] = _head(operation)
    for route in routes:
        links = dict(_links(route, routes))
        if links:
            paths[route.path]["get"]["responses"]["200"]["links"] = links
    paths |= _pages()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "launchd",
            "version": version,
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(status): _response(status, _problem(schemas)) for status in _PROBLEMS},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
                "session_key": {"type": "apiKey", "in": "header", "name": SESSION_KEY},
            },
        },
    }


def _links(route: Route, routes: Iterable[Route]) -> Iterator[tuple[str, Json]]:
    """Links from a list to the endpoints of each of its items, by the item's id or name."""
    fields = {field.name: field.type for field in msgspec.structs.fields(route.answer)} if _is_page(route) else {}
    if "items" not in fields:
        return
    (item,) = get_args(fields["items"])
    key = "id" if "id" in item.__struct_fields__ else "name"
    below = re.compile(re.escape(route.path) + r"/\{(\w+)\}(/[^{]+)?")
    for other in routes:
        found = below.fullmatch(other.path)
        if found is not None:
            name = other.handler.__name__
            yield name, {"operationId": name, "parameters": {found[1]: f"$response.body#/items/0/{key}"}}


def _is_page(route: Route) -> bool:
    return route.method == "GET" and isinstance(route.answer, type) and issubclass(route.answer, msgspec.Struct)


def _pages() -> Json:
    """The paths for browsers, which are not in the table: the dashboard and its sign-in link."""
    refused = {str(status): _refusal(status) for status in (400, 403, 503)}
    page = {"200": _response(200, {"text/html": {"schema": {"type": "string"}}}), "304": _response(304, None)}
    there = {"303": _response(303, None) | {"headers": {"Location": {"schema": {"type": "string"}}}}}
    guessed = {str(status): _refusal(status) for status in (401, 429)}
    ticket = {"name": "ticket", "in": "query", "required": True, "schema": {"type": "string"}}
    return {
        "/": {"get": _page("dashboard", "The dashboard; the page itself holds no data", page | refused)},
        "/sign-in": {
            "get": _page("open_session", "Sign a browser in, once", there | refused | guessed)
            | {"parameters": [ticket]}
        },
    }


def _page(name: str, summary: str, responses: Json) -> Json:
    return {"operationId": name, "summary": summary, "responses": responses, "security": []}


def _schemas(routes: Iterable[Route]) -> tuple[dict[int, Json], Json]:
    """The schema of each type in the table, by the id of the type, and the components that they refer to."""
    types: dict[int, Any] = {id(one): one for one in (ProblemView, EventView, GapView)}
    for route in routes:
        own = [route.answer, route.body, *(field.type for field in msgspec.structs.fields(route.query))]
        types |= {id(one): one for one in own if one is not None and not isinstance(one, str)}
    found, components = msgspec.json.schema_components(types.values(), ref_template=_REFERENCE)
    return dict(zip(types, found, strict=True)), components


def _operation(route: Route, schemas: dict[int, Json]) -> Json:
    said = inspect.getdoc(route.handler) or ""
    operation: Json = {
        "operationId": route.handler.__name__,
        "summary": said.partition("\n")[0].rstrip("."),
        "responses": {str(status): content for status, content in sorted(_responses(route, schemas).items())},
    }
    parameters = list(_parameters(route, schemas))
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        needed = any(field.required for field in msgspec.structs.fields(route.body))
        content = {"application/json": {"schema": schemas[id(route.body)]}}
        operation["requestBody"] = {"required": needed, "content": content}
    operation["security"] = [] if route.needs is None else [{"token": []}, {"session": [], "session_key": []}]
    if route.needs is not None:
        operation["description"] = f"Needs the role {route.needs}."
    return operation


def _parameters(route: Route, schemas: dict[int, Json]) -> Iterator[Json]:
    for name in _PART.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for field in msgspec.structs.fields(route.query):
        schema = schemas[id(field.type)]
        if not field.required and field.default is not msgspec.NODEFAULT and field.default is not None:
            schema = schema | {"default": msgspec.to_builtins(field.default)}
        found: Json = {"name": field.encode_name, "in": "query", "required": field.required}
        empty: Json = {} if field.required else {"allowEmptyValue": True}  # an empty parameter counts as left out
        yield found | empty | {"schema": _without_null(schema)}
    for header in route.headers:
        words, schema = _HEADERS[header]
        yield {"name": header, "in": "header", "required": False, "description": words, "schema": schema}


def _without_null(schema: Json) -> Json:
    """The schema without null: a parameter may be left out, but never be null."""
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if not options:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return options[0] | rest if len(options) == 1 else {"anyOf": options} | rest


def _responses(route: Route, schemas: dict[int, Json]) -> dict[int, Json]:
    expected = {*_ALWAYS, *route.errors}
    expected |= set(_GUARDED) if route.needs is not None else {403}
    expected |= set(_NAMED) if _PART.search(route.path) else set()
    expected |= set(_WRITING) if route.method != "GET" else set()
    expected |= {409} if route.method != "GET" else set()
    found: dict[int, Json] = {status: _refusal(status) for status in expected}
    if route.answer == EVENT_STREAM:
        good: Json = {EVENT_STREAM: {"schema": _event(schemas)}}
    elif isinstance(route.answer, str):
        good = {route.answer: {"schema": {"type": "string"}}}
    else:
        good = {"application/json": {"schema": schemas[id(route.answer)]}}
    for status in (route.status, *route.also):
        found[status] = _response(status, good | (_problem(schemas) if status in expected else {}))
    if route.revalidates:
        found[304] = _response(304, None)
        found[200]["headers"] = {"ETag": {"schema": {"type": "string"}}}
    return found


def _event(schemas: dict[int, Json]) -> Json:
    """An event of a stream; comments and blocks with an id alone are no events."""
    data = {"oneOf": [schemas[id(EventView)], schemas[id(GapView)]]}
    text: Json = {"type": "string"}
    fields = {"id": text, "event": text, "data": text | {"contentMediaType": "application/json", "contentSchema": data}}
    return {"type": "object", "properties": fields | {"retry": {"type": "integer"}}}


def _refusal(status: int) -> Json:
    return {"$ref": _PROBLEM.format(status=status)}


def _problem(schemas: dict[int, Json]) -> Json:
    return {CONTENT_TYPE: {"schema": schemas[id(ProblemView)]}}


def _response(status: int, content: Json | None) -> Json:
    said: Json = {"description": HTTPStatus(status).phrase}
    return said if content is None else said | {"content": content}


def _head(operation: Json) -> Json:
    """The HEAD operation of a GET operation: the same without bodies."""
    bare = {status: _response(int(status), None) for status in operation["responses"]}
    return operation | {"operationId": f"head_{operation['operationId']}", "responses": bare}
