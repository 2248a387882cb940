"""Gives a test a real HTTP server on loopback for apprise's json:// notifications, and a configuration to use it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.support.hosted_daemon import PATIENCE_SECONDS


class Receiver:
    """`got` has the accepted notifications by service (the path), in order; a service in `refusing` answers 503."""

    def __init__(self) -> None:
        self.address = ""
        self.got: dict[str, list[dict[str, Any]]] = {}
        self.asked: Counter[str] = Counter()
        self.refusing: set[str] = set()
        self._changed = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        service = request.path.strip("/")
        notice = await request.json()
        async with self._changed:
            self.asked[service] += 1
            if service not in self.refusing:
                self.got.setdefault(service, []).append(notice)
            self._changed.notify_all()
        return web.Response(status=503 if service in self.refusing else 200)

    def url(self, service: str = "ops") -> str:
        return f"json://{self.address}/{service}"

    def titles(self, service: str = "ops") -> list[str]:
        return [notice["title"] for notice in self.got.get(service, [])]

    async def until(self, count: int, service: str = "ops") -> list[dict[str, Any]]:
        """Wait until a service has accepted `count` notifications; returns them."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.got.get(service, [])) >= count)
        return self.got[service]

    def config(self, *services: str, rules: str = "", more: str = "") -> str:
        """The table `[alerts]` that sends to these services; without `rules`, health and sources raise no alerts."""
        urls = ", ".join(f'"{self.url(service)}"' for service in services or ("ops",))
        quiet = [f"{name} = false" for name in ("health", "source_stale") if name not in rules]
        return "\n".join(["[alerts]", f"urls = [{urls}]", more, "[alerts.rules]", *quiet, rules])


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens while the body runs."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{service}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.address = f"{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
