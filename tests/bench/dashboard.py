"""The dashboard's figures, in a real browser with a busy daemon: the time until it is painted, and the bytes sent."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tests.bench.day import going_on, live_through
from tests.bench.process import Process, percentile, say
from tests.support.browser import ARGUMENTS, CHROMIUM, missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

LOADS = 30
# The delay of each round trip through a tunnel to another continent, in milliseconds.
FAR = 80
VIEWS = ("launches", "jobs", "schedules", "queues", "charts", "sources", "system")
# An empty page: the browser's own time on this machine.
EMPTY = "data:text/html,<!doctype html><title>empty</title><p>Nothing"
_PAINTS = "() => Object.fromEntries(performance.getEntriesByType('paint').map((one) => [one.name, one.startTime]))"
_COMPLETE = "() => document.querySelector('.panel') && !document.querySelector('.panel[data-state=loading]')"


class Load(NamedTuple):
    """One load of a page: milliseconds since the navigation began, and the requests and bytes sent."""

    first_paint: float
    first_content: float
    complete: float
    bytes: int
    requests: int


def run() -> None:
    """Load the page several times: cold (empty cache), warm, and cold over a slow line; then each view once, cold."""
    if (why := missing()) is not None:
        say("dashboard", f"skipped: {why}")
        return
    with TemporaryDirectory() as place:
        state = Path(place)
        with going_on(state, live_through(state)) as process:
            _measure(process)


def _measure(process: Process) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - see missing()

    link = process.client.request("POST", "/v1/sign-in")["url"]
    page = "{0.scheme}://{0.netloc}/".format(urlsplit(link))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        warm = browser.new_context()
        warm.new_page().goto(link)
        session = warm.storage_state()
        _tell_paints("an empty page, for comparison", [_load_cold(browser, session, EMPTY) for _ in range(LOADS)])
        _tell("cold", [_load_cold(browser, session, page) for _ in range(LOADS)])
        _tell("warm", [_load(warm, page) for _ in range(LOADS)])
        _tell(f"cold, {FAR} ms away", [_load_cold(browser, session, page, FAR) for _ in range(LOADS // 3)])
        for view in VIEWS:
            one = _load_cold(browser, session, f"{page}#/{view}")
            say(f"dashboard, {view}, cold", f"{one.bytes / 1000:.0f} kB in {one.requests} requests")
        browser.close()


def _load_cold(browser: "Browser", session: Any, url: str, latency: int = 0) -> Load:  # noqa: ANN401 - a StorageState
    context = browser.new_context(storage_state=session)
    try:
        return _load(context, url, latency)
    finally:
        context.close()


def _load(context: "BrowserContext", url: str, latency: int = 0) -> Load:
    """Load a page in a new tab and wait until each panel has its data."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    if latency:
        limits = {"offline": False, "latency": latency, "downloadThroughput": -1, "uploadThroughput": -1}
        devtools.send("Network.emulateNetworkConditions", limits)
    sizes: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url)
    if url != EMPTY:
        page.wait_for_function(_COMPLETE)
    complete = page.evaluate("() => performance.now()")
    page.wait_for_function("() => performance.getEntriesByType('paint').length > 1")
    paints = page.evaluate(_PAINTS)
    page.close()
    return Load(paints["first-paint"], paints["first-contentful-paint"], complete, int(sum(sizes)), len(sizes))


def _tell(name: str, loads: list[Load]) -> None:
    _tell_paints(name, loads)
    say(f"dashboard, {name}: all panels filled", _figures([one.complete for one in loads]))
    most = max(loads, key=lambda one: one.bytes)
    say(f"dashboard, {name}: sent until then", f"at most {most.bytes / 1000:.0f} kB in {most.requests} requests")


def _tell_paints(name: str, loads: list[Load]) -> None:
    say(f"dashboard, {name}: first paint", _figures([one.first_paint for one in loads]))
    say(f"dashboard, {name}: first contentful paint", _figures([one.first_content for one in loads]))


def _figures(taken: list[float]) -> str:
    p50, p95 = percentile(taken, 0.5), percentile(taken, 0.95)
    return f"p50 {p50:.0f}, p95 {p95:.0f}, max {max(taken):.0f} ms"
