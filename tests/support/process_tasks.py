"""Gives a test tasks for a process of their own: at the top of a module, so that the process can import them."""

import asyncio
import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from launchd import Cancel, Context, Retry, Snooze, task


def tell(path: str, word: object) -> None:
    """Write a word to a file for the test, in one step."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


@task(isolation="process")
def measure(ctx: Context, *, size: int) -> dict[str, Any]:
    """Report, log and return from a process."""
    ctx.progress(1, 2, "half way")
    ctx.log.warning("measuring", size=size)
    return {"size": size, "pid": os.getpid(), "job_id": ctx.job_id, "attempt": ctx.attempt}


@task(isolation="process")
async def trigger_apart(ctx: Context, *, value: str) -> str:
    """Make a job from inside a process."""
    return await ctx.trigger("echo", value=value)


@task(isolation="process", max_retries=2)
def end_apart(_ctx: Context, *, how: str) -> None:
    """End with the given verdict."""
    raise {
        "retry": Retry("come back", after=7200),
        "snooze": Snooze(3600, "sleepy"),
        "cancel": Cancel("no need"),
        "error": ValueError("broken apart"),
    }[how]


@task(isolation="process", timeout=2.0, hard_timeout=60, max_retries=0)
async def catch_apart(_ctx: Context) -> str:
    """Catch the time limit in a coroutine."""
    try:
        await asyncio.sleep(3600)
    except TimeoutError as error:
        return f"caught: {error}"
    return "never told"


@task(isolation="process", timeout=2.0, hard_timeout=60, max_retries=0)
def catch_apart_plain(_ctx: Context) -> str:
    """Catch the time limit in a plain function."""
    try:
        time.sleep(3600)
    except TimeoutError as error:
        return f"caught: {error}"
    return "never told"


@task(isolation="process", timeout=2.0, hard_timeout=60, max_retries=0)
async def late_apart(_ctx: Context) -> None:
    """Run into the time limit."""
    await asyncio.sleep(3600)


@task(isolation="process", max_retries=0)
def compute_forever(_ctx: Context, *, path: str) -> None:
    """Loop in C, so that the interpreter never runs a signal handler."""
    tell(path, os.getpid())
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", (1 << 31) - 1)


@task(isolation="process", max_retries=0)
def call_c_forever(_ctx: Context, *, path: str) -> None:
    """Call into the C library, which swallows interruptions."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell(path, os.getpid())
    library = ctypes.CDLL(None)
    while True:
        library.pause()


@task(isolation="process", max_retries=0)
def with_grandchild(_ctx: Context, *, path: str, forever: bool = False) -> None:
    """Leave a child process behind that ignores signals."""
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(3600)"
    left = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert left.stdout is not None
    left.stdout.readline()
    tell(path, left.pid)
    if forever:
        time.sleep(3600)
    left.stdout.close()
    left.returncode = 0  # nobody waits for it here


@task(isolation="process", max_retries=0)
def crash(_ctx: Context) -> None:
    """Read an invalid address: the process crashes."""
    os.environ["PYTHONFAULTHANDLER"] = ""
    ctypes.string_at(0)


@task(isolation="process", max_retries=0)
def leave(_ctx: Context) -> None:
    """End the process with os._exit."""
    os._exit(3)


@task(isolation="process", max_retries=0)
def stand(_ctx: Context, *, path: str) -> None:
    """Wait in a function with a known name until a file exists."""
    tell(path, os.getpid())
    stand_right_here(path)


def stand_right_here(path: str) -> None:
    while not Path(f"{path}.go").exists():
        time.sleep(0.01)


ALL_APART = (
    measure,
    trigger_apart,
    end_apart,
    catch_apart,
    catch_apart_plain,
    late_apart,
    compute_forever,
    call_c_forever,
    with_grandchild,
    crash,
    leave,
    stand,
)
