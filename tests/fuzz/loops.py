"""Acts that need a running loop: task code against the loop that it shares with others."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

from launchd import Context
from tests.fuzz.values import Spec, make, text

_SECONDS = 5.0


class Odd(BaseException):
    """Neither an error nor an exit."""


def _raiser(error: Callable[[], BaseException]) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise error()

    return fail


async def _raising(error: Callable[[], BaseException]) -> None:
    raise error()


async def _waiting(error: Callable[[], BaseException]) -> None:
    await asyncio.sleep(0)
    raise error()


async def _stubborn_generator() -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        await asyncio.sleep(0)
        sys.exit(9)


async def _left_generator() -> None:
    async for _ in _stubborn_generator():
        return


async def _group(error: Callable[[], BaseException]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_waiting(error))


async def _subprocess() -> None:
    process = await asyncio.create_subprocess_exec("true")
    await asyncio.wait_for(process.wait(), _SECONDS)


def _kept(task: "asyncio.Task[Any]") -> None:
    """Keep a subtask from the collector until it has ended."""
    _SUBTASKS.add(task)
    task.add_done_callback(_SUBTASKS.discard)


_SUBTASKS: "set[asyncio.Task[Any]]" = set()
ERRORS: dict[str, Callable[[], BaseException]] = {
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "generator exit": GeneratorExit,
    "odd": Odd,
    "value error": lambda: ValueError("from an odd task"),
}


async def _call_soon(name: str, seconds: float | None) -> None:
    loop, fail = asyncio.get_running_loop(), _raiser(ERRORS[name])
    if seconds is None:
        loop.call_soon(fail)
    else:
        loop.call_later(seconds, fail)
    await asyncio.sleep(0)


async def _cancel_self() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel("odd")
    await asyncio.sleep(0)


async def _uncancelled() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
    task.add_done_callback(lambda _: sys.exit(8))
    task.set_name("caf\udce9")


async def _handler() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: sys.exit(6))
    asyncio.get_running_loop().call_exception_handler({"message": "from an odd task"})


async def _default_handler() -> None:
    asyncio.get_running_loop().set_exception_handler(None)
    asyncio.get_running_loop().call_exception_handler({"message": "odd \udce9", "exception": ValueError("odd \udce9")})


async def _at_once(function: Callable[[], object]) -> None:
    function()
    await asyncio.sleep(0)


TRICKS: dict[str, Callable[[], Awaitable[Any]]] = {
    "stop": lambda: _at_once(asyncio.get_running_loop().stop),
    "close": lambda: _at_once(asyncio.get_running_loop().close),
    "cancel self": _cancel_self,
    "done callback exits": _uncancelled,
    "handler exits": _handler,
    "handler": _default_handler,
    "to_thread exit": lambda: asyncio.to_thread(sys.exit),
    "left generator": _left_generator,
    "nested run": lambda: _at_once(lambda: asyncio.run(asyncio.sleep(0))),
    "set_event_loop": lambda: _at_once(lambda: asyncio.set_event_loop(None)),
    "subprocess": _subprocess,
    "sleep": lambda: asyncio.sleep(0.01),
    "sleep nan": lambda: asyncio.sleep(float("nan")),
    "await nothing": asyncio.gather,
}
# Those after which the job that did it is cancelled or otherwise ended from outside.
CALM = frozenset({"sleep", "await nothing"})


async def on_loop(ctx: Context, act: Spec) -> bool:
    """Carry out an act that needs a loop; False when it is of another kind."""
    match act:
        case ["loop", name]:
            await TRICKS[name]()
        case ["call", name, seconds]:
            await _call_soon(name, seconds)
        case ["subtask", name, awaited]:
            task = asyncio.get_running_loop().create_task(_raising(ERRORS[name]))
            _kept(task)
            await (task if awaited else asyncio.sleep(0))
        case ["wait_for", name]:
            await asyncio.wait_for(_waiting(ERRORS[name]), _SECONDS)
        case ["gather", name, kept]:
            await asyncio.gather(_waiting(ERRORS[name]), asyncio.sleep(0.01), return_exceptions=kept)
        case ["group", name]:
            await _group(ERRORS[name])
        case ["shield", name]:
            await asyncio.shield(_raising(ERRORS[name]))
        case ["trigger", task, args, options]:
            values: dict[str, Any] = {text(name): make(one) for name, one in args.items()}
            await ctx.trigger(make(task), **values, **{name: make(one) for name, one in options.items()})
        case _:
            return False
    return True
