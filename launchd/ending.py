"""The end of a process that runs other people's code: threads that nobody can end do not keep it alive."""

import os
import sys
import threading
from types import FrameType
from typing import NoReturn

# The function in which an idle worker of a ThreadPoolExecutor waits for work.
_IDLE = ("concurrent/futures/thread.py", "_worker")


def busy_threads(*but: str) -> list[str]:
    """Each other thread that is at work, by name and place: `fetcher in wait (/srv/tasks.py:12)`. `but` are names."""
    frames = sys._current_frames()  # noqa: SLF001 - the documented way to see other threads
    mine = {threading.get_ident(), threading.main_thread().ident}
    found = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread.ident in mine or thread.name in but or frame is None or _is_idle(frame):
            continue
        found.append(f"{thread.name} in {frame.f_code.co_name} ({frame.f_code.co_filename}:{frame.f_lineno})")
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
    file, function = _IDLE
    return frame.f_code.co_name == function and frame.f_code.co_filename.endswith(file)
