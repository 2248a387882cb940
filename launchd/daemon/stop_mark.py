"""A mark beside the databases: this daemon was asked to stop, and could not write that its jobs go back to the queue.

The disk may be full, or broken for good, at the very moment of a stop. The jobs stay `running` in jobs.db then, and the
next start would count a crash against each. The mark is a line of constant length, made while all was well and written
over in place: that takes no room, and no database. It is an aid; where it cannot be written, a stop counts as a crash.
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
        """The instance that stopped when asked to and could not say so in jobs.db; None when there is none."""
        try:
            word, _, instance = self._path.read_text("ascii").strip().partition(" ")
        except (OSError, UnicodeDecodeError):
            return None
        return instance.strip() if word == _STOPPED else None

    def begin(self, instance: str) -> None:
        """Make room for the mark of this instance; what an earlier one left has been used."""
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
