"""The tasks of a fictitious launch tracker: they wait on a clock that can be a virtual one."""

import hashlib

from launchd import Context, task
from launchd.clock import Clock, SystemClock

ELEMENTS = "https://elements.example.org/gp.php?GROUP=active&FORMAT=json"
# The clock that the tasks sleep on; the benchmark sets another one.
clocks: list[Clock] = [SystemClock()]


def chance(ctx: Context) -> float:
    """A number of 0 to 1 that belongs to this attempt of this job."""
    return hashlib.sha256(f"{ctx.job_id} {ctx.attempt}".encode()).digest()[0] / 255


@task(max_retries=0)
async def notify(ctx: Context) -> dict[str, int]:
    """Notify the followers of a launch."""
    await clocks[0].sleep(0.04 + chance(ctx) ** 8 * 4)
    return {"sent": round(chance(ctx) * 400)}


@task(queue="publishing")
async def publish(ctx: Context) -> dict[str, object]:
    """Write calendar and feeds."""
    await clocks[0].sleep(2 + chance(ctx) * 9)
    return {"files": ["launches.ics", "launches.atom", "launches.csv"], "bytes": round(chance(ctx) * 1e6)}


@task(queue="scraping", max_retries=1)
async def sync(ctx: Context) -> dict[str, int]:
    """Request orbital elements; one time in six the server does not answer."""
    await clocks[0].sleep(4 + chance(ctx) * 40)
    if chance(ctx) > 5 / 6:
        try:
            connect()
        except ConnectionResetError as error:
            raise RuntimeError(f"GET {ELEMENTS}: no answer after 3 attempts, the last: {error}") from error
    return {"objects": round(chance(ctx) * 30_000)}


def connect() -> None:
    """Try to connect, without success."""
    raise ConnectionResetError(104, "Connection reset by peer")


@task(queue="archive", lock="catalogue_of_everything", timeout=3600)
async def rebuild(ctx: Context) -> str:
    """Rebuild the catalogue from all that is known, for some minutes."""
    await clocks[0].sleep(150 + chance(ctx) * 300)
    return "rebuilt"


@task(queue="archive", lock="catalogue_of_everything", lock_wait_seconds=30)
async def compare(ctx: Context) -> dict[str, int]:
    """Compare the providers' data with the catalogue, unless it is being rebuilt."""
    await clocks[0].sleep(20 + chance(ctx) * 40)
    return {"differences": round(chance(ctx) * 9)}


@task(max_retries=0)
async def parse(_ctx: Context) -> None:
    """Fail on a payload."""
    raise ValueError("launches[17].net: expected an RFC 3339 time such as 2026-01-31T06:00:00Z, got 'NET Q3, TBC'")


@task
async def linger(ctx: Context, *, minutes: int) -> None:
    """Work for some minutes, and report progress."""
    for second in range(minutes * 60):
        ctx.progress(second, minutes * 60, f"page {second // 7} of {minutes * 60 // 7}")
        if second % 5 == 0:
            ctx.log.info("page_read", page=second // 7, launches=second * 3)
        await clocks[0].sleep(1)


@task(max_retries=5)
async def stall(ctx: Context) -> None:
    """Never end."""
    ctx.progress(1, 3, "waiting for a server that does not answer")
    await clocks[0].sleep(86_400)


TRACKER = (notify, publish, sync, rebuild, compare, parse, linger, stall)
