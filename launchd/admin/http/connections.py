"""The connections of a listener: how many there may be, and how long each may wait for its client.

A connection either waits for its client (for the head or the body of a request, for the client to read the response,
for the next request) or is being served. One that waits too long is closed. When all places are taken, a new connection
replaces the one that has waited longest; if all are being served, the new one is refused with 503. So neither ten
thousand idle connections nor slow clients keep others out. Times are the loop's own: they are about connections. Owned
by the control loop.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from launchd.admin.http.access import Caller
from launchd.admin.http.problems import CONTENT_TYPE, of_status, problem, view
from launchd.admin.http.view import encode

# The head of a request must be complete so long after its first byte (or after the connection was made).
HEAD_SECONDS = 10.0
# How long a connection may be idle between requests, or a response remain unread.
IDLE_SECONDS = 60.0
# How long the rest of a refused body is read and thrown away, so that its sender sees the refusal.
LINGER_SECONDS = 2.0
_SWEEP_SECONDS = 0.5


def _full() -> bytes:
    """The response to a connection for which there is no place; nothing is read from it."""
    body = encode(view(503, "too_many_connections", "Service Unavailable", "all connections are in use: try again"))
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Retry-After: 1\r\nConnection: close\r\n\r\n" + body


_FULL = _full()


class HttpConnection(RequestHandler):
    """A connection of aiohttp that has a place among `Connections`.

    `caller` is the process at the other end of a Unix socket, once it is known: it stays the same to the end.
    """

    __slots__ = ("_connections", "_fresh", "caller")

    def __init__(self, connections: "Connections", server: web.Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # None means no access log; its types know only loggers
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )
        self.caller: Caller | None = None
        self._connections = connections
        self._fresh = False  # True while no byte of the next head has arrived

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or refuse the connection."""
        if not self._connections.arrived(self):
            newcomer = cast("asyncio.WriteTransport", transport)  # uvloop's is one without being a subclass
            newcomer.write(_FULL)
            newcomer.close()
            return
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """The first byte of a head sets its deadline, however slowly the rest comes."""
        if self._fresh:
            self._fresh = False
            self._connections.waits(self, HEAD_SECONDS)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._connections.left(self)
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer bytes that are not HTTP with a problem, as every other error; raise if the client is gone."""
        if self.transport is None:
            raise ConnectionError("the client is gone") from exc
        if status >= 500:  # noqa: PLR2004 - an error of launchd itself: it belongs in the log
            self.log_exception("request failed", exc_info=exc)
            if request.writer.output_size > 0:
                raise ConnectionError("the response had begun: it ends here") from exc
            response = problem(status, "internal", "Something went wrong inside launchd.", "see the log of the daemon")
        else:
            response = of_status(status, (message or "this is not HTTP").partition("\n")[0])
        response.force_close()
        return response

    def answered(self) -> None:
        """The response is made: the client has to read it, and may send another request."""
        self._fresh = True
        self._connections.waits(self, IDLE_SECONDS)


class Connections:
    """The connections of one listener. `_waiting` maps each that waits to its deadline, the longest waiting first."""

    def __init__(self, server: web.Server, places: int) -> None:
        self._server = server
        self._places = places
        self._loop = asyncio.get_running_loop()
        self._all: set[HttpConnection] = set()
        self._waiting: OrderedDict[HttpConnection, float] = OrderedDict()
        self._sweep: asyncio.TimerHandle | None = None

    def __call__(self) -> HttpConnection:
        """A protocol for a connection that was accepted."""
        return HttpConnection(self, self._server)

    def arrived(self, connection: HttpConnection) -> bool:
        """Give a place to a new connection; False if all others are being served."""
        if len(self._all) >= self._places and not self._evict():
            return False
        self._all.add(connection)
        self.waits(connection, HEAD_SECONDS)
        if self._sweep is None:
            self._sweep = self._loop.call_later(_SWEEP_SECONDS, self._cut_off)
        return True

    def waits(self, connection: HttpConnection, seconds: float) -> None:
        """Wait for the client: it has so many seconds."""
        if connection in self._all:
            self._waiting[connection] = self._loop.time() + seconds
            self._waiting.move_to_end(connection)

    def served(self, connection: HttpConnection) -> None:
        """Stop waiting for the client: its request is being served."""
        self._waiting.pop(connection, None)

    def left(self, connection: HttpConnection) -> None:
        """Forget a connection that has ended."""
        self._all.discard(connection)
        self._waiting.pop(connection, None)

    def close(self) -> None:
        """Stop the timer that closes slow connections."""
        if self._sweep is not None:
            self._sweep.cancel()

    def _evict(self) -> bool:
        if not self._waiting:
            return False
        self._cut(next(iter(self._waiting)))
        return True

    def _cut(self, connection: HttpConnection) -> None:
        self.left(connection)
        if connection.transport is not None:
            connection.transport.abort()

    def _cut_off(self) -> None:
        now = self._loop.time()
        for connection in [one for one, deadline in self._waiting.items() if deadline <= now]:
            self._cut(connection)
        self._sweep = self._loop.call_later(_SWEEP_SECONDS, self._cut_off) if self._all else None


@contextmanager
def serving(request: web.BaseRequest) -> Iterator[None]:
    """Keep the place of a request's connection while its response is made."""
    connection: Any = request.protocol
    if not isinstance(connection, HttpConnection):
        yield
        return
    connection._connections.served(connection)  # noqa: SLF001 - the two are one
    try:
        yield
    finally:
        connection.answered()


@contextmanager
def reading(request: web.BaseRequest, seconds: float) -> Iterator[None]:
    """Wait for the client while the body of its request arrives."""
    connection: Any = request.protocol
    if not isinstance(connection, HttpConnection):
        yield
        return
    connection._connections.waits(connection, seconds)  # noqa: SLF001 - the two are one
    try:
        yield
    finally:
        connection._connections.served(connection)  # noqa: SLF001 - the two are one
