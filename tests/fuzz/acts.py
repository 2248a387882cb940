"""Acts of a task before it ends. Each is a plain description, carried out inside the task.

`plain` acts need no loop, `on_loop` ones a coroutine, `apart` ones a process that is the task's alone.
"""

import contextvars
import gc
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import structlog

from launchd import Context
from tests.fuzz.values import Spec, make

_VARIABLE: contextvars.ContextVar[object] = contextvars.ContextVar("odd")
# Longer than any sane command takes; a child that waits for input that never ends is a fault, and fails its job.
_COMMAND_SECONDS = 20.0


class _Finalized:
    """An object whose finalizer ends as described; two of them hold each other, so that the collector finds them."""

    def __init__(self, end: Callable[[], object]) -> None:
        self.end = end
        self.other: object = None

    def __del__(self) -> None:
        self.end()


def _fail() -> NoReturn:
    raise ValueError("from a finalizer or a thread of an odd task")


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt("from an odd task")


def _finalizers(end: Callable[[], object]) -> None:
    one, two = _Finalized(end), _Finalized(end)
    one.other, two.other = two, one
    del one, two
    gc.collect()


def _log_exception(log: Any) -> None:  # noqa: ANN401 - a structlog or a standard logger
    try:
        raise ValueError("odd caf\udce9")  # noqa: TRY301 - something to log
    except ValueError:
        log.exception("odd exception logged")


def _thread(end: Callable[[], object]) -> None:
    thread = threading.Thread(target=end, name="odd thread")
    thread.start()
    thread.join()


def _contextvars() -> None:
    _VARIABLE.set(object())
    structlog.contextvars.bind_contextvars(odd="caf\udce9", value=object())


def _command(*words: str) -> Callable[[Context], object]:
    return lambda _ctx: subprocess.run(words, check=False, capture_output=True, timeout=_COMMAND_SECONDS)


def _nested_log() -> None:
    logging.getLogger("odd").warning("%(name)s %(missing)s", {"name": 1})


TRICKS: dict[str, Callable[[Context], object]] = {
    "collect": lambda _ctx: _finalizers(_fail),
    "collect exit": lambda _ctx: _finalizers(sys.exit),
    "log exception": lambda ctx: _log_exception(ctx.log),
    "standard exception": lambda _ctx: _log_exception(logging.getLogger("odd.library")),
    "standard missing": lambda _ctx: _nested_log(),
    "structlog": lambda _ctx: structlog.get_logger("odd").info("odd", value=object()),
    "thread fails": lambda _ctx: _thread(_fail),
    "thread exits": lambda _ctx: _thread(sys.exit),
    "thread interrupts": lambda _ctx: _thread(_interrupt),
    "contextvars": lambda _ctx: _contextvars(),
    "cat": _command("cat"),
    "head": _command("head", "-c", "5"),
    "true": _command("true"),
    "drop stopping": lambda ctx: setattr(ctx, "stopping", "yes"),
    "set progress": lambda ctx: setattr(ctx, "latest_progress", (float("nan"), "b")),
    "set progress long": lambda ctx: setattr(ctx, "latest_progress", 7),
    "set job_id": lambda ctx: setattr(ctx, "job_id", 7),
    "set task": lambda ctx: setattr(ctx, "task", "caf\udce9"),
    "set log": lambda ctx: setattr(ctx, "_log", None),
}
# Those after which nothing can be said of how the job itself ends.
FREE_TRICKS = frozenset({"set progress", "set progress long", "set job_id", "set task"})


def plain(ctx: Context, act: Spec) -> bool:
    """Carry out an act that needs no loop; False when it is of another kind."""
    match act:
        case ["progress", values]:
            ctx.progress(*(make(one) for one in values))
        case ["log", level, event, fields]:
            getattr(ctx.log, level)(make(event), **{name: make(one) for name, one in fields.items()})
        case ["standard", level, form, values]:
            logging.getLogger("odd.library").log(level, make(form), *(make(one) for one in values))
        case ["print", stream, value]:
            print(make(value), file=getattr(sys, stream), flush=True)
        case ["write", descriptor, text]:
            os.write(descriptor, bytes(text, "latin-1"))
        case ["warn", text]:
            warnings.warn(make(text), stacklevel=1)
        case ["trick", name]:
            TRICKS[name](ctx)
        case _:
            return False
    return True
