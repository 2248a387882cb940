"""Measures the admin API while jobs run: requests a second of a daemon on one core.

The daemon with all of its threads is bound to one core; this process, which asks over the Unix socket, to another
(where there is only one, both share it). All the while schedules fire no-op jobs, and in each round of launches the
records of a source are parsed, matched and stored again. A CPU second is one of the daemon's process, jobs included.
"""

import os
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from launchd.clock import DAY, SystemClock, format_instant
from launchd.logs import setup as logs
from tests.bench import asker
from tests.bench.process import Process, daemon, percentile, say
from tests.bench.scrape import launchlog
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, crew_7, page
from tests.support.replay_server import replaying

PLANNED, JOBS_A_SECOND = 500, 200
CONNECTIONS, ROUNDS = 32, 3
SECONDS, LOOK_SECONDS = 4.0, 2.0
LAUNCHES = "/v1/launches?limit=20"
OTHERS = (
    "/v1/launches?when=upcoming&limit=6",
    "/v1/launches.ics",
    "/v1/status",
    "/v1/queues",
    "/v1/jobs?limit=20",
    "/healthz",
)
STREAM = "\n".join(
    f'[schedules.s{number}]\ntask = "noop"\nevery = "1s"\njitter_seconds = 0.95\noverlap = "allow"'
    for number in range(JOBS_A_SECOND)
)


def planned() -> bytes:
    """Upcoming launches, one a day, in the format of Launch Library."""
    now, records = SystemClock().now() // DAY * DAY, []
    for number in range(1, PLANNED + 1):
        net = format_instant(now + number * DAY)
        mission = {**crew_7()["mission"], "name": f"Mission {number}"}
        named = {"id": f"planned-{number}", "name": f"Falcon 9 Block 5 | Mission {number}", "mission": mission}
        times = {"net": net, "window_start": net, "window_end": net, "launch_designator": None}
        records.append({**crew_7(), **named, **times, "status": {"id": 1, "name": "Go for Launch"}})
    return page(*records)


async def fill(state: Path) -> int:
    """Scrape launches into the databases of a state directory; how many there are."""
    async with AsyncExitStack() as stack:
        replay = await stack.enter_async_context(replaying())
        replay.bodies = {UPCOMING: planned(), PREVIOUS: page(), LOG: launchlog(None)}
        bases = {"launch_library": f"{replay.url}/ll/", "gcat": f"{replay.url}/gcat"}
        tables = [f'[sources.{name}]\nrate = "1000/s"\nbase_url = "{url}"' for name, url in bases.items()]
        running = await stack.enter_async_context(hosted(quiet_config(state, "\n".join(tables))))
        await ended(running, (await running.control.refresh(list(bases), force=False, by="bench")).id)
        (row,) = await running.launches._db.read("SELECT count(*) FROM launches")
        return int(row[0])


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Bind this process, and processes that it starts meanwhile, to a core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(process: Process, target: str, seconds: float) -> None:
    """Send requests for a while, over all connections at once, and print the rates."""
    spent, seq = process.cpu_seconds(), process.last_seq()
    found = uvloop.run(asker.ask(process.socket, target, connections=CONNECTIONS, seconds=seconds))
    spent, jobs = process.cpu_seconds() - spent, process.last_seq() - seq
    say(
        f"GET {target}, {found.size:,} bytes",
        f"{found.rate:,.0f} a second, {len(found.taken) / spent:,.0f} a CPU second, "
        f"p50 {percentile(found.taken, 0.5):.1f}, p99 {percentile(found.taken, 0.99):.1f} ms; "
        f"{jobs / found.seconds:.0f} jobs/s",
    )


def replay_launchlog(process: Process) -> str:
    """Have the records of GCAT parsed, matched and stored again; the job's id."""
    return str(process.client.request("POST", "/v1/sources/gcat/replay", body={})["id"])


def until_ended(process: Process, job_id: str) -> None:
    """Wait for a job that must succeed."""
    job = process.client.request("GET", f"/v1/jobs/{job_id}", wait=60)
    if job["state"] != "succeeded":
        raise RuntimeError(f"{job['task']} is {job['state']}: {job['error']}")


def run() -> None:
    """Print the figures of each endpoint, launches first."""
    logs.configure("error", "json")
    cores = sorted(os.sched_getaffinity(0))
    with TemporaryDirectory() as place:
        state = Path(place) / "state"
        state.mkdir()
        count = uvloop.run(fill(state))
        say(f"{count:,} launches, {CONNECTIONS} connections; the daemon has", "one core, the client another")
        with on_core(cores[0]), daemon(state, extra=STREAM) as process, on_core(cores[-1]):
            for _ in range(ROUNDS):
                job_id = replay_launchlog(process)
                measure(process, LAUNCHES, SECONDS)
                until_ended(process, job_id)
            for target in OTHERS:
                measure(process, target, LOOK_SECONDS)
