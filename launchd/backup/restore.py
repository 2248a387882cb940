"""Restoring a backup into a state directory that no daemon uses.

Everything is checked in a scratch directory first. The old databases are then linked into a directory beside, and each
new one takes the place of the old by one rename: at every moment there is a whole database under each name.

Root restores for the owner of the directory: it checks in a private directory of its own, and touches the state
directory through an open handle only, with its owner's rights (launchd/system/ownership.py).
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from launchd import sql
from launchd.backup.archive import KINDS, Manifest, unpack
from launchd.backup.backup import check_integrity
from launchd.backup.private import copy_into, private_directory
from launchd.backup.shape import foreign_schema
from launchd.clock import Instant, to_datetime
from launchd.db.database import migrate
from launchd.errors import InvalidError, StoreError
from launchd.system.ownership import acting_for
from launchd.system.state_directory import hold

# What SQLite keeps beside a database; of another one's, it would spoil the new one.
COMPANIONS = ("-wal", "-shm", "-journal")
_WAITING = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"


class Restored(NamedTuple):
    """What was restored, where the old files are (None: there were none), and how many jobs will run again."""

    manifest: Manifest
    directory: Path
    kept: Path | None
    unfinished_jobs: int


async def restore(archive: Path, directory: Path, now: Instant) -> Restored:
    """Put the databases of an archive into a state directory.

    Raises InvalidError for an archive that is damaged or none of ours, StoreError for one of a newer or an
    unreleased launchd, AlreadyRunningError while a daemon owns the directory; nothing was changed then.
    """
    with hold(directory, for_owner=True) as held:
        try:
            return _restore(archive, directory, held.handle, now)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{directory}: {error}") from error


def _restore(archive: Path, directory: Path, handle: int, now: Instant) -> Restored:
    with _scratch(directory) as scratch:
        manifest = unpack(archive, scratch)
        for kind in KINDS:
            _check_database(archive, kind, scratch / f"{kind}.db")
        with closing(sqlite3.connect(scratch / "jobs.db")) as jobs:
            unfinished = int(jobs.execute(_WAITING).fetchone()[0])
        kept = _keep_old(handle, now)
        for kind in KINDS:
            _put(scratch / f"{kind}.db", f"{kind}.db", handle)
        os.fsync(handle)
    return Restored(manifest, directory, directory / kept if kept else None, unfinished)


@contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    """Where the archive is unpacked: in the state directory itself, but for root."""
    if os.geteuid() == 0:
        with private_directory() as scratch:
            yield scratch
        return
    scratch = directory / "restore.partial"
    shutil.rmtree(scratch, ignore_errors=True)  # of one that was killed
    scratch.mkdir(mode=0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check_database(archive: Path, kind: str, path: Path) -> None:
    """Of a schema that we know and no other, sound, and brought to the present schema."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            wrong = foreign_schema(database, kind)  # before any statement could set off a trigger
            if wrong is None:
                wrong = check_integrity(database)
            if wrong is None:
                migrate(database, sql.migrations(kind))
    except sqlite3.Error as error:
        wrong = str(error)
    except StoreError as error:
        raise StoreError(f"{archive}: {kind}.db: {error}") from error
    if wrong is not None:
        raise InvalidError(f"{archive}: {kind}.db is damaged: {wrong}")


def _keep_old(handle: int, now: Instant) -> str | None:
    """Link what is there into a directory beside it; its name. The parts of a journal go with their database."""
    names = [f"{kind}.db{end}" for kind in KINDS for end in ("", *COMPANIONS)]
    with acting_for(handle):
        old = [name for name in names if _exists(name, handle)]
        if not old:
            return None
        kept = f"before-restore-{to_datetime(now):%Y%m%dT%H%M%S.%fZ}"
        os.mkdir(kept, 0o700, dir_fd=handle)
        target = os.open(kept, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
        try:
            for name in old:
                _link(name, handle, target)
            os.fsync(target)
        finally:
            os.close(target)
        os.fsync(handle)
    return kept


def _exists(name: str, handle: int) -> bool:
    try:
        os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _link(name: str, source: int, target: int) -> None:
    try:
        os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError:  # a file system without links
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=source), "rb") as file:
            copy_into(file, name, target)


def _put(new: Path, name: str, handle: int) -> None:
    """Give a database its name; root copies its own file into one of the owner's first."""
    with new.open("rb") as file, acting_for(handle):
        for end in COMPANIONS:
            if _exists(name + end, handle):
                os.unlink(name + end, dir_fd=handle)
        partial = f"{name}.restored"
        if _exists(partial, handle):  # of a restore that was killed
            os.unlink(partial, dir_fd=handle)
        copy_into(file, partial, handle)
        os.replace(partial, name, src_dir_fd=handle, dst_dir_fd=handle)
