"""The executor: runs attempts where task code belongs, and sends their verdicts back to the control loop.

Rules:
- The control loop calls `start`, `stop`, `stack` and `close`; methods named `_..._here` run on the task loop only.
- A coroutine runs on the task loop (task_loop.py). A plain function runs in a thread of its own, a task in a process is
  driven by one (process.py); neither touches the task loop, so a coroutine that blocks it delays coroutines only.
- Batches cross to and from the task loop: one thread-safe call for all attempts handed over, one for all verdicts of a
  turn of the loop.
- An attempt is four steps: arguments, run, verdict, report. It never touches the store.
"""

import asyncio
import contextlib
import functools
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context

import msgspec

from launchd.clock import Clock
from launchd.engine.attempts.attempt import FINAL_STOPS, Attempt, Stop, stronger
from launchd.engine.attempts.drive import Steps, drive, stack_of
from launchd.engine.attempts.guard import Guard
from launchd.engine.attempts.process import ProcessRunner
from launchd.engine.attempts.task_loop import TaskLoop, TaskThread
from launchd.engine.attempts.thread import ThreadRunner
from launchd.engine.attempts.verdict import returned, verdict
from launchd.engine.attempts.wire import FromChild, ToChild
from launchd.errors import LaunchdError
from launchd.job import Outcome
from launchd.system import forks
from launchd.task import CURRENT, Context, Isolation
from launchd.values.failure import describe

Report = Callable[[list[tuple[Attempt, Outcome]]], None]


class TaskLoopLostError(Exception):
    """The task loop ended under its tasks and was started again."""


