"""The task thread: runs attempts on a loop of its own and sends their verdicts back, in batches.

Rules:
- The control loop calls `start`, `stop` and `running`; everything named `_..._here` runs on the task loop only.
- Batches cross the boundary: one thread-safe call for all jobs handed over, one for all verdicts of a loop turn.
- An attempt is five steps: arguments, context, run, verdict, report. It never touches the store.
- A coroutine that blocks its loop stops only other coroutine tasks: no part of the control plane runs here.
"""

import asyncio
import functools
import threading
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import uvloop

from launchd.clock import SECOND, Clock, Instant
from launchd.job import (
    MAX_RESULT_BYTES,
    MAX_TRACEBACK_BYTES,
    JobError,
    Outcome,
    Progress,
    Verb,
    bounded,
    retry_delay,
)
from launchd.lock import Lock
from launchd.store.jobs import Claimed
from launchd.task import Cancel, Context, Port, Retry, Snooze, Task

_NOTE_BYTES = 500


class Stop(StrEnum):
    """Why a running job was asked to end."""

    CANCEL = "cancel"
    TERMINATE = "terminate"
    TIMEOUT = "timeout"
    LOCK_LOST = "lock_lost"
    DRAIN = "drain"


class Attempt:
    """One run of a job.

    `stop` and `reason` are written by the control loop before it cancels `task`; `task` by the task loop. The rest
    never changes. `deadline` is monotonic seconds, None for no time limit.
    """

    __slots__ = ("context", "deadline", "job", "lock", "reason", "started", "stop", "task", "what")

    def __init__(self, job: Claimed, what: Task, lock: Lock | None, port: Port, started: float) -> None:
        self.job = job
        self.what = what
        self.lock = lock
        self.started = started
        self.deadline = started + what.timeout if what.timeout else None
        self.stop: Stop | None = None
        self.reason: str | None = None
        self.task: asyncio.Task[None] | None = None
        self.context = Context(
            job_id=job.id,
            task=job.task,
            queue=job.queue,
            attempt=job.attempt,
            schedule=job.schedule,
            fire_time=job.fire_time,
            fence=lock.fence if lock else None,
            port=port,
        )

    def progress(self) -> str | None:
        """What the task last said of its progress, as JSON."""
        latest = self.context.latest_progress
        if latest is None:
            return None
        done, total, note = latest
        note = bounded(note, _NOTE_BYTES) if note is not None else None
        return msgspec.json.encode(Progress(done, total, note)).decode()


Report = Callable[[list[tuple[Attempt, Outcome]]], None]


class Executor:
    """Runs attempts. `report` is called on the control loop with finished attempts and their verdicts."""

    def __init__(self, clock: Clock, report: Report) -> None:
        self._clock = clock
        self._report = report
        self._control = asyncio.get_running_loop()
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="tasks", daemon=True)
        self._outbox: deque[tuple[Attempt, Outcome]] = deque()
        self._flushing = False  # task loop only: a flush is scheduled for the end of this turn
        self._thread.start()

    def start(self, attempts: Sequence[Attempt]) -> None:
        """Hand attempts over to the task loop."""
        self._loop.call_soon_threadsafe(self._start_here, attempts)

    def stop(self, attempt: Attempt, why: Stop, reason: str | None = None) -> None:
        """Ask an attempt to end; may be repeated. The first reason stands, but terminate is stronger than cancel."""
        if attempt.stop is None or why is Stop.TERMINATE:
            attempt.stop, attempt.reason = why, reason
        self._loop.call_soon_threadsafe(self._cancel_here, attempt)

    async def close(self, seconds: float) -> bool:
        """End the task thread; False when a task blocks it beyond `seconds` (it dies with the process)."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        waiting = functools.partial(self._thread.join, seconds)
        await asyncio.get_running_loop().run_in_executor(None, waiting)
        return not self._thread.is_alive()

    # --- the task thread ---

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _start_here(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            attempt.task = self._loop.create_task(self._run_here(attempt))
            if attempt.stop is not None:  # it was asked to end on its way here
                attempt.task.cancel()

    def _cancel_here(self, attempt: Attempt) -> None:
        if attempt.task is not None:
            attempt.task.cancel()

    async def _run_here(self, attempt: Attempt) -> None:
        try:
            value = await self._call_here(attempt)
            outcome = _succeeded(attempt, value, self._clock.now())
        except asyncio.CancelledError as error:
            outcome = _stopped(attempt, error, self._clock.now())
        except Exception as error:  # noqa: BLE001 - whatever task code raises is a verdict on the job
            outcome = _raised(attempt, error, self._clock.now())
        except BaseException as error:  # noqa: BLE001 - SystemExit and its like end the job, never the daemon
            outcome = _raised(attempt, error, self._clock.now())
        self._send_here(attempt, outcome)

    async def _call_here(self, attempt: Attempt) -> Any:  # noqa: ANN401 - a task returns what it likes
        task = attempt.what
        arguments = task.decode(attempt.job.args)
        if task.is_coroutine:
            return await task.function(attempt.context, **arguments)
        return await _in_thread(attempt, arguments)

    def _send_here(self, attempt: Attempt, outcome: Outcome) -> None:
        self._outbox.append((attempt, outcome))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush_here)

    def _flush_here(self) -> None:
        self._flushing = False
        batch = list(self._outbox)
        self._outbox.clear()
        self._control.call_soon_threadsafe(self._report, batch)


async def _in_thread(attempt: Attempt, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a task returns what it likes
    """Run a plain function in a thread of its own, which ends with the process if it never returns.

    A thread cannot be stopped from outside: a cancelled attempt ends when the function does.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:  # noqa: ANN401 - as above
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def work() -> None:
        try:
            value, failure = attempt.what.function(attempt.context, **arguments), None
        except BaseException as error:  # noqa: BLE001 - carried to the loop that waits
            value, failure = None, error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=work, name=f"task:{attempt.job.task}", daemon=True).start()
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and attempt.stop is not Stop.DRAIN:
        future.exception()  # seen: the verdict is the stop's
        raise cancelled
    return future.result()


