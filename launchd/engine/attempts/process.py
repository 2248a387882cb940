"""A task in a process of its own, which can be killed, driven by a thread that waits for its end.

The process is asked to end by a signal, and killed with its process group if it does not; its end counts only once
the kernel has confirmed it (waitid). It talks to the daemon through pipes of its own: its standard input is /dev/null,
its standard output and error are the daemon's.
"""

import asyncio
import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from launchd.engine.attempts.attempt import Attempt, Stop
from launchd.engine.attempts.guard import Guard
from launchd.engine.attempts.wire import MAX_LINE_BYTES, AttemptRequest, FromChild, Lines
from launchd.job import JobError
from launchd.logger import get_logger
from launchd.system import forks
from launchd.task import Cancel, Retry, Snooze
from launchd.values.failure import RemoteError

# Seconds between the signal that asks and SIGKILL.
KILL_SECONDS = 5.0
_STACK_SECONDS = 2.0
_CHUNK = 65_536
# The signal of each stop request, SIGTERM by default; those in _KILLED end with SIGKILL.
_SIGNALS = {Stop.TIMEOUT: signal.SIGUSR1}
_KILLED = frozenset({Stop.TERMINATE, Stop.HARD_TIMEOUT, Stop.LOCK_LOST, Stop.DRAIN})
_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
_decode = msgspec.json.Decoder(FromChild).decode

Trigger = Callable[[FromChild, Callable[[bytes], None]], None]


class DiedError(Exception):
    """The task's process ended without a result."""


class _Pipes:
    """The pipes to one process, by name: (read, write) ends. The daemon closes its own at the end."""

    def __init__(self) -> None:
        self.requests, self.answers, self.stacks = os.pipe(), os.pipe(), os.pipe()
        self._open = {*self.requests, *self.answers, *self.stacks}
        ours = (self.requests[1], self.answers[0], self.stacks[0])  # a fork of the daemon must not inherit them
        self._disown = {handle: forks.own_descriptor(handle) for handle in ours}

    @property
    def of_child(self) -> tuple[int, int, int]:
        """The ends of the process: it reads requests, and writes answers and stacks."""
        return self.requests[0], self.answers[1], self.stacks[1]

    def close(self, *handles: int) -> None:
        """Close these handles, or all that are still open."""
        for handle in handles or tuple(self._open):
            if handle in self._open:
                self._open.discard(handle)
                self._disown.get(handle, _nothing)()
                os.close(handle)


def _nothing() -> None:
    """Do nothing: the daemon does not own this descriptor."""


