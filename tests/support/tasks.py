"""Gives a test tasks to run, and gates: events across threads, which the test opens and a task waits for."""

import asyncio
import threading
import time
from typing import Any

from launchd import Cancel, Context, Retry, Snooze, task

STARTED: dict[str, threading.Event] = {}
GATES: dict[str, threading.Event] = {}


def started(name: str) -> threading.Event:
    """The event that is set once a task with this name has begun."""
    return STARTED.setdefault(name, threading.Event())


def gate(name: str) -> threading.Event:
    """The event that a task with this name waits for."""
    return GATES.setdefault(name, threading.Event())


async def fact(event: threading.Event) -> None:
    """Wait for an event of another thread without blocking the loop."""
    assert await asyncio.to_thread(event.wait, 30.0), "the event never came"


@task
async def echo(_ctx: Context, *, value: Any = None) -> Any:  # noqa: ANN401 - any JSON is meant
    """Return the argument."""
    return value


@task
def double(ctx: Context, *, number: int) -> int:
    """A plain function: runs in a thread."""
    ctx.progress(1, 2, "half way")
    return number * 2


@task
async def about(ctx: Context) -> dict[str, Any]:
    """Return the values of the context."""
    return {"job_id": ctx.job_id, "attempt": ctx.attempt, "fence": ctx.fence, "task": ctx.task, "queue": ctx.queue}


@task(max_retries=1)
async def failing(_ctx: Context) -> None:
    """Fail always."""
    raise ValueError("this never works")


@task(max_retries=0)
async def failing_at_once(_ctx: Context) -> None:
    """Fail without a second attempt."""
    raise ValueError("no second chance")


@task
async def retry_later(_ctx: Context) -> None:
    """Ask for a retry in two hours."""
    raise Retry("the source asked for patience", after=7200)


@task
async def snoozing(_ctx: Context) -> None:
    """Ask to come back in an hour, without a failure."""
    raise Snooze(3600)


@task
async def giving_up(_ctx: Context) -> None:
    """End as cancelled."""
    raise Cancel("nothing to do any more")


@task
async def waiting(_ctx: Context, *, name: str) -> str:
    """Begin, then wait for a gate."""
    started(name).set()
    while not gate(name).is_set():  # noqa: ASYNC110 - a thread's event: the test sets it from another loop
        await asyncio.sleep(0.005)
    return name


@task(lock="one_at_a_time", lock_wait_seconds=0.5)
async def locked(ctx: Context, *, name: str) -> int | None:
    """The same under a lock."""
    started(name).set()
    while not gate(name).is_set():  # noqa: ASYNC110 - a thread's event: the test sets it from another loop
        await asyncio.sleep(0.005)
    return ctx.fence


@task
async def advancing(ctx: Context, *, name: str) -> None:
    """Report progress, then wait for a gate."""
    ctx.progress(3.0, 4.0, "nearly")
    ctx.log.info("advanced", name=name)
    started(name).set()
    while not gate(name).is_set():  # noqa: ASYNC110 - a thread's event: the test sets it from another loop
        await asyncio.sleep(0.005)


@task(timeout=0.2, max_retries=0)
async def too_slow(_ctx: Context) -> None:
    """Run into its time limit."""
    await asyncio.sleep(3600)


@task(max_retries=0)
async def stubborn(_ctx: Context, *, name: str) -> None:
    """Swallow the first two cancellations."""
    started(name).set()
    for _ in range(3):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


@task(lock="blocked_lock")
async def blocking(_ctx: Context, *, name: str, seconds: float) -> None:
    """Block the task loop, as no coroutine should."""
    started(name).set()
    time.sleep(seconds)  # noqa: ASYNC251 - the very fault under test


@task
async def parent(ctx: Context, *, value: str) -> str:
    """Make a job of another task."""
    return await ctx.trigger("echo", value=value)


@task(max_retries=0)
async def computing(ctx: Context, *, name: str) -> None:
    """Compute without awaiting anything but checkpoints."""
    started(name).set()
    while True:
        await ctx.checkpoint()


@task
async def unwritable(_ctx: Context) -> object:
    """Return a value without a JSON form."""
    return object()


@task
async def large(_ctx: Context, *, size: int) -> str:
    """Return a long text."""
    return "x" * size


ALL = (
    echo,
    double,
    about,
    failing,
    failing_at_once,
    retry_later,
    snoozing,
    giving_up,
    waiting,
    locked,
    advancing,
    too_slow,
    stubborn,
    blocking,
    parent,
    computing,
    unwritable,
    large,
)
