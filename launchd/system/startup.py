"""The first acts of the command line, before anything is imported that takes time or opens a descriptor.

The package calls `begin` before its own imports: until then, a SIGHUP ends the process. Elsewhere, such as in a test
or in task code, it does nothing.
"""

import os
import signal
import sys
from collections.abc import Sequence

_FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
# The options that may stand before the command and take a value (launchd/cli/context.py).
_OPTIONS = {"--socket", "--config"}
# si_code of a signal that the kernel sent, as the terminal does for ^C (sigaction(2)).
_SI_KERNEL = 0x80


def begin(command: Sequence[str]) -> None:
    """Prepare this process if its command line is launchd's own: `launchd run`, `python -m launchd run`."""
    if "launchd" not in [word.rpartition("/")[2] for word in command[1:]]:
        return
    own_standard_descriptors()
    match _verb(command):
        case "run":
            prepare()
        case "check":
            ignore_input()


def _verb(command: Sequence[str]) -> str | None:
    """The first word after the program's name that is neither an option nor the value of one."""
    names = [word.rpartition("/")[2] for word in command]
    value = False
    for word in command[names.index("launchd", 1) + 1 :]:
        if not value and not word.startswith("-"):
            return word
        value = not value and word in _OPTIONS
    return None


def prepare() -> None:
    """Make this process fit to be a daemon, whatever it inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a reload that comes before there is anything to reload
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, no exit code of a child could be read
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    ignore_input()
    if os.getpid() == 1:
        be_init()


def ignore_input() -> None:
    """Read from /dev/null from now on: a module that is imported must not wait for a terminal."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def own_standard_descriptors() -> None:
    """Open /dev/null in the place of each of 0, 1 and 2 that is closed.

    Otherwise the next database or connection would get that number, and with it what is written to standard error.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - the library's signature
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as above
    if sys.stderr is None:
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115 - as above


def be_init() -> None:
    """As process 1 of a container: let a child be the daemon, pass signals on, reap orphans, end as the daemon ends.

    The daemon itself cannot tell an orphan from a process that a task waits for; a parent of its own can.
    Returns in the child only.
    """
    signals = {*_FORWARDED, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    daemon = os.fork()
    if daemon == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        return
    signal.signal(signal.SIGCHLD, _ignored)  # a signal that is ignored is never pending
    signal.signal(signal.SIGHUP, _ignored)
    while True:
        received = signal.sigwaitinfo(signals)
        if received.si_signo == signal.SIGCHLD:
            code = _reap(daemon)
            if code is not None:
                os._exit(code)
        elif received.si_code != _SI_KERNEL:  # the terminal sent it to the daemon as well
            os.kill(daemon, received.si_signo)


def _ignored(_number: int, _frame: object) -> None:
    """Never called: these signals are blocked and waited for."""


def _reap(daemon: int) -> int | None:
    """Reap what has ended; the exit code once the daemon is among it."""
    ended = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        if pid == daemon:
            code = os.waitstatus_to_exitcode(status)
            ended = code if code >= 0 else 128 - code