class ProcessRunner:
    """Implements `Runner` for a task in a process of its own.

    Its thread reads the messages of the process until it ends. `_kill_at` and `_asked` are written by the control loop.
    Three locks, held shortly or by threads that may wait: `_alive` while the process is signalled or reaped, `_writing`
    for its requests, `_looking` for its stacks. `_ready` is set once the process handles every signal: before that, an
    unexpected signal would end it.
    """

    def __init__(self, attempt: Attempt, trigger: Trigger, guard: Guard | None = None) -> None:
        self._attempt = attempt
        self._trigger = trigger
        self._guard = guard
        self._asked: Stop | None = None
        self._kill_at: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pipes: _Pipes | None = None
        self._alive = threading.Lock()
        self._writing = threading.Lock()
        self._looking = threading.Lock()
        self._ready = threading.Event()
        self._said: FromChild | None = None

    # --- in its thread ---

    def run(self) -> Any:  # noqa: ANN401 - a task returns what it likes
        """Start the process, read its messages until it has ended, and return or raise its result."""
        request = msgspec.json.encode(_request(self._attempt))
        pipes = self._pipes = _Pipes()
        try:
            self._start(pipes, request)
            self._listen(pipes.answers[0])
            code = self._reap()
        finally:
            with self._looking, self._writing:
                self._pipes = None
                pipes.close()
        return self._verdict(code)

    def _start(self, pipes: _Pipes, request: bytes) -> None:
        handles = pipes.of_child
        command = [sys.executable, "-m", "launchd.engine.attempts.child", *map(str, handles), str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.DEVNULL, pass_fds=handles, start_new_session=True
        )
        pipes.close(*handles)
        if self._guard is not None:  # before it gets its request, so before it can start anything
            self._guard.started(self._process.pid)
        self._send(request)
        if self._asked is not None:  # its end was requested before it began
            self._signal(signal.SIGTERM)

    def _listen(self, answers: int) -> None:
        """Read lines until the process closes its end, killing it when its time is up."""
        poll = select.poll()
        poll.register(answers, select.POLLIN | select.POLLHUP)
        lines, process, gone = Lines(), self._process, False
        room = 2 * MAX_LINE_BYTES  # the most read after its end: its children may hold the pipe, and write for ever
        while process is not None and room > 0:
            self._kill_if_due()
            if not poll.poll(0 if gone else 200):
                if gone:
                    return
                # it may have written its result just now: that is read first
                gone = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
                continue
            chunk = os.read(answers, _CHUNK)
            if not chunk:
                return
            room -= len(chunk) if gone else 0
            for line in lines.feed(chunk):
                self._hear(line)

    def _reap(self) -> int:
        """Wait for the end, then kill what it started: its group id stays valid until it is reaped."""
        process = self._process
        if process is None:
            return 0
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            self._kill_if_due()
            time.sleep(0.02)  # this thread has nothing else to do, and waitid has no timeout
        if self._guard is not None:
            self._guard.ended(process.pid)
        with self._alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def _hear(self, line: bytes) -> None:
        try:
            said = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # the task wrote into our pipe
        match said.kind:
            case "ready":
                self._ready.set()
                if self._asked is Stop.TIMEOUT:  # its time was up before it was ready
                    self._signal(signal.SIGUSR1)
            case "progress":
                self._attempt.context.latest_progress = said.progress
            case "log":
                self._log(said)
            case "trigger":
                self._trigger(said, self._send)
            case _:
                self._said = said

    def _log(self, said: FromChild) -> None:
        """Log a line of the process as if it had been logged here, with the fields of the attempt."""
        log = get_logger(said.logger or "launchd.task")
        names = self._attempt.names()
        about = {"exc_info": RemoteError(said.error)} if said.error is not None else {}
        fields = {name: value for name, value in said.fields.items() if name not in {"event", "exc_info"}}
        getattr(log, said.level if said.level in _LEVELS else "info")(said.event, **fields | names | about)

    def _send(self, message: bytes) -> None:
        with self._writing, contextlib.suppress(OSError):  # the process may have ended
            data = memoryview(message + b"\n")
            while data and self._pipes is not None:
                data = data[os.write(self._pipes.requests[1], data) :]

    def _verdict(self, code: int) -> Any:  # noqa: ANN401 - a task returns what it likes
        if self._said is not None:
            return _raise_again(self._said)
        if self._attempt.stop is not None:
            raise asyncio.CancelledError
        name = _signal_name(-code) if code < 0 else f"exit code {code}"
        raise DiedError(f"the task's process ended by {name} without a result")

    # --- from the control loop ---

    def stop(self, why: Stop) -> None:
        """Send the signal of a stop request, once for each kind; kill the process later if the request demands it."""
        if why in _KILLED and self._kill_at is None:
            self._kill_at = time.monotonic() + KILL_SECONDS
        if self._asked is not why:
            self._asked = why
            number = _SIGNALS.get(why, signal.SIGTERM)
            if number is signal.SIGTERM or self._ready.is_set():
                self._signal(number)

    def stack(self) -> str | None:
        """The stack that the process writes (by faulthandler, even in a loop in C); waits up to 2 s."""
        if not self._ready.wait(_STACK_SECONDS):
            return None
        with self._looking:
            if self._pipes is None:
                return None
            stacks = self._pipes.stacks[0]
            poll = select.poll()
            poll.register(stacks, select.POLLIN)
            self._signal(signal.SIGUSR2)
            text = b""
            while poll.poll(50 if text else int(_STACK_SECONDS * 1000)):
                chunk = os.read(stacks, _CHUNK)
                if not chunk:
                    break
                text += chunk
            return text.decode(errors="replace") or None

    def _signal(self, number: signal.Signals) -> None:
        """Signal the process; it cannot be reaped meanwhile."""
        with self._alive, contextlib.suppress(ProcessLookupError):
            if self._process is not None and self._process.returncode is None:
                os.kill(self._process.pid, number)

    def _kill_if_due(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at and self._process is not None:
            with self._alive, contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _request(attempt: Attempt) -> AttemptRequest:
    """The request of an attempt; raises InvalidError if the stored arguments do not fit the task any more."""
    context, definition = attempt.context, attempt.definition
    names = ("job_id", "task", "queue", "attempt", "schedule", "fire_time", "lock", "fence")
    return AttemptRequest(
        definition.function.__module__,
        definition.function.__qualname__,
        definition.decode(attempt.job.args),
        {name: getattr(context, name) for name in names},
        sys.path,
        definition.timeout,
        logging.getLogger().getEffectiveLevel(),
    )


def _raise_again(said: FromChild) -> Any:  # noqa: ANN401 - a task returns what it likes
    """Return or raise the result of the process."""
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
            raise RemoteError(said.error or JobError("Error", "the process raised an error without a description"))


def _signal_name(number: int) -> str:
    """The name of a signal; real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
