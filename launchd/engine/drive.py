"""Drives a task's coroutine: says whose step it is, and turns a soft time limit into a TimeoutError inside it.

Runs on the task loop only.
"""

import sys
import traceback
import types
from asyncio import CancelledError
from collections.abc import Coroutine, Generator
from typing import Any

from launchd import forks
from launchd.engine.attempt import Attempt, Stop


class Steps:
    """Whose step the task loop is in: written there, read by the stall monitor's thread."""

    __slots__ = ("attempt",)

    def __init__(self) -> None:
        self.attempt: Attempt | None = None


@types.coroutine
def drive(coroutine: Coroutine[Any, Any, Any], attempt: Attempt, steps: Steps) -> Generator[Any, Any, Any]:
    """Await the coroutine. A cancellation for the soft time limit reaches it as TimeoutError, once; it may catch it."""
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
            thrown = _soft(attempt) or error
        except BaseException as error:  # noqa: BLE001 - whatever was awaited raised it: it is the coroutine's
            thrown = error


def stack_of(coroutine: Coroutine[Any, Any, Any]) -> str | None:
    """Where a coroutine that waits stands, outermost call first; None when it has ended.

    A task knows only its own frame: what that awaits, and what this awaits, is found link by link. To be called from
    any thread; the coroutine may go on meanwhile.
    """
    frames: list[tuple[types.FrameType, int]] = []
    link: Any = coroutine
    while link is not None:
        frame, link = _link(link)
        if frame is not None:
            frames.append((frame, frame.f_lineno or 0))
    return "".join(traceback.StackSummary.extract(iter(frames)).format()) or None


def _link(awaited: object) -> tuple[types.FrameType | None, Any]:
    """The frame of a coroutine or a generator of any kind, and what it awaits."""
    for frame, inner in (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await")):
        if hasattr(awaited, frame):
            return getattr(awaited, frame), getattr(awaited, inner)
    return None, None


def _soft(attempt: Attempt) -> TimeoutError | None:
    """The error of a soft time limit, the first time; the loop must forget that it cancelled anything."""
    if attempt.stop is not Stop.TIMEOUT or attempt.timed_out or attempt.task is None:
        return None
    attempt.timed_out = True
    attempt.task.uncancel()
    return TimeoutError(f"ran longer than its {attempt.what.timeout:g} s")
