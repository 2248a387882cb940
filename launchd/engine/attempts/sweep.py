"""Finding and ending what jobs have left behind: every process that a mark says belongs to a state directory.

A mark is the soft limit RLIMIT_LOCKS of a process, which Linux has not enforced since 2.4.25 and which nobody sets.
Every descendant inherits it, whatever it does to escape: a session of its own, an empty environment, a double fork.
It holds the identity of the state directory and the pid that was marked, so that all that one job left can be told
from what another job runs, and all that one daemon left from what another daemon runs.

Standard library only: the guard runs this file by its path, without `site` and without the package.
"""

import hashlib
import os
import resource
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

_RLIMIT_LOCKS = 10
# A pid has at most 22 bits (PID_MAX_LIMIT); the directory has what is left of 63.
_PID_BITS = 22
_MIN_MARK = 1 << 61
# Seconds that what was killed gets to be gone, and between two looks.
PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.02


class Left(NamedTuple):
    """A process that was found: its pid, and what it runs."""

    pid: int
    command: str


def owner_of(directory: Path) -> int:
    """The identity of a state directory, as marks have it."""
    stat = directory.stat()
    digest = hashlib.sha256(f"{directory.resolve()} {stat.st_dev} {stat.st_ino}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> (64 - 61 + _PID_BITS)) | (_MIN_MARK >> _PID_BITS)


def mark(owner: int, pid: int) -> bool:
    """Mark a process, and all that it will ever start; False where this system does not let us."""
    try:
        _, hard = resource.prlimit(pid, _RLIMIT_LOCKS)
        resource.prlimit(pid, _RLIMIT_LOCKS, (owner << _PID_BITS | pid, hard))
    except (OSError, ValueError):
        return False
    return True


def marked(owner: int, pid: int | None = None) -> list[int]:
    """The processes with a mark of this owner, or of the process of its that was marked under this pid."""
    found = []
    spared = _ancestors()
    for name in os.listdir("/proc"):  # noqa: PTH208 - in the guard, which imports little
        if name.isdigit() and int(name) not in spared:
            value = _mark_of(name)
            mine = value >> _PID_BITS == owner and (pid is None or value & ((1 << _PID_BITS) - 1) == pid)
            if mine and not _is_dead(name):
                found.append(int(name))
    return found


def sweep(
    owner: int, pid: int | None = None, *, but: Collection[int] = (), seconds: float = PATIENCE_SECONDS
) -> tuple[list[Left], list[Left]]:
    """Kill what has such a mark, until nothing new appears; all that was found, and what would not go.

    This process and its ancestors are never killed, nor those named in `but`.
    """
    found: dict[int, Left] = {}
    until = time.monotonic() + seconds
    while there := [one for one in marked(owner, pid) if one not in but]:
        for one in there:
            found.setdefault(one, Left(one, _command(one)))
            _kill(one)
        if time.monotonic() >= until:
            break
        time.sleep(_LOOK_SECONDS)
    return list(found.values()), [found[one] for one in there]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _mark_of(pid: str) -> int:
    text = _read(f"/proc/{pid}/limits")
    at = text.find(b"Max file locks")
    if at < 0:
        return 0
    soft = text[at + 14 : text.find(b"\n", at)].split()[0]
    return int(soft) if soft.isdigit() else 0


def _is_dead(pid: str) -> bool:
    """True for a process that is gone, or waits to be reaped only."""
    stat = _read(f"/proc/{pid}/stat")
    return not stat or stat.rpartition(b")")[2].split()[0] in {b"Z", b"X"}


def _ancestors() -> set[int]:
    """This process, its parent, and so on."""
    chain, pid = {0}, os.getpid()
    while pid not in chain:
        chain.add(pid)
        stat = _read(f"/proc/{pid}/stat")
        pid = int(stat.rpartition(b")")[2].split()[1]) if stat else 0
    return chain


def _command(pid: int) -> str:
    words = _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").strip() or _read(f"/proc/{pid}/comm").strip()
    return words[:200].decode(errors="backslashreplace")


def _read(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(handle, 65_536)
    except OSError:
        return b""
    finally:
        os.close(handle)


def main() -> None:
    """The guard: `sweep.py OWNER`, with a pipe as standard input that only the daemon holds open.

    Its end means that the daemon is gone. A daemon that ends in good order kills the guard before.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        continue
    sweep(int(sys.argv[1]))


if __name__ == "__main__":
    main()
