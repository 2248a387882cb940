"""A real Chromium in front of a real daemon: signed in by a real link, over the loopback TCP listener.

Where playwright or a chromium is missing, tests that browse are skipped; `make lab` sets BROWSER=required, and then
they fail.
"""

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from launchd.config import Config
from launchd.daemon import Daemon
from tests.support.hosted_daemon import quiet_config
from tests.support.scraping_daemon import asking

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("BROWSER") == "required"
# No sandbox: tests may run as root in a container. No request leaves for another host than the daemon.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE_MS = 15_000


def missing() -> str | None:
    """The reason why no browser can run here; None if one can."""
    try:
        import playwright  # noqa: F401, PLC0415 - an extra that only browser tests need
    except ImportError:
        return "playwright is not installed: run `make lab`"
    return None if CHROMIUM else "chromium is not installed: run `apt-get install chromium`, or set $CHROMIUM"


def needs_browser() -> None:
    """Skip the test if no browser can run here; fail it if BROWSER=required."""
    if (why := missing()) is not None:
        (pytest.fail if REQUIRED else pytest.skip)(why)


def with_tcp(directory: Path, extra: str = "") -> Config:
    """A quiet configuration that listens on any free port of loopback."""
    quiet = quiet_config(directory, extra)
    return msgspec.structs.replace(quiet, admin=msgspec.structs.replace(quiet.admin, tcp="127.0.0.1:0"))


async def sign_in_link(daemon: Daemon) -> str:
    """The link that `launchd dashboard` prints."""
    async with asking(daemon) as client, client.post("/v1/sign-in") as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["url"])


async def ask(daemon: Daemon, path: str) -> Any:  # noqa: ANN401 - JSON
    """The answer of the API, over the Unix socket."""
    async with asking(daemon) as client, client.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


class Tab:
    """A page of the dashboard, with its errors and its requests to other hosts."""

    def __init__(self, page: "Page", origin: str) -> None:
        self.page = page
        self.origin = origin
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if _is_grave(line.text, line.type) else None)
        page.on("request", lambda one: None if one.url.startswith(origin) else self.foreign.append(one.url))

    async def show(self, view: str = "") -> None:
        """Go to a view and wait until every panel has its data."""
        await self.page.goto(f"{self.origin}/#/{view}")
        await self.page.wait_for_selector("main .panel")
        await self.page.wait_for_selector(".panel[data-state=loading]", state="detached")

    async def text(self, selector: str) -> str:
        """The visible text of the first element that matches."""
        return str(await self.page.locator(selector).inner_text())


def _is_grave(text: str, kind: str) -> bool:
    """True for each error and warning on the console except a refusal of the API, which is an answer."""
    return kind in {"error", "warning"} and not text.startswith("Failed to load resource")


@asynccontextmanager
async def browsing(daemon: Daemon, **options: Any) -> AsyncIterator[Tab]:  # noqa: ANN401 - see browsing_at
    """A tab that is signed in to this daemon; see `browsing_at`."""
    async with browsing_at(await sign_in_link(daemon), **options) as tab:
        yield tab


@asynccontextmanager
async def browsing_at(
    link: str,
    *,
    width: int = 1280,
    height: int = 900,
    **options: Any,  # noqa: ANN401 - the library's own
) -> AsyncIterator[Tab]:
    """A tab that this link has signed in. At its end it must have no error and no request to another host."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - see missing

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(_PATIENCE_MS)
        try:
            tab = Tab(await context.new_page(), link.partition("/sign-in")[0])
            await tab.page.goto(link)
            yield tab
            assert (tab.errors, tab.foreign) == ([], [])
        finally:
            await browser.close()


@asynccontextmanager
async def fetching(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the TCP listener that is not signed in and does not decompress."""
    origin = (await sign_in_link(daemon)).partition("/sign-in")[0]
    async with aiohttp.ClientSession(origin, auto_decompress=False) as session:
        yield session


def panel(tab: Tab, title: str) -> "Locator":
    """The panel with this title."""
    return (
        tab.page.get_by_role("region", name=title, exact=True)
        .or_(tab.page.locator(f"section:has(h2:text-is('{title}'))"))
        .first
    )


def row(tab: Tab, title: str, name: str) -> "Locator":
    """The row of a panel's table or list that has this text."""
    return panel(tab, title).locator("tbody tr, .list li").filter(has_text=name)


async def see(locator: "Locator", text: str | re.Pattern[str]) -> None:
    """Wait until the element contains this text."""
    from playwright.async_api import expect  # noqa: PLC0415 - see missing

    await expect(locator).to_contain_text(text, timeout=_PATIENCE_MS)


async def answer(tab: Tab, button: str, **fields: str) -> None:
    """Fill in the open dialog and send it; returns once it has closed."""
    dialog = tab.page.locator("dialog[open]")
    for label, value in fields.items():
        await dialog.get_by_label(label.replace("_", " "), exact=False).fill(value)
    await dialog.get_by_role("button", name=button).click()
    await dialog.wait_for(state="detached")
