"""Gives a daemon tasks that it must survive: they fork, leave threads and processes behind, close foreign files."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from launchd import Context, task

_FORK = multiprocessing.get_context("fork")
_SLEEP = "import time; time.sleep(600)"


def tell(folder: str, name: str, word: object) -> None:
    """Write a word to a file for the test, in one step."""
    part = Path(folder, f".{name}")
    part.write_text(str(word))
    part.rename(Path(folder, name))


def stand() -> None:
    time.sleep(600)


def square(number: int) -> int:
    return number * number


@task(max_retries=0)
def terminate_a_fork(_ctx: Context) -> int | None:
    """Start a process by a fork and terminate it at once."""
    process = _FORK.Process(target=stand)
    process.start()
    process.terminate()
    process.join()
    return process.exitcode


@task(max_retries=0)
def square_in_a_pool(_ctx: Context) -> list[int]:
    """Use a pool of forks, which is terminated at its end."""
    with _FORK.Pool(2) as pool:
        return pool.map(square, [1, 2, 3])


@task(max_retries=0)
def log_in_a_fork(ctx: Context) -> int | None:
    """Log from a fork while other threads log, too."""
    process = _FORK.Process(target=lambda: ctx.log.info("said by a fork", pid=os.getpid()))
    process.start()
    process.join(20)
    return process.exitcode


@task(max_retries=0)
def run_with_preexec(_ctx: Context) -> str:
    """Run Python code between fork and exec."""
    done = subprocess.run(
        ["cat", "/proc/self/status"], preexec_fn=os.getpid, capture_output=True, text=True, check=True
    )
    return done.stdout


@task(max_retries=0)
def fork_and_stay(_ctx: Context, *, folder: str) -> int:
    """Leave a fork behind that runs on in a session of its own."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        tell(folder, "fork", os.getpid())
        time.sleep(600)
    return pid


def _forked() -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return -1  # the child comes back into the daemon's code


@task(max_retries=0)
def fork_and_return(_ctx: Context) -> int:
    """Let the fork return like the task itself; the task reports its exit code."""
    return _forked()


@task(max_retries=0)
async def fork_and_return_in_a_coroutine(_ctx: Context) -> int:
    """Let the fork return on the task loop."""
    return _forked()


@task(max_retries=0)
def fork_and_raise(_ctx: Context) -> int:
    """Let the fork raise SystemExit(7)."""
    pid = os.fork()
    if pid == 0:
        sys.exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# --- left behind ---


@task(max_retries=0)
async def wait_for_a_thread(_ctx: Context, *, folder: str) -> None:
    """Wait for a thread that cannot be ended."""
    tell(folder, "begun", 1)
    await asyncio.to_thread(time.sleep, 600)


@task(max_retries=0)
def leave_threads(_ctx: Context, *, folder: str) -> None:
    """Leave a thread and a pool of threads at work."""
    threading.Thread(target=stand, name="stray").start()
    ThreadPoolExecutor(1, "poolish").submit(stand)
    tell(folder, "begun", 1)


@task(max_retries=0)
def leave_processes(_ctx: Context, *, folder: str) -> None:
    """Leave children behind, plain and escaped."""
    tell(folder, "pids", " ".join(map(str, breed(folder))))


@task(max_retries=0)
def leave_a_multiprocess(_ctx: Context, *, folder: str) -> None:
    """Leave a child of multiprocessing behind."""
    process = _FORK.Process(target=stand)
    process.start()
    tell(folder, "pids", process.pid)


def breed(folder: str) -> list[int]:
    """Four kinds of children: plain, in a session of its own, without environment, and forked twice."""
    command = [sys.executable, "-c", _SLEEP]
    found = [
        subprocess.Popen(command).pid,
        subprocess.Popen(command, start_new_session=True).pid,
        subprocess.Popen(command, env={}, start_new_session=True).pid,
    ]
    script = (
        "import os, sys, time\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "path = sys.argv[1]\n"
        "open(path + '.part', 'w').write(str(os.getpid()))\n"
        "os.rename(path + '.part', path)\n"
        "time.sleep(600)\n"
    )
    path = Path(folder, f"twice-{os.getpid()}")
    subprocess.run([sys.executable, "-c", script, str(path)], env={}, check=True)
    while not path.exists():
        time.sleep(0.01)
    return [*found, int(path.read_text())]


@task(isolation="process", max_retries=0)
def breed_and_stay(_ctx: Context, *, folder: str) -> None:
    """In a process: have children of four kinds, and stay."""
    tell(folder, "pids", " ".join(map(str, [os.getpid(), *breed(folder)])))
    time.sleep(600)


@task(isolation="process", max_retries=0)
def breed_and_return(_ctx: Context, *, folder: str) -> list[int]:
    """In a process: have children of four kinds, and succeed."""
    return breed(folder)


# --- against the daemon ---


def _leave() -> NoReturn:
    sys.exit(0)


@task(max_retries=0)
def exit_the_control_loop(ctx: Context) -> None:
    """Let sys.exit(0) leak out of the daemon's own loop."""
    port: Any = ctx._port
    port._loop.call_soon_threadsafe(_leave)


@task(max_retries=0)
def close_standard_error(_ctx: Context) -> None:
    """Close the log's descriptor, and take its number."""
    os.close(2)


@task(max_retries=0)
def return_at_once(_ctx: Context) -> int:
    """Do nothing."""
    return signal.SIGTERM


@task(max_retries=0)
def orphan(_ctx: Context, *, folder: str) -> int:
    """Leave an orphan that ends at once, then wait for a child of this process."""
    path = Path(folder, "orphan")
    own = subprocess.Popen([sys.executable, "-c", "import sys, time; time.sleep(1); sys.exit(3)"])
    subprocess.run(["sh", "-c", f"(sleep 0.1; touch {path}) &"], check=True, start_new_session=True)
    while not path.exists():
        time.sleep(0.01)
    time.sleep(1.5)  # its own child is a zombie by now, and nobody may have reaped it
    return own.wait()
