"""The path of the admin socket: it leads to this daemon, or the log and health say that it does not.

Somebody may remove the file, or put another one there: who connects then reaches nobody. The daemon looks every few
seconds and binds the path again.
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
# Seconds between two looks, by the real clock: files are removed in real time.
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
        """Remember the file that leads here; one that systemd has bound may have been replaced before the start."""
        try:
            answered = await asyncio.to_thread(is_answered, self._path)
        except AlreadyRunningError:  # so many wait for an answer that there is no room for one more
            answered = True
        if answered:
            self._file = await asyncio.to_thread(_identity, self._path)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.run_once()

    async def run_once(self) -> None:
        """Look once; bind the path again if it leads elsewhere."""
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
    """The file at a path; None when nothing is there."""
    try:
        stat = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - a link is not what was bound
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
