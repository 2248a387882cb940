"""The README's two pictures: the dashboard in Chromium, light and dark, of a daemon with the demo's launches.

The daemon first lives through some hours under a virtual clock that ends now, so that its charts have a history. Then
it runs in real time, with some jobs at work, and the pictures are taken. `make picture` writes them; look at them.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from launchd import config
from launchd.clock import HOUR, SECOND, SystemClock
from launchd.daemon import Daemon
from launchd.demo import payloads
from launchd.engine.snapshots import JobQuery
from launchd.job import JobState
from launchd.logs import setup
from launchd.testing import running
from tests.docs import picture_tasks
from tests.docs.pages import DOCS
from tests.support.browser import browsing, missing
from tests.support.hosted_daemon import PATIENCE_SECONDS, hosted, only_these_sources
from tests.support.replay_server import Replay, replaying

PICTURES = DOCS / "pictures"
WIDTH, HEIGHT = 1280, 1012
MOST_BYTES = 200_000
HOURS = 6
# The jobs that run in the picture, each with its progress, and one that waits for the lock of another.
AT_WORK = (
    ("export_history", {"year": 2024, "done": 214, "total": 259}),
    ("export_history", {"year": 2025, "done": 97, "total": 312}),
    ("compare_catalogue", {"done": 4210, "total": 7310}),
)
WAITING = "rebuild_catalogue"
_CONFIG = """
[daemon]
state_directory = "{state}"
minimum_free_mib = 0
drain_seconds = 0.0
[admin]
socket = "{state}/admin.sock"
[queues.publishing]
concurrency = 4
[queues.archive]
concurrency = 4
[schedules.scrape_launch_data]
task = "scrape_launch_data"
cron = "*/20 * * * *"
[schedules.notify_watchers]
task = "notify_watchers"
cron = "*/3 * * * *"
[schedules.publish_feeds]
task = "publish_feeds"
cron = "*/7 * * * *"
[schedules.rebuild_catalogue]
task = "rebuild_catalogue"
cron = "{rebuilds} * * * *"
[sources.launch_library]
base_url = "{url}/ll2/"
rate = "1000/s"
[sources.gcat]
base_url = "{url}/gcat/"
rate = "1000/s"
"""


def main() -> int:
    """Take both pictures; 1 with the reason where there is no browser."""
    if (why := missing()) is not None:
        sys.stderr.write(f"picture: {why}\n")
        return 1
    setup.configure("error", "json")
    PICTURES.mkdir(exist_ok=True)
    asyncio.run(take(PICTURES))
    large = [file.name for file in PICTURES.glob("*.png") if file.stat().st_size > MOST_BYTES]
    if large:
        sys.stderr.write(f"picture: {', '.join(large)}: more than {MOST_BYTES} bytes: make HEIGHT smaller\n")
    return int(bool(large))


async def take(folder: Path) -> None:
    """Write dashboard-light.png and dashboard-dark.png into a folder."""
    with TemporaryDirectory(prefix="launchd-picture-") as name:
        async with replaying() as replay:
            text = await _live(Path(name), replay)
            async with _at_work(text) as daemon:
                for scheme in ("light", "dark"):
                    await _photograph(daemon, scheme, folder / f"dashboard-{scheme}.png")


async def _live(state: Path, replay: Replay) -> str:
    """Live through the hours before this moment; the configuration to go on with."""
    born = datetime.now(UTC)
    # at no time that would leave one at work now: its lock is needed for the picture
    rebuilds = ",".join(str((born.minute + minutes) % 60) for minutes in (20, 45))
    text = only_these_sources(_CONFIG.format(state=state, url=replay.url, rebuilds=rebuilds))
    replay.bodies = {
        "/ll2/launches/upcoming/": payloads.upcoming(born, 1),
        "/ll2/launches/previous/": payloads.previous(),
        "/gcat/tsv/derived/launchlog.tsv": payloads.launchlog(),
    }
    began = SystemClock().now() - HOURS * HOUR
    async with running(tasks=picture_tasks.TASKS, config=text, start=began, directory=state) as lived:
        picture_tasks.clocks[0] = lived.clock
        await lived.trigger("scrape_launch_data")
        await lived.advance(hours=HOURS / 2)
        replay.bodies["/ll2/launches/upcoming/"] = payloads.upcoming(born, 2)  # a slip and a scrub
        await lived.advance(seconds=max(SystemClock().now() - lived.clock.now(), 0) / SECOND)
    picture_tasks.clocks[0] = SystemClock()
    return text


@asynccontextmanager
async def _at_work(text: str) -> AsyncIterator[Daemon]:
    """A daemon in real time with jobs that run, each with some progress."""
    listening = text.replace("[admin]\n", '[admin]\ntcp = "127.0.0.1:0"\n')
    async with hosted(config.parse(listening), tasks=picture_tasks.TASKS) as daemon:
        for task, args in AT_WORK:
            await daemon.control.trigger(task, dict(args), by="demo")
        await daemon.control.refresh(None, force=True, by="demo")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await _have_begun(daemon):  # noqa: ASYNC110 - progress is told to nobody
                await asyncio.sleep(0.05)
        await daemon.control.trigger(WAITING, {}, by="demo")
        yield daemon


async def _have_begun(daemon: Daemon) -> bool:
    running_now = (await daemon.control.jobs(JobQuery(state=JobState.RUNNING, queue="archive"))).items
    return len(running_now) == len(AT_WORK) and all(job.progress for job in running_now)


async def _photograph(daemon: Daemon, scheme: str, file: Path) -> None:
    async with browsing(daemon, width=WIDTH, height=HEIGHT, color_scheme=scheme) as tab:
        await tab.show("?span=1h")
        assert await tab.text("#verdict") == "healthy"
        await tab.page.screenshot(path=file)


if __name__ == "__main__":
    sys.exit(main())
