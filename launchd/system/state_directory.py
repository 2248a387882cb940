"""The state directory: private to its owner, and held by one process at a time (flock(2) on `daemon.lock`).

Its mode is 0700: not even the operators' group may read the databases, the audit log or the backups. If others may
enter it, the mode is corrected at the start; if they could write in it, files of other users in it are refused.
"""

import asyncio
import fcntl
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from launchd.db.faults import store_error
from launchd.errors import AlreadyRunningError, StoreError
from launchd.system import forks
from launchd.system.ownership import OTHERS_WRITE, acting_for, make_directory, user_name

LOCK = "daemon.lock"
PRIVATE = 0o700
_OTHERS = 0o077


class Held(NamedTuple):
    """A state directory that this process holds. `handle` is the open directory.

    `was` is its former mode if others could enter it; None if it was private already.
    """

    handle: int
    was: int | None


@asynccontextmanager
async def own_directory(directory: Path) -> AsyncIterator[Held]:
    """Make the state directory and hold it for the daemon; raises AlreadyRunningError, StoreError.

    Root cannot hold another user's directory: the daemon opens files by path, which the owner could redirect.
    """
    holding = hold(directory)
    held = await asyncio.to_thread(holding.__enter__)
    try:
        yield held
    finally:
        holding.__exit__(None, None, None)


@contextmanager
def hold(directory: Path, *, for_owner: bool = False) -> Iterator[Held]:
    """The same for a command. With `for_owner`, root may hold another user's directory and acts there as that user."""
    try:
        handle = make_directory(directory, PRIVATE, for_owner=for_owner)
    except OSError as error:
        raise _unusable(directory, error) from error
    disown = forks.own_descriptor(handle)
    try:
        was = _make_private(handle, directory)
        try:
            with acting_for(handle):
                lock = _lock(handle, directory)
        except OSError as error:
            raise _unusable(directory, error) from error
        try:
            yield Held(handle, was)
        finally:
            os.close(lock)
    finally:
        disown()
        os.close(handle)


def _unusable(directory: Path, error: OSError) -> StoreError:
    failure = store_error(error, directory)
    if failure.passing:
        return failure
    detail = f"the state directory {directory} cannot be used: {error.strerror or error}"
    return StoreError(f"{detail}; set [daemon] state_directory to one that this user may write")


def _make_private(handle: int, directory: Path) -> int | None:
    """Remove the rights of others from our directory; returns its former mode. Raises StoreError if it is unsafe."""
    found = os.fstat(handle)
    mode, me = stat.S_IMODE(found.st_mode), os.geteuid()
    if found.st_uid != me:
        if me == 0 and mode & OTHERS_WRITE:
            owner = user_name(found.st_uid)
            raise StoreError(
                f"{directory} belongs to {owner}, and others may write in it (mode {mode:04o}): chmod 700 {directory}, "
                f"check that its files belong to {owner}, then try again"
            )
        return None  # only its owner can change the mode
    if mode & _OTHERS == 0:
        return None
    os.fchmod(handle, mode & ~_OTHERS)
    with os.scandir(handle) as entries:
        for entry in entries:
            _make_entry_private(entry, handle, directory, exposed=bool(mode & OTHERS_WRITE))
    return mode


def _make_entry_private(entry: os.DirEntry[str], handle: int, directory: Path, *, exposed: bool) -> None:
    """Remove the rights of others from a file; raises StoreError for a file that another user may have made."""
    found = entry.stat(follow_symlinks=False)
    is_file, me = stat.S_ISREG(found.st_mode), os.geteuid()
    if exposed and (found.st_uid not in {me, 0} or (is_file and found.st_nlink != 1)):
        raise StoreError(
            f"others could write in {directory} until now, and {directory / entry.name} (of {user_name(found.st_uid)}) "
            "may be theirs: check it, remove it, then start again"
        )
    if is_file and found.st_mode & _OTHERS and found.st_uid == me:
        os.chmod(entry.name, stat.S_IMODE(found.st_mode) & ~_OTHERS, dir_fd=handle)


def _lock(handle: int, directory: Path) -> int:
    """The descriptor of the locked lock file with our pid in it; raises OSError, StoreError, AlreadyRunningError."""
    lock = _open_lock(handle, directory, os.O_CREAT)
    if os.fstat(lock).st_nlink != 1:  # a hard link to another file, which must not be overwritten
        os.unlink(LOCK, dir_fd=handle)
        os.close(lock)
        lock = _open_lock(handle, directory, os.O_CREAT | os.O_EXCL)
    text = f"{os.getpid()}\n".encode()
    os.pwrite(lock, text, 0)  # overwrite first and truncate then: that works even on a full disk
    os.ftruncate(lock, len(text))
    return lock


def _open_lock(handle: int, directory: Path, flags: int) -> int:
    flags |= os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        lock = os.open(LOCK, flags, 0o600, dir_fd=handle)
    except OSError as error:
        if _is_no_file(handle):
            raise _no_file(directory) from error
        raise
    try:
        _expect_file(lock, directory)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise AlreadyRunningError(
            f"{directory} is in use by launchd with pid {pid if pid.isdecimal() else 'unknown'}: stop it, or give this "
            "one another state directory"
        ) from None
    except BaseException:
        os.close(lock)
        raise
    return lock


def _is_no_file(handle: int) -> bool:
    """True if the name of the lock file is that of a link, a directory or a device."""
    try:
        return not stat.S_ISREG(os.stat(LOCK, dir_fd=handle, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _expect_file(lock: int, directory: Path) -> None:
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        raise _no_file(directory)


def _no_file(directory: Path) -> StoreError:
    return StoreError(f"{directory / LOCK} is not a regular file, which launchd would make: check it, then remove it")
