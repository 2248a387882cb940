"""One job at a time through another job system: from the call that enqueues it until it has run.

Run by that system's own Python (`python peer_latency.py ardiq 300`), in the folder of the peers; it imports nothing of
this project. The end of a job is seen by its INCR, asked for again and again: what that costs is theirs to gain from,
since a result would come no sooner. Prints one JSON line.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import redis

BIN = Path(sys.executable).parent
DONE = "bench:done"
WORKERS = {
    "ardiq": [str(BIN / "ardiq"), "run", "-q", "p_ardiq:app"],
    "celery": [sys.executable, "-m", "celery", "-A", "p_celery", "worker", "-P", "prefork", "-c", "2"]
    + ["--loglevel=ERROR", "--without-gossip", "--without-mingle"],
}


async def ardiq(number: int) -> None:
    import p_ardiq  # noqa: PLC0415 - the peer's own environment has it

    await p_ardiq.noop.enqueue(number)


async def celery(number: int) -> None:
    import p_celery  # noqa: PLC0415 - as above

    p_celery.noop.delay(number)


async def measure(enqueue: object, count: int, server: "redis.Redis[bytes]") -> list[float]:
    """Milliseconds of each job; those before the worker is warm do not count."""
    taken = []
    for number in range(count + 20):
        before = int(server.get(DONE) or 0)
        started = time.perf_counter()
        await enqueue(number)  # type: ignore[operator]
        while int(server.get(DONE) or 0) == before:
            pass
        taken.append((time.perf_counter() - started) * 1000)
    return taken[20:]


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
