"""A client of the lock torture: takes the lock, reads a register, adds one, writes it back under its fence.

`python -m tests.lab.lock_client URL REGISTER JOURNAL NAME SECONDS`. The journal gets one line for each write that the
register accepted, each that it refused, each that the client omitted because it no longer held the lock, and each loss
of the lock.
"""

import asyncio
import os
import random
import sqlite3
import sys
import time
from pathlib import Path

from launchd.clock import SystemClock
from launchd.errors import LaunchdError
from launchd.lock import Lock
from launchd.locks.manager import LockManager
from launchd.locks.redis import RedisLocks

LEASE_SECONDS = 0.6


class Register:
    """A number in a file. It remembers the highest fence that has read or written, and refuses lower ones.

    Reads must count: else a holder that was stopped between its read and its write would overwrite a later value.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)

    def read(self, fence: int) -> int | None:
        """The number; None for a fence that is too low."""
        row = self._db.execute("UPDATE register SET fence = ? WHERE fence <= ? RETURNING value", (fence, fence))
        found = row.fetchone()
        return int(found[0]) if found else None

    def write(self, value: int, fence: int) -> bool:
        """Write; True if the fence was high enough."""
        statement = "UPDATE register SET value = ?, fence = ? WHERE fence <= ?"
        return self._db.execute(statement, (value, fence, fence)).rowcount == 1


async def main(url: str, register: Register, journal: int, name: str, until: float) -> None:
    """Add one each time the lock is acquired."""

    def on_loss(_lock: Lock) -> None:
        os.write(journal, b"lost\n")

    locks = RedisLocks(url, SystemClock(), lease_seconds=LEASE_SECONDS)
    manager = LockManager(
        locks, SystemClock(), f"{name}:1", on_loss=on_loss, on_free=lambda: None, lease_seconds=LEASE_SECONDS
    )
    renewing = asyncio.create_task(manager.run())
    turn = 0
    while time.monotonic() < until:
        turn += 1
        try:
            taken, lock = await manager.acquire("register", f"{name}-{turn}", 30)
        except LaunchdError:
            await asyncio.sleep(0.05)
            continue
        if not taken:
            await asyncio.sleep(0.005)
            continue
        value = register.read(lock.fence)
        await asyncio.sleep(random.uniform(0, 0.02))  # the work: long enough to be stopped in
        if not manager.holds(lock):
            os.write(journal, b"late\n")
        elif value is not None:
            os.write(journal, b"taken\n" if register.write(value + 1, lock.fence) else b"refused\n")
        await manager.release(lock)
    renewing.cancel()
    await manager.close()
    await locks.close()


if __name__ == "__main__":
    server, file, lines, who, seconds = sys.argv[1:]
    handle = os.open(lines, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    asyncio.run(main(server, Register(Path(file)), handle, who, time.monotonic() + float(seconds)))
