"""The end of a process that runs task code: a thread that cannot be ended does not keep the process alive."""

import contextvars
import functools
import os
import sys
import threading
from types import FrameType
from typing import NoReturn

# A ThreadPoolExecutor's worker waits in the first function of this file, and calls its work in the second.
_POOL, _WAITS, _CALLS = "concurrent/futures/thread.py", "_worker", "run"


def busy_threads(*but: str) -> list[str]:
    """Each other thread that is at work, by name and place; threads named in `but` are left out.

    An entry reads `fetcher in wait (/srv/tasks.py:12)`.
    """
    frames = sys._current_frames()  # noqa: SLF001 - the documented way to see other threads
    mine = {threading.get_ident(), threading.main_thread().ident}
    found = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread.ident in mine or thread.name in but or frame is None or _is_idle(frame):
            continue
        found.append(f"{thread.name} in {_function(frame)} ({frame.f_code.co_filename}:{frame.f_lineno})")
    return found


def leave(code: int) -> NoReturn:
    """End this process with this exit code, even if a thread would keep it alive."""
    if not busy_threads():
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # no stream, a closed one, or a reader that has gone
            continue
    os._exit(code)


def _is_idle(frame: FrameType) -> bool:
    return frame.f_code.co_name == _WAITS and frame.f_code.co_filename.endswith(_POOL)


def _function(frame: FrameType) -> str:
    """The function that a thread runs: that of its last frame, or the submitted one for a pool's worker in C code."""
    name = frame.f_code.co_name
    if name != _CALLS or not frame.f_code.co_filename.endswith(_POOL):
        return name
    called = getattr(frame.f_locals.get("self"), "fn", None)
    if isinstance(called, functools.partial):  # asyncio.to_thread makes one
        called = next((one for one in called.args if _is_given(one)), called.func)
    return str(getattr(called, "__qualname__", name))


def _is_given(called: object) -> bool:
    """False for `Context.run`, through which asyncio.to_thread calls the submitted function."""
    return callable(called) and not isinstance(getattr(called, "__self__", None), contextvars.Context)
