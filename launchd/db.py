"""A SQLite database as the daemon uses it: one writer thread with group commit, readers apart.

Rules:
- Every write is a function of the connection. The writer takes all functions that wait, runs them in one transaction
  in the order they were asked for, commits (WAL, `synchronous=FULL`: on disk when it returns), and only then answers
  all of their callers. What one turn of a loop asks for reaches the writer together, so it shares a commit.
  A function that raises is undone alone (SAVEPOINT) and its caller gets the exception; the others are not touched.
- A caller is answered on the loop it called from, so any loop or thread's loop may write.
- A commit that fails answers every caller with a `StoreError`: nothing of the batch was kept, nothing was lost that
  had been acknowledged.
- Reads go to connections of their own and see the last commit; `version` tells whether there has been another one.

This module knows nothing of jobs or launches.
"""

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from operator import methodcaller
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

import aiosqlite

from launchd import sql
from launchd.clock import SECOND, Clock, Instant
from launchd.errors import DiskFullError, StoreBusyError, StoreError

T = TypeVar("T")
Connection = sqlite3.Connection
Row = sqlite3.Row
Params = Sequence[Any] | dict[str, Any]

# How long a statement waits for another program's lock on the file before its callers get StoreBusyError.
BUSY_SECONDS = 5.0
# So many write functions that wait share one commit, no more are added: bounds the latency of the first of them.
BATCH = 512
# Committed pages are copied into the database after this many pages of WAL (4 KiB each).
_CHECKPOINT_PAGES = 2000
# A text that is no UTF-8 is read with U+FFFD in its place: by itself it would make the whole statement fail.
TEXT = methodcaller("decode", "utf-8", "replace")

_PRAGMAS = f"""
PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES};
PRAGMA temp_store = MEMORY;
"""


