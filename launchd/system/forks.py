"""Forks of the daemon: a child of `os.fork()` gives up everything that belongs to the daemon.

A task in a thread may fork (os.fork, multiprocessing, a subprocess with preexec_fn). Without this module the child
would hold the lock of the state directory, the databases and the sockets for as long as it lives, and a SIGTERM sent to
it would reach the daemon through the shared wake-up descriptor.

- The signals that the daemon handles are blocked while it forks: none can arrive between the fork and the reset.
- Descriptors of the daemon are replaced by /dev/null, not closed: their numbers stay taken, so that a late close by
  SQLite or a socket object cannot close a file of the child. The parent keeps its lock: nothing is unlocked.
- Descriptors are recognized by their target: files by path, sockets by local address, pipes by registration. All
  others, such as the pipes of multiprocessing, belong to the task.

The first two follow from fork(2), flock(2) and https://www.sqlite.org/howtocorrupt.html §2.6.
"""

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

# The signals that `launchd run` handles; a child gets their default actions.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
Address = str | bytes | tuple[str, int]


class _Owned:
    """The daemon's files, sockets and pipes; added at the start and when one is opened."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.addresses: set[Address] = set()
        self.descriptors: set[int] = set()
        self.on_child: list[Callable[[], None]] = []
        self.armed = False
        self.in_child = False


_owned = _Owned()
_masks = threading.local()


def own_file(prefix: str) -> None:
    """Mark open files whose path, after symbolic links, begins with `prefix` as the daemon's."""
    _owned.files.add(prefix)


def own_address(address: object) -> None:
    """Mark sockets with this local address, listening or accepted, as the daemon's."""
    if isinstance(address, str | bytes) and address:
        _owned.addresses.add(address)
    elif isinstance(address, tuple):
        _owned.addresses.add((address[0], address[1]))


def own_descriptor(descriptor: int) -> Callable[[], None]:
    """Mark this descriptor as the daemon's; call the returned function before closing it."""
    _owned.descriptors.add(descriptor)
    return lambda: _owned.descriptors.discard(descriptor)


def register_fork_handlers(*on_child: Callable[[], None]) -> None:
    """Detach children of `os.fork()` from the daemon from now on; each of `on_child` runs in every child."""
    _owned.on_child += on_child
    if not _owned.armed:
        _owned.armed = True
        os.register_at_fork(before=_before, after_in_parent=_unblock, after_in_child=_cut_off)


def in_child() -> bool:
    """True in a child of `os.fork()`, and in its children."""
    return _owned.in_child


def end_child(error: BaseException | None = None) -> None:
    """End this process if it is a fork: call it where task code returns to the daemon's code."""
    if _owned.in_child:
        _end(error)


def _end(error: BaseException | None) -> NoReturn:
    code: object = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None and not isinstance(error, StopIteration):  # StopIteration: a coroutine has returned
        traceback.print_exception(error)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # no stream, or a closed one
            continue
    os._exit(code if isinstance(code, int) else 1)


# --- around the fork ---


def _before() -> None:
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def _cut_off() -> None:
    """Detach the child, before any of its own code runs."""
    _owned.in_child = True
    try:
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
        for descriptor in owned_descriptors():
            _replace(descriptor)
        for call in _owned.on_child:
            call()
    finally:
        _unblock()


def owned_descriptors() -> list[int]:
    """The open descriptors of this process that belong to the daemon."""
    names = os.listdir("/proc/self/fd")  # noqa: PTH208 - a fork should run as little code as possible
    return [descriptor for name in names if _is_owned(descriptor := int(name))]


def _is_owned(descriptor: int) -> bool:
    if descriptor in _owned.descriptors:
        return True
    try:
        target = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - as above
    except OSError:  # the descriptor of the listing itself
        return False
    if target.startswith("socket:"):
        return _local_address(descriptor) in _owned.addresses
    return any(target.startswith(prefix) for prefix in _owned.files)


def _local_address(descriptor: int) -> Address | None:
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        address = borrowed.getsockname()
    except OSError:
        return None
    finally:
        borrowed.detach()
    return (address[0], address[1]) if isinstance(address, tuple) else address or None


def _replace(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.dup2(null, descriptor, inheritable=False)
    finally:
        os.close(null)
