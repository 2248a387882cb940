"""The writer of one database: a thread that runs write functions in shared transactions (group commit).

- A function that raises is undone alone (SAVEPOINT); the others of its batch are kept. If its error has ended the
  transaction, the functions run again, each in a transaction of its own: they must allow being called twice.
- If the disk refuses a transaction, all of its callers get one StoreError. An error before COMMIT has changed nothing.
  After a COMMIT that failed, its frames may be complete in the WAL, and a crash would bring them back: the writer
  overwrites them (`_overwrite`) before it says "nothing was changed", and raises CommitUnknownError if it cannot.
- No exception of a function or of SQLite ends the thread. If it ends all the same, every waiting and later caller gets
  a StoreError, and `ended` says why.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from launchd.clock import Instant
from launchd.db.faults import Files, breaks_transaction, broken_write, is_sqlite_error, store_error
from launchd.errors import CommitUnknownError, StoreError
from launchd.logger import get_logger

T = TypeVar("T")
Connection = sqlite3.Connection
# The most write functions that share one commit: it bounds the latency of the first of them.
BATCH = 512
_ASK_AGAIN = "it is not known whether this was kept; ask again with the same Idempotency-Key"
_log = get_logger("launchd.db")


class _Call:
    """One write function: created on the caller's loop, run and answered by the writer thread."""

    __slots__ = ("error", "function", "future", "loop", "result")

    def __init__(self, function: Callable[[Connection], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.function = function
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    """Owns the connection that writes.

    `last_error` is the error of the last failed transaction; a later commit that changed something clears it. `ended`
    says why the thread has ended; None while it runs. `asked` and `answered` count write functions.
    """

    def __init__(self, path: Path, connection: Connection, files: Files, now: Callable[[], Instant]) -> None:
        self.commits = 0
        self.last_error: StoreError | None = None
        self.last_error_at: Instant | None = None
        self.ended: str | None = None
        self.asked = self.answered = 0
        self._path = path
        self._connection = connection
        self._files = files
        self._now = now
        self._closing = False
        # Guarded by `_guard`: the calls of each loop in its present turn, and the lists that are not answered yet.
        self._asking: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
        self._handed: deque[list[_Call]] = deque()
        self._guard = threading.Lock()
        self._calls: queue.SimpleQueue[list[_Call] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"writer:{path.stem}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run a function on the writer and return its result once it is on disk; see Database.write."""
        loop = asyncio.get_running_loop()
        call = _Call(function, loop)
        with self._guard:
            if self._closing or self.ended is not None:
                raise StoreError(self.ended or f"{self._path.name} is closed")
            self.asked += 1
            calls = self._asking.get(loop)
            if calls is None:
                calls = self._asking[loop] = []
                loop.call_soon(self._hand_over, loop)
            calls.append(call)
        return cast("T", await call.future)

    async def close(self) -> None:
        """Run the waiting functions, close the connection, end the thread."""
        with self._guard:
            self._closing = True
            loops = list(self._asking)
        for loop in loops:
            self._hand_over(loop)
        self._calls.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pass the calls that a loop has made in this turn to the writer thread."""
        with self._guard:
            calls = self._asking.pop(loop, None)
            if calls is None:
                return
            if self.ended is None:
                self._handed.append(calls)
                self._calls.put(calls)
                return
        self._refuse([calls], StoreError(self.ended))

    # --- the writer thread ---

    def _work(self) -> None:
        try:
            stopping = False
            while not stopping:
                lists, stopping = self._take()
                batch = [call for calls in lists for call in calls]
                if batch:
                    self._commit(batch)
                    _answer(batch)
                    self._finished(len(lists), len(batch))
        except BaseException as error:  # noqa: BLE001 - the thread ends, and must not do so silently
            self._end(f"the writer of {self._path} has ended ({type(error).__name__}: {error}): restart the daemon")
        else:
            self._end(f"{self._path.name} is closed")
        finally:
            self._connection.close()

    def _take(self) -> tuple[list[list[_Call]], bool]:
        """The waiting lists of calls, at least one; True as well if `close` was called."""
        lists: list[list[_Call]] = []
        count = 0
        calls = self._calls.get()
        while calls is not None:
            lists.append(calls)
            count += len(calls)
            if count >= BATCH:
                return lists, False
            try:
                calls = self._calls.get_nowait()
            except queue.Empty:
                return lists, False
        return lists, True

    def _finished(self, lists: int, calls: int) -> None:
        with self._guard:
            for _ in range(lists):
                self._handed.popleft()
            self.answered += calls

    def _end(self, why: str) -> None:
        """Refuse all calls from now on, and answer the waiting ones: some may have been committed just before."""
        with self._guard:
            self.ended = why
            left = list(self._handed)
            self._handed.clear()
        if not self._closing:
            _log.critical("writer_ended", database=str(self._path), detail=why)
            self.last_error, self.last_error_at = StoreError(why), self._now()
        self._refuse(left, CommitUnknownError(f"{why}; {_ASK_AGAIN}"))

    def _refuse(self, lists: Sequence[list[_Call]], error: StoreError) -> None:
        calls = [call for one in lists for call in one]
        for call in calls:
            call.result, call.error = None, error
        with self._guard:
            self.answered += len(calls)
        _answer(calls)

    # --- one transaction ---

    def _commit(self, batch: list[_Call]) -> None:
        connection, running, committing = self._connection, False, False
        try:
            self._undo()  # in case an earlier ROLLBACK failed
            if (fault := self._files.changed()) is not None:
                raise fault  # noqa: TRY301 - one place handles every error
            changes = connection.total_changes
            connection.execute("BEGIN IMMEDIATE")
            running = True
            kept = self._run(batch)
            running, committing = False, kept
            connection.execute("COMMIT" if kept else "ROLLBACK")
        except BaseException as error:  # noqa: BLE001 - every caller gets an answer, and the thread goes on
            if running and len(batch) > 1:
                self._commit_apart(batch)
            else:
                self._fail(batch, self._undone(error, committing=committing))
            return
        self.commits += 1
        if (fault := self._files.changed()) is not None:
            self._fail(batch, CommitUnknownError(f"{fault.detail}; {_ASK_AGAIN}"))
        elif self.last_error is not None and (connection.total_changes != changes or _any_touch(batch)):
            self.last_error = None  # not after an empty commit, which proves nothing about the disk

    def _run(self, batch: list[_Call]) -> bool:
        """Run the functions of a transaction; False if it must be rolled back."""
        if len(batch) == 1:
            return _run_alone(self._connection, batch[0], self._path)
        for call in batch:
            _run(self._connection, call, self._path)
        return True

    def _commit_apart(self, batch: list[_Call]) -> None:
        """Run each function in a transaction of its own, after the error of one has ended the shared transaction.

        SQLite rolls everything back if a single page cannot be read; functions that need other pages must not fail.
        """
        self._undo()
        for call in batch:
            call.result = call.error = None
            self._commit([call])

    def _undone(self, error: BaseException, *, committing: bool) -> StoreError:
        """Roll back after an error; the StoreError says if that has undone everything."""
        failure = store_error(error, self._path)
        self._undo()
        # without room or lock the last frame of the commit was not written, and without it the others do not count
        known = failure.sqlite.startswith(("SQLITE_FULL", "SQLITE_BUSY"))
        if not committing or known or self._overwrite():
            return failure
        return CommitUnknownError(f"{failure.detail}; {_ASK_AGAIN}", sqlite=failure.sqlite)

    def _undo(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:  # it is tried again before the next transaction
                return

    def _overwrite(self) -> bool:
        """Make sure that a failed commit stays undone after a crash; False if that cannot be done.

        Its frames may be complete in the WAL, behind the last valid commit. The next commit is written to the same
        place, and the checksum of each frame covers all frames before it, so that old frames behind the new one are no
        longer valid (https://www.sqlite.org/fileformat2.html §4.1). Hence one small commit on disk is enough.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            touch(self._connection)
            self._connection.execute("COMMIT")
        except (sqlite3.Error, MemoryError):
            self._undo()
            return False
        return True

    def _fail(self, batch: list[_Call], failure: StoreError) -> None:
        self.last_error, self.last_error_at = failure, self._now()
        for call in batch:
            call.result, call.error = None, failure


def touch(connection: Connection) -> None:
    """Write a page without changing anything: if it can be committed, the disk accepts writes again."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {int(version)}")


def _any_touch(batch: Sequence[_Call]) -> bool:
    return any(call.function is touch and call.error is None for call in batch)


def _run_alone(connection: Connection, call: _Call, path: Path) -> bool:
    """Run the only call of a transaction, which needs no savepoint; False if it must be rolled back."""
    try:
        call.result = call.function(connection)
    except BaseException as error:
        if not connection.in_transaction or breaks_transaction(error):
            raise
        call.error = _own(error, path)
        return False
    return True


def _run(connection: Connection, call: _Call, path: Path) -> None:
    """Run one call in a savepoint of its own; its exception goes to its caller, unless the disk itself failed."""
    connection.execute("SAVEPOINT call")
    try:
        call.result = call.function(connection)
    except BaseException as error:
        if not connection.in_transaction or breaks_transaction(error):
            raise
        connection.execute("ROLLBACK TO call")
        call.error = _own(error, path)
    connection.execute("RELEASE call")


def _own(error: BaseException, path: Path) -> Exception:
    """The exception for the caller: SQLite's as StoreError, broken constraints and the function's own unchanged.

    SystemExit, KeyboardInterrupt and CancelledError would end the loop or task that awaits the answer, and a future
    does not accept StopIteration: these become a StoreError.
    """
    if is_sqlite_error(error):
        return store_error(error, path)
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    broken = broken_write(error)
    broken.__cause__ = error
    return broken


def _answer(batch: list[_Call]) -> None:
    """Resolve the futures, with one thread-safe call to each loop."""
    loops: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
    for call in batch:
        loops.setdefault(call.loop, []).append(call)
    for loop, calls in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, calls)
        except RuntimeError:  # that loop was closed, so no caller waits there
            continue


def _resolve(calls: list[_Call]) -> None:
    for call in calls:
        if call.future.done():  # the caller was cancelled
            continue
        if call.error is None:
            call.future.set_result(call.result)
        else:
            call.future.set_exception(call.error)
