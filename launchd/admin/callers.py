"""The caller of each request: a process at the Unix socket, or a token or a session over TCP; and signing in.

The rules are in http/access.py; here they are applied to requests.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from launchd.admin import dashboard
from launchd.admin.http.access import (
    NOBODY,
    SESSION_KEY,
    SESSION_SECONDS,
    Access,
    Caller,
    forged,
    misdirected,
    peer_of,
    user_name,
)
from launchd.admin.http.connections import HttpConnection
from launchd.admin.route import over_unix_socket
from launchd.admin.routes import ROUTES
from launchd.errors import ForbiddenError, LaunchdError, TooManyRequestsError, UnauthorizedError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# The caller of the request that this task serves; set before any handler runs.
CALLER: ContextVar[Caller] = ContextVar("caller")
_OPEN = frozenset({"/sign-in", *dashboard.PATHS} | {route.path for route in ROUTES if route.needs is None})
# The addresses are secrets themselves. A token or a session that is sent there is not looked at.
_SECRET = frozenset(route.path for route in ROUTES if route.admit is not None)


def identify(access: Access) -> Middleware:
    """A middleware that identifies the caller of each request, or refuses the request."""

    @web.middleware
    async def set_caller(request: web.Request, handler: Handler) -> web.StreamResponse:
        CALLER.set(await (_peer(access, request) if over_unix_socket(request) else _remote(access, request)))
        response = await handler(request)
        if not response.prepared:
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    return set_caller


async def _peer(access: Access, request: web.Request) -> Caller:
    """The caller at the other end of the Unix socket; raises ForbiddenError for one without a role.

    Read once for each connection: the kernel names the process that called connect(2), whatever it does later
    (unix(7)).
    """
    connection, transport = request.protocol, request.transport
    if isinstance(connection, HttpConnection) and connection.caller is not None:
        return connection.caller
    peer = peer_of(transport.get_extra_info("socket")) if transport is not None else None
    if peer is None:
        raise UnauthorizedError("the connection was closed")
    role = access.peer(peer)
    name = await asyncio.to_thread(user_name, peer.uid)
    if role is None:
        raise ForbiddenError(f"{name} is not in the group of the admin socket")
    caller = Caller(name, role)
    if isinstance(connection, HttpConnection):
        connection.caller = caller
    return caller


async def _remote(access: Access, request: web.Request) -> Caller:
    """The caller over TCP; NOBODY for paths that need no sign-in. Raises ForbiddenError and UnauthorizedError."""
    headers, resource = request.headers, request.match_info.route.resource
    if resource is not None and resource.canonical in _SECRET:
        if misdirected(headers, access.hosts | access.public_hosts):
            raise ForbiddenError(
                "the Host header names another host: use the address of the feed, or [admin] public_url"
            )
        return NOBODY
    if misdirected(headers, access.hosts):
        raise ForbiddenError("the Host header names another host: use the configured address")
    authorization, cookie = headers.get("Authorization"), request.cookies.get(access.cookie)
    if forged(request.method, headers, by_cookie=authorization is None and cookie is not None):
        raise ForbiddenError("the request may come from a page of another site: send Origin or Sec-Fetch-Site")
    caller = None
    if authorization is not None:
        caller = access.bearer(authorization)
    elif cookie is not None:
        caller = access.session(cookie, headers.get(SESSION_KEY, ""))
    if caller is not None:
        return caller
    if resource is not None and resource.canonical in _OPEN:
        return NOBODY
    detail = "sign in with `launchd dashboard`, or send the token as Authorization: Bearer"
    raise UnauthorizedError(detail) if authorization is None else _refusal(access, detail)


def _refusal(access: Access, detail: str) -> LaunchdError:
    """The error for a wrong token or link: 429 after too many of them, else 401."""
    wait = access.wait_seconds()
    if wait > 0:
        return TooManyRequestsError("too many wrong tokens", retry_after=wait)
    return UnauthorizedError(detail)


async def open_session(access: Access, request: web.Request) -> web.Response:
    """Sign a browser in by its one-time link, and show the dashboard."""
    if over_unix_socket(request):
        raise ForbiddenError("callers over the Unix socket are signed in already")
    opened = access.redeem(request.query.get("ticket", ""))
    if opened is None:
        raise _refusal(access, "this link has expired or was used: run `launchd dashboard` again")
    # browsers never send the fragment: the page reads the key there, keeps it and removes it from the address
    headers = {"Location": f"/#session={opened.key}", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    response = web.Response(status=303, headers=headers)
    response.set_cookie(
        access.cookie, opened.cookie, max_age=int(SESSION_SECONDS), httponly=True, samesite="Strict", path="/"
    )
    return response
