"""The task loop: coroutine tasks run on it, in a thread of its own, and none of them can end it.

Ways in which task code ends a loop that it shares, and what happens instead:
- `loop.stop()` raises RuntimeError in the task that calls it.
- SystemExit or KeyboardInterrupt from a callback or a subtask of an attempt ends that attempt.
- The same from a callback of no attempt interrupts the loop: it is logged, and the loop goes on.
- A loop that was closed nevertheless is replaced; the attempts that ran on it fail (`on_lost`).
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextvars import Context as Variables
from typing import Any, TypeVarTuple, Unpack

import uvloop

from launchd.logger import get_logger
from launchd.task import CURRENT, Context
from launchd.values.failure import describe
from launchd.values.plain import plain_text

Ts = TypeVarTuple("Ts")

_log = get_logger("launchd.tasks")
# Raised by a callback, these end any loop of asyncio; every other error goes to the exception handler.
_ENDING = (SystemExit, KeyboardInterrupt)


class TaskLoop(uvloop.Loop):
    """uvloop's loop, shared by tasks that it does not trust.

    `blame` is called with the attempt whose callback raised an error that ends a loop, and that error.
    """

    def __init__(self, blame: Callable[[Context, BaseException], None]) -> None:
        super().__init__()
        self._blame = blame
        self._soon = super().call_soon  # bound once: every step of every task comes through here
        self.set_exception_handler(_report_stray)

    def stop(self) -> None:
        """Raise RuntimeError: other tasks run here."""
        raise RuntimeError("a task may not stop the loop that all tasks share: return, or raise Cancel or SystemExit")

    def end(self) -> None:
        """Stop the loop; for its owner only."""
        super().stop()

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Variables | None = None
    ) -> asyncio.Handle:
        """Schedule a callback, under the guard of the attempt whose context it runs in."""
        owner = CURRENT.get() if context is None else context.get(CURRENT)
        if owner is None:
            return self._soon(callback, *args, context=context)
        return self._soon(self._guarded, owner, callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Variables | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback after a delay in seconds, under the same guard."""
        owner = CURRENT.get() if context is None else context.get(CURRENT)
        if owner is None:
            return super().call_later(delay, callback, *args, context=context)
        return super().call_later(delay, self._guarded, owner, callback, *args, context=context)

    def _guarded(self, owner: Context, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        try:
            callback(*args)
        except _ENDING as error:
            self._blame(owner, error)


class TaskThread:
    """The thread that runs the task loop, and runs it again if it ends without a call of `end`.

    `loop` is written by that thread, and by the constructor; others read it each time they need it. `on_lost` is called
    in the thread when a loop could not go on and was replaced.
    """

    def __init__(self, blame: Callable[[Context, BaseException], None], on_lost: Callable[[], None]) -> None:
        self.loop = TaskLoop(blame)
        self._blame = blame
        self._on_lost = on_lost
        self._ending = threading.Event()
        self._interruptions, self._reported_at = 0, -1.0
        self._thread = threading.Thread(target=self._serve, name="tasks", daemon=True)

    @property
    def ident(self) -> int | None:
        """The thread's ident, for `sys._current_frames`."""
        return self._thread.ident

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """End the loop and the thread, without waiting."""
        self._ending.set()
        self.loop.call_soon_threadsafe(self.loop.end)

    def join(self, seconds: float) -> bool:
        """Wait for the thread's end; False if a task still blocks it (it ends with the process)."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while not self._ending.is_set():
            if self.loop.is_closed():
                self.loop = TaskLoop(self._blame)
                self._on_lost()
            asyncio.set_event_loop(self.loop)
            try:
                self.loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - other tasks run on this loop, whatever interrupted it
                self._report_interruption(error)
        if not self.loop.is_closed():
            self.loop.close()

    def _report_interruption(self, error: BaseException) -> None:
        """Log an interruption, at most once a second: a file that is always ready may cause one after another."""
        self._interruptions += 1
        now = time.monotonic()
        if now - self._reported_at >= 1:
            times, self._reported_at, self._interruptions = self._interruptions, now, 0
            _log.error("task_loop_interrupted", error=_words(error), times=times, detail="the loop goes on")


def _report_stray(_loop: asyncio.AbstractEventLoop, said: dict[str, Any]) -> None:
    """Log an exception of a callback, or of a subtask that nobody awaited."""
    error = said.get("exception")
    names = {"message": plain_text(said.get("message"), 500)}
    if isinstance(error, BaseException):
        described = describe(error)
        names |= {"error": _words(error), "exception": described.traceback or ""}
    _log.warning("task_left_exception", **names)


def _words(error: BaseException) -> str:
    described = describe(error, with_traceback=False)
    return f"{described.type}: {described.message}"
