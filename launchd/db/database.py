"""A SQLite database as the daemon uses it: one writer thread with group commit, and separate connections that read.

Rules:
- Every write is a function of the connection. The writer takes all functions that wait, runs them in one transaction in
  the order in which they came, commits (WAL, `synchronous=FULL`: on disk when it returns), and only then answers their
  callers. Writes that one turn of an event loop asks for reach the writer together and share a commit.
  A function that raises is undone alone (SAVEPOINT) and its caller gets the exception; the others are not touched.
- A caller is answered on the event loop it called from, so any thread's loop may write.
- If a commit fails, every caller gets a `StoreError`; nothing that was acknowledged is lost.
- SQLite's errors, except broken constraints, reach callers as a `StoreError` with the name of SQLite's error.
- Reads use connections of their own and see the last commit; `version` changes with each commit.

This module knows nothing of jobs or launches.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite

from launchd import sql
from launchd.clock import SECOND, Clock, Instant
from launchd.db.batches import is_row_error
from launchd.db.connection import TEXT, connect, migrate
from launchd.db.faults import BUSY_SECONDS, Files, is_page_error, is_sqlite_error, store_error
from launchd.db.writer import BATCH, Connection, Writer, touch
from launchd.errors import StoreError

__all__ = ["BATCH", "Connection", "Database", "Row", "open_database"]

T = TypeVar("T")
Row = sqlite3.Row
Params = Sequence[Any] | dict[str, Any]

# After a failed read the database counts as failing for this time, even if other pages can be read.
_READ_FAULT_SECONDS = 60.0
_LOOK = "SELECT count(*) FROM sqlite_schema"


class Database:
    """One SQLite file, opened by `open_database`."""

    def __init__(
        self, path: Path, clock: Clock, connection: Connection, reader: aiosqlite.Connection, version_reader: Connection
    ) -> None:
        self.path = path
        self._clock = clock
        self._files = Files(path)
        self._writer = Writer(path, connection, self._files, clock.now)
        self._reader = reader
        self._version_reader = version_reader
        self._reads = 0  # under way
        self._read_error: StoreError | None = None
        self._read_failed_at = 0.0  # monotonic

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run `function` on the writer and return its result once it is on disk.

        Raises the function's own exceptions, and `StoreError` for SQLite's errors except broken constraints: the disk
        or another program prevents the commit, the file is damaged, a statement is wrong. CommitUnknownError, a
        StoreError, says that the commit failed but a crash may still bring it back.
        Cancelling the caller does not undo the write.
        """
        try:
            return await self._writer.write(function)
        except StoreError as error:
            self._note(error)
            raise

    async def write_batch(self, function: Callable[[Connection, bool], T]) -> T:
        """Run `function(connection, False)`, the quick way; if a row or value makes it fail, `(connection, True)`.

        With True the function works row by row (`one_by_one`), which costs a savepoint for each. Otherwise as `write`.
        """
        try:
            return await self.write(lambda connection: function(connection, False))  # noqa: FBT003 - as documented
        except Exception as error:
            if not is_row_error(error):
                raise
        return await self.write(lambda connection: function(connection, True))  # noqa: FBT003 - as documented

    async def read(self, statement: str, params: Params = ()) -> list[Row]:
        """All rows of a SELECT, as `sqlite3.Row`; call it on the loop that opened the database. Raises StoreError."""
        self._reads += 1
        try:
            return list(await self._reader.execute_fetchall(statement, params))
        except Exception as error:
            # aiosqlite raises a plain ValueError for a closed connection
            if not is_sqlite_error(error) and type(error) is not ValueError:
                raise
            failure = store_error(error, self.path)
            self._note(failure)
            raise failure from error
        finally:
            self._reads -= 1

    async def read_one(self, statement: str, params: Params = ()) -> Row | None:
        """The first row of a SELECT, or None; otherwise as `read`."""
        rows = await self.read(statement, params)
        return rows[0] if rows else None

    def version(self) -> int | None:
        """A number that changes with each commit of this or another process; None if the database cannot be read now.

        All reads between two equal numbers see one state. Call it on the loop that opened the database; it takes
        microseconds, since SQLite only reads the shared index of the WAL
        (https://www.sqlite.org/pragma.html#pragma_data_version).
        """
        try:
            return int(self._version_reader.execute("PRAGMA data_version").fetchone()[0])
        except (sqlite3.Error, MemoryError):  # locked, unreadable or closed: the next read reports the error
            return None

    # --- health ---

    @property
    def commits(self) -> int:
        """The number of transactions that the writer has committed; it only grows."""
        return self._writer.commits

    @property
    def last_error(self) -> StoreError | None:
        """The error of the last transaction that failed; None once a later one has changed something."""
        return self._writer.last_error

    @property
    def last_error_at(self) -> Instant | None:
        """The time of the last transaction that failed."""
        return self._writer.last_error_at

    @property
    def ended(self) -> str | None:
        """The reason why the writer thread has ended, which needs a restart; None while it runs."""
        return self._writer.ended

    def failing(self) -> StoreError | None:
        """The error that makes the database unreliable at this moment; None if it works.

        A file that was removed or replaced is noticed here even if nothing is written. The daemon does not end then: it
        has the old file open, the only copy of all that was acknowledged, while a new daemon would begin with an empty
        one. It serves reads and refuses every write until the file is back or an operator restarts it.
        """
        if self._writer.ended is not None:
            return StoreError(self._writer.ended)
        fault = self._files.fault() or self._writer.last_error
        if fault is not None or self._read_error is None:
            return fault
        recent = self._clock.monotonic() - self._read_failed_at < _READ_FAULT_SECONDS
        return self._read_error if recent else None

    async def probe(self) -> StoreError | None:
        """The same, after trying a small write if the last write failed: the disk may accept writes again."""
        if self._writer.last_error is not None:
            with suppress(StoreError):
                await self._writer.write(touch)
        return self.failing()

    @property
    def busy(self) -> bool:
        """True while a write or a read is under way."""
        return self._writer.answered != self._writer.asked or self._reads > 0

    # --- begin and end ---

    def start(self) -> None:
        """Start the writer thread; `open_database` does it."""
        self._writer.start()

    async def close(self) -> None:
        """Finish the waiting writes, then close all connections.

        The writer's is closed last, because only a connection that writes can merge the WAL into the database file.
        """
        with suppress(sqlite3.Error, ValueError):
            await self._reader.close()
        self._version_reader.close()
        await self._writer.close()

    def _note(self, error: StoreError) -> None:
        """Remember that a part of the file cannot be read, even if other reads and writes succeed."""
        if is_page_error(error):
            self._read_error, self._read_failed_at = error, self._clock.monotonic()


@asynccontextmanager
async def open_database(path: Path, kind: str, clock: Clock) -> AsyncIterator[Database]:
    """Open (or create) the database at `path` with the schema of `sql/<kind>`; it is closed at the end.

    Raises StoreError when the file cannot be opened, is damaged, or is from a newer or an unreleased launchd.
    """
    opened: list[Connection] = []
    reader: aiosqlite.Connection | None = None
    read_only = f"file:{quote(str(path))}?mode=ro"
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite gives its journals this mode
        opened.append(connect(path))
        migrate(opened[0], sql.migrations(kind))
        opened.append(sqlite3.connect(read_only, uri=True, isolation_level=None, timeout=0))  # a loop must not wait
        reader = await aiosqlite.connect(read_only, uri=True, isolation_level=None)
        reader.row_factory = sqlite3.Row
        reader.text_factory = TEXT
        await reader.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * SECOND / 1000)}")
        # SQLite opens the journal at the first read: read now, so that every connection has the same journal file
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
