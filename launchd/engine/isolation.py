"""Running a task outside the task loop: a plain function in a thread, or anything in a process that can be killed.

Both are driven by a thread of their own, which the task loop waits for. A thread cannot be stopped from outside: it is
told (`ctx.stopping`) and ends when its function does. A process is told by a signal, and killed with its whole process
group when it does not listen; its end is sure only once the kernel has confirmed it (waitid).
"""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from launchd import forks
from launchd.engine.attempt import Attempt, Stop
from launchd.engine.guard import Guard
from launchd.engine.verdict import RemoteError
from launchd.engine.wire import FromChild, Request
from launchd.job import JobError
from launchd.task import Cancel, Retry, Snooze

# Seconds between the signal that asks and the one that kills.
KILL_SECONDS = 5.0
_STACK_SECONDS = 2.0
_CHUNK = 65_536
# What each wish is to a process: the softer ones are asked for, the harder ones end in a kill.
_SIGNALS = {Stop.TIMEOUT: signal.SIGUSR1}
_KILLED = frozenset({Stop.TERMINATE, Stop.HARD_TIMEOUT, Stop.LOCK_LOST, Stop.DRAIN})


class DiedError(Exception):
    """The task's process died without a word."""


class ThreadRunner:
    """A plain function in a thread."""

    def __init__(self, attempt: Attempt, arguments: Mapping[str, Any]) -> None:
        self._attempt = attempt
        self._arguments = arguments
        self._ident: int | None = None

    def run(self) -> Any:  # noqa: ANN401 - a task returns what it likes
        """In the thread: call the function."""
        self._ident = threading.get_ident()
        return self._attempt.what.function(self._attempt.context, **self._arguments)

    def stop(self, _why: Stop) -> None:
        """Tell it; it ends when it looks."""
        self._attempt.context.stopping = True

    def stack(self) -> str | None:
        """The stack of the thread."""
        frame = sys._current_frames().get(self._ident or 0)  # noqa: SLF001 - the documented way to see other threads
        return "".join(traceback.format_stack(frame)) if frame is not None else None


