"""The path of the admin socket must lead to this daemon; if it does not, the log and health say so.

An operator may remove the file, or put another one there: clients that connect then reach no daemon. The daemon checks
every few seconds and binds the path again.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from launchd.admin.http.listen import is_answered, listen_unix
from launchd.errors import AlreadyRunningError, LaunchdError
from launchd.logger import get_logger
from launchd.ops.health import Finding, Level

_log = get_logger("launchd.admin")
# Seconds between two checks, by the real clock: files are removed in real time.
LOOK_SECONDS = 2.0


class Presence:
    """Watches one path. `listen` serves a socket that was bound anew. Owned by the control loop."""

    def __init__(self, path: Path, mode: int, listen: Callable[[socket.socket], Awaitable[None]]) -> None:
        self._path = path
        self._mode = mode
        self._listen = listen
        self._file: tuple[int, int] | None = None
        self._problem: str | None = None

    async def begin(self) -> None:
        """Remember the file that leads here. The file that systemd bound may have been replaced before the start."""
        try:
            answered = await asyncio.to_thread(is_answered, self._path)
        except AlreadyRunningError:  # so many clients wait that there is no room for one more
            answered = True
        if answered:
            self._file = await asyncio.to_thread(_identity, self._path)

    async def run(self) -> None:
        """Check for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.run_once()

    async def run_once(self) -> None:
        """Check once; bind the path again if it leads elsewhere."""
        if self._file is not None and await asyncio.to_thread(_identity, self._path) == self._file:
            self._problem = None
            return
        try:
            listener = await asyncio.to_thread(listen_unix, self._path, self._mode)
            await self._listen(listener)
        except (LaunchdError, OSError) as error:
            detail = error.detail if isinstance(error, LaunchdError) else str(error)
            if detail != self._problem:
                _log.error("socket_lost", path=str(self._path), error=detail, detail="no command reaches this daemon")
            self._problem = detail
            return
        self._file, self._problem = await asyncio.to_thread(_identity, self._path), None
        _log.warning("socket_bound_again", path=str(self._path), detail="the file had been removed or replaced")

    async def check(self) -> Finding:
        """A health check."""
        if self._problem is not None:
            return Finding(Level.UNHEALTHY, f"{self._path} does not lead to this daemon: {self._problem}")
        return Finding(Level.HEALTHY, f"{self._path} is served")


def _identity(path: Path) -> tuple[int, int] | None:
    """The device and inode of the file at a path; None if there is no file."""
    try:
        stat = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - a symbolic link is not the socket that was bound
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
