"""Runs the same work in other job systems, in the same run on the same machine, and prints the ratio to each.

Each runs N no-op jobs that count themselves by one INCR in a private redis-server, without fsync. launchd's first row
does the same INCR in its task; its second row leaves it out, since nothing here needs a server.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.bench.process import daemon, peer_lines, say

PEERS = Path(__file__).parents[3] / "shared" / "peers"
LATENCY = Path(__file__).parent / "peer_latency.py"
COUNT = int(os.environ.get("N", "5000"))
PORT = 7398
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def compare(own_rate: float, own_milliseconds: float) -> None:
    """Run all that are set up, and launchd's row with the same INCR; print the ratios."""
    home = os.environ.get("PEERS_HOME")
    if not PEERS.is_dir() or home is None or not Path(home).is_dir():
        say("other job systems", "skipped: make them with setup.sh of the peers and set PEERS_HOME")
        return
    counted = _with_incr()
    environ = {**os.environ, "N": str(COUNT)}
    done = subprocess.run(["bash", str(PEERS / "run.sh")], env=environ, capture_output=True, text=True, check=False)
    rows = [row for row in peer_lines(done.stdout) if row.get("drain_per_s")]
    for row in sorted(rows, key=lambda one: -one["drain_per_s"]):
        rate = row["drain_per_s"]
        say(
            f"  {row['peer']}",
            f"{rate:,} jobs/s, {row['rss_mib']:.0f} MiB in {row['procs']}; "
            f"launchd {own_rate / rate:.1f}x, with the same INCR {counted / rate:.1f}x",
        )

    for name, family in (("ardiq", "ardiq"), ("celery", "main")):
        _one_at_a_time(name, Path(home) / family / "bin" / "python", own_milliseconds)


def _one_at_a_time(name: str, python: Path, own_milliseconds: float) -> None:
    """The time from enqueuing a job to its end; for launchd, from the request to the task's first line."""
    if not python.exists():
        return
    for how, options in (("without", ("--appendonly", "no")), ("with", DURABLE)):
        with _server(*options):
            command = [str(python), str(LATENCY), name, "300"]
            environ = {**os.environ, "PYTHONPATH": str(PEERS), "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(command, env=environ, cwd=PEERS, capture_output=True, text=True, check=False)
        for row in peer_lines(done.stdout):
            say(
                f"  {name}: one job at a time, enqueued to done, {how} fsync",
                f"p50 {row['p50']:.2f} ms, p99 {row['p99']:.2f} ms; launchd's start {own_milliseconds:.2f} ms",
            )


@contextmanager
def _server(*options: str) -> Iterator[Redis]:
    """A private server, by default without persistence; its address is in the environment."""
    with TemporaryDirectory() as place:
        command = ["redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--dir", place, "--save", "", *options]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{PORT}/0"
        try:
            client = Redis(port=PORT)
            _until_it_answers(client)
            yield client
        finally:
            server.terminate()
            server.wait()


def _until_it_answers(client: Redis) -> None:
    while True:
        with suppress(RedisConnectionError):
            client.ping()
            return
        time.sleep(0.01)  # between two looks


def _with_incr() -> float:
    """Launchd's own row, counted in a server as the peers are."""
    with _server() as client, TemporaryDirectory() as place:
        rate = _counted(client, Path(place) / "state")
        bare = asyncio.run(_bare())
    say("no-op jobs with one INCR each, fsync at every change of state", f"{rate:,.0f} jobs/s")
    say("the same client counting in a bare loop, without any job system", f"{bare:,.0f} INCR/s")
    return rate


async def _bare() -> float:
    """The rate of the client alone with 100 coroutines: no system with this task in one process can be faster."""
    async with AsyncRedis.from_url(os.environ["REDIS_URL"]) as client:

        async def count() -> None:
            for _ in range(COUNT // 100):
                await client.incr("bench:bare")

        await count()
        started = time.perf_counter()
        await asyncio.gather(*(count() for _ in range(100)))
        return COUNT / (time.perf_counter() - started)


def _counted(client: Redis, state: Path) -> float:
    def count() -> int:
        return int(cast("bytes | None", client.get("bench:done")) or 0)

    with daemon(state, "--scheduler-only") as process:
        process.enqueue("incr", COUNT)
    with daemon(state):
        first = None
        while (done := count()) < COUNT:
            if done and first is None:
                first = (time.perf_counter(), done)
            time.sleep(0.002)
        since, already = first or (time.perf_counter(), COUNT)
        return (COUNT - already) / max(time.perf_counter() - since, 1e-9)
