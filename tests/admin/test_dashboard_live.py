"""The dashboard stays up to date without a reload, also when the stream breaks or the daemon restarts."""

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from launchd.daemon import Daemon
from tests.support.admin_clients import with_tcp
from tests.support.browser import Tab, browsing, browsing_at, needs_browser, panel, row, see, sign_in_link
from tests.support.daemon_process import Installation
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted
from tests.support.tasks import ALL, gate

pytestmark = pytest.mark.browser
SCHEDULE = """
[schedules.half_yearly]
task = "echo"
cron = "30 4 1 1,7 *"
"""


@pytest.fixture(autouse=True)
def browser() -> None:
    needs_browser()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with hosted(with_tcp(tmp_path, SCHEDULE), tasks=ALL) as running:
        yield running


@pytest.fixture
async def tab(daemon: Daemon) -> AsyncIterator[Tab]:
    async with browsing(daemon) as one:
        yield one


@pytest.mark.parametrize("mode", ["live", "polling"])
async def test_changes_appear_without_a_reload(
    tab: Tab, daemon: Daemon, mode: str, held: Callable[[str], None]
) -> None:
    """With the event stream and without it. With it, the page polls too seldom to pass this test."""
    held("lively")
    if mode == "polling":
        await tab.page.route("**/v1/events", lambda route: route.abort())
        await tab.page.reload()
    await tab.show("jobs")
    await see(tab.page.locator("#link"), mode)
    await tab.page.evaluate("() => { window.stayed = true }")
    await see(panel(tab, "Jobs"), "No jobs yet.")
    job, _ = await daemon.control.trigger("waiting", {"name": "lively"}, by="test")
    await see(row(tab, "Jobs", "waiting"), "running")
    gate("lively").set()
    await ended(daemon, job.id)
    await see(row(tab, "Jobs", "waiting"), "succeeded")
    assert await tab.page.evaluate("() => window.stayed")


async def test_an_unreachable_daemon_is_reported_and_found_again(tab: Tab, daemon: Daemon) -> None:
    await tab.show()
    await tab.page.context.set_offline(True)
    await see(tab.page.locator("#banner"), "The daemon cannot be reached. No answer since")
    await see(tab.page.locator("#verdict"), "unreachable")
    await see(row(tab, "Queues", "scraping"), "/")  # what was known stays
    await tab.page.goto(f"{tab.origin}/#/sources")
    await see(panel(tab, "Open conflicts"), "Cannot load this: the daemon cannot be reached.")
    await tab.page.goto(f"{tab.origin}/#/")
    await tab.page.context.set_offline(False)
    job, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
    await ended(daemon, job.id)
    await see(row(tab, "Latest failures", "failing_at_once"), "ValueError")
    await tab.page.locator("#banner").wait_for(state="hidden")
    await see(tab.page.locator("#link"), "live")


async def test_a_browser_without_a_session_is_asked_to_sign_in_and_continues_after_it(tab: Tab, daemon: Daemon) -> None:
    await tab.page.context.clear_cookies()
    await tab.page.goto(f"{tab.origin}/#/jobs")
    await tab.page.reload()
    await see(tab.page.locator("dialog[open]"), "launchd dashboard")
    other = await tab.page.context.new_page()
    await other.goto(await sign_in_link(daemon))
    await tab.page.locator("#signin").wait_for(state="detached")
    await see(panel(tab, "Jobs"), "No jobs yet.")


async def test_tabs_of_a_browser_share_the_session_and_signing_out_ends_it_in_all(tab: Tab) -> None:
    await tab.show("jobs")
    assert "session" not in tab.page.url
    other = await tab.page.context.new_page()
    await other.goto(f"{tab.origin}/#/jobs")
    await other.wait_for_selector("main .panel[data-state]:not([data-state=loading])")
    assert await other.locator("#signin").count() == 0
    cookies: Any = await tab.page.context.cookies()
    await tab.page.locator("#signout").click()
    for page in (tab.page, other):
        await see(page.locator("dialog[open]"), "launchd dashboard")
    assert await tab.page.context.cookies() == []
    await tab.page.context.add_cookies(cookies)
    await other.reload()
    await see(other.locator("dialog[open]"), "launchd dashboard")


async def test_another_server_of_this_host_gets_no_session(tab: Tab) -> None:
    """The browser sends the cookie to every port, but only the page of this port can read its sessionStorage."""
    sent: list[str] = []

    async def thief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/html\r\n\r\nhi")
        writer.close()

    await tab.show("jobs")
    server = await asyncio.start_server(thief, "127.0.0.1", 0)
    async with server:
        page = await tab.page.context.new_page()
        await page.goto(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        assert await page.evaluate("() => sessionStorage.length + localStorage.length") == 0
    cookie = re.search(r"Cookie: (.*)\r", sent[0])
    assert cookie is not None
    said = {"Cookie": cookie[1]}
    async with aiohttp.ClientSession() as session, session.get(f"{tab.origin}/v1/status", headers=said) as response:
        assert response.status == 401


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_page_finds_a_restarted_daemon_and_shows_its_data(
    tmp_path: Path, signal_number: signal.Signals
) -> None:
    """Without a reload and without signing in again, although the new daemon does not know the old event stream."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    installation = Installation(tmp_path, "", admin=f'tcp = "127.0.0.1:{port}"')
    trigger = "/v1/tasks/{}/trigger"
    async with AsyncExitStack() as stack:
        first = stack.enter_context(installation.running())
        link = installation.client.request("POST", "/v1/sign-in")["url"]
        tab = await stack.enter_async_context(browsing_at(link))
        job = installation.client.request(
            "POST", trigger.format("linger"), body={"args": {"until": str(tmp_path / "go")}}
        )
        await tab.show("jobs")
        await see(row(tab, "Jobs", job["id"][-8:]), "running")
        await tab.page.evaluate("() => { window.stayed = true }")
        first.send_signal(signal_number)
        first.wait(PATIENCE_SECONDS)
        await see(tab.page.locator("#banner"), "The daemon cannot be reached. No answer since")
        (tmp_path / "go").touch()
        stack.enter_context(installation.running())
        ended_again = installation.client.request("GET", f"/v1/jobs/{job['id']}", wait=PATIENCE_SECONDS)
        assert ended_again["state"] == "succeeded"
        await see(row(tab, "Jobs", job["id"][-8:]), "succeeded")
        await tab.page.locator("#banner").wait_for(state="hidden")
        await see(tab.page.locator("#link"), "live")
        installation.client.request("POST", trigger.format("greet"), body={})
        await see(row(tab, "Jobs", "greet"), "succeeded")
        assert await tab.page.evaluate("() => window.stayed")


async def test_live_updates_leave_the_focus_where_it_is(tab: Tab, daemon: Daemon) -> None:
    await tab.show("schedules")
    await tab.page.get_by_role("button", name="Pause half_yearly").focus()
    await daemon.control.timetable.pause("half_yearly", "by somebody else", "test")
    await see(row(tab, "Schedules", "half_yearly"), "by somebody else")
    assert await tab.page.evaluate("() => document.activeElement.getAttribute('aria-label')") == "Resume half_yearly"
