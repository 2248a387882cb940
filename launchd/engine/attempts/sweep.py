"""Finds and ends the processes that jobs have left: every process whose mark names a state directory.

A mark is the soft limit RLIMIT_LOCKS of a process, which Linux has not enforced since 2.4.25 and which nobody sets.
Every descendant inherits it, even with a session of its own, an empty environment, or after a double fork. It holds
the identity of the state directory and the pid that was marked. So the leftovers of one job differ from the processes
of another job, and those of one daemon from those of another daemon.

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
# A pid has at most 22 bits (PID_MAX_LIMIT); the directory has the rest of 63.
_PID_BITS = 22
_MIN_MARK = 1 << 61
# How long killed processes may take to end, and the seconds between two searches.
PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.02


class Left(NamedTuple):
    """A process that was found: its pid and its command."""

    pid: int
    command: str


def owner_of(directory: Path) -> int:
    """The identity of a state directory in marks."""
    stat = directory.stat()
    digest = hashlib.sha256(f"{directory.resolve()} {stat.st_dev} {stat.st_ino}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> (64 - 61 + _PID_BITS)) | (_MIN_MARK >> _PID_BITS)


def mark(owner: int, pid: int) -> bool:
    """Mark a process and all its later descendants; False if the system does not allow it."""
    try:
        _, hard = resource.prlimit(pid, _RLIMIT_LOCKS)
        resource.prlimit(pid, _RLIMIT_LOCKS, (owner << _PID_BITS | pid, hard))
    except (OSError, ValueError):
        return False
    return True


def marked(owner: int, pid: int | None = None) -> list[int]:
    """The processes with a mark of this owner; with `pid`, only those with the mark made for that process."""
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
    """Kill the marked processes until no new one appears; returns all that were found, and those that did not end.

    This process, its ancestors and those in `but` are never killed.
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
    """True for a process that has ended, reaped or not."""
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

    The end of the pipe means that the daemon has ended. A daemon that stops in good order kills the guard before.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        continue
    sweep(int(sys.argv[1]))


if __name__ == "__main__":
    main()
