"""The port: the part of the engine that task code may call, from any thread or loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import msgspec

from launchd.errors import InvalidError
from launchd.task import delay_seconds
from launchd.values.plain import plain_text, type_name

T = TypeVar("T")


class Trigger(Protocol):
    """Makes a job on the control loop and returns its id."""

    async def __call__(self, task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
        """Raise the errors of Control.trigger."""


class EnginePort:
    """Implements `launchd.task.Port`: `make` makes the job of a trigger on the control loop."""

    def __init__(self, control_loop: asyncio.AbstractEventLoop, make: Trigger) -> None:
        self._loop = control_loop
        self._make = make

    async def trigger(self, task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
        """Make a job for task code; returns its id once it is on disk. The arguments are made plain here.

        Raises NotFoundError, and InvalidError, TypeError or ValueError for arguments that cannot be made plain.
        """
        name, given, seconds = plain_text(task), _plain(args), delay_seconds(delay, "trigger(delay=...)")
        if priority is not None and type(priority) is not int:
            raise TypeError(f"trigger(priority=...): expected 0 to 9, got {type_name(priority)}")
        return await await_on(self._loop, lambda: self._make(name, given, delay=seconds, priority=priority))


async def await_on(loop: asyncio.AbstractEventLoop, call: Callable[[], Awaitable[T]]) -> T:
    """Await a call on another loop."""

    async def run() -> T:
        return await call()

    future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), loop))
    future.add_done_callback(_retrieved)
    return await future


def _plain(args: dict[str, Any]) -> dict[str, Any]:
    """The arguments after a round trip through JSON in the task's thread: no task object reaches the control loop."""
    try:
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(args))
    except BaseException as error:  # noqa: BLE001 - an object's own properties are read, and they may raise anything
        reason = f"{type_name(error)}: {plain_text(error, 200)}"
        raise InvalidError.at("args", f"expected values that JSON can carry, got {reason}") from None
    return plain


def _retrieved(future: "asyncio.Future[Any]") -> None:
    """Retrieve the error of a call whose caller was cancelled: asyncio would log it as never retrieved."""
    if not future.cancelled():
        future.exception()
