"""The admin server: HTTP over a Unix socket and loopback TCP, JSON in and out, errors as problem+json.

A request passes `_problems` (errors become responses), `identify` (callers.py), and its route's handler.
"""

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from launchd.admin import dashboard
from launchd.admin.cache import ResponseCache
from launchd.admin.callers import CALLER, identify, open_session
from launchd.admin.http import problems
from launchd.admin.http.compression import compress
from launchd.admin.http.connections import Connections, serving
from launchd.admin.http.listen import BACKLOG, Address, listen_unix
from launchd.admin.http.presence import Presence
from launchd.admin.http.tcp import TcpListener
from launchd.admin.request import read, read_query
from launchd.admin.route import Api, Response, Route, respond
from launchd.admin.routes import ROUTES
from launchd.clock import Clock, SystemClock
from launchd.errors import ForbiddenError, LaunchdError
from launchd.logger import get_logger
from launchd.system import forks

MAX_BODY_BYTES = 1024 * 1024
# Connections of each listener; more than `BACKLOG`, so that those accepted together never replace each other.
UNIX_PLACES, TCP_PLACES = 384, 192
_log = get_logger("launchd.admin")
# A client that has just connected when listening ends has this long to send its request; closed at once, it would get a
# reset.
_LAST_REQUEST_SECONDS = 0.05
Responder = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Listeners:
    """The listening sockets of one server, each with connections of its own: neither can use up those of the other."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self._connections: list[Connections] = []
        self._servers: list[asyncio.Server] = []

    async def open(self, listener: socket.socket) -> None:
        """Serve a listening socket."""
        if self._runner.server is None:
            raise RuntimeError("the runner is not set up")
        forks.own_address(listener.getsockname())
        places = UNIX_PLACES if listener.family == socket.AF_UNIX else TCP_PLACES
        connections = Connections(self._runner.server, places)
        self._connections.append(connections)
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(connections, sock=listener, backlog=BACKLOG))

    def stop_listening(self) -> None:
        """Accept no more connections; those that are there go on."""
        for server in self._servers:
            server.close()

    def close(self) -> None:
        """Stop listening, and stop the timers of the connections."""
        self.stop_listening()
        for connections in self._connections:
            connections.close()


@asynccontextmanager
async def serve(
    api: Api,
    path: Path,
    mode: int,
    given: socket.socket | None = None,
    *,
    tcp: Address | socket.socket | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Presence]:
    """Listen until the block is left; raises ConfigError or AlreadyRunningError if the Unix socket cannot be bound.

    A Unix socket that was `given` is served as it is, and stays for the next process: clients that connect meanwhile
    wait for that process. `tcp` is an address to bind (see tcp.py), or a listener that was given as well.
    """
    listener = listen_unix(path, mode) if given is None else given
    runner = web.AppRunner(_application(api), access_log=None, shutdown_timeout=2.0, handle_signals=False)
    listeners, tasks = _Listeners(runner), list[asyncio.Task[None]]()

    async def open_unix(one: socket.socket) -> None:
        api.access.group = (await asyncio.to_thread(path.stat)).st_gid
        await listeners.open(one)

    try:
        await runner.setup()
        await open_unix(listener)
        presence = Presence(path, mode, open_unix)
        await presence.begin()
        tasks.append(asyncio.create_task(presence.run()))
        tcp_listener = TcpListener(api.access, listeners.open, clock or SystemClock())
        if tcp is not None and not await tcp_listener.begin(tcp) and isinstance(tcp, Address):
            tasks.append(asyncio.create_task(tcp_listener.retry(tcp)))
        yield presence
        await _end(tasks, api, listeners)
    finally:
        for task in tasks:
            task.cancel()
        listeners.close()
        await runner.cleanup()
        if given is None:
            await asyncio.to_thread(path.unlink, missing_ok=True)


async def _end(tasks: list[asyncio.Task[None]], api: Api, listeners: _Listeners) -> None:
    """End the streams and stop listening, then give the last clients a moment to send their request."""
    for task in tasks:
        task.cancel()
    await api.feed.close()
    listeners.stop_listening()
    await asyncio.sleep(_LAST_REQUEST_SECONDS)


def _application(api: Api) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_problems, identify(api.access)])
    # readers of feeds cannot push out what operators read
    own, public = (ResponseCache(api.launches.version, api.control.now) for _ in range(2))
    for route in ROUTES:
        responder = _responder(api, route, own if route.admit is None else public)
        if route.has_head:
            app.router.add_route("HEAD", route.path, responder)
        app.router.add_route(route.method, route.path, responder, expect_handler=_expect)
    dashboard.add_routes(app, dashboard.load())
    # the link works once: HEAD must not use it up
    app.router.add_get("/sign-in", functools.partial(open_session, api.access), allow_head=False)
    return app


def _responder(api: Api, route: Route, cache: ResponseCache) -> Responder:
    async def answer(request: web.Request) -> web.StreamResponse:
        caller = CALLER.get()
        if route.needs is not None and not caller.may(route.needs):
            raise ForbiddenError(f"{caller.name} is an {caller.role}; this needs an {route.needs}")
        if route.admit is not None:
            read_query(request.query, route.query)  # a request that is refused anyway is not counted
            await route.admit(api, request)

        async def make() -> Response:
            return await route.handler(api, await read(route, request, caller))

        if route.revalidates:
            response: web.StreamResponse = await cache.respond(request, caller.role, make)
        else:
            response = respond(await make())
        await compress(request, response)
        return response

    return answer


@web.middleware
async def _problems(request: web.Request, handler: Responder) -> web.StreamResponse:
    """Answer every error with problem+json, never a traceback. The connection keeps its place until then."""
    with serving(request):
        try:
            if (request.content_length or 0) > MAX_BODY_BYTES:
                return _too_large()
            return await handler(request)
        except web.HTTPException as error:
            return _refused(request, error)
        except LaunchdError as error:
            return problems.of_error(error)
        except Exception as error:
            if request.transport is None:  # the client is gone
                raise
            # the client gets a response and the log gets the traceback
            _log.exception("request_failed", method=request.method, path=request.path)
            if request.writer.output_size > 0:
                raise ConnectionError("the response had begun: it ends here") from error
            return problems.problem(
                500, "internal", "Something went wrong inside launchd.", "see the log of the daemon"
            )


def _refused(request: web.Request, error: web.HTTPException) -> web.Response:
    """A refusal by the HTTP layer, with a better message if its own says too little."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.path[:200]} does not accept {request.method}: it accepts {allowed}"
        return problems.of_status(405, detail, {"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        return problems.of_status(404, f"no endpoint {request.path[:200]}: see /openapi.json for all endpoints")
    return problems.of_status(error.status, error.reason)


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """Answer `Expect: 100-continue` before the body is sent (RFC 9110 §10.1.1)."""
    if request.headers["Expect"].lower() != "100-continue":
        return problems.of_status(417, "only 100-continue is supported")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return _too_large()
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0
    return None


def _too_large() -> web.Response:
    response = problems.of_status(413, f"a body may have at most {MAX_BODY_BYTES} bytes")
    response.force_close()  # the rest of the body is not a request
    return response
