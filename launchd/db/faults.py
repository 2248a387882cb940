"""Faults of a database file: SQLite's errors as StoreErrors, and files that were taken away under the daemon.

Pure but for os.stat; launchd/db/database.py decides what becomes of a transaction.
"""

import errno
import os
import sqlite3
import time
from pathlib import Path

from launchd.errors import DiskFullError, StoreBusyError, StoreError

# How long a statement waits for another program's lock on the file before its callers get StoreBusyError.
BUSY_SECONDS = 5.0
# The disk, the file or the memory has failed, and not one statement.
_OF_THE_DISK = (
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
    "SQLITE_NOMEM",
    "SQLITE_PROTOCOL",
    "SQLITE_BUSY",
)
# The part of them that tells of one place in the file: others may be as they should be.
_OF_A_PAGE = ("SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_CORRUPT", "SQLITE_NOTADB")
_ADVICE = {
    "SQLITE_IOERR": "the disk has failed: look into the kernel's log, replace the disk, `launchd restore` a backup",
    "SQLITE_CORRUPT": "the database is damaged: stop the daemon and `launchd restore` the last backup",
    "SQLITE_NOTADB": "the file is no database: stop the daemon and `launchd restore` the last backup",
    "SQLITE_CANTOPEN": "the file cannot be opened: check its path, its owner and its permissions",
    "SQLITE_READONLY": "the file cannot be written: check its owner, its permissions and how its disk is mounted",
    "SQLITE_NOMEM": "no memory is left: give the daemon more",
}
# The same faults where the daemon itself meets them, in a file beside the databases.
_OF_SYSTEM = {errno.ENOSPC: "SQLITE_FULL", errno.EDQUOT: "SQLITE_FULL", errno.EIO: "SQLITE_IOERR"}
_SUFFIXES = ("", "-wal", "-shm")
_UNKNOWN = (-1, -1)
# Longer than the step of any file system's clock.
_STEP_NS = 2_500_000_000


def sqlite_error_name(error: BaseException) -> str:
    """The name of SQLite's error; empty where the error is none of SQLite's, or has no name."""
    if isinstance(error, StoreError):
        return error.sqlite
    if isinstance(error, MemoryError):  # so the sqlite3 module reports SQLITE_NOMEM
        return "SQLITE_NOMEM"
    if isinstance(error, (sqlite3.ProgrammingError, sqlite3.InterfaceError)):  # the module's own: a value of no type
        return "SQLITE_MISUSE"
    return getattr(error, "sqlite_errorname", None) or ""


def is_sqlite_error(error: BaseException) -> bool:
    """True for all that the sqlite3 module raises, but for a broken constraint: callers know those."""
    if isinstance(error, sqlite3.IntegrityError):
        return False
    return isinstance(error, (sqlite3.Error, sqlite3.Warning, MemoryError))


def is_page_error(error: StoreError) -> bool:
    """True if a part of the file cannot be read."""
    return error.sqlite.startswith(_OF_A_PAGE)


def breaks_transaction(error: BaseException) -> bool:
    """True if the transaction as a whole is lost, not one statement."""
    return sqlite_error_name(error).startswith(_OF_THE_DISK)


def store_error(error: BaseException, path: Path) -> StoreError:
    """The error that callers can act on. Cannot raise."""
    if isinstance(error, StoreError):
        return error
    name = sqlite_error_name(error)
    if isinstance(error, OSError):
        name = _OF_SYSTEM.get(error.errno or 0, "")
    if name.startswith("SQLITE_FULL"):
        return DiskFullError(f"{path}: the disk is full; free some space, the daemon goes on by itself", sqlite=name)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        detail = f"{path} was locked by another program for over {BUSY_SECONDS:g} s; end that program"
        return StoreBusyError(detail, sqlite=name)
    advice = next((text for begin, text in _ADVICE.items() if name.startswith(begin)), None)
    reason = _text(error)
    return StoreError(f"{path}: {reason} ({name}): {advice}" if advice else f"{path}: {reason}", sqlite=name)


def broken_write(error: BaseException) -> StoreError:
    """The error for a write function that raised what no future and no loop can carry (SystemExit, StopIteration)."""
    return StoreError(f"a write function raised {_text(error)}: nothing of it was kept; report this as a bug")


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be printed is still an error
        text = ""
    return text if text and isinstance(error, sqlite3.Error) else f"{type(error).__name__}: {text}".rstrip(": ")


class Files:
    """The files of a database as they were when it was opened, by device and inode.

    SQLite goes on with files that were unlinked or renamed, and all that it writes is gone when the process ends
    (sqlite.org/howtocorrupt.html §4). Three stat(2) cost some microseconds; a commit costs a hundred times as much.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        names = [f"{path}{suffix}" for suffix in _SUFFIXES]
        self._files = [(name, found) for name in names if (found := _identity(name)) is not None]
        self._directory = str(path.parent)
        self._unchanged: int | None = None  # when the directory was changed last, if it was as it should be after that

    def changed(self) -> StoreError | None:
        """The same as `fault`, for one stat(2) where no name in the directory has changed since it was right.

        A file system counts time in steps of some milliseconds: a change of just now is looked at again.
        """
        try:
            at = os.stat(self._directory).st_mtime_ns  # noqa: PTH116 - as in _identity
        except OSError:  # the directory itself is gone, or closed to us
            return self.fault()
        if at == self._unchanged:
            return None
        found = self.fault()
        settled = found is None and abs(time.time_ns() - at) > _STEP_NS
        self._unchanged = at if settled else None
        return found

    def fault(self) -> StoreError | None:
        """The error if one of the files is not in its place any more; None while all are."""
        for name, known in self._files:
            found = _identity(name)
            if found in {known, _UNKNOWN}:
                continue
            change = "removed" if found is None else "replaced by another file"
            return StoreError(
                f"{name} was {change} while launchd had it open, so nothing more is written. Put it back, or stop the "
                f"daemon and `launchd restore` a backup; until then /proc/{os.getpid()}/fd still has the old file"
            )
        return None


def _identity(name: str) -> tuple[int, int] | None:
    """Device and inode; None where there is no such file."""
    try:
        found = os.stat(name)  # noqa: PTH116 - three times as fast as Path.stat, and asked at each commit
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # the directory cannot be searched at the moment: nothing is known
        return _UNKNOWN
    return found.st_dev, found.st_ino
