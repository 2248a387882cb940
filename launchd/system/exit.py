"""The end of a process that runs other people's code: threads that nobody can end do not keep it alive."""

import contextvars
import functools
import os
import sys
import threading
from types import FrameType
from typing import NoReturn

# Workers of a ThreadPoolExecutor wait for work in one function of this file, and call what they are given in another.
_POOL, _WAITS, _CALLS = "concurrent/futures/thread.py", "_worker", "run"


def busy_threads(*but: str) -> list[str]:
    """Each other thread that is at work, by name and place: `fetcher in wait (/srv/tasks.py:12)`. `but` are names."""
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
    """End this process with this exit code, also where a thread would keep it alive for ever."""
    if not busy_threads():
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # no stream, a closed one, or a reader that is gone
            continue
    os._exit(code)


def _is_idle(frame: FrameType) -> bool:
    return frame.f_code.co_name == _WAITS and frame.f_code.co_filename.endswith(_POOL)


def _function(frame: FrameType) -> str:
    """The work of a thread: the function of its last frame; for a pool's worker that called into C, what it called."""
    name = frame.f_code.co_name
    if name != _CALLS or not frame.f_code.co_filename.endswith(_POOL):
        return name
    called = getattr(frame.f_locals.get("self"), "fn", None)
    if isinstance(called, functools.partial):  # as asyncio.to_thread makes it
        called = next((one for one in called.args if _is_given(one)), called.func)
    return str(getattr(called, "__qualname__", name))


def _is_given(called: object) -> bool:
    """False for the `run` of a context, through which asyncio calls."""
    return callable(called) and not isinstance(getattr(called, "__self__", None), contextvars.Context)
