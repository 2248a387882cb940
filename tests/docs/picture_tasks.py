"""The tasks of the README's picture: they take their time by a clock that can be a virtual one."""

import hashlib

from launchd import Context, task
from launchd.clock import Clock, SystemClock

CATALOGUE = "catalogue"
# The clock that the tasks sleep on; set by whoever runs them under another one.
clocks: list[Clock] = [SystemClock()]


def share(ctx: Context) -> float:
    """A number of 0 to 1 that belongs to this job."""
    return hashlib.sha256(ctx.job_id.encode()).digest()[0] / 255


@task
async def notify_watchers(ctx: Context) -> None:
    """Send what is new to those who watch a launch."""
    await clocks[0].sleep(2 + share(ctx) * 20)


@task(queue="publishing")
async def publish_feeds(ctx: Context) -> dict[str, list[str]]:
    """Write calendar, feed and table."""
    await clocks[0].sleep(20 + share(ctx) * 60)
    return {"files": ["launches.ics", "launches.atom", "launches.csv"]}


@task(queue="archive", lock=CATALOGUE, lock_wait_seconds=3600)
async def rebuild_catalogue(ctx: Context) -> None:
    """Rebuild the catalogue for some minutes."""
    await clocks[0].sleep(240 + share(ctx) * 240)


@task(queue="archive", timeout=0)
async def export_history(ctx: Context, *, year: int, done: int, total: int) -> None:
    """Export what flew in a year, launch by launch."""
    await _work(ctx, done, total, f"launches of {year}")


@task(queue="archive", lock=CATALOGUE, timeout=0)
async def compare_catalogue(ctx: Context, *, done: int, total: int) -> None:
    """Compare the catalogue with each source."""
    await _work(ctx, done, total, "compared with GCAT")


async def _work(ctx: Context, done: int, total: int, note: str) -> None:
    for one in range(done, total):
        ctx.progress(one, total, note)
        await clocks[0].sleep(5)


TASKS = (notify_watchers, publish_feeds, rebuild_catalogue, export_history, compare_catalogue)
