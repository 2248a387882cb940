"""Restoring a backup into a state directory that no daemon uses.

Everything is checked in a scratch directory first. The old databases are then linked into a directory beside, and each
new one takes the place of the old by one rename: at every moment there is a whole database under each name.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant, to_datetime
from launchd.db import migrate, own_directory
from launchd.errors import InvalidError, StoreError
from launchd.ops.backup import KINDS, Manifest, check_integrity, sync_directory, unpack

# What SQLite keeps beside a database; of another one's, it would spoil the new one.
_COMPANIONS = ("-wal", "-shm", "-journal")
_WAITING = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"


class Restored(NamedTuple):
    """What was restored, where the old files are (None: there were none), and how many jobs will run again."""

    manifest: Manifest
    directory: Path
    kept: Path | None
    unfinished_jobs: int


async def restore(archive: Path, directory: Path, now: Instant) -> Restored:
    """Put the databases of an archive into a state directory.

    Raises InvalidError for an archive that is damaged or none of ours, StoreError for one of a newer launchd,
    AlreadyRunningError while a daemon owns the directory; nothing was changed then.
    """
    async with own_directory(directory):
        return _restore(archive, directory, now)


def _restore(archive: Path, directory: Path, now: Instant) -> Restored:
    scratch = directory / "restore.partial"
    shutil.rmtree(scratch, ignore_errors=True)  # of one that was killed
    scratch.mkdir(mode=0o700)
    try:
        manifest = unpack(archive, scratch)
        for kind in KINDS:
            _check_database(archive, kind, scratch / f"{kind}.db")
        with closing(sqlite3.connect(scratch / "jobs.db")) as jobs:
            unfinished = int(jobs.execute(_WAITING).fetchone()[0])
        kept = _keep_old(directory, now)
        for kind in KINDS:
            _put(scratch / f"{kind}.db", directory / f"{kind}.db")
        _give_to_owner(directory, kept)
        sync_directory(directory)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{directory}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Restored(manifest, directory, kept, unfinished)


def _check_database(archive: Path, kind: str, path: Path) -> None:
    """Sound, of a schema that we know, and brought to the present one."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            wrong = check_integrity(database)
            if wrong is None:
                migrate(database, sql.migrations(kind))
                wrong = _missing(database, kind)
    except sqlite3.Error as error:
        wrong = str(error)
    if wrong is not None:
        raise InvalidError(f"{archive}: {kind}.db is damaged: {wrong}")


def _missing(database: sqlite3.Connection, kind: str) -> str | None:
    """What a database of this kind has and this one lacks."""
    with closing(sqlite3.connect(":memory:")) as present:
        present.executescript(sql.schema(kind))
        lacking = _shape(present) - _shape(database)
    return f"it has no {', '.join(sorted(lacking))}" if lacking else None


def _shape(database: sqlite3.Connection) -> set[str]:
    names = database.execute("SELECT type || ' ' || name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    return {str(row[0]) for row in names}


def _keep_old(directory: Path, now: Instant) -> Path | None:
    """Link what is there into a directory beside it; the links of a copy-on-write journal go with it."""
    names = [f"{kind}.db{end}" for kind in KINDS for end in ("", *_COMPANIONS)]
    old = [directory / name for name in names if (directory / name).exists()]
    if not old:
        return None
    kept = directory / f"before-restore-{to_datetime(now):%Y%m%dT%H%M%S.%fZ}"
    kept.mkdir(mode=0o750)
    for one in old:
        _link(one, kept / one.name)
    sync_directory(kept)
    sync_directory(directory)
    return kept


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def _put(new: Path, place: Path) -> None:
    new.chmod(place.stat().st_mode & 0o777 if place.exists() else 0o640)
    for end in _COMPANIONS:
        place.with_name(place.name + end).unlink(missing_ok=True)
    new.replace(place)


def _give_to_owner(directory: Path, kept: Path | None) -> None:
    """What root restored belongs to whom the directory belongs: the daemon must be able to write it."""
    if os.geteuid() != 0:
        return
    owner = directory.stat()
    made = [directory / f"{kind}.db" for kind in KINDS] + [directory / "daemon.lock"] + ([kept] if kept else [])
    for one in made:
        os.chown(one, owner.st_uid, owner.st_gid)
