"""The main of a task's process: `python -m launchd.engine.attempts.child REQUEST_FD ANSWER_FD STACK_FD DAEMON_PID`.

The first pipe carries the request and the answers to `ctx.trigger`; the second carries the messages of the process.
Signals: SIGTERM asks the task to end (a coroutine is cancelled, a plain function gets SystemExit), SIGUSR1 raises
TimeoutError inside it, SIGUSR2 writes its stack to STACK_FD. The process is killed when the daemon ends.
"""

import asyncio
import ctypes
import faulthandler
import importlib
import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial, reduce
from typing import Any

import msgspec

from launchd.engine.attempts.drive import Steps, drive
from launchd.engine.attempts.link import ChildContext, Link
from launchd.engine.attempts.verdict import returned
from launchd.engine.attempts.wire import AttemptRequest, FromChild
from launchd.job import encode_result
from launchd.logs.setup import bridge_to
from launchd.task import CURRENT, MAX_REASON_BYTES, Cancel, Retry, Snooze, Task
from launchd.values.failure import describe
from launchd.values.plain import plain_text

_PR_SET_PDEATHSIG = 1
# The end of a coroutine: its value, or the exception that it raised.
_Ended = tuple[Any, BaseException | None]


class _Stopped(SystemExit):
    """Raised in a plain function by SIGTERM."""


def main() -> None:
    """Run the function and send its result."""
    requests, answers, stacks, daemon = map(int, sys.argv[1:])
    _die_with(daemon)
    for handle in (requests, answers, stacks):
        os.set_inheritable(handle, False)  # noqa: FBT003 - the library's signature
    link = Link(requests, answers)
    faulthandler.register(signal.SIGUSR2, file=stacks, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    request = msgspec.json.decode(link.readline(), type=AttemptRequest)
    bridge_to(link.log, request.log_level)
    sys.path[:] = request.path
    signal.signal(signal.SIGUSR1, _raiser(TimeoutError(_out_of_time(request))))
    try:
        message = _work(request, link)
    except _Stopped:
        sys.exit(128 + signal.SIGTERM)
    link.say(message)
    logging.shutdown()


def _work(request: AttemptRequest, link: Link) -> FromChild:
    """Run the function; returns its result as a message. Raises _Stopped if its end was requested."""
    value: object = None
    failure: BaseException | None = None
    try:
        value = _run(request, link)
    except BaseException as error:  # noqa: BLE001 - whatever task code raises is a verdict on the job
        failure = error
    finally:
        for number in (signal.SIGTERM, signal.SIGUSR1):  # it has ended: nothing is left to interrupt
            signal.signal(number, signal.SIG_IGN)
    value, failure = returned(value, failure)
    if failure is not None:
        return _raised(failure)
    try:
        return FromChild(kind="returned", value=msgspec.Raw(encode_result(value).encode()))
    except BaseException as error:  # noqa: BLE001 - an object's own properties are read, and they may raise anything
        return _said("raised", error, note="the task's result cannot be written as JSON")


def _run(request: AttemptRequest, link: Link) -> object:
    function = _function(request)
    context = ChildContext(link, **request.context)
    CURRENT.set(context)
    ready = partial(link.say, FromChild(kind="ready"))
    if inspect.iscoroutinefunction(function):
        limit = _Limit(_out_of_time(request))
        value, failure = asyncio.run(_drive(function(context, **request.arguments), limit, ready))
        if failure is not None:
            raise failure
        return value
    ready()
    return function(context, **request.arguments)


def _raised(error: BaseException) -> FromChild:
    """The message of the task's exception; raises _Stopped if its end was requested."""
    kind = type(error)
    if issubclass(kind, asyncio.CancelledError | _Stopped):
        raise _Stopped from None
    reason = plain_text(error, MAX_REASON_BYTES)
    try:
        if issubclass(kind, Cancel):
            return FromChild(kind="cancel", reason=reason)
        if issubclass(kind, Snooze):
            return FromChild(kind="snooze", reason=reason, seconds=Snooze(error.seconds).seconds)  # type: ignore[attr-defined]
        if issubclass(kind, Retry):
            return FromChild(kind="retry", reason=reason, seconds=Retry(after=error.after).after)  # type: ignore[attr-defined]
    except BaseException as refused:  # noqa: BLE001 - a delay that was set later, or a property that fails
        return _said("raised", refused)
    return _said("raised", error)


def _said(kind: str, error: BaseException, note: str | None = None) -> FromChild:
    return FromChild(kind=kind, error=describe(error, note))


def _function(request: AttemptRequest) -> Callable[..., Any]:
    found: Any = reduce(getattr, request.qualname.split("."), importlib.import_module(request.module))
    return found.function if isinstance(found, Task) else found


async def _drive(coroutine: Coroutine[Any, Any, Any], limit: "_Limit", ready: Callable[[], None]) -> _Ended:
    """Run the coroutine; SIGTERM cancels it, SIGUSR1 raises TimeoutError inside it. Calls `ready` once both work."""
    loop = asyncio.get_running_loop()
    limit.work = loop.create_task(_limited(coroutine, limit, ready))
    loop.add_signal_handler(signal.SIGTERM, limit.work.cancel)
    loop.add_signal_handler(signal.SIGUSR1, limit.reached)
    return await limit.work


class _Limit:
    """A soft time limit: a cancellation that the coroutine sees as TimeoutError, once."""

    def __init__(self, message: str) -> None:
        self.work: asyncio.Task[_Ended] | None = None
        self._message = message
        self._pending = False

    def reached(self) -> None:
        """Cancel the coroutine: its time is up."""
        if self.work is not None:
            self._pending = True
            self.work.cancel()

    def instead(self, error: asyncio.CancelledError) -> BaseException:
        """The exception that the coroutine gets for a cancellation."""
        if not self._pending or self.work is None:
            return error
        self._pending = False
        self.work.uncancel()
        return TimeoutError(self._message)


async def _limited(coroutine: Coroutine[Any, Any, Any], limit: _Limit, ready: Callable[[], None]) -> _Ended:
    ready()  # not sooner: a task that is cancelled before its first step never runs
    try:
        return await drive(coroutine, limit.instead, Steps(), None), None
    except BaseException as error:  # noqa: BLE001 - asyncio reads attributes of exceptions: one whose attributes raise would hang it
        return None, error


def _out_of_time(request: AttemptRequest) -> str:
    return f"ran longer than its {request.timeout:g} s"


def _stop(_number: int, _frame: object) -> None:
    raise _Stopped


def _raiser(error: Exception) -> Callable[[int, object], None]:
    def handle(_number: int, _frame: object) -> None:
        raise error

    return handle


def _die_with(daemon: int) -> None:
    """Ask the kernel for SIGKILL when the daemon's thread of this process ends (prctl(2)).

    If the daemon died before that, this process has another parent by now: it must exit, since the next daemon rescues
    the job.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != daemon:
        sys.exit(1)


if __name__ == "__main__":
    main()
