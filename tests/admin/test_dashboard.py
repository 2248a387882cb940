"""The dashboard in a real browser, in front of a real daemon with real jobs."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from launchd import Context, task
from launchd.admin.dashboard import load
from launchd.daemon import Daemon, Host
from launchd.engine.maker import TriggerRequest
from launchd.job import JobState
from launchd.logs import setup as logs
from tests.support import tasks
from tests.support.browser import Tab, answer, ask, browsing, needs_browser, panel, row, see, with_tcp
from tests.support.hosted_daemon import ended, hosted
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import refresh
from tests.support.tasks import fact, gate, started

HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
VIEWS = ["", "launches", "jobs", "schedules", "queues", "charts", "sources", "system"]
MOST_BYTES = 150_000
pytestmark = pytest.mark.browser
HALF_YEARLY = """
[schedules.half_yearly]
task = "echo"
cron = "30 4 1 1,7 *"
args = { value = "of the schedule" }
"""


@pytest.fixture(autouse=True)
def browser() -> None:
    needs_browser()


@task(max_retries=0)
async def hostile(ctx: Context, *, name: str) -> dict[str, str]:
    """Put markup into every text that a task can write."""
    ctx.progress(1, 2, HOSTILE)
    ctx.log.info(HOSTILE, field=HOSTILE)
    if name == "fail":
        raise ValueError(HOSTILE)
    if name == "wait":
        started("hostile").set()
        await fact(gate("hostile"))
    return {HOSTILE: HOSTILE}


@task(max_retries=0)
async def wordy(_ctx: Context) -> None:
    """Fail with a long traceback."""
    error = ValueError("see the note")
    error.add_note("x" * 30_000)
    raise error


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        first = ll2("Falcon 9 | Crew-20", "2027-04-20T10:00:00Z")
        second = ll2(f"Electron | {HOSTILE}", "2027-05-02T08:30:00Z", key="id-2")
        server.bodies = {UPCOMING: page(first, second), PREVIOUS: page(), LOG: gcat()}
        yield server


@pytest.fixture
async def daemon(replay: Replay, tmp_path: Path) -> AsyncIterator[Daemon]:
    sources = f"""
