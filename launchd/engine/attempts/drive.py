"""Drives a task's coroutine, on the task loop and in a task's process.

It notes which attempt is in a step, and lets a soft time limit reach the coroutine as a TimeoutError.
"""

import sys
import traceback
import types
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from launchd.engine.attempts.attempt import Attempt
from launchd.system import forks


class Steps:
    """The attempt whose step the task loop is in: written there, read by the stall monitor's thread."""

    __slots__ = ("attempt",)

    def __init__(self) -> None:
        self.attempt: Attempt | None = None


@types.coroutine
def drive(
    coroutine: Coroutine[Any, Any, Any],
    on_cancel: Callable[[CancelledError], BaseException],
    steps: Steps,
    attempt: Attempt | None,
) -> Generator[Any, Any, Any]:
    """Await the coroutine; `on_cancel` gives the exception that the coroutine gets for a cancellation.

    `steps.attempt` is `attempt` while the coroutine computes, None while it waits.
    """
    thrown: BaseException | None = None
    value: Any = None
    while True:
        steps.attempt = attempt
        try:
            awaited = coroutine.send(value) if thrown is None else coroutine.throw(thrown)
        except StopIteration as end:
            return end.value
        finally:
            steps.attempt = None
            if forks.in_child():  # the step has forked, and this is the child
                forks.end_child(sys.exception())
        thrown, value = None, None
        try:
            value = yield awaited
        except CancelledError as error:
            thrown = on_cancel(error)
        except GeneratorExit:  # the loop is gone: the coroutine cannot go on
            coroutine.close()
            raise
        except BaseException as error:  # noqa: BLE001 - the awaited object raised it, for the coroutine
            thrown = error


def stack_of(coroutine: Coroutine[Any, Any, Any]) -> str | None:
    """The stack of a coroutine that waits, outermost call first; None if it has ended.

    A task knows only its own frame: the awaited objects are followed link by link. May be called from any thread; the
    coroutine may go on meanwhile.
    """
    frames: list[tuple[types.FrameType, int]] = []
    link: Any = coroutine
    while link is not None:
        frame, link = _link(link)
        if frame is not None:
            frames.append((frame, frame.f_lineno or 0))
    return "".join(traceback.StackSummary.extract(iter(frames)).format()) or None


def _link(awaited: object) -> tuple[types.FrameType | None, Any]:
    """The frame of a coroutine or a generator of any kind, and the object that it awaits."""
    for frame, inner in (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await")):
        if hasattr(awaited, frame):
            return getattr(awaited, frame), getattr(awaited, inner)
    return None, None
