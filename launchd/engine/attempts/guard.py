"""The guard: no process that a process task has started outlives its job or the daemon.

Each worker is marked before it runs task code (`sweep`); when it has ended, every process with its mark is killed. The
guard is a process of its own, started with the first worker: it does the same for all workers when the daemon has
ended, even by a kill. The next daemon on the same state directory does it again before it rescues jobs.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from launchd.engine.attempts import sweep
from launchd.logger import get_logger
from launchd.system import forks

_log = get_logger("launchd.guard")


class Guard:
    """Guards the workers of one daemon. `started` and `ended` are called in the workers' threads."""

    def __init__(self, directory: Path) -> None:
        self._owner = sweep.owner_of(directory)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._disown: Callable[[], None] = lambda: None
        self._closed = False

    def started(self, pid: int) -> None:
        """A worker has started, and has not run task code yet."""
        if not sweep.mark(self._owner, pid):
            detail = "processes that it starts in another session cannot be found"
            _log.warning("worker_not_marked", pid=pid, detail=detail)
        with self._lock:
            if not self._closed and (self._process is None or self._process.poll() is not None):
                self._start()

    def ended(self, pid: int) -> None:
        """A worker has ended and is not reaped yet: kill the processes that it has left."""
        found, stays = sweep.sweep(self._owner, pid, but=(pid,))
        if found:
            _log.info("leftovers_killed", worker=pid, processes=[f"{one.pid} {one.command}" for one in found])
        _log_survivors(stays)

    def close(self) -> None:
        """End the guard; the daemon ends its workers itself."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._disown()
                if self._process.stdin is not None:
                    self._process.stdin.close()
                self._process = None

    def _start(self) -> None:
        # `-I -S`: ignore the environment, the working directory and site-packages
        command = [sys.executable, "-I", "-S", sweep.__file__, str(self._owner)]
        self._disown()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={}, cwd="/", start_new_session=True
            )
        except OSError as error:
            detail = "after a kill, the next start ends the processes that are left"
            _log.warning("no_guard", error=str(error), detail=detail)
            return
        if self._process.stdin is not None:
            self._disown = forks.own_descriptor(self._process.stdin.fileno())
        sweep.mark(self._owner, self._process.pid)


@asynccontextmanager
async def without_leftovers(directory: Path, *, mark: bool) -> AsyncIterator[Callable[[], None]]:
    """Kill leftovers on this state directory at the start and at the end: processes of earlier daemons and of tasks.

    With `mark`, this process is the daemon's own: it is marked too, so that children of threads and coroutines count.
    Call the yielded function before the first task runs: the lock of the directory is then kept until the process has
    ended, since a thread that cannot be ended may still run.
    """
    tasks_run: list[bool] = []
    owner = sweep.owner_of(directory)
    await asyncio.to_thread(_clear, owner, "an earlier daemon")
    if mark:
        sweep.mark(owner, os.getpid())
    try:
        yield lambda: tasks_run.append(True)
    finally:
        await asyncio.to_thread(_clear, owner, "this daemon's tasks")
        if mark and tasks_run:
            _hold(directory / "daemon.lock")


def _hold(lock: Path) -> None:
    """Keep the lock of the state directory until this process has ended."""
    for descriptor in forks.owned_descriptors():
        if _refers_to(descriptor, lock):
            os.dup(descriptor)  # never closed: the end of the process does that


def _refers_to(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _clear(owner: int, left_by: str) -> None:
    found, stays = sweep.sweep(owner)
    if found:
        processes = [f"{one.pid} {one.command}" for one in found]
        _log.warning("leftovers_killed", processes=processes, detail=f"{left_by} left them behind")
    _log_survivors(stays)


def _log_survivors(stays: list[sweep.Left]) -> None:
    if stays:
        processes = [f"{one.pid} {one.command}" for one in stays]
        detail = "they were sent SIGKILL and are still there: a disk or a network mount may hold them"
        _log.error("leftovers_stay", processes=processes, detail=detail)