[sources.launch_library]
base_url = "{replay.url}/ll/"
rate = "1000/s"
"""
    async with hosted(with_tcp(tmp_path, HALF_YEARLY + sources), tasks=[*tasks.ALL, hostile, wordy]) as running:
        yield running


@pytest.fixture
async def tab(daemon: Daemon) -> AsyncIterator[Tab]:
    async with browsing(daemon) as one:
        yield one


# --- views ---


async def test_the_overview_shows_what_the_api_says(tab: Tab, daemon: Daemon, held: Callable[[str], None]) -> None:
    held("seen")
    await refresh(daemon)
    failed, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
    await ended(daemon, failed.id)
    running, _ = await daemon.control.trigger("locked", {"name": "seen"}, by="test")
    await fact(started("seen"))
    await tab.show()
    status = await ask(daemon, "/v1/status")
    for queue in status["queues"]:
        shown = row(tab, "Queues", queue["name"])
        await see(shown, f"{queue['running']}/{queue['concurrency']}")
    await see(panel(tab, "At a glance"), re.compile(r"Running\s*1\s*of"))
    await see(row(tab, "Running now", "locked"), running.id[-8:])
    await see(row(tab, "Latest failures", "failing_at_once"), "ValueError: no second chance")
    await see(row(tab, "Locks", "one_at_a_time"), running.id[-8:])
    await see(row(tab, "Next runs", "half_yearly"), re.compile("in \\d+ d"))
    await see(row(tab, "Sources", "Launch Library 2"), "ago")
    for name, check in (await ask(daemon, "/v1/health"))["checks"].items():
        await see(row(tab, "Health", name.replace("_", " ")), check["status"])
    await see(panel(tab, "Next launches"), "Falcon 9 | Crew-20")
    await see(panel(tab, "Next launches").locator(".hero .count"), re.compile(r"T\W\d+ d \d\d:\d\d:\d\d"))
    await see(tab.page.locator("#verdict"), str((await ask(daemon, "/v1/health"))["status"]))


async def test_a_launch_that_slips_says_so(tab: Tab, daemon: Daemon, replay: Replay) -> None:
    await refresh(daemon)
    replay.bodies[UPCOMING] = page(ll2("Falcon 9 | Crew-20", "2027-04-23T10:00:00Z"))
    await refresh(daemon)
    await tab.show()
    await see(panel(tab, "Next launches").locator(".hero"), re.compile(r"slipped 1\W, 3 d$"))
    await panel(tab, "Next launches").get_by_role("link", name="Falcon 9 | Crew-20").click()
    await see(panel(tab, "History"), "slipped once, 3 days")
    await see(row(tab, "Source records", "launch_library"), "23 Apr 2027")


async def test_a_job_shows_its_traceback_arguments_and_result(tab: Tab, daemon: Daemon) -> None:
    failed, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
    well, _ = await daemon.control.trigger("double", {"number": 21}, by="test")
    await ended(daemon, failed.id)
    await ended(daemon, well.id)
    await tab.show(f"jobs/{failed.id}")
    await see(panel(tab, "Outcome").get_by_role("region", name="Traceback"), "raise ValueError")
    await see(panel(tab, "Job"), failed.id)
    await tab.show(f"jobs/{well.id}")
    await see(panel(tab, "Outcome").get_by_role("region", name="Result"), "42")
    await see(panel(tab, "Arguments"), '"number": 21')
    await see(panel(tab, "Job"), "half way")


async def test_a_job_shows_its_log_and_its_audit_log(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as sink:
        log = logs.configure("info", "json", secrets=["s3cret"], descriptor=sink.fileno())
        host = Host(job_lines=log.job_lines)
        try:
            async with hosted(with_tcp(tmp_path), tasks=[hostile], host=host) as daemon, browsing(daemon) as tab:
                job, _ = await daemon.control.trigger("hostile", {"name": "end"}, by="somebody")
                await ended(daemon, job.id)
                await tab.show(f"jobs/{job.id}")
                await see(panel(tab, "Log").get_by_role("region"), HOSTILE)
                await see(panel(tab, "Log").get_by_role("region"), f"field={HOSTILE}")
                await see(row(tab, "Audit log", "trigger"), "somebody")
        finally:
            log.close()
            structlog.reset_defaults()


async def test_a_running_job_shows_its_current_stack(tab: Tab, daemon: Daemon, held: Callable[[str], None]) -> None:
    held("standing")
    job, _ = await daemon.control.trigger("waiting", {"name": "standing"}, by="test")
    await fact(started("standing"))
    await tab.show(f"jobs/{job.id}")
    stack = (await ask(daemon, f"/v1/jobs/{job.id}/stack"))["stack"]
    last = stack.strip().splitlines()[-1].strip()
    await see(panel(tab, "Current stack").get_by_role("region", name="Stack"), last)


async def test_filters_select_and_stay_in_the_address(tab: Tab, daemon: Daemon) -> None:
    for name in ("failing_at_once", "echo", "echo"):
        job, _ = await daemon.control.trigger(name, {}, by="test")
        await ended(daemon, job.id)
    await tab.show("jobs")
    rows = panel(tab, "Jobs").locator("tbody tr")
    await see(panel(tab, "Jobs"), "3 in total")
    await tab.page.get_by_label("State").select_option("failed")
    await see(panel(tab, "Jobs"), "1 in total")
    await see(rows, "failing_at_once")
    assert "state=failed" in tab.page.url
    await tab.page.reload()
    await see(panel(tab, "Jobs"), "1 in total")
    await tab.page.get_by_label("Task").select_option("echo")
    await see(panel(tab, "Jobs"), "No job matches these filters.")


async def test_the_charts_count_finished_jobs(tab: Tab, daemon: Daemon) -> None:
    for name in ("failing_at_once", "double", "double"):
        job, _ = await daemon.control.trigger(name, {"number": 1} if name == "double" else {}, by="test")
        await ended(daemon, job.id)
    found = await ask(daemon, "/v1/stats/series?window=24h")
    assert sum(one["succeeded"] for one in found["items"]) == 2
    await tab.show("charts?window=24h")
    charts = panel(tab, "Over time")
    await see(charts.locator("figure").filter(has_text="Throughput"), "3 jobs finished")
    await see(charts.locator("figure").filter(has_text="Failures"), "1 failed, 33.3 %")
    await see(row(tab, "By task", "failing_at_once"), "0 %")
    await see(row(tab, "By queue", "default"), "66.7 %")
    await charts.locator("figure").filter(has_text="Duration").locator("summary").click()
    await see(charts.locator("figure").filter(has_text="Duration").locator("tbody"), re.compile(r"ms|s"))


async def test_the_system_shows_the_audit_and_the_configuration(tab: Tab, daemon: Daemon) -> None:
    await daemon.control.pause_queue("default", "for the audit", "somebody")
    await tab.show("system")
    shown = row(tab, "Audit log", "for the audit")
    await see(shown, "somebody")
    await see(shown, "pause queue")
    await see(panel(tab, "Configuration").get_by_role("region"), '"half_yearly"')
    await see(panel(tab, "Daemon"), str((await ask(daemon, "/v1/status"))["pid"]))


# --- actions ---


async def test_a_job_is_cancelled_with_a_reason(tab: Tab, daemon: Daemon, held: Callable[[str], None]) -> None:
    held("cancelled")
    job, _ = await daemon.control.trigger("waiting", {"name": "cancelled"}, by="test")
    await fact(started("cancelled"))
    await tab.show(f"jobs/{job.id}")
    await panel(tab, "Job").get_by_role("button", name="Cancel").click()
    await answer(tab, "Cancel job", Reason="not needed")
    assert (await ended(daemon, job.id)).state is JobState.CANCELLED
    await see(panel(tab, "Job"), "cancelled")
    await see(panel(tab, "Job"), "not needed")
    for event in ("created", "attempt 1", "cancel requested", "cancelled"):
        await see(panel(tab, "History"), event)
    await see(tab.page.locator("#toasts"), "waiting")


async def test_an_ended_job_is_retried(tab: Tab, daemon: Daemon) -> None:
    job, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
    first = await ended(daemon, job.id)
    await tab.show(f"jobs/{job.id}")
    await panel(tab, "Job").get_by_role("button", name="Retry").click()
    await see(tab.page.locator("#toasts"), "failing_at_once")
    toast = tab.page.locator("#toasts").get_by_role("link", name="View job")
    assert await toast.get_attribute("href") == f"#/jobs/{job.id}"
    again = await ended(daemon, job.id)
    assert (again.finished_at or 0) > (first.finished_at or 0)


async def test_a_schedule_is_paused_with_a_note_and_resumed(tab: Tab, daemon: Daemon) -> None:
    await tab.show("schedules")
    await tab.page.get_by_role("button", name="Pause half_yearly").click()
    await answer(tab, "Pause schedule", Note=f"until it is well {HOSTILE}")
    await see(row(tab, "Schedules", "half_yearly"), f"until it is well {HOSTILE}")
    assert (await daemon.control.timetable.get("half_yearly")).paused
    await see(tab.page.locator("#toasts"), "half_yearly is paused.")
    await tab.page.get_by_role("button", name="Resume half_yearly").click()
    await tab.page.get_by_role("button", name="Pause half_yearly").wait_for()
    assert not (await daemon.control.timetable.get("half_yearly")).paused


async def test_a_schedule_is_triggered_and_backfilled(tab: Tab, daemon: Daemon) -> None:
    await tab.show("schedules/half_yearly")
    await tab.page.get_by_role("button", name="Trigger half_yearly").click()
    await answer(tab, "Trigger now")
    await see(tab.page.locator("#toasts"), "echo")
    (job,) = (await ask(daemon, "/v1/jobs?task=echo"))["items"]
    assert job["args"] == {"value": "of the schedule"}
    await tab.page.get_by_role("button", name="Backfill").click()
    await answer(tab, "Create jobs", From="2025-01-01T00:00", To="2025-12-31T00:00")
    await see(tab.page.locator("#toasts"), "2 jobs created for half_yearly")
    await see(panel(tab, "History").locator("tbody"), "1 Jul 2025 04:30")
    assert [one["outcome"] for one in (await ask(daemon, "/v1/schedules/half_yearly/fires"))["items"]] == [
        "backfilled"
    ] * 2


async def test_a_lock_is_released_only_with_a_reason(tab: Tab, daemon: Daemon, held: Callable[[str], None]) -> None:
    held("locked")
    job, _ = await daemon.control.trigger("locked", {"name": "locked"}, by="test")
    await fact(started("locked"))
    fence = (await ask(daemon, "/v1/locks"))["items"][0]["fence"]
    await tab.show("queues")
    await tab.page.get_by_role("button", name="Release one_at_a_time").click()
    dialog = tab.page.locator("dialog[open]")
    await dialog.get_by_role("button", name="Release lock").click()
    await see(dialog, "This field is required.")
    assert (await ask(daemon, "/v1/locks"))["items"][0]["fence"] == fence
    await answer(tab, "Release lock", Reason="its holder hangs")
    await see(tab.page.locator("#toasts"), "one_at_a_time is released.")
    await see(panel(tab, "Locks"), "No lock is held.")
    assert (await daemon.control.job(job.id)).state is not JobState.SUCCEEDED


async def test_a_queue_is_paused_resized_and_resumed(tab: Tab, daemon: Daemon) -> None:
    await tab.show("queues")
    await tab.page.get_by_role("button", name="Pause queue default").click()
    await answer(tab, "Pause queue", Note="maintenance")
    await see(row(tab, "Queues", "default"), "maintenance")
    job, _ = await daemon.control.trigger("echo", {}, by="test")
    await tab.show(f"jobs/{job.id}")
    await see(panel(tab, "Job"), "queue paused")
    await tab.show("queues")
    await tab.page.get_by_role("button", name="Resize queue default").click()
    await answer(tab, "Resize queue", Slots="3")
    await see(row(tab, "Queues", "default"), "0/3")
    await tab.page.get_by_role("button", name="Resume queue default").click()
    assert (await ended(daemon, job.id)).state is JobState.SUCCEEDED


async def test_a_refusal_stays_in_the_dialog_with_its_reason(tab: Tab, daemon: Daemon) -> None:
    await tab.show("jobs")
    await tab.page.get_by_role("button", name="Run a task").click()
    dialog = tab.page.locator("dialog[open]")
    await dialog.get_by_label("Task").select_option("double")
    await dialog.get_by_label("Arguments").fill('{"number": "many"}')
    await dialog.get_by_role("button", name="Run task").click()
    await see(dialog.get_by_role("alert"), "number")
    await dialog.get_by_label("Arguments").fill('{"number": 4}')
    await answer(tab, "Run task")
    await see(row(tab, "Jobs", "double"), "succeeded")
    (job,) = (await ask(daemon, "/v1/jobs"))["items"]
    assert job["result"] == 8


# --- safety, access, size ---


async def test_hostile_names_are_text_everywhere(tab: Tab, daemon: Daemon, held: Callable[[str], None]) -> None:
    held("hostile")
    await refresh(daemon)
    jobs = {}
    for name in ("fail", "end", "wait"):
        job, _ = await daemon.control.trigger("hostile", {"name": name}, by="test")
        jobs[name] = job.id
    await ended(daemon, jobs["fail"])
    await ended(daemon, jobs["end"])
    await fact(started("hostile"))
    launches = (await ask(daemon, "/v1/launches?q=Electron"))["items"]
    views = [*VIEWS, *(f"jobs/{job}" for job in jobs.values()), f"launches/{launches[0]['id']}"]
    seen = 0
    for view in views:
        await tab.show(view)
        seen += HOSTILE in await tab.page.locator("main").inner_text()
        assert await tab.page.locator("main img, main script").count() == 0, view
        assert await tab.page.title() != "owned", view
    assert seen >= 6  # overview, launches, jobs, each job, the launch


@pytest.mark.parametrize("width", [360, 1440])
async def test_no_view_scrolls_sideways(daemon: Daemon, width: int, held: Callable[[str], None]) -> None:
    held("wide")
    await refresh(daemon)
    job, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
    await ended(daemon, job.id)
    await daemon.control.trigger("locked", {"name": "wide"}, by="test")
    await daemon.control.pause_queue(
        "scraping", "a note that is a good deal longer than its queue is important", "test"
    )
    await fact(started("wide"))
    async with browsing(daemon, width=width, height=780) as tab:
        for view in [*VIEWS, f"jobs/{job.id}", "schedules/half_yearly"]:
            await tab.show(view)
            assert await tab.page.evaluate("() => document.documentElement.scrollWidth") <= width, view


async def test_everything_is_reached_by_keyboard(tab: Tab, daemon: Daemon) -> None:
    keys = tab.page.keyboard
    focused = "() => (document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()"
    await tab.show("schedules")
    await tab.page.reload()
    await tab.page.wait_for_selector(".panel[data-state=ready]")
    await keys.press("Tab")
    assert await tab.page.evaluate(focused) == "Skip to content"
    assert await tab.page.locator(".skip").is_visible()
    await keys.press("Enter")
    assert await tab.page.evaluate("() => document.activeElement.id") == "main"
    assert tab.page.url.endswith("#/schedules")
    for stop in ("half_yearly", "echo", "Trigger half_yearly"):
        await keys.press("Tab")
        assert await tab.page.evaluate(focused) == stop
    assert await tab.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await keys.press("Tab")
    await keys.press("Enter")
    dialog = tab.page.locator("dialog[open]")
    await dialog.wait_for()
    visited = []
    for _ in range(4):  # the note, two buttons, and round again
        visited.append(await tab.page.evaluate(focused))
        assert await tab.page.evaluate("() => document.activeElement.closest('dialog') !== null")
        await keys.press("Tab")
    assert visited[0] == visited[3]
    await keys.press("Shift+Tab")
    assert await tab.page.evaluate("() => document.activeElement.closest('dialog') !== null")
    await keys.press("Escape")
    await dialog.wait_for(state="detached")
    assert await tab.page.evaluate(focused) == "Pause half_yearly"
    assert not (await daemon.control.timetable.get("half_yearly")).paused
    await keys.press("Enter")
    await keys.type("by hand")
    await keys.press("Enter")
    await dialog.wait_for(state="detached")
    assert (await daemon.control.timetable.get("half_yearly")).note == "by hand"


async def test_for_an_unknown_job_only_one_panel_says_not_found(tab: Tab) -> None:
    await tab.show("jobs/00000000-0000-7000-8000-000000000000")
    await see(panel(tab, "Job"), "Not found. It does not exist or was deleted.")
    await tab.page.locator(".panel:visible:has-text('Not found.')").nth(1).wait_for(state="detached")


async def test_an_unknown_address_leads_to_the_overview(tab: Tab) -> None:
    await tab.page.goto(f"{tab.origin}/#/nowhere")
    await see(tab.page.locator("main"), "This page does not exist.")
    await tab.page.get_by_role("link", name="Go to the overview").click()
    await see(panel(tab, "Queues"), "default")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(daemon: Daemon, scheme: Any, held: Callable[[str], None]) -> None:  # noqa: ANN401 - a Literal
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - an extra

    held("axe")
    await refresh(daemon)
    for name in ("failing_at_once", "echo", "retry_later"):
        job, _ = await daemon.control.trigger(name, {}, by="test")
        if name == "failing_at_once":
            failed = (await ended(daemon, job.id)).id
    await daemon.control.trigger("locked", {"name": "axe"}, by="test")
    await daemon.control.pause_queue("monitoring", "maintenance", "test")
    await fact(started("axe"))
    # axe is injected as a script, which the policy forbids
    async with browsing(daemon, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce") as tab:
        for view in [*VIEWS, f"jobs/{failed}", "schedules/half_yearly", "dialog"]:
            if view == "dialog":
                await tab.page.get_by_role("button", name="Backfill").click()
            else:
                await tab.show(view)
            found = (await Axe().run(tab.page)).response["violations"]
            grave = [
                (one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"])
                for one in found
                if one["impact"] in {"serious", "critical"}
            ]
            assert grave == [], view


async def test_the_theme_can_be_chosen_and_is_kept(tab: Tab) -> None:
    back = "() => getComputedStyle(document.body).backgroundColor"
    await tab.show()
    light = await tab.page.evaluate(back)
    for _ in range(2):
        await tab.page.get_by_role("button", name="Theme").click()
    dark = await tab.page.evaluate(back)
    assert light != dark
    await tab.page.reload()
    assert await tab.page.evaluate(back) == dark


async def test_the_whole_page_is_light_however_many_and_large_the_jobs(tab: Tab, daemon: Daemon) -> None:
    """Counts the compressed bodies of the page, of all files that it loads, and of the first answers of the API."""
    wanted = [TriggerRequest("large", {"size": 60_000})] * 20 + [TriggerRequest("double", {"number": 1})] * 400
    for job_id in await daemon.control.enqueue(wanted, "test"):
        await ended(daemon, job_id)
    for _ in range(6):
        job, _ = await daemon.control.trigger("wordy", {}, by="test")
        await ended(daemon, job.id)
    for view in ("", "jobs", "queues"):
        await tab.page.goto("about:blank")
        await tab.show(view)
        entries = await tab.page.evaluate(
            "() => ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))"
            ".map((one) => [new URL(one.name).pathname, one.encodedBodySize, one.decodedBodySize])"
        )
        if not view:  # the stylesheet and first.js are inlined, and the browser alone decides when it loads the icon
            loaded = {path.rpartition("/")[2] for path, _, _ in entries}
            assert set(load().assets) - loaded <= {"index.html", "style.css", "first.js", "icon.svg"}
        assert sum(sent for _, sent, _ in entries) < MOST_BYTES, view
        # uncompressed too: lists ask for no results and no tracebacks
        assert sum(size for path, _, size in entries if path.startswith("/v1/")) < MOST_BYTES, view
