"""A backup of a state directory whose daemon does not run.

For another user's directory, root copies the files through an open handle, with that user's rights, and backs up the
copies.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from launchd.backup.archive import KINDS
from launchd.backup.backup import write
from launchd.backup.private import copy_into, private_directory
from launchd.backup.restore import COMPANIONS
from launchd.errors import StoreError
from launchd.system.ownership import acting_for
from launchd.system.state_directory import hold

_PARTS = tuple(f"{kind}.db{end}" for kind in KINDS for end in ("", *COMPANIONS) if end != "-shm")


def back_up_offline(directory: Path, archive: IO[bytes], *, version: str, created_at: str) -> None:
    """Write the archive of a state directory that no daemon uses into an open file.

    Raises AlreadyRunningError while a daemon uses it, StoreError if its data cannot be read, DiskFullError.
    """
    with hold(directory, for_owner=True) as held, private_directory() as scratch:
        try:
            with _databases(directory, held.handle, scratch) as databases:
                packed = scratch / "packed"
                write(databases, packed, version=version, created_at=created_at)
            with packed.open("rb") as file:
                shutil.copyfileobj(file, archive, 1024 * 1024)
        except OSError as error:
            raise StoreError(f"{directory} cannot be backed up: {error.strerror or error}") from error


@contextmanager
def _databases(directory: Path, handle: int, scratch: Path) -> Iterator[Path]:
    """A directory whose databases may be opened by path: the state directory itself; for root, one with copies."""
    if os.geteuid() != 0:
        yield directory
        return
    copies = scratch / "state"
    copies.mkdir(mode=0o700)
    target = os.open(copies, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with ExitStack() as stack:
            for name, file in _opened(handle, stack).items():
                copy_into(file, name, target)
        yield copies
    finally:
        os.close(target)
        shutil.rmtree(copies, ignore_errors=True)


def _opened(handle: int, stack: ExitStack) -> dict[str, IO[bytes]]:
    """The files of the databases, opened as the owner of the directory: a link to another user's file is refused."""
    found: dict[str, IO[bytes]] = {}
    with acting_for(handle):
        for name in _PARTS:
            try:
                part = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)
            except FileNotFoundError:
                continue
            found[name] = stack.enter_context(os.fdopen(part, "rb"))
            if not stat.S_ISREG(os.fstat(part).st_mode):
                raise StoreError(f"{name} is not a regular file: check it, then remove it")
    return found
