"""The connections: how many connections a listener has, and how long each may take to say what it wants.

A connection either waits for its client (for a request's head or body, for an answer to be taken, for another request)
or is served. Who waits too long is cut off. When all places are taken, the one that has waited longest gives its place
to whoever comes; only where all are being served is the newcomer refused. So neither ten thousand idle connections nor
slow clients keep others out. Times are the loop's own: they are about connections. Owned by the control loop.
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

# A head must be whole so long after its first byte (or after the connection was made).
HEAD_SECONDS = 10.0
# How long a connection may lie idle between requests, or an answer remain untaken.
IDLE_SECONDS = 60.0
# How long what still comes of a refused body is read and thrown away, so that its sender sees the refusal.
LINGER_SECONDS = 2.0
_SWEEP_SECONDS = 0.5


def _full() -> bytes:
    """What a connection is told that finds no place; it is never read from."""
    body = encode(view(503, "too_many_connections", "Service Unavailable", "all connections are in use: ask again"))
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Retry-After: 1\r\nConnection: close\r\n\r\n" + body


_FULL = _full()


class HttpConnection(RequestHandler):
    """One connection of a connections; aiohttp's, with a place in it.

    `caller` is who is at the other end of a Unix socket, once that has been asked: it stays the same to the end.
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
        self._fresh = False  # a head is awaited of which nothing has come

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or refuse."""
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
        """What is not even HTTP is answered like everything else; a client that is gone is not."""
        if self.transport is None:
            raise ConnectionError("the client is gone") from exc
        if status >= 500:  # noqa: PLR2004 - ours, and for the log
            self.log_exception("request failed", exc_info=exc)
            if request.writer.output_size > 0:
                raise ConnectionError("the answer had begun: it ends here") from exc
            response = problem(status, "internal", "Something went wrong inside launchd.", "its log says what")
        else:
            response = of_status(status, (message or "this is not HTTP").partition("\n")[0])
        response.force_close()
        return response

    def answered(self) -> None:
        """The answer is made: it is to be taken, and then another request may come."""
        self._fresh = True
        self._connections.waits(self, IDLE_SECONDS)


class Connections:
    """The places of one listener. `_waiting` maps who waits to its deadline, the longest waiting first."""

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
        """Give a place to a new connection; False when all are being served."""
        if len(self._all) >= self._places and not self._evict():
            return False
        self._all.add(connection)
        self.waits(connection, HEAD_SECONDS)
        if self._sweep is None:
            self._sweep = self._loop.call_later(_SWEEP_SECONDS, self._cut_off)
        return True

    def waits(self, connection: HttpConnection, seconds: float) -> None:
        """The client's turn: it has so many seconds."""
        if connection in self._all:
            self._waiting[connection] = self._loop.time() + seconds
            self._waiting.move_to_end(connection)

    def served(self, connection: HttpConnection) -> None:
        """Our turn."""
        self._waiting.pop(connection, None)

    def left(self, connection: HttpConnection) -> None:
        """It is gone."""
        self._all.discard(connection)
        self._waiting.pop(connection, None)

    def close(self) -> None:
        """Look after nobody any more."""
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
    """While its answer is made, a request's connection cannot be asked to go."""
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
    """While its body comes, it is the client's turn again."""
    connection: Any = request.protocol
    if not isinstance(connection, HttpConnection):
        yield
        return
    connection._connections.waits(connection, seconds)  # noqa: SLF001 - the two are one
    try:
        yield
    finally:
        connection._connections.served(connection)  # noqa: SLF001 - the two are one
