"""The task thread: runs attempts on a loop of its own and sends their verdicts back, in batches.

Rules:
- The control loop calls `start`, `stop`, `stack` and `close`; everything named `_..._here` runs on the task loop only.
- Batches cross the boundary: one thread-safe call for all jobs handed over, one for all verdicts of a loop turn.
- An attempt is five steps: arguments, context, run, verdict, report. It never touches the store.
- A coroutine that blocks its loop stops only other coroutine tasks: no part of the control plane runs here.
"""

import asyncio
import contextlib
import functools
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import uvloop

from launchd.clock import Clock
from launchd.engine.attempt import Attempt, Stop, stronger
from launchd.engine.drive import Steps, drive, stack_of
from launchd.engine.guard import Guard
from launchd.engine.isolation import ProcessRunner, ThreadRunner, in_thread
from launchd.engine.verdict import raised, stopped, succeeded
from launchd.engine.wire import FromChild, ToChild
from launchd.errors import LaunchdError
from launchd.job import Outcome
from launchd.task import Isolation

Report = Callable[[list[tuple[Attempt, Outcome]]], None]


class Executor:
    """Runs attempts. `report` is called on the control loop with finished attempts and their verdicts.

    `steps` says whose step the task loop is in; the stall monitor reads it, with `loop` and `thread_id`.
    """

    def __init__(self, clock: Clock, report: Report, guard: Guard | None = None) -> None:
        self.steps = Steps()
        self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._clock = clock
        self._report = report
        self._guard = guard
        self._control = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._serve, name="tasks", daemon=True)
        self._outbox: deque[tuple[Attempt, Outcome]] = deque()
        self._flushing = False  # task loop only: a flush is scheduled for the end of this turn
        self._asked = self._heard = 0  # ends asked for by the control loop, heard of by the task loop
        self._thread.start()

    @property
    def asking(self) -> bool:
        """Whether an end was asked for that the task loop has not heard of yet."""
        return self._asked != self._heard

    @property
    def thread_id(self) -> int | None:
        """The task thread's ident, for `sys._current_frames`."""
        return self._thread.ident

    def start(self, attempts: Sequence[Attempt]) -> None:
        """Hand attempts over to the task loop."""
        self.loop.call_soon_threadsafe(self._start_here, attempts)

    def stop(self, attempt: Attempt, why: Stop, reason: str | None = None) -> None:
        """Ask an attempt to end; may be repeated. The first reason stands, but for a stronger one."""
        if stronger(attempt.stop, why):
            attempt.stop, attempt.reason, attempt.asked_at = why, reason, self._clock.monotonic()
        attempt.context.stopping = True
        if attempt.runner is not None:
            attempt.runner.stop(attempt.stop or why)
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it the attempt
            self.loop.call_soon_threadsafe(self._cancel_here, attempt)
            self._asked += 1

    async def stack(self, attempt: Attempt) -> str | None:
        """Where an attempt stands right now; None when it has just ended."""
        if attempt.runner is not None:
            return await asyncio.to_thread(attempt.runner.stack)
        if self.steps.attempt is attempt:  # it holds the loop: its frames are the thread's
            frame = sys._current_frames().get(self.thread_id or 0)  # noqa: SLF001 - the documented way
            return "".join(traceback.format_stack(frame))
        if attempt.task is None or attempt.task.done() or attempt.coroutine is None:
            return None
        return stack_of(attempt.coroutine)

    async def close(self, seconds: float) -> bool:
        """End the task thread; False when a task blocks it beyond `seconds` (it dies with the process)."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        waiting = functools.partial(self._thread.join, seconds)
        await asyncio.get_running_loop().run_in_executor(None, waiting)
        if self._guard is not None:
            self._guard.close()
        return not self._thread.is_alive()

    # --- the task thread ---

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def _start_here(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            attempt.task = self.loop.create_task(self._run_here(attempt))

    def _cancel_here(self, attempt: Attempt) -> None:
        # a task that is cancelled before its first step never takes it: nobody would send a verdict
        if attempt.task is not None and attempt.begun:
            attempt.task.cancel()
        self._heard += 1

    async def _run_here(self, attempt: Attempt) -> None:
        attempt.begun = True
        try:
            if attempt.stop is not None:  # it was asked to end on its way here
                raise asyncio.CancelledError  # noqa: TRY301 - one place judges how an attempt ended
            outcome = succeeded(attempt, await self._call_here(attempt), self._clock.now())
        except asyncio.CancelledError as error:
            outcome = stopped(attempt, error, self._clock.now())
        except BaseException as error:  # noqa: BLE001 - whatever task code raises is a verdict on the job, even SystemExit
            outcome = raised(attempt, error, self._clock.now())
        self._send_here(attempt, outcome)

    async def _call_here(self, attempt: Attempt) -> Any:  # noqa: ANN401 - a task returns what it likes
        task = attempt.what
        arguments = task.decode(attempt.job.args)
        if task.isolation is Isolation.PROCESS:
            process = attempt.runner = ProcessRunner(
                attempt, arguments, functools.partial(self._trigger, attempt), self._guard
            )
            return await in_thread(attempt, process.run)
        if task.is_coroutine:
            coroutine = attempt.coroutine = task.function(attempt.context, **arguments)
            return await drive(coroutine, attempt, self.steps)
        thread = attempt.runner = ThreadRunner(attempt, arguments)
        return await in_thread(attempt, thread.run)

    def _trigger(self, attempt: Attempt, said: FromChild, answer: Callable[[bytes], None]) -> None:
        """A task's process asks for a job: the control loop makes it, the answer goes back through the pipe."""

        async def make() -> None:
            try:
                made = await attempt.context.trigger(said.task, delay=said.delay, priority=said.priority, **said.fields)
                told = ToChild(job_id=made)
            except LaunchdError as error:
                told = ToChild(error=error.detail)
            await asyncio.to_thread(answer, msgspec.json.encode(told))

        asyncio.run_coroutine_threadsafe(make(), self._control)

    def _send_here(self, attempt: Attempt, outcome: Outcome) -> None:
        self._outbox.append((attempt, outcome))
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush_here)

    def _flush_here(self) -> None:
        self._flushing = False
        batch = list(self._outbox)
        self._outbox.clear()
        self._control.call_soon_threadsafe(self._report, batch)