# --- verdicts: pure ---


def _succeeded(attempt: Attempt, value: Any, now: Instant) -> Outcome:  # noqa: ANN401 - a task returns what it likes
    if value is None:
        result = None
    else:
        try:
            result = msgspec.json.encode(value).decode()
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            return _failed(attempt, error, now, note="the task's result cannot be written as JSON")
        if len(result) > MAX_RESULT_BYTES:
            head = result[:1000]
            result = msgspec.json.encode({"cut": True, "bytes": len(result), "head": head}).decode()
    return _outcome(attempt, Verb.SUCCEED, now, result=result)


def _stopped(attempt: Attempt, error: BaseException, now: Instant) -> Outcome:
    """The verdict on an attempt that was cancelled: it depends on who asked."""
    match attempt.stop:
        case Stop.CANCEL | Stop.TERMINATE:
            return _outcome(attempt, Verb.CANCEL, now, reason=attempt.reason)
        case Stop.DRAIN:
            return _outcome(attempt, Verb.INTERRUPT, now, run_at=now, reason="interrupted: the daemon stopped")
        case Stop.TIMEOUT:
            return _failed(attempt, TimeoutError(f"ran longer than its {attempt.what.timeout:g} s"), now)
        case Stop.LOCK_LOST:
            lost = attempt.lock.name if attempt.lock else "?"
            return _failed(attempt, LockLostError(f"lock {lost} was lost while the job ran"), now)
        case _:  # the task cancelled itself
            return _failed(attempt, error, now, note="the task was cancelled from within")


def _raised(attempt: Attempt, error: BaseException, now: Instant) -> Outcome:
    if isinstance(error, Cancel):
        return _outcome(attempt, Verb.CANCEL, now, reason=str(error))
    if isinstance(error, Snooze):
        run_at = now + int(error.seconds * SECOND)
        return _outcome(attempt, Verb.SNOOZE, now, run_at=run_at, reason=str(error))
    return _failed(attempt, error, now)


def _failed(attempt: Attempt, error: BaseException, now: Instant, *, note: str | None = None) -> Outcome:
    """Another attempt where one is left, else the end."""
    job = attempt.job
    text = msgspec.json.encode(_describe(error, note)).decode()
    if job.attempt > job.max_retries:
        return _outcome(attempt, Verb.FAIL, now, error=text)
    asked = error.after if isinstance(error, Retry) else None
    delay = asked if asked is not None else retry_delay(job.id, job.attempt)
    reason = f"attempt {job.attempt} of {job.max_retries + 1} failed: {bounded(str(error), 500)}"
    return _outcome(attempt, Verb.RETRY, now, error=text, run_at=now + int(delay * SECOND), reason=reason)


class LockLostError(Exception):
    """The job's lock was lost while it ran."""


def _describe(error: BaseException, note: str | None) -> JobError:
    message = f"{note}: {error}" if note else str(error)
    trace = None
    if not isinstance(error, Retry) and error.__traceback__ is not None:
        trace = bounded("".join(traceback.format_exception(error)), MAX_TRACEBACK_BYTES, keep="end")
    return JobError(type(error).__name__, bounded(message, 4096), trace)


def _outcome(
    attempt: Attempt,
    verb: Verb,
    now: Instant,
    *,
    result: str | None = None,
    error: str | None = None,
    run_at: Instant | None = None,
    reason: str | None = None,
) -> Outcome:
    job = attempt.job
    return Outcome(job.seq, job.attempt, verb, now, result, error, run_at, reason, attempt.progress())
