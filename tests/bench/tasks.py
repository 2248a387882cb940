"""The tasks of the benchmarks."""

import hashlib
import os
import time
from typing import Any

from launchd import Context, task

_clients: dict[str, Any] = {}


@task
async def noop(_ctx: Context) -> None:
    """Nothing."""


@task
async def stamp(_ctx: Context) -> float:
    """Return the time of its begin, by this machine's monotonic clock."""
    return time.monotonic()


@task(max_retries=0)
async def block(_ctx: Context, *, seconds: float) -> None:
    """Block the task loop, as no coroutine should."""
    time.sleep(seconds)  # noqa: ASYNC251 - the very fault


@task
def plain(_ctx: Context) -> None:
    """Nothing, in a thread."""


@task(isolation="process", max_retries=0)
def hang(ctx: Context) -> None:
    """Write a file, then loop in C, where no signal handler runs."""
    ctx.progress(0)
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", (1 << 31) - 1)


@task
async def incr(_ctx: Context) -> None:
    """One INCR in the server that the peers count in."""
    url = os.environ["REDIS_URL"]
    if url not in _clients:
        from redis.asyncio import Redis  # noqa: PLC0415 - only where the peers run

        _clients[url] = Redis.from_url(url)
    await _clients[url].incr("bench:done")
