"""Gives a test a real HTTP server on loopback that answers with given bodies, with validators and 304 answers."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from multidict import CIMultiDictProxy


class Replay:
    """`bodies` maps a path to its body; a path in `statuses` answers with that status and `retry_after`.

    A path in `redirects` is redirected; one in `gzipped` answers with these bytes, declared as gzip; one in `dripping`
    sends one byte and no more; one in `held` is answered once its event is set. `headers` has those of every request;
    the first request sets `asked`; no request is answered while `free` is cleared.
    """

    def __init__(self) -> None:
        self.url = ""
        self.bodies: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.redirects: dict[str, str] = {}
        self.gzipped: dict[str, bytes] = {}
        self.dripping: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.headers: list[CIMultiDictProxy[str]] = []
        self.retry_after = "7"
        self.requests: list[tuple[str, int]] = []
        self.asked = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.set()
        self.headers.append(request.headers)
        await self.free.wait()
        if request.path in self.held:
            await self.held[request.path].wait()
        if request.path in self.redirects:
            self.requests.append((request.path, 302))
            return web.Response(status=302, headers={"Location": self.redirects[request.path]})
        if request.path in self.gzipped:
            return web.Response(body=self.gzipped[request.path], headers={"Content-Encoding": "gzip"})
        if request.path in self.dripping:
            return await self._drip(request)
        status = self.statuses.get(request.path, 200)
        body = self.bodies.get(request.path)
        if body is None and status == 200:
            status = 404
        etag = f'"{hashlib.sha256(body or b"").hexdigest()}"'
        if status == 200 and request.headers.get("If-None-Match") == etag:
            status = 304
        self.requests.append((request.path, status))
        if status != 200:
            return web.Response(status=status, headers={"Retry-After": self.retry_after} if status == 429 else {})
        response = web.Response(body=body, headers={"ETag": etag})
        response.enable_compression()
        return response

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - until they leave
            await asyncio.sleep(0.01)
        return response


@asynccontextmanager
async def replaying() -> AsyncIterator[Replay]:
    """A replay server that listens while the body runs."""
    replay = Replay()
    app = web.Application()
    app.router.add_get("/{path:.*}", replay.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    replay.url = f"http://{host}:{port}"
    try:
        yield replay
    finally:
        await runner.cleanup()
