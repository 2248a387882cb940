"""Gives a daemon process tasks that wait for a file, which the test makes."""

import asyncio
from pathlib import Path

from launchd import Context, task

_LOOK_SECONDS = 0.01


@task
async def greet(_ctx: Context, *, name: str = "world") -> str:
    """Return a greeting."""
    return f"hello {name}"


@task(lock="errand_lock")
async def linger(ctx: Context, *, until: str) -> str:
    """Report progress, then wait for a file."""
    ctx.progress(1, 2, "begun")
    ctx.log.info("lingering", until=until)
    while not Path(until).exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
        await asyncio.sleep(_LOOK_SECONDS)
    ctx.progress(2, 2, "begun\nended")
    return "waited"


@task(max_retries=0)
async def stumble(_ctx: Context, *, why: str = "a stone") -> None:
    """Fail."""
    raise ValueError(why)


@task(max_retries=0)
async def echo(_ctx: Context, *, value: str) -> str:
    """Return the argument."""
    return value