class ProcessRunner:
    """A task in a process of its own.

    Its thread reads what the process says until it ends. `_kill_at` and `_asked` are written by the control loop.
    Three guards, each held shortly or by those who may wait: `_alive` while the process is signalled or reaped,
    `_writing` for its stdin, `_looking` for its stacks. `_ready` is set once it hears every signal: before that, one
    that it does not expect would end it.
    """

    def __init__(
        self,
        attempt: Attempt,
        arguments: Mapping[str, Any],
        trigger: Callable[..., Any],
        guard: Guard | None = None,
    ) -> None:
        self._attempt = attempt
        self._trigger = trigger
        self._guard = guard
        self._request = _request(attempt, arguments)
        self._asked: Stop | None = None
        self._kill_at: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stacks: tuple[int, int] | None = None
        self._alive = threading.Lock()
        self._writing = threading.Lock()
        self._looking = threading.Lock()
        self._ready = threading.Event()
        self._said: FromChild | None = None

    # --- in its thread ---

    def run(self) -> Any:  # noqa: ANN401 - a task returns what it likes
        """Start the process, listen until it is gone for sure, and give back or raise what it said."""
        reader, writer = os.pipe()
        stacks = self._stacks = os.pipe()
        try:
            self._start(writer, stacks[1])
            os.close(writer)
            writer = -1
            self._listen(reader)
            code = self._reap()
        finally:
            with self._looking:
                self._stacks = None
                for handle in (reader, writer, *stacks):
                    if handle >= 0:
                        os.close(handle)
        return self._verdict(code)

    def _start(self, writer: int, stacks: int) -> None:
        command = [sys.executable, "-m", "launchd.engine.child", str(writer), str(stacks), str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, pass_fds=(writer, stacks), start_new_session=True, bufsize=0
        )
        if self._guard is not None:  # before it hears what to do, so before it can start anything
            self._guard.started(self._process.pid)
        self._tell(msgspec.json.encode(self._request))
        if self._asked is not None:  # it was asked to end on its way here
            self._signal(signal.SIGTERM)

    def _listen(self, reader: int) -> None:
        """Read lines until the process closes its end, killing it when its time is up."""
        poll = select.poll()
        poll.register(reader, select.POLLIN | select.POLLHUP)
        process, buffer = self._process, b""
        while process is not None:
            self._kill_if_due()
            if not poll.poll(200):
                if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                    return  # it is gone, though something that it started may still hold the pipe
                continue
            chunk = os.read(reader, _CHUNK)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                self._hear(line)

    def _reap(self) -> int:
        """Wait for the end, then sweep what it started: its group is ours for as long as it is not reaped."""
        process = self._process
        if process is None:
            return 0
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            self._kill_if_due()
            time.sleep(0.02)  # this thread has nothing else to do, and waitid cannot also wait for the time to kill
        if self._guard is not None:
            self._guard.ended(process.pid)
        with self._alive, self._writing:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdin is not None:
                process.stdin.close()
            return process.wait()

    def _hear(self, line: bytes) -> None:
        try:
            said = msgspec.json.decode(line, type=FromChild)
        except msgspec.MsgspecError:
            return  # the task wrote into our pipe
        context = self._attempt.context
        if said.kind == "ready":
            self._ready.set()
            if self._asked is Stop.TIMEOUT:  # its time was up before it could be told
                self._signal(signal.SIGUSR1)
        elif said.kind == "progress":
            context.latest_progress = said.progress
        elif said.kind == "log":
            getattr(context.log, said.level, context.log.info)(said.event, **said.fields)
        elif said.kind == "trigger":
            self._trigger(said, self._tell)
        else:
            self._said = said

    def _tell(self, message: bytes) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        with self._writing, contextlib.suppress(OSError, ValueError):
            process.stdin.write(message + b"\n")

    def _verdict(self, code: int) -> Any:  # noqa: ANN401 - a task returns what it likes
        if self._said is not None:
            return _raise_again(self._said)
        if self._attempt.stop is not None:
            raise asyncio.CancelledError
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise DiedError(f"the task's process ended by {name} without a result")

    # --- from the control loop ---

    def stop(self, why: Stop) -> None:
        """Ask by a signal, once for each kind of wish; kill later where the wish is an order."""
        if why in _KILLED and self._kill_at is None:
            self._kill_at = time.monotonic() + KILL_SECONDS
        if self._asked is not why:
            self._asked = why
            number = _SIGNALS.get(why, signal.SIGTERM)
            if number is signal.SIGTERM or self._ready.is_set():
                self._signal(number)

    def stack(self) -> str | None:
        """What the process says of its own stack (faulthandler writes it even from a loop in C); waits up to 2 s."""
        if not self._ready.wait(_STACK_SECONDS):
            return None
        with self._looking:
            if self._stacks is None:
                return None
            poll = select.poll()
            poll.register(self._stacks[0], select.POLLIN)
            self._signal(signal.SIGUSR2)
            text = b""
            while poll.poll(50 if text else int(_STACK_SECONDS * 1000)):
                text += os.read(self._stacks[0], _CHUNK)
            return text.decode(errors="replace") or None

    def _signal(self, number: signal.Signals) -> None:
        """Signal the process, which cannot be reaped meanwhile."""
        with self._alive, contextlib.suppress(ProcessLookupError):
            if self._process is not None and self._process.returncode is None:
                os.kill(self._process.pid, number)

    def _kill_if_due(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at and self._process is not None:
            with self._alive, contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _request(attempt: Attempt, arguments: Mapping[str, Any]) -> Request:
    context, function = attempt.context, attempt.what.function
    names = ("job_id", "task", "queue", "attempt", "schedule", "fire_time", "lock", "fence")
    said = {name: getattr(context, name) for name in names}
    return Request(function.__module__, function.__qualname__, dict(arguments), said, sys.path, attempt.what.timeout)


def _raise_again(said: FromChild) -> Any:  # noqa: ANN401 - a task returns what it likes
    """What the process said at its end: returned, or raised here as it was raised there."""
    match said.kind:
        case "returned":
            return said.value
        case "cancel":
            raise Cancel(said.reason)
        case "snooze":
            raise Snooze(said.seconds or 0.0, said.reason)
        case "retry":
            raise Retry(said.reason, after=said.seconds)
        case _:
            raise RemoteError(said.error or JobError("Error", "the process raised without saying what"))


async def in_thread(attempt: Attempt, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - a task returns what it likes
    """Await `work` in a thread of its own, which ends with the daemon if it never returns.

    A cancellation is kept until the thread has ended: only then is it sure that nothing goes on.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:  # noqa: ANN401 - as above
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def call() -> None:
        value: Any = None
        failure: BaseException | None = None
        try:
            value = work()
        except asyncio.CancelledError:
            failure = _CancelledInThreadError()
        except BaseException as error:  # noqa: BLE001 - carried to the loop that waits
            failure = error
        forks.end_child(failure)  # the function has forked, and this is the child
        with contextlib.suppress(RuntimeError):  # the loop is gone: the daemon has stopped
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=call, name=f"task:{attempt.job.task}", daemon=True).start()
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if isinstance(future.exception(), _CancelledInThreadError):
        raise cancelled or asyncio.CancelledError
    if cancelled is not None and attempt.stop not in {Stop.DRAIN, Stop.TIMEOUT, None}:
        raise cancelled  # the verdict is the stop's
    return future.result()


class _CancelledInThreadError(Exception):
    """Stands for a cancellation on its way out of a thread: a future cannot carry one as its exception."""
