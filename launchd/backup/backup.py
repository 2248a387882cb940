"""Backups: both databases of a state directory in one archive, taken while a daemon writes to them.

- SQLite's online backup (https://www.sqlite.org/backup.html) copies each database as of one commit, in one step, over a
  read-only connection of its own: no writer waits. Each copy is checked before it is packed
  (https://www.sqlite.org/pragma.html#pragma_integrity_check).
- launches.db is copied first, so that the fence in jobs.db is never below that of the launches.
- The archive is a gzipped tar of manifest.json, launches.db and jobs.db. The manifest has the schema version, the size
  and the SHA-256 of each database. tar and sqlite3 are enough to read it.
- A file gets its name only once it is complete and on disk.

Archives are read in launchd/backup/archive.py.
"""

import hashlib
import os
import re
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote

import msgspec

from launchd.backup.archive import KINDS, MANIFEST, Kind, Manifest, Part
from launchd.clock import Clock, Instant, format_instant, to_datetime
from launchd.db.faults import sqlite_error_name
from launchd.errors import ConflictError, DiskFullError, StoreError
from launchd.system.ownership import make_directory

_NAME = re.compile(r"launchd-\d{8}T\d{6}Z\.tar\.gz")
_MIB = 1024 * 1024


class Taken(NamedTuple):
    """A scheduled backup; `removed` counts the older ones that were deleted."""

    path: Path
    size_bytes: int
    removed: int


class BackupRules(NamedTuple):
    """The newest `keep` scheduled backups stay in `target`; `minimum_free_mib` MiB of the disk stay free."""

    target: Path
    keep: int
    minimum_free_mib: int


class Backups:
    """Makes the backups of one daemon, one at a time, by the present rules. May be called from any thread."""

    def __init__(self, directory: Path, rules: Callable[[], BackupRules], *, version: str, clock: Clock) -> None:
        self._directory = directory
        self._rules = rules
        self._version = version
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    def take(self) -> Taken:
        """Make a scheduled backup and delete those beyond `keep`; raises StoreError, DiskFullError."""
        now, (target, keep, _) = self._clock.now(), self._rules()
        with self._one_at_a_time, _as_store_errors(target):
            _make(target)
            path = target / f"launchd-{to_datetime(now):%Y%m%dT%H%M%SZ}.tar.gz"
            self._write(path, now)
            old = sorted(one for one in target.iterdir() if _NAME.fullmatch(one.name))[:-keep]
            for one in old:
                one.unlink()
        return Taken(path, path.stat().st_size, len(old))

    def open(self) -> IO[bytes]:
        """A new backup as an open file without a name; raises ConflictError while another is made, StoreError."""
        if not self._one_at_a_time.acquire(blocking=False):
            raise ConflictError("a backup is being made at this moment: ask again when it is done")
        try:
            path = self._directory / "backup.tar.gz"
            with _as_store_errors(path):
                self._write(path, self._clock.now())
                file = path.open("rb")
                path.unlink()
        finally:
            self._one_at_a_time.release()
        return file

    def _write(self, path: Path, now: Instant) -> None:
        spare = self._rules().minimum_free_mib * _MIB
        write(self._directory, path, version=self._version, created_at=format_instant(now), spare=spare)


@contextmanager
def _as_store_errors(path: Path) -> Iterator[None]:
    """Turn every OSError into a StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: the backup cannot be written: {error.strerror or error}") from error


def write(directory: Path, target: Path, *, version: str, created_at: str, spare: int = 0) -> Manifest:
    """Back up the databases of `directory` into the archive `target`, leaving `spare` bytes of the disk free.

    Raises DiskFullError before anything is written; StoreError if a database is damaged or cannot be read.
    """
    scratch = target.with_name(f"{target.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)  # left by a backup that was killed
    _check_room(directory, target.parent, spare)
    scratch.mkdir(mode=0o700)
    try:
        parts = tuple(_copy(kind, directory / f"{kind}.db", scratch / f"{kind}.db") for kind in KINDS)
        manifest = Manifest(1, version, created_at, parts)
        packed = scratch / "packed"
        _pack(manifest, scratch, packed)
        packed.replace(target)
        sync_directory(target.parent)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def check_integrity(connection: sqlite3.Connection) -> str | None:
    """The first faults that SQLite finds in a database, None if there are none."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    return None if found == ["ok"] else "; ".join(found)


def sync_directory(directory: Path) -> None:
    """Make renames in a directory durable (fsync(2) of the directory)."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- writing ---


def _make(target: Path) -> None:
    """Make the directory of the scheduled backups if it does not exist; raises StoreError."""
    try:
        os.close(make_directory(target))
    except OSError as error:
        raise StoreError(
            f"{target} cannot be used: {error.strerror or error}; set [daemon] backup_directory"
        ) from error


def _check_room(directory: Path, target: Path, spare: int) -> None:
    """Raise DiskFullError unless a copy of the databases and an archive of the same size leave `spare` bytes free."""
    needed = 2 * sum(one.stat().st_size for kind in KINDS for one in directory.glob(f"{kind}.db*"))
    free = shutil.disk_usage(target).free
    if free < needed + spare:
        raise DiskFullError(
            f"{target}: a backup needs up to {needed // _MIB + 1} MiB and {spare // _MIB} MiB stay free, but only "
            f"{free // _MIB} MiB are: free some space"
        )


def _copy(kind: Kind, source: Path, target: Path) -> Part:
    origin_uri = f"file:{quote(str(source))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(origin_uri, uri=True)) as origin,
            closing(sqlite3.connect(target, isolation_level=None)) as copy,
        ):
            origin.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal beside it
            wrong = check_integrity(copy)
            schema = int(copy.execute("PRAGMA user_version").fetchone()[0])
    except (sqlite3.Error, MemoryError) as error:
        raise StoreError(f"{source} cannot be backed up: {error}", sqlite=sqlite_error_name(error)) from error
    if wrong is not None:
        raise StoreError(f"{source} is damaged ({wrong}): restore an earlier backup")
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Part(kind, schema, target.stat().st_size, digest)


def _pack(manifest: Manifest, scratch: Path, packed: Path) -> None:
    with os.fdopen(os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
            text = msgspec.json.format(msgspec.json.encode(manifest))
            header = tarfile.TarInfo(MANIFEST)
            header.size, header.mode = len(text), 0o600
            tar.addfile(header, BytesIO(text))
            for part in manifest.parts:
                database = scratch / f"{part.kind}.db"
                tar.add(database, database.name, filter=_nameless)
                database.unlink()
        file.flush()
        os.fsync(file.fileno())


def _nameless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member without its owner, who means nothing on another machine."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member
