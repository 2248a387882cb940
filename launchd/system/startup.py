"""The first acts of a process, before slow imports and before any import that opens a descriptor.

The package calls `begin` before its own imports: until then, a SIGHUP ends the process. In a process that is not the
`launchd` command, such as a test, it does nothing.
"""

import os
import signal
import sys
from collections.abc import Sequence

_FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
# The options that may precede the command and take a value (launchd/cli/context.py).
_OPTIONS = {"--socket", "--config"}
# si_code of a signal from the kernel, such as the terminal's ^C (sigaction(2)).
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
    """Reset the signals, the signal mask and standard input that this process inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a request to reload before there is a configuration
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it were ignored, exit codes of children could not be read
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    ignore_input()
    if os.getpid() == 1:
        be_init()


def ignore_input() -> None:
    """Make /dev/null the standard input: no imported module may wait for a terminal."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def own_standard_descriptors() -> None:
    """Open /dev/null as each of the descriptors 0, 1 and 2 that is closed.

    Otherwise the next database or connection would get that number, and output to standard error would go into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, usually this one
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
    """As process 1 of a container: fork the daemon, pass signals to it, reap orphans, exit with the daemon's code.

    The daemon itself cannot distinguish an orphan from a process that a task waits for; its parent can. Returns only in
    the child.
    """
    signals = {*_FORWARDED, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    daemon = os.fork()
    if daemon == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        return
    signal.signal(signal.SIGCHLD, _ignored)  # SIG_IGN would discard it before sigwaitinfo sees it
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
    """Reap all ended processes; returns the exit code if the daemon is one of them, else None."""
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
