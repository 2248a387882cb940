"""Acts of a task that has a process of its own: it may damage that process."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from launchd import Context


def _fail(*_: object) -> NoReturn:
    raise ValueError("from a hook of an odd task")


def _close(first: int, last: int) -> None:
    os.closerange(first, last + 1)


def _forked(end: Callable[[], object]) -> None:
    pid = os.fork()
    if pid == 0:
        end()
        os._exit(0)
    os.waitpid(pid, os.WNOHANG)  # one that goes on in the task's own code may never end


def _no_streams() -> None:
    sys.stdout = sys.stderr = sys.stdin = None


def _close_stream() -> None:
    sys.stdout.close()


def _ignore_signals() -> None:
    for one in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(one, signal.SIG_IGN)


def _hooks() -> None:
    sys.excepthook = threading.excepthook = sys.unraisablehook = _fail


def _linger() -> None:
    threading.Thread(target=time.sleep, args=(0.2,)).start()


def _leave_child() -> None:
    with contextlib.suppress(OSError):
        subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL).returncode = 0


TRICKS: dict[str, Callable[[], object]] = {
    "chdir": lambda: os.chdir("/"),
    "umask": lambda: os.umask(0o777),
    "ignore signals": _ignore_signals,
    "broken handler": lambda: (signal.signal(signal.SIGALRM, _fail), signal.setitimer(signal.ITIMER_REAL, 0.01)),
    "alarm": lambda: (signal.signal(signal.SIGALRM, signal.SIG_DFL), signal.setitimer(signal.ITIMER_REAL, 0.01)),
    "no streams": _no_streams,
    "closed stream": _close_stream,
    "hooks": _hooks,
    "atexit fails": lambda: atexit.register(_fail),
    "atexit exits": lambda: atexit.register(os._exit, 7),
    "recursion limit": lambda: sys.setrecursionlimit(120),
    "close 0-2": lambda: _close(0, 2),
    "close all": lambda: _close(0, 255),
    "exit 0": lambda: os._exit(0),
    "exit 3": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop signal": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "abort": lambda: os.kill(os.getpid(), signal.SIGABRT),
    "linger": _linger,
    "leave child": _leave_child,
    "fork": lambda: _forked(lambda: None),
    "fork exits": lambda: _forked(sys.exit),
    "fork fails": lambda: _forked(_fail),
    "clear modules": sys.modules.clear,
    "clear environ": os.environ.clear,
    "path": sys.path.clear,
    "new group": lambda: os.setpgid(0, 0),
}
# Those that leave the task's own end as it is.
CALM = frozenset({"chdir", "umask", "atexit fails", "linger", "leave child", "fork", "clear environ", "no streams"})


def apart(_ctx: Context, act: list[object]) -> bool:
    """Carry out an act of a process; False when it is of another kind."""
    match act:
        case ["apart", str(name)]:
            TRICKS[name]()
        case _:
            return False
    return True
