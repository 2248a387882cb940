"""The main of a task's process: `python -m launchd.engine.child RESULT_FD STACK_FD DAEMON_PID`, the request on stdin.

Signals: SIGTERM asks the task to end (a coroutine is cancelled, a plain function gets SystemExit), SIGUSR1 raises
TimeoutError inside it, SIGUSR2 writes its stack to STACK_FD. It dies with the daemon.
"""

import asyncio
import ctypes
import faulthandler
import importlib
import inspect
import os
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable, Coroutine, Generator, MutableMapping
from functools import reduce
from typing import Any

import msgspec
import structlog

from launchd.engine.wire import FromChild, Request, ToChild
from launchd.job import MAX_RESULT_BYTES, MAX_TRACEBACK_BYTES, JobError, bounded
from launchd.task import Cancel, Context, Retry, Snooze, Task

_PR_SET_PDEATHSIG = 1


class _Stopped(SystemExit):
    """A plain function was asked to end."""


class _Link:
    """The pipes to the daemon; implements `launchd.task.Port`."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._guard = threading.RLock()

    def say(self, message: FromChild) -> None:
        """Write one line, whole."""
        line = memoryview(msgspec.json.encode(message) + b"\n")
        with self._guard:
            while line:
                line = line[os.write(self._handle, line) :]

    async def trigger(self, task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
        """Ask the daemon for a job and wait for its id."""
        self.say(FromChild(kind="trigger", task=task, fields=args, delay=delay, priority=priority))
        answer = msgspec.json.decode(await asyncio.to_thread(sys.stdin.buffer.readline), type=ToChild)
        if answer.job_id is None:
            raise RuntimeError(answer.error or "the daemon made no job")
        return answer.job_id

    def log(self, _logger: object, level: str, event: MutableMapping[str, Any]) -> Any:  # noqa: ANN401 - never returns
        """A structlog processor: the line is the daemon's to write."""
        fields = msgspec.json.decode(msgspec.json.encode(event, enc_hook=repr))
        self.say(FromChild(kind="log", level=level, event=str(fields.pop("event", "")), fields=fields))
        raise structlog.DropEvent


class _ChildContext(Context):
    """A Context whose progress goes through the pipe."""

    __slots__ = ("_link",)

    def __init__(self, link: _Link, **said: Any) -> None:  # noqa: ANN401 - the fields of Context
        super().__init__(port=link, **said)
        self._link = link

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Say how far the job is."""
        self._link.say(FromChild(kind="progress", progress=(done, total, note)))


def main() -> None:
    """Do the one piece of work and say how it ended."""
    _die_with(int(sys.argv[3]))
    link = _Link(int(sys.argv[1]))
    faulthandler.register(signal.SIGUSR2, file=int(sys.argv[2]), all_threads=True)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, link.log])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    sys.path[:] = request.path
    signal.signal(signal.SIGUSR1, _raiser(TimeoutError(_out_of_time(request))))
    link.say(FromChild(kind="ready"))
    try:
        message = _work(request, link)
    except _Stopped:
        sys.exit(128 + signal.SIGTERM)
    link.say(message)


def _work(request: Request, link: _Link) -> FromChild:
    """The function's end as a message."""
    try:
        function = _function(request)
        context = _ChildContext(link, **request.context)
        if inspect.iscoroutinefunction(function):
            value = asyncio.run(_drive(function(context, **request.arguments), _out_of_time(request)))
        else:
            value = function(context, **request.arguments)
        return FromChild(kind="returned", value=msgspec.Raw(_encode(value)))
    except Cancel as error:
        return FromChild(kind="cancel", reason=str(error))
    except Snooze as error:
        return FromChild(kind="snooze", reason=str(error), seconds=error.seconds)
    except Retry as error:
        return FromChild(kind="retry", reason=str(error), seconds=error.after)
    except (asyncio.CancelledError, _Stopped):
        raise _Stopped from None
    except BaseException as error:  # noqa: BLE001 - whatever task code raises is a verdict on the job
        trace = bounded("".join(traceback.format_exception(error)), MAX_TRACEBACK_BYTES, keep="end")
        return FromChild(kind="raised", error=JobError(type(error).__name__, bounded(str(error), 4096), trace))


def _function(request: Request) -> Callable[..., Any]:
    found: Any = reduce(getattr, request.qualname.split("."), importlib.import_module(request.module))
    return found.function if isinstance(found, Task) else found


def _encode(value: object) -> bytes:
    """The result as JSON, cut like any other result before it goes through the pipe."""
    data = msgspec.json.encode(value)
    if len(data) <= MAX_RESULT_BYTES:
        return data
    return msgspec.json.encode({"cut": True, "bytes": len(data), "head": data[:1000].decode(errors="ignore")})


async def _drive(coroutine: Coroutine[Any, Any, Any], out_of_time: str) -> Any:  # noqa: ANN401 - a task returns what it likes
    """Run the coroutine; SIGTERM cancels it, SIGUSR1 raises TimeoutError inside it."""
    loop, limit = asyncio.get_running_loop(), _Limit(out_of_time)
    limit.work = loop.create_task(_limited(coroutine, limit))
    loop.add_signal_handler(signal.SIGTERM, limit.work.cancel)
    loop.add_signal_handler(signal.SIGUSR1, limit.reached)
    return await limit.work


class _Limit:
    """A soft time limit: a cancellation that the coroutine sees as TimeoutError, once."""

    def __init__(self, message: str) -> None:
        self.work: asyncio.Task[Any] | None = None
        self._message = message
        self._pending = False

    def reached(self) -> None:
        """The time is up."""
        if self.work is not None:
            self._pending = True
            self.work.cancel()

    def instead(self, error: asyncio.CancelledError) -> BaseException:
        """What the coroutine gets to see of a cancellation."""
        if not self._pending or self.work is None:
            return error
        self._pending = False
        self.work.uncancel()
        return TimeoutError(self._message)


async def _limited(coroutine: Coroutine[Any, Any, Any], limit: _Limit) -> Any:  # noqa: ANN401 - a task returns what it likes
    return await _stepped(coroutine, limit)


@types.coroutine
def _stepped(coroutine: Coroutine[Any, Any, Any], limit: _Limit) -> Generator[Any, Any, Any]:
    """Await the coroutine, as `launchd.engine.drive` does, whose marks and attempts have no place here."""
    thrown: BaseException | None = None
    value: Any = None
    while True:
        try:
            awaited = coroutine.send(value) if thrown is None else coroutine.throw(thrown)
        except StopIteration as end:
            return end.value
        thrown, value = None, None
        try:
            value = yield awaited
        except asyncio.CancelledError as error:
            thrown = limit.instead(error)
        except BaseException as error:  # noqa: BLE001 - whatever was awaited raised it: it is the coroutine's
            thrown = error


def _out_of_time(request: Request) -> str:
    return f"ran longer than its {request.timeout:g} s"


def _stop(_number: int, _frame: object) -> None:
    raise _Stopped


def _raiser(error: Exception) -> Callable[[int, object], None]:
    def handle(_number: int, _frame: object) -> None:
        raise error

    return handle


def _die_with(daemon: int) -> None:
    """Ask the kernel for SIGKILL when the daemon's thread that watches over this process is gone (prctl(2)).

    A daemon that died before this was asked has left this process to another parent: the work is not this one's any
    more, for the next daemon takes it up.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != daemon:
        sys.exit(1)


if __name__ == "__main__":
    main()
