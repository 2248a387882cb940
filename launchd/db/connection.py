"""A connection that writes: its pragmas (https://www.sqlite.org/pragma.html), and the migration of its schema.

WAL: https://www.sqlite.org/wal.html. `synchronous = FULL` syncs the WAL at each commit, so a commit that has returned
survives a power cut.
"""

import sqlite3
from collections.abc import Sequence
from operator import methodcaller
from pathlib import Path

from launchd import sql
from launchd.db.faults import BUSY_SECONDS
from launchd.db.writer import Connection
from launchd.errors import StoreError

# SQLite copies committed pages into the database once the WAL has this many pages (of 4 KiB).
_CHECKPOINT_PAGES = 2000
# A WAL that grew because an outside program kept reading is cut to this many bytes after it has left.
WAL_BYTES = 4 * _CHECKPOINT_PAGES * 4096
# A text that is not UTF-8 is read with U+FFFD in place of its bad bytes; else the whole statement would fail.
TEXT = methodcaller("decode", "utf-8", "replace")

_PRAGMAS = f"""
PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES};
PRAGMA journal_size_limit = {WAL_BYTES};
PRAGMA temp_store = MEMORY;
"""


def connect(path: Path, factory: type[Connection] = Connection) -> Connection:
    """A writer's connection: WAL, every commit synced, explicit transactions, rows by name."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, factory=factory
    )
    connection.row_factory = sqlite3.Row
    connection.text_factory = TEXT
    try:
        connection.executescript(_PRAGMAS)
    except (sqlite3.Error, MemoryError):
        connection.close()
        raise
    return connection


def migrate(connection: Connection, steps: Sequence[sql.Migration]) -> list[str]:
    """Run the migrations that the database lacks, each in a transaction of its own; returns their names.

    Raises StoreError if the database was written by a newer launchd, or by one older than the first step.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    oldest, newest = sql.range_of(steps)
    if version > newest:
        raise StoreError(
            f"the database has schema {version}, this launchd knows {newest}: install the newer launchd that wrote it"
        )
    if 0 < version < oldest:
        raise StoreError(
            f"the database has schema {version}, written by an unreleased version of launchd, and cannot be upgraded "
            f"(the first released schema is {oldest}): move this file away, and launchd starts with an empty database"
        )
    taken = []
    for step in steps:
        if step.version <= version:
            continue
        script = f"BEGIN IMMEDIATE;\n{step.script}\nPRAGMA user_version = {step.version};\nCOMMIT;"
        try:
            connection.executescript(script)
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        taken.append(step.name)
    return taken
