"""The scrape's figures: a cold refresh, an unchanged one, and the answers of the control plane meanwhile."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec
import uvloop

from launchd.daemon import Daemon
from launchd.logs import setup as logs
from tests.bench.process import say
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, gcat, page
from tests.support.replay_server import replaying

LAUNCHES = 7_000


async def answers(daemon: Daemon, stop: asyncio.Event) -> list[float]:
    """The time of GET /v1/status, one request after another, until `stop` is set."""
    taken = []
    async with aiohttp.ClientSession("http://d", connector=aiohttp.UnixConnector(str(daemon.socket))) as session:
        while not stop.is_set():
            started = time.perf_counter()
            async with session.get("/v1/status") as response:
                await response.read()
            taken.append(time.perf_counter() - started)
            await asyncio.sleep(0.001)
    return taken


async def refresh(daemon: Daemon) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    job = await daemon.control.refresh(["gcat"], force=False, by="bench")
    job = await ended(daemon, job.id)
    found: dict[str, Any] = msgspec.json.decode(job.result or "{}")
    return time.perf_counter() - started, found["sources"]["gcat"]


async def scrape(daemon: Daemon) -> None:
    """A cold and an unchanged refresh, while a client in this process requests the status again and again."""
    stop = asyncio.Event()
    asking = asyncio.create_task(answers(daemon, stop))
    cold, first = await refresh(daemon)
    stop.set()
    taken = sorted(await asking)
    again = min([await refresh(daemon) for _ in range(3)], key=lambda one: one[0])
    say(f"first refresh, {first['created']:,} launches of {first['fetched']:,} rows", f"{cold:.2f} s")
    say(
        f"unchanged refresh, {again[1]['created']} created, {again[1]['updated']} updated",
        f"{cold / again[0]:.0f}x faster",
    )
    p99 = taken[int(len(taken) * 0.99)] * 1000
    say(
        f"GET /v1/status during it, {len(taken)} requests",
        f"p50 {statistics.median(taken) * 1000:.1f}, p99 {p99:.1f} ms",
    )


def launchlog(recorded: Path | None) -> bytes:
    """The recorded launch log if one is named, else a generated one."""
    if recorded is not None:
        return recorded.read_bytes()
    rows = []
    for number in range(LAUNCHES):
        day, year = number % 28 + 1, 1990 + number // 200
        tag = f"{year}-{number % 200 + 1:03d}"
        rows += [f"{tag}\t{year} Jan {day:2} 1200:30\t{tag}{piece}\tP\tN\tN\tV\tCC\tLC40\tA\tOS" for piece in "ABC"]
    return gcat(*rows)


async def main(recorded: Path | None) -> None:
    """Scrape a launch log from a local server, within this process."""
    logs.configure("error", "json")
    async with AsyncExitStack() as stack:
        replay = await stack.enter_async_context(replaying())
        replay.bodies = {UPCOMING: page(), PREVIOUS: page(), LOG: launchlog(recorded)}
        directory = Path(stack.enter_context(TemporaryDirectory()))
        extra = f'[sources.gcat]\nrate = "1000/s"\nbase_url = "{replay.url}/gcat/"'
        daemon = await stack.enter_async_context(hosted(quiet_config(directory, extra)))
        await scrape(daemon)


def run(recorded: str | None) -> None:
    """Print the scrape's figures; `recorded` is a launch log of GCAT, else one is generated."""
    uvloop.run(main(Path(recorded) if recorded else None))