class Executor:
    """Runs attempts. `report` is called on the control loop with ended attempts and their verdicts.

    `steps` holds the attempt whose step the task loop is in; the stall monitor reads it, `loop` and `thread_id`.
    """

    def __init__(self, clock: Clock, report: Report, guard: Guard | None = None) -> None:
        self.steps = Steps()
        self._clock = clock
        self._report = report
        self._guard = guard
        self._control = asyncio.get_running_loop()
        self._thread = TaskThread(self._blame_here, self._lost_here)
        self._here: dict[Context, Attempt] = {}  # task loop only: the attempts that have not ended
        self._outbox: deque[tuple[Attempt, Outcome]] = deque()
        self._flushing = False  # task loop only: a flush is scheduled for the end of this turn
        # callbacks in these contexts belong to no attempt; one for each loop, since a context runs once at a time
        self._nobody, self._nobody_here = copy_context(), copy_context()
        self._asked = self._received = 0  # stop requests sent by the control loop, received by the task loop
        self._apart: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._thread.start()
        # started now: when it is needed first, the system may have no thread left
        threading.Thread(target=self._start_apart, name="task-starter", daemon=True).start()

    @property
    def loop(self) -> TaskLoop:
        """The task loop. After it was lost, this is its replacement."""
        return self._thread.loop

    @property
    def asking(self) -> bool:
        """True while the task loop has not received every stop request."""
        return self._asked != self._received

    @property
    def thread_id(self) -> int | None:
        """The task thread's ident, for `sys._current_frames`."""
        return self._thread.ident

    def start(self, attempts: Sequence[Attempt]) -> None:
        """Hand attempts over: coroutines to the task loop, all others to threads of their own."""
        here = [attempt for attempt in attempts if attempt.definition.on_task_loop]
        if here:
            self.loop.call_soon_threadsafe(self._start_here, here)
        if len(here) == len(attempts):
            return
        for attempt in attempts:
            if not attempt.definition.on_task_loop:
                attempt.runner = self._runner(attempt)
                self._apart.put(attempt)

    def stop(self, attempt: Attempt, why: Stop, reason: str | None = None) -> None:
        """Request the end of an attempt; may be repeated. Only a stronger reason replaces the first."""
        if stronger(attempt.stop, why):
            attempt.stop, attempt.reason, attempt.asked_at = why, reason, self._clock.monotonic()
        attempt.context.stopping = True
        if attempt.runner is not None:
            attempt.runner.stop(attempt.stop or why)
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it the attempt
            self.loop.call_soon_threadsafe(self._cancel_here, attempt)
            self._asked += 1

    async def stack(self, attempt: Attempt) -> str | None:
        """The present stack of an attempt; None if it has just ended."""
        if attempt.runner is not None:
            return await asyncio.to_thread(attempt.runner.stack)
        if self.steps.attempt is attempt:  # it holds the loop: its frames are the thread's
            frame = sys._current_frames().get(self.thread_id or 0)  # noqa: SLF001 - the documented way
            return "".join(traceback.format_stack(frame))
        if attempt.task is None or attempt.task.done() or attempt.coroutine is None:
            return None
        return stack_of(attempt.coroutine)

    async def close(self, seconds: float) -> bool:
        """End the task thread; False if a task blocks it for longer than `seconds` (it ends with the process)."""
        self._apart.put(None)
        self._thread.end()
        ended = await asyncio.get_running_loop().run_in_executor(None, self._thread.join, seconds)
        if self._guard is not None:
            self._guard.close()
        return ended

    # --- the task thread: coroutines ---

    def _start_here(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self._here[attempt.context] = attempt
            # not create_task: that uses the loop's task factory, which a task may have replaced by one that fails
            attempt.task = asyncio.Task(self._run_here(attempt), loop=self.loop)

    def _cancel_here(self, attempt: Attempt) -> None:
        # a task that is cancelled before its first step never runs, and would send no verdict
        if attempt.task is not None and attempt.begun:
            attempt.task.cancel()
        self._received += 1

    async def _run_here(self, attempt: Attempt) -> None:
        attempt.begun = True
        CURRENT.set(attempt.context)
        value: object = None
        error: BaseException | None = None
        try:
            if attempt.stop is not None:  # its end was requested before it began
                raise asyncio.CancelledError  # noqa: TRY301 - one place judges how an attempt ended
            definition = attempt.definition
            coroutine = attempt.coroutine = definition.function(attempt.context, **definition.decode(attempt.job.args))
            value = await drive(coroutine, functools.partial(_soft_limit, attempt), self.steps, attempt)
        except BaseException as raised:  # noqa: BLE001 - whatever task code raises is a verdict on the job, even SystemExit
            error = raised
        self._end_here(attempt, value, attempt.broken_by or error)

    def _end_here(self, attempt: Attempt, value: object, error: BaseException | None) -> None:
        if self._here.pop(attempt.context, None) is None:
            return  # its loop was lost, and its verdict was sent then
        self._outbox.append((attempt, verdict(attempt, self._clock.now(), value, error)))
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush_here, context=self._nobody_here)

    def _flush_here(self) -> None:
        self._flushing = False
        batch = list(self._outbox)
        self._outbox.clear()
        self._send(batch)

    def _blame_here(self, owner: Context, error: BaseException) -> None:
        """A callback or a subtask of an attempt raised an error that would end the loop: end the attempt instead."""
        attempt = self._here.get(owner)
        if attempt is None or attempt.task is None:
            return  # it outlived its attempt
        attempt.broken_by = error
        attempt.task.cancel()

    def _lost_here(self) -> None:
        """The loop was closed while tasks ran: fail each of them, and send all verdicts."""
        error = TaskLoopLostError("a task closed the loop that all tasks share; it was started again")
        self._flushing = False
        for attempt in list(self._here.values()):
            self._end_here(attempt, None, error)
        self._received = self._asked  # no task is left that could receive a request

    # --- threads of their own: plain functions and processes ---

    def _runner(self, attempt: Attempt) -> ThreadRunner | ProcessRunner:
        if attempt.definition.isolation is Isolation.PROCESS:
            return ProcessRunner(attempt, functools.partial(self._trigger, attempt), self._guard)
        return ThreadRunner(attempt)

    def _start_apart(self) -> None:
        """Start a thread for each attempt; runs in the starter's thread, since a start may take long or fail."""
        while (attempt := self._apart.get()) is not None:
            try:
                threading.Thread(
                    target=self._run_apart, args=(attempt,), name=f"task:{attempt.job.task}", daemon=True
                ).start()
            except BaseException as error:  # noqa: BLE001 - no thread or no memory is left: the job fails with that reason
                self._send([(attempt, verdict(attempt, self._clock.now(), None, error))])

    def _run_apart(self, attempt: Attempt) -> None:
        CURRENT.set(attempt.context)
        value: object = None
        error: BaseException | None = None
        try:
            if attempt.stop is not None:  # its end was requested before it began
                raise asyncio.CancelledError  # noqa: TRY301 - one place judges how an attempt ended
            if attempt.runner is not None:
                value = attempt.runner.run()
        except BaseException as raised:  # noqa: BLE001 - whatever task code raises is a verdict on the job
            error = raised
        forks.end_child(error)  # the function has forked, and this is the child
        if attempt.stop in FINAL_STOPS:
            error = asyncio.CancelledError()
        self._send([(attempt, verdict(attempt, self._clock.now(), *returned(value, error)))])

    def _send(self, batch: list[tuple[Attempt, Outcome]]) -> None:
        with contextlib.suppress(RuntimeError):  # the control loop is gone: the daemon has stopped
            self._control.call_soon_threadsafe(self._report, batch, context=self._nobody)

    def _trigger(self, attempt: Attempt, said: FromChild, answer: Callable[[bytes], None]) -> None:
        """Make a job for a task's process on the control loop; the answer goes back through the pipe."""

        async def make() -> None:
            try:
                made = await attempt.port.trigger(said.task, said.fields, delay=said.delay, priority=said.priority)
                reply = ToChild(said.number, job_id=made)
            except LaunchdError as error:
                reply = ToChild(said.number, error=error.detail, code=error.code)
            except Exception as error:  # noqa: BLE001 - the process waits for an answer
                reply = ToChild(said.number, error=describe(error).message, code="internal")
            await asyncio.to_thread(answer, msgspec.json.encode(reply))

        with contextlib.suppress(RuntimeError):  # the control loop is gone: the daemon has stopped
            asyncio.run_coroutine_threadsafe(make(), self._control)


def _soft_limit(attempt: Attempt, error: asyncio.CancelledError) -> BaseException:
    """The exception that the coroutine gets for a cancellation: TimeoutError for a soft time limit, once."""
    if attempt.stop is not Stop.TIMEOUT or attempt.timed_out or attempt.task is None or attempt.broken_by is not None:
        return error
    attempt.timed_out = True
    attempt.task.uncancel()  # the loop must forget that it cancelled anything
    return TimeoutError(f"ran longer than its {attempt.definition.timeout:g} s")
