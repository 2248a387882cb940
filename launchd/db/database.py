"""A SQLite database as the daemon uses it: one writer thread with group commit, readers apart.

Rules:
- Every write is a function of the connection. The writer takes all functions that wait, runs them in one transaction
  in the order they were asked for, commits (WAL, `synchronous=FULL`: on disk when it returns), and only then answers
  all of their callers. What one turn of a loop asks for reaches the writer together, so it shares a commit.
  A function that raises is undone alone (SAVEPOINT) and its caller gets the exception; the others are not touched.
- A caller is answered on the loop it called from, so any loop or thread's loop may write.
- A commit that fails answers every caller with a `StoreError`; nothing was lost that had been acknowledged.
- Whatever SQLite raises, but for broken constraints, reaches callers as a `StoreError` with the name of SQLite's error.
- Reads go to connections of their own and see the last commit; `version` tells whether there has been another one.

This module knows nothing of jobs or launches.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from operator import methodcaller
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite

from launchd import sql
from launchd.clock import SECOND, Clock, Instant
from launchd.db.faults import BUSY_SECONDS, Files, is_sqlites, of_a_page, spoils_batch, store_error
from launchd.db.writer import BATCH, Connection, Writer, touch
from launchd.errors import LaunchdError, StoreError

__all__ = [
    "BATCH",
    "Connection",
    "Database",
    "Row",
    "connect",
    "migrate",
    "one_by_one",
    "open_database",
    "sifted",
    "spoils_batch",
]

T = TypeVar("T")
Row = sqlite3.Row
Params = Sequence[Any] | dict[str, Any]

# Committed pages are copied into the database after this many pages of WAL (4 KiB each).
_CHECKPOINT_PAGES = 2000
# A WAL that an outside reader has made grow is cut to this once it has gone; an ordinary one never gets there.
WAL_BYTES = 4 * _CHECKPOINT_PAGES * 4096
# For so long after a read that the disk has refused, the database counts as failing: other pages may still be read.
_READ_FAULT_SECONDS = 60.0
# A text that is no UTF-8 is read with U+FFFD in its place: by itself it would make the whole statement fail.
TEXT = methodcaller("decode", "utf-8", "replace")

_LOOK = "SELECT count(*) FROM sqlite_schema"
_PRAGMAS = f"""
PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES};
PRAGMA journal_size_limit = {WAL_BYTES};
PRAGMA temp_store = MEMORY;
"""


class Database:
    """One SQLite file, opened by `open_database`."""

    def __init__(
        self, path: Path, clock: Clock, connection: Connection, reader: aiosqlite.Connection, onlooker: Connection
    ) -> None:
        self.path = path
        self._clock = clock
        self._files = Files(path)
        self._writer = Writer(path, connection, self._files, clock.now)
        self._reader = reader
        self._onlooker = onlooker
        self._reads = 0  # under way
        self._read_error: StoreError | None = None
        self._read_failed_at = 0.0  # monotonic

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run `function` on the writer and return its result once it is on disk.

        Raises what the function raises, or a `StoreError` for whatever SQLite raises but broken constraints: the disk
        or another program prevents the commit, the file is damaged, a statement is wrong. CommitUnknownError, which is
        one of them, says that the commit failed in such a way that a crash may still bring it back.
        A cancelled caller does not undo the write.
        """
        try:
            return await self._writer.write(function)
        except StoreError as error:
            self._note(error)
            raise

    async def write_fit(self, function: Callable[[Connection, bool], T]) -> T:
        """Run `function(connection, False)`, the quick way; where one of its members is refused, `(connection, True)`.

        With True it works member by member (`one_by_one`), which costs a savepoint each. As `write` otherwise.
        """
        try:
            return await self.write(lambda connection: function(connection, False))  # noqa: FBT003 - as documented
        except Exception as error:
            if not is_of_a_member(error):
                raise
        return await self.write(lambda connection: function(connection, True))  # noqa: FBT003 - as documented

    async def read(self, statement: str, params: Params = ()) -> list[Row]:
        """All rows of a SELECT, as `sqlite3.Row`; to be called on the loop that opened the database."""
        self._reads += 1
        try:
            return list(await self._reader.execute_fetchall(statement, params))
        except Exception as error:
            # a plain ValueError is aiosqlite's word for a closed connection
            if not is_sqlites(error) and type(error) is not ValueError:
                raise
            failure = store_error(error, self.path)
            self._note(failure)
            raise failure from error
        finally:
            self._reads -= 1

    async def read_one(self, statement: str, params: Params = ()) -> Row | None:
        """The first row of a SELECT, or None."""
        rows = await self.read(statement, params)
        return rows[0] if rows else None

    def version(self) -> int | None:
        """Another number once anybody, this process or another, has committed a change; None when it cannot be told.

        What is read between two equal numbers is all of one state. To be called on the loop that opened the database:
        it takes microseconds, since SQLite only looks into the index of the WAL that all share (PRAGMA data_version).
        """
        try:
            return int(self._onlooker.execute("PRAGMA data_version").fetchone()[0])
        except (
            sqlite3.Error,
            MemoryError,
        ):  # locked by another program, unreadable or closed: who reads gets the error
            return None

    # --- how it gets on ---

    @property
    def commits(self) -> int:
        """How many transactions the writer has committed; only grows."""
        return self._writer.commits

    @property
    def last_error(self) -> StoreError | None:
        """Why the last transaction was refused; None once a later one has changed something."""
        return self._writer.last_error

    @property
    def last_error_at(self) -> Instant | None:
        """When the last refusal was."""
        return self._writer.last_error_at

    @property
    def ended(self) -> str | None:
        """Why the writer thread has ended, which only a restart cures; None while it runs."""
        return self._writer.ended

    def failing(self) -> StoreError | None:
        """Why the database cannot be relied on at this moment, None when it can.

        A file that was taken away is noticed here, too, with nothing to write. The daemon does not end for it: it still
        has the old file open, the only copy of what was acknowledged, while a new daemon would begin with an empty one.
        It stays, serves reads, and refuses every write until the file is back or somebody restarts it.
        """
        if self._writer.ended is not None:
            return StoreError(self._writer.ended)
        fault = self._files.fault() or self._writer.last_error
        if fault is not None or self._read_error is None:
            return fault
        recent = self._clock.monotonic() - self._read_failed_at < _READ_FAULT_SECONDS
        return self._read_error if recent else None

    async def probe(self) -> StoreError | None:
        """The same, once a small write was tried if the last one was refused: the disk may take writes again."""
        if self._writer.last_error is not None:
            with suppress(StoreError):
                await self._writer.write(touch)
        return self.failing()

    @property
    def busy(self) -> bool:
        """Whether a write or a read is under way."""
        return self._writer.answered != self._writer.asked or self._reads > 0

    # --- begin and end ---

    def start(self) -> None:
        """Start the writer thread; `open_database` does it."""
        self._writer.start()

    async def close(self) -> None:
        """Finish the writes that wait, then close every connection; the writer's last, which leaves one whole file."""
        with suppress(
            sqlite3.Error, ValueError
        ):  # one that only reads could not take the journal away, so it goes first
            await self._reader.close()
        self._onlooker.close()
        await self._writer.close()

    def _note(self, error: StoreError) -> None:
        """Remember that a part of the file cannot be read, though other reads and writes succeed."""
        if of_a_page(error):
            self._read_error, self._read_failed_at = error, self._clock.monotonic()


