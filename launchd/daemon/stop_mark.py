"""A mark beside the databases: this daemon stopped on request, and could not put its jobs back into the queue.

The disk may be full or broken at the moment of a stop. The jobs then stay `running` in jobs.db, and the next start
would count a crash against each. The mark is a line of constant length, written at the start and overwritten in place:
that needs no space and no database. If it cannot be written, a stop counts as a crash.
"""

import os
from pathlib import Path

from launchd.logger import get_logger

_log = get_logger("launchd.daemon")
_RUNS, _STOPPED = "runs   ", "stopped"


class StopMark:
    """The mark in a state directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "daemon.stop"

    def stopped(self) -> str | None:
        """The instance that stopped on request and could not write that to jobs.db; None without one."""
        try:
            word, _, instance = self._path.read_text("ascii").strip().partition(" ")
        except (OSError, UnicodeDecodeError):
            return None
        return instance.strip() if word == _STOPPED else None

    def begin(self, instance: str) -> None:
        """Make room for the mark of this instance; the mark of an earlier one has been used."""
        self._write(_RUNS, instance)

    def set(self, instance: str) -> None:
        """Set the mark."""
        self._write(_STOPPED, instance)

    def _write(self, word: str, instance: str) -> None:
        line = f"{word} {instance}\n".encode("ascii")
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.pwrite(handle, line, 0)
                os.ftruncate(handle, len(line))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            _log.warning("stop_mark_failed", file=str(self._path), error=error.strerror)
