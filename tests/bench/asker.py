"""A load generator for one endpoint: several connections, each sending the next request after each answer.

It reads only the status and the length of an answer, so that its cost is a fraction of the daemon's.
"""

import asyncio
import re
import time
from pathlib import Path
from typing import NamedTuple, cast

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_OK = b"HTTP/1.1 200 "


class Answers(NamedTuple):
    """The milliseconds of each answer, the seconds of the whole run, and the bytes of the last answer."""

    taken: list[float]
    seconds: float
    size: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.taken) / self.seconds


class _Asker(asyncio.Protocol):
    """One connection. `ended` gets the size of an answer after the last request, or the error."""

    def __init__(self, request: bytes, until: float, taken: list[float]) -> None:
        self._request, self._until, self._taken = request, until, taken
        self._asked = 0.0
        self._missing = self._size = 0  # bytes of the answer that are still to come, and all of them
        self._transport: asyncio.WriteTransport | None = None
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._ask(time.perf_counter())

    def data_received(self, data: bytes) -> None:
        if self._missing == 0:
            length = _LENGTH.search(data)
            if not data.startswith(_OK) or length is None:
                self._end(RuntimeError(f"not an answer that can be counted: {data[:500]!r}"))
                return
            self._missing = self._size = data.index(b"\r\n\r\n") + 4 + int(length[1])
        self._missing -= len(data)
        if self._missing == 0:
            now = time.perf_counter()
            self._taken.append((now - self._asked) * 1000)
            self._ask(now)

    def connection_lost(self, _error: Exception | None) -> None:
        self._end(RuntimeError("the daemon closed the connection"))

    def _ask(self, now: float) -> None:
        if now >= self._until:
            self._end(None)
        elif self._transport is not None:
            self._asked = now
            self._transport.write(self._request)

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(self._size)
        else:
            self.ended.set_exception(error)
        if self._transport is not None:
            self._transport.close()


async def ask(socket: Path, target: str, *, connections: int, seconds: float) -> Answers:
    """Send requests for `target` for `seconds`; raises RuntimeError for an answer other than 200."""
    loop, taken = asyncio.get_running_loop(), list[float]()
    request = f"GET {target} HTTP/1.1\r\nHost: launchd\r\n\r\n".encode()
    started = time.perf_counter()
    askers = [
        (await loop.create_unix_connection(lambda: _Asker(request, started + seconds, taken), str(socket)))[1]
        for _ in range(connections)
    ]
    sizes = await asyncio.gather(*(one.ended for one in askers))
    return Answers(taken, time.perf_counter() - started, sizes[0])
