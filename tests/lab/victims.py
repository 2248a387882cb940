"""The tasks of a daemon that is killed: they write to a file of their own when they begin, go on and end.

The environment has the file's path (LAB_RUNS) and the number of the daemon's life (LAB_LIFE).
"""

import asyncio
import functools
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from launchd import Context, Retry, Snooze, task
from tests.lab.record import Appender, Line, now

BEAT_SECONDS = 0.02


@functools.cache
def _appender() -> Appender:
    return Appender(Path(os.environ["LAB_RUNS"]))


@contextmanager
def told(ctx: Context, *, lock: str | None = None, sole: str | None = None) -> Iterator[Callable[[], None]]:
    """Write the begin and the end of this run; yields a function that writes that it goes on."""
    run, write = f"{os.getpid()}.{now()}", _appender().write
    write(Line(now(), "begin", run, os.environ["LAB_LIFE"], ctx.job_id, ctx.attempt, ctx.fence, lock, sole))
    how = "returned"
    try:
        yield lambda: write(Line(now(), "beat", run))
    except BaseException as error:
        how = type(error).__name__
        raise
    finally:
        write(Line(now(), "end", run, how=how))


def decide(ctx: Context, how: str) -> None:
    """End as given: `retry` fails the first attempt, `snooze` sometimes snoozes, `fail` fails."""
    if how == "fail":
        raise ValueError("as it was asked")
    if how == "retry" and ctx.attempt == 1:
        raise Retry(after=0.2)
    if how == "snooze" and random.random() < 0.5:
        raise Snooze(0.1)


def breed() -> None:
    """Leave children behind, each hidden in another way: none may outlive this process by much.

    They are `sleep BROOD.LIFE`, by which tests/lab/brood.py finds them.
    """
    command = ["sleep", f"{os.environ['LAB_BROOD']}.{os.environ['LAB_LIFE'].removeprefix('life')}"]
    subprocess.Popen(command)
    subprocess.Popen(command, start_new_session=True)
    subprocess.Popen(command, env={}, start_new_session=True)
    subprocess.run(["sh", "-c", f"{' '.join(command)} &"], check=True)


async def pass_time(ctx: Context, seconds: float, how: str, beat: Callable[[], None]) -> None:
    """Run for `seconds`; a stubborn run goes on however often it is cancelled."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            await asyncio.sleep(BEAT_SECONDS)
        except asyncio.CancelledError:
            if how != "stubborn":
                raise
        beat()
    decide(ctx, how)


def spend_time(ctx: Context, seconds: float, how: str, beat: Callable[[], None]) -> None:
    """The same for a plain function; a deaf run ignores SIGTERM."""
    end = time.monotonic() + seconds
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while time.monotonic() < end and not ctx.stopping:
        time.sleep(BEAT_SECONDS)
        beat()
    decide(ctx, how)


@task
async def stroll(ctx: Context, *, tag: str, seconds: float, how: str = "ok") -> str:
    """A coroutine."""
    with told(ctx) as beat:
        await pass_time(ctx, seconds, how, beat)
    return tag


@task(queue="threads")
def plod(ctx: Context, *, tag: str, seconds: float, how: str = "ok") -> str:
    """A plain function in a thread."""
    with told(ctx) as beat:
        spend_time(ctx, seconds, how, beat)
    return tag


@task(queue="processes", isolation="process")
def grind(ctx: Context, *, tag: str, seconds: float, how: str = "ok") -> str:
    """A plain function in a process of its own, with children of its own."""
    breed()
    with told(ctx) as beat:
        spend_time(ctx, seconds, how, beat)
    return tag


@task(queue="metered")
async def sip(ctx: Context, *, tag: str, seconds: float, how: str = "ok") -> str:
    """A coroutine on a queue with a rate."""
    with told(ctx) as beat:
        await pass_time(ctx, seconds, how, beat)
    return tag


@task(lock="alpha", lock_wait_seconds=1.0, queue="locked")
async def hold(ctx: Context, *, tag: str, seconds: float, how: str = "ok") -> str:
    """A coroutine under a lock."""
    with told(ctx, lock="alpha") as beat:
        await pass_time(ctx, seconds, how, beat)
    return tag


@task(lock="alpha", lock_wait_seconds=1.0, queue="threads")
def hold_thread(ctx: Context, *, tag: str, seconds: float, how: str = "ok") -> str:
    """A thread under the same lock, on another queue."""
    with told(ctx, lock="alpha") as beat:
        spend_time(ctx, seconds, how, beat)
    return tag


@task(lock="beta", lock_wait_seconds=1.0, queue="processes", isolation="process")
def hold_process(ctx: Context, *, tag: str, seconds: float, how: str = "ok") -> str:
    """A process under a lock."""
    with told(ctx, lock="beta") as beat:
        spend_time(ctx, seconds, how, beat)
    return tag


@task(unique=True)
async def only(ctx: Context, *, number: int) -> int:
    """One of a number at a time."""
    with told(ctx, sole=f"only {number}") as beat:
        await pass_time(ctx, 0.3, "ok", beat)
    return number


@task
async def tick(ctx: Context, *, seconds: float, alone: bool = True) -> None:
    """The task of schedules; `alone` if their overlap policy promises that."""
    with told(ctx, sole=ctx.schedule if alone else None) as beat:
        await pass_time(ctx, seconds, "ok", beat)


@task(queue="processes", isolation="process", lock="beta", lock_wait_seconds=1.0)
def tick_process(ctx: Context, *, seconds: float) -> None:
    """The same in a process, under a lock."""
    breed()
    with told(ctx, lock="beta", sole=ctx.schedule) as beat:
        spend_time(ctx, seconds, "ok", beat)
