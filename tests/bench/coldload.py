"""The cold load: all recorded payloads into an empty database in one scrape, and then the same payloads once more.

The daemon runs in this process, so that its loop and its writers can be measured; the sources are a process of their
own (tests/bench/recorded.py). If a figure misses its target, the part fails.
"""

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import uvloop

from launchd.daemon import Daemon
from launchd.db.database import Connection, Database
from launchd.logs import setup as logs
from tests.bench.process import percentile, say
from tests.bench.recorded import BASES
from tests.support.hosted_daemon import hosted, quiet_config
from tests.support.paths import ROOT, SHARED

SECONDS, PEAK_MIB, LAG_MS = 20.0, 400.0, 20.0
# The second load writes one row: the fence, which is raised once.
FENCES = 1
_TICK = 0.002
# The longest time of a load.
_PATIENCE = 600.0


@contextmanager
def recorded(root: Path) -> Iterator[str]:
    """The address of a server of the payloads in a folder."""
    command = [sys.executable, "-m", "tests.bench.recorded", str(root)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield (server.stdout.readline() if server.stdout else "").strip()
        finally:
            server.terminate()


async def lags(stop: asyncio.Event) -> list[float]:
    """The delays of a callback that is due every 2 ms, in milliseconds, until `stop` is set.

    Each callback that was due while the loop was blocked counts with its own delay.
    """
    loop, late = asyncio.get_running_loop(), []
    due = loop.time() + _TICK
    while not stop.is_set():
        await asyncio.sleep(due - loop.time())
        now = loop.time()
        while due <= now:
            late.append((now - due) * 1000)
            due += _TICK
    return late


def counting(database: Database) -> Counter[str]:
    """Count from now on the rows that each store's writes change, by SQLite's own count."""
    counts: Counter[str] = Counter()
    write = database.write

    async def counted(function: Callable[[Connection], Any]) -> Any:  # noqa: ANN401 - as `write` does
        def act(connection: Connection) -> Any:  # noqa: ANN401 - the same
            before = connection.total_changes
            try:
                return function(connection)
            finally:
                counts[function.__module__.rpartition(".")[2]] += connection.total_changes - before

        return await write(act)

    database.write = counted  # type: ignore[method-assign]  # every write passes here, to be counted
    return counts


async def load(daemon: Daemon, *, force: bool) -> tuple[float, dict[str, Any]]:
    """Scrape all sources; returns the seconds, and the statistics of each source."""
    started = time.perf_counter()
    job = await daemon.control.refresh(list(BASES), force=force, by="bench")
    job = await daemon.control.wait(job.id, _PATIENCE)
    if job.error is not None or job.result is None:
        raise RuntimeError(f"the load failed: {job.error}")
    return time.perf_counter() - started, msgspec.json.decode(job.result)["sources"]


def peak_mib() -> float:
    """The peak of this process's resident memory in MiB since `forget_peak`."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def forget_peak() -> None:
    """Reset the kernel's high-water mark of resident memory: proc(5), clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


async def measured(url: str) -> bool:
    """Print the figures; False if one misses its target."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        tables = [f'[sources.{name}]\nrate = "1000/s"\nbase_url = "{url}/{base}"' for name, base in BASES.items()]
        daemon = await stack.enter_async_context(hosted(quiet_config(directory, "\n".join(tables))))
        gc.freeze()  # as service.py does once it runs
        stop = asyncio.Event()
        forget_peak()
        watching = asyncio.create_task(lags(stop))
        seconds, numbers = await load(daemon, force=False)
        stop.set()
        late, peak = await watching, peak_mib()
        rows, made = (sum(one.get(what, 0) for one in numbers.values()) for what in ("fetched", "created"))
        say(f"cold load, {made:,} records of {rows:,} rows into an empty database", f"{seconds:.1f} s")
        say("peak memory of the daemon meanwhile", f"{peak:.0f} MiB")
        p99 = percentile(late, 0.99)
        say(
            "lag of the control loop meanwhile",
            f"p50 {percentile(late, 0.5):.1f}, p99 {p99:.1f}, most {max(late):.0f} ms",
        )
        writes = counting(daemon.launches._db)
        again, _ = await load(daemon, force=False)
        say("unchanged scrape", f"{again:.2f} s, {_told(writes)}")
        written = writes["launches"]
        writes.clear()
        again, _ = await load(daemon, force=True)
        say("the same payloads read again", f"{again:.2f} s, {_told(writes)}")
        written += writes["launches"]
        return seconds < SECONDS and peak < PEAK_MIB and p99 < LAG_MS and written <= FENCES


def _told(writes: Counter[str]) -> str:
    return f"{writes['launches']} rows of launches and their fence, {writes['source_store']} of what was asked and kept"


def run(folder: str | None) -> bool:
    """Print the cold load's figures, or the reason why there are none."""
    root = Path(folder) if folder else SHARED / "sources"
    if not root.is_dir():
        say("cold load", f"skipped, there are no payloads in {root}")
        return True
    logs.configure("error", "json")
    with recorded(root) as url:
        return uvloop.run(measured(url))


if __name__ == "__main__":
    sys.exit(0 if run(os.environ.get("SOURCES")) else 1)
