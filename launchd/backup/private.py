"""Files that no other user can reach: a private temporary directory, and copies made through handles."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

_ROOMY = Path("/var/tmp")  # noqa: S108 - mkdtemp makes a private directory in it


@contextmanager
def private_directory() -> Iterator[Path]:
    """A directory for this user alone, deleted at the end: in $TMPDIR, else in /var/tmp, which holds large files."""
    place = None if os.environ.get("TMPDIR") or not _ROOMY.is_dir() else _ROOMY
    with TemporaryDirectory(prefix="launchd-", dir=place) as made:
        yield Path(made)


def copy_into(file: IO[bytes], name: str, directory: int) -> None:
    """Copy an open file into a new file of an open directory, synced to disk; raises OSError if the name exists."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "wb") as copy:
        shutil.copyfileobj(file, copy, 1024 * 1024)
        copy.flush()
        os.fsync(copy.fileno())
