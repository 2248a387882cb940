"""Faults of a database file: SQLite's errors as StoreErrors, and files that were removed while they were open.

Pure except for os.stat; launchd/db/writer.py decides about the transaction. SQLite's error codes:
https://www.sqlite.org/rescode.html
"""

import errno
import os
import sqlite3
import time
from pathlib import Path

from launchd.errors import DiskFullError, StoreBusyError, StoreError

# A statement waits this long for another program's lock on the file; then its caller gets StoreBusyError.
BUSY_SECONDS = 5.0
# Errors of the disk, the file or the memory, not of one statement.
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
# Those of them that concern one place in the file: the other pages may be intact.
_OF_A_PAGE = ("SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_CORRUPT", "SQLITE_NOTADB")
_ADVICE = {
    "SQLITE_IOERR": "the disk has failed: read the kernel's log, replace the disk, then `launchd restore` a backup",
    "SQLITE_CORRUPT": "the database is damaged: stop the daemon and `launchd restore` the last backup",
    "SQLITE_NOTADB": "the file is not a database: stop the daemon and `launchd restore` the last backup",
    "SQLITE_CANTOPEN": "the file cannot be opened: check its path, its owner and its permissions",
    "SQLITE_READONLY": "the file cannot be written: check its owner, its permissions and how its disk is mounted",
    "SQLITE_NOMEM": "no memory is left: give the daemon more memory",
}
# The same faults as errno, for files beside the databases that the daemon itself opens.
_OF_SYSTEM = {errno.ENOSPC: "SQLITE_FULL", errno.EDQUOT: "SQLITE_FULL", errno.EIO: "SQLITE_IOERR"}
_SUFFIXES = ("", "-wal", "-shm")
_UNKNOWN = (-1, -1)
# Longer than the time step of any file system.
_STEP_NS = 2_500_000_000


def sqlite_error_name(error: BaseException) -> str:
    """The name of SQLite's error, such as "SQLITE_FULL"; empty for any other error."""
    if isinstance(error, StoreError):
        return error.sqlite
    if isinstance(error, MemoryError):  # the sqlite3 module raises it for SQLITE_NOMEM
        return "SQLITE_NOMEM"
    if isinstance(error, (sqlite3.ProgrammingError, sqlite3.InterfaceError)):  # the module's own: an unsupported type
        return "SQLITE_MISUSE"
    return getattr(error, "sqlite_errorname", None) or ""


def is_sqlite_error(error: BaseException) -> bool:
    """True for every error of the sqlite3 module, except a broken constraint, which callers handle themselves."""
    if isinstance(error, sqlite3.IntegrityError):
        return False
    return isinstance(error, (sqlite3.Error, sqlite3.Warning, MemoryError))


def is_page_error(error: StoreError) -> bool:
    """True if one part of the file cannot be read."""
    return error.sqlite.startswith(_OF_A_PAGE)


def breaks_transaction(error: BaseException) -> bool:
    """True if the error ends the whole transaction, not only one statement."""
    return sqlite_error_name(error).startswith(_OF_THE_DISK)


def store_error(error: BaseException, path: Path) -> StoreError:
    """The StoreError for any error on the file at `path`; its text says what to do. Never raises."""
    if isinstance(error, StoreError):
        return error
    name = sqlite_error_name(error)
    if isinstance(error, OSError):
        name = _OF_SYSTEM.get(error.errno or 0, "")
    if name.startswith("SQLITE_FULL"):
        return DiskFullError(
            f"{path}: the disk is full; free some space, then the daemon goes on by itself", sqlite=name
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        detail = f"{path} was locked by another program for over {BUSY_SECONDS:g} s; end that program"
        return StoreBusyError(detail, sqlite=name)
    advice = next((text for begin, text in _ADVICE.items() if name.startswith(begin)), None)
    reason = _text(error)
    return StoreError(f"{path}: {reason} ({name}): {advice}" if advice else f"{path}: {reason}", sqlite=name)


def broken_write(error: BaseException) -> StoreError:
    """The error for a write function that raised SystemExit, StopIteration or the like, which no future can carry."""
    return StoreError(f"a write function raised {_text(error)}: nothing of it was kept; report this as a bug")


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be printed is still an error
        text = ""
    return text if text and isinstance(error, sqlite3.Error) else f"{type(error).__name__}: {text}".rstrip(": ")


class Files:
    """The files of a database as they were when it was opened, by device and inode.

    SQLite continues with files that were unlinked or renamed, and all that it writes is lost when the process ends
    (https://www.sqlite.org/howtocorrupt.html §2.4). Three stat(2) take some microseconds, a hundredth of a
    commit.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        names = [f"{path}{suffix}" for suffix in _SUFFIXES]
        self._files = [(name, found) for name in names if (found := _identity(name)) is not None]
        self._directory = str(path.parent)
        self._unchanged: int | None = None  # the directory's mtime when all files were last seen in place

    def changed(self) -> StoreError | None:
        """The same as `fault`, at the cost of one stat(2) if no name in the directory has changed since the last check.

        File systems count time in steps of milliseconds, so after a very recent change all files are checked again.
        """
        try:
            at = os.stat(self._directory).st_mtime_ns  # noqa: PTH116 - as in _identity
        except OSError:  # the directory was removed or may not be searched
            return self.fault()
        if at == self._unchanged:
            return None
        found = self.fault()
        settled = found is None and abs(time.time_ns() - at) > _STEP_NS
        self._unchanged = at if settled else None
        return found

    def fault(self) -> StoreError | None:
        """The error if one of the files was removed or replaced; None while all are in place."""
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
    """Device and inode of a file; None if it does not exist, _UNKNOWN if that cannot be found out."""
    try:
        found = os.stat(name)  # noqa: PTH116 - three times as fast as Path.stat, and called at each commit
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # the directory cannot be searched at the moment
        return _UNKNOWN
    return found.st_dev, found.st_ino