def one_by_one(connection: Connection, together: Callable[[], T], each: Callable[[Exception], T]) -> T:
    """Run `together` within the transaction; where that is refused, undo it and run `each` with the reason.

    `each` does the same work member by member, so that one bad member does not cost the others. Raises an error of the
    disk or the file, which no other way of writing avoids.
    """
    connection.execute("SAVEPOINT together")
    try:
        found = together()
    except Exception as error:
        if not connection.in_transaction or spoils_batch(error):
            raise
        connection.execute("ROLLBACK TO together")
        found = each(error)
    connection.execute("RELEASE together")
    return found


def is_of_a_member(error: Exception) -> bool:
    """True for an error that another way of doing the same work may avoid: of one row or value, not of the disk."""
    if isinstance(error, StoreError):
        return bool(error.sqlite) and not spoils_batch(error)
    return not isinstance(error, LaunchdError)


def sifted(connection: Connection, read: Callable[[], T], sift: Callable[[], None]) -> T:
    """Run `read` within the transaction; where a row refuses it, `sift` takes such rows out, and it runs once more."""

    def again(_error: Exception) -> T:
        sift()
        return read()

    return one_by_one(connection, read, again)


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
    """Bring the schema up to date, one transaction per step; returns the names of the steps taken.

    Raises StoreError when the database was written by a newer launchd, or by one older than the first step.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    oldest, newest = sql.range_of(steps)
    if version > newest:
        raise StoreError(f"the database has schema {version}, this launchd knows {newest}: install the newer one")
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


@asynccontextmanager
async def open_database(path: Path, kind: str, clock: Clock) -> AsyncIterator[Database]:
    """Open (or make) the database at `path` with the schema of `sql/<kind>`; closed at the end.

    Raises StoreError when the file cannot be opened, is damaged, or is from a newer or an unreleased launchd.
    """
    opened: list[Connection] = []
    reader: aiosqlite.Connection | None = None
    read_only = f"file:{quote(str(path))}?mode=ro"
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite makes the journals like it
        opened.append(connect(path))
        migrate(opened[0], sql.migrations(kind))
        opened.append(sqlite3.connect(read_only, uri=True, isolation_level=None, timeout=0))  # on a loop nobody waits
        reader = await aiosqlite.connect(read_only, uri=True, isolation_level=None)
        reader.row_factory = sqlite3.Row
        reader.text_factory = TEXT
        await reader.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * SECOND / 1000)}")
        # SQLite opens the journal at the first read: every connection has the same one, whatever becomes of its name
        opened[1].execute(_LOOK).fetchone()
        await reader.execute_fetchall(_LOOK)
        database = Database(path, clock, opened[0], reader, opened[1])
    except (sqlite3.Error, OSError, MemoryError, StoreError) as error:
        if reader is not None:
            await reader.close()
        for one in opened:
            one.close()
        if isinstance(error, StoreError):
            raise StoreError(f"{path}: {error}") from error
        raise store_error(error, path) from error
    database.start()
    try:
        yield database
    finally:
        await database.close()