class _Call:
    """One write function that waits: made by the caller's loop, answered by the writer thread."""

    __slots__ = ("error", "function", "future", "loop", "result")

    def __init__(self, function: Callable[[Connection], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.function = function
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None


class Database:
    """One SQLite file, opened by `open_database`.

    `last_error` and `last_error_at` are written by the writer thread and read by health; a successful commit clears
    them. `commits` only grows: the watchdog looks at it.
    """

    def __init__(
        self, path: Path, clock: Clock, connection: Connection, reader: aiosqlite.Connection, onlooker: Connection
    ) -> None:
        self.path = path
        self.commits = 0
        self.last_error: StoreError | None = None
        self.last_error_at: Instant | None = None
        self._clock = clock
        self._connection = connection
        self._reader = reader
        self._onlooker = onlooker
        # what each loop asks for in its present turn; an entry is made and taken by that loop, and by `close`
        self._asking: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
        self._calls: queue.SimpleQueue[list[_Call] | None] = queue.SimpleQueue()
        self._closed = False
        # what makes `busy`: calls asked for (any thread, under the guard), answered (writer thread), reads under way
        self._guard = threading.Lock()
        self._asked = self._answered = self._reads = 0
        self._thread = threading.Thread(target=self._work, name=f"writer:{path.stem}", daemon=True)

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run `function` on the writer and return its result once it is on disk.

        Raises what the function raises, or a `StoreError` when the disk or another program prevents the commit.
        A cancelled caller does not undo the write.
        """
        if self._closed:
            raise StoreError(f"{self.path.name} is closed")
        loop = asyncio.get_running_loop()
        call = _Call(function, loop)
        with self._guard:
            self._asked += 1
        if loop not in self._asking:
            self._asking[loop] = []
            loop.call_soon(self._hand_over, loop)
        self._asking[loop].append(call)
        return cast("T", await call.future)

    async def read(self, statement: str, params: Params = ()) -> list[Row]:
        """All rows of a SELECT, as `sqlite3.Row`; to be called on the loop that opened the database."""
        self._reads += 1
        try:
            return list(await self._reader.execute_fetchall(statement, params))
        except sqlite3.OperationalError as error:
            raise _store_error(error, self.path) from error
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
        except sqlite3.OperationalError:  # another program holds the file for itself
            return None

    @property
    def busy(self) -> bool:
        """Whether a write or a read is under way."""
        return self._answered != self._asked or self._reads > 0

    def start(self) -> None:
        """Start the writer thread; `open_database` does it."""
        self._thread.start()

    async def close(self) -> None:
        """Finish the writes that wait, then close every connection; the writer's last, which leaves one whole file."""
        self._closed = True
        for loop in list(self._asking):
            self._hand_over(loop)
        await self._reader.close()  # one that only reads could not take the journal away
        self._onlooker.close()
        self._calls.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the writer what a loop has asked for in this turn."""
        calls = self._asking.pop(loop, None)
        if calls:
            self._calls.put(calls)

    # --- the writer thread ---

    def _work(self) -> None:
        stopping = False
        while not stopping:
            batch, stopping = self._take()
            if batch:
                self._commit(batch)
                _answer(batch)
                self._answered += len(batch)
        self._connection.close()

    def _take(self) -> tuple[list[_Call], bool]:
        """All calls that wait, at least one; and whether the end was asked for."""
        batch: list[_Call] = []
        calls = self._calls.get()
        while calls is not None:
            batch += calls
            if len(batch) >= BATCH:
                return batch, False
            try:
                calls = self._calls.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[_Call]) -> None:
        connection = self._connection
        changes = connection.total_changes
        try:
            connection.execute("BEGIN IMMEDIATE")
            if len(batch) == 1:
                kept = _run_alone(connection, batch[0])
            else:
                kept = True
                for call in batch:
                    _run(connection, call)
            connection.execute("COMMIT" if kept else "ROLLBACK")
        except Exception as error:  # noqa: BLE001 - whatever broke, every caller must be told and the thread lives on
            self._fail(batch, error)
        else:
            self.commits += 1
            if connection.total_changes != changes:  # an empty commit proves nothing about the disk
                self.last_error = None

    def _fail(self, batch: list[_Call], error: Exception) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        failure = _store_error(error, self.path)
        self.last_error, self.last_error_at = failure, self._clock.now()
        for call in batch:
            call.result, call.error = None, failure


def _run_alone(connection: Connection, call: _Call) -> bool:
    """Run the only call of a transaction, which needs no savepoint; False when nothing of it is to be kept."""
    try:
        call.result = call.function(connection)
    except Exception as error:
        if not connection.in_transaction or spoils_batch(error):
            raise
        call.error = error
        return False
    return True


def _run(connection: Connection, call: _Call) -> None:
    """Run one call in a savepoint of its own: what it raises is its caller's, unless the disk itself failed."""
    connection.execute("SAVEPOINT call")
    try:
        call.result = call.function(connection)
    except Exception as error:
        if not connection.in_transaction or spoils_batch(error):
            raise
        connection.execute("ROLLBACK TO call")
        call.error = error
    connection.execute("RELEASE call")


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


def sifted(connection: Connection, read: Callable[[], T], sift: Callable[[], None]) -> T:
    """Run `read` within the transaction; where a row refuses it, `sift` takes such rows out, and it runs once more."""

    def again(_error: Exception) -> T:
        sift()
        return read()

    return one_by_one(connection, read, again)


def spoils_batch(error: Exception) -> bool:
    """True for an error of the disk or the file; false for one of this call alone."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_CORRUPT", "SQLITE_NOMEM"))


def _answer(batch: list[_Call]) -> None:
    """Resolve the futures, with one thread-safe call for each loop that waits."""
    loops: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
    for call in batch:
        loops.setdefault(call.loop, []).append(call)
    for loop, calls in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, calls)
        except RuntimeError:  # that loop was closed: nobody waits there any more
            continue


def _resolve(calls: list[_Call]) -> None:
    for call in calls:
        if call.future.done():  # the caller was cancelled meanwhile
            continue
        if call.error is None:
            call.future.set_result(call.result)
        else:
            call.future.set_exception(call.error)


def _store_error(error: Exception, path: Path) -> StoreError:
    """The error a caller can act on, for one that SQLite raised."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL"):
        return DiskFullError(f"{path}: the disk is full; free some space, the daemon goes on by itself")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusyError(f"{path} was locked by another program for over {BUSY_SECONDS:g} s; end that program")
    return StoreError(f"{path}: {error}")


def connect(path: Path) -> Connection:
    """A writer's connection: WAL, every commit synced, explicit transactions, rows by name."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.row_factory = sqlite3.Row
    connection.text_factory = TEXT
    try:
        connection.executescript(_PRAGMAS)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def migrate(connection: Connection, steps: Sequence[sql.Migration]) -> list[str]:
    """Bring the schema to the present, one transaction a step; returns the names of the steps taken.

    Raises StoreError when the database was written by a newer launchd.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    newest = max((step.version for step in steps), default=0)
    if version > newest:
        raise StoreError(f"the database has schema {version}, this launchd knows {newest}: install the newer one")
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

    Raises StoreError when the file cannot be opened, is damaged, or is from a newer launchd.
    """
    connection: Connection | None = None
    onlooker: Connection | None = None
    read_only = f"file:{quote(str(path))}?mode=ro"
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite makes the journals like it
        connection = connect(path)
        migrate(connection, sql.migrations(kind))
        onlooker = sqlite3.connect(read_only, uri=True, isolation_level=None, timeout=0)  # on a loop nobody waits
        reader = await aiosqlite.connect(read_only, uri=True, isolation_level=None)
    except (sqlite3.Error, OSError, StoreError) as error:
        for one in (connection, onlooker):
            if one is not None:
                one.close()
        if isinstance(error, StoreError):
            raise
        raise _store_error(error, path) from error
    reader.row_factory = sqlite3.Row
    reader.text_factory = TEXT
    await reader.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * SECOND / 1000)}")
    database = Database(path, clock, connection, reader, onlooker)
    database.start()
    try:
        yield database
    finally:
        await database.close()
