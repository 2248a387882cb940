"""One job at a time through another job system: from the call that enqueues it until it has run.

Run it with that system's own Python (`python peer_latency.py ardiq 300`), in the folder of the peers; it imports
nothing of this project. The end of a job is its INCR, which is polled: that favours the peers, since a result would not
come earlier. It prints one JSON line.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import cast

import redis

BIN = Path(sys.executable).parent
DONE = "bench:done"
WARM_UP = 20
CELERY = "celery -A p_celery worker -P prefork -c 2 --loglevel=ERROR --without-gossip --without-mingle"
WORKERS = {"ardiq": [str(BIN / "ardiq"), "run", "-q", "p_ardiq:app"], "celery": [sys.executable, "-m", *CELERY.split()]}


async def ardiq(number: int) -> None:
    await import_module("p_ardiq").noop.enqueue(number)


async def celery(number: int) -> None:
    import_module("p_celery").noop.delay(number)


async def measure(enqueue: Callable[[int], Awaitable[None]], count: int, server: redis.Redis) -> list[float]:
    """The milliseconds of each job, without the first ones, which warm the worker up."""

    def done() -> int:
        return int(cast("bytes | None", server.get(DONE)) or 0)

    taken = []
    for number in range(count + WARM_UP):
        before = done()
        started = time.perf_counter()
        await enqueue(number)
        while done() == before:
            pass
        taken.append((time.perf_counter() - started) * 1000)
    return taken[WARM_UP:]


def main(name: str, count: int) -> None:
    """Start the worker, measure, end it."""
    server = redis.Redis.from_url(os.environ["REDIS_URL"])
    server.flushall()
    worker = subprocess.Popen(WORKERS[name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        taken = sorted(asyncio.run(measure({"ardiq": ardiq, "celery": celery}[name], count, server)))
    finally:
        worker.terminate()
        worker.wait(20)
    sys.stdout.write(json.dumps({"peer": name, "p50": taken[count // 2], "p99": taken[count * 99 // 100]}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
