"""The protocol with systemd: sd_notify(3), socket activation (sd_listen_fds(3)), the watchdog.

Everything is a datagram or an environment variable. If systemd did not start the daemon, nothing is sent and nothing is
read. The variables for this process are removed from the environment, so that no child uses them.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager, suppress

from launchd.clock import Clock

# The first descriptor that systemd hands over (SD_LISTEN_FDS_START).
FIRST_DESCRIPTOR = 3
# While it drains, the daemon asks for this much more time, three times within that time.
EXTEND_SECONDS = 15.0
MAX_STATUS = 300


def notify(*states: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send states such as "READY=1" or "STATUS=draining"; False if nobody listens. A lost message is no error."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):  # the abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)  # noqa: FBT003 - the library's signature
            channel.sendto("\n".join(states).encode("utf-8", "replace"), address)
    except OSError:
        return False
    return True


def status(text: str) -> str:
    """The message that sets the status line: one line, bounded."""
    line = " ".join(text.split())
    return "STATUS=" + (line if len(line) <= MAX_STATUS else line[: MAX_STATUS - 3] + "...")


def reloading() -> tuple[str, str]:
    """The messages that begin a reload; READY=1 ends it. By the time, systemd (v253) ignores an older reload's."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def extend(seconds: float) -> str:
    """The message that asks for more seconds to start or stop."""
    return f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}"


def watchdog_seconds(environ: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """Within how many seconds systemd expects WATCHDOG=1; None if it does not watch this process."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID")
    if not microseconds.isdigit() or int(microseconds) == 0:
        return None
    if meant is not None and meant != str(pid or os.getpid()):
        return None
    return int(microseconds) / 1_000_000


def take_listeners(
    environ: MutableMapping[str, str] = os.environ, *, pid: int | None = None, first: int = FIRST_DESCRIPTOR
) -> dict[str, socket.socket]:
    """The listening sockets that systemd opened for this process, by FileDescriptorName=; empty without any.

    A unit has one name for all of its sockets: a TCP socket is "tcp", whatever the name. Of two sockets with one name,
    the second is closed. `first` is the number of the first descriptor.
    """
    count = environ.pop("LISTEN_FDS", "")
    meant = environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if meant != str(pid or os.getpid()) or not count.isdigit():
        return {}
    found: dict[str, socket.socket] = {}
    for index in range(int(count)):
        descriptor = first + index
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - the library's signature
        listener = socket.socket(fileno=descriptor)
        listener.setblocking(False)  # noqa: FBT003 - the library's signature
        name = names[index] if index < len(names) and names[index] else "unknown"
        if listener.family in {socket.AF_INET, socket.AF_INET6} and listener.type == socket.SOCK_STREAM:
            name = "tcp"
        if found.setdefault(name, listener) is not listener:
            listener.close()
    return found


@asynccontextmanager
async def extending(clock: Clock, describe: Callable[[], str]) -> AsyncIterator[None]:
    """While the body runs, keep asking systemd for more time; `describe` gives the status line meanwhile."""

    async def ask() -> None:
        while True:
            notify(extend(EXTEND_SECONDS), status(describe()))
            await clock.sleep(EXTEND_SECONDS / 3)

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
