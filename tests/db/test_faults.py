"""Databases whose disk, files, threads or callers fail: each error has a name, each caller an answer, work goes on."""

import asyncio
import ctypes
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import SystemClock
from launchd.db import database as module
from launchd.db.connection import WAL_BYTES, connect
from launchd.db.database import Connection, Database, open_database
from launchd.errors import CommitUnknownError, StoreError
from launchd.testing import VirtualClock

PAGE = 4096


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (a TEXT UNIQUE)"))
        yield database


def insert(value: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute("INSERT INTO t VALUES (?)", (value,))


async def values(db: Database) -> list[str]:
    return [row["a"] for row in await db.read("SELECT a FROM t ORDER BY rowid")]


# --- exceptions of write functions ---

OF_ITS_OWN: list[BaseException] = [
    KeyError("mine"),
    ValueError("mine"),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    asyncio.CancelledError(),
    StopIteration(),
    MemoryError(),
    RecursionError(),
]


@settings(max_examples=25)
@given(st.lists(st.none() | st.sampled_from([*OF_ITS_OWN, "SELEC", "INSERT INTO t VALUES (?)"]), max_size=6))
def test_each_caller_is_answered_whatever_a_write_function_raises_and_the_others_are_kept(
    endings: list[BaseException | str | None],
) -> None:
    async def check() -> None:
        with TemporaryDirectory() as directory:
            async with open_database(Path(directory) / "jobs.db", "jobs", SystemClock()) as db:
                await db.write(lambda connection: connection.execute("CREATE TABLE t (a TEXT UNIQUE)"))
                together = [db.write(ending_so(number, how)) for number, how in enumerate(endings)]
                answers = await asyncio.wait_for(asyncio.gather(*together, return_exceptions=True), 30)
                for how, answer in zip(endings, answers, strict=True):
                    if isinstance(how, (KeyError, ValueError, RecursionError)):
                        assert answer is how
                    elif how is not None:
                        assert isinstance(answer, StoreError)
                await db.write(insert("after"))
                assert await values(db) == [*(str(n) for n, how in enumerate(endings) if how is None), "after"]
                assert db.failing() is None

    asyncio.run(check())


def ending_so(number: int, how: BaseException | str | None) -> Callable[[Connection], object]:
    def act(connection: Connection) -> None:
        connection.execute("INSERT INTO t VALUES (?)", (str(number),))
        if isinstance(how, str):
            connection.execute(how)
        elif how is not None:
            raise how

    return act


async def test_a_broken_constraint_is_the_callers_own_as_it_was(db: Database) -> None:
    await db.write(insert("once"))
    with pytest.raises(sqlite3.IntegrityError):
        await db.write(insert("once"))
    assert db.failing() is None


async def test_a_writer_thread_that_ends_answers_waiting_and_later_callers(db: Database) -> None:
    thread = db._writer._thread
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    with pytest.raises(CommitUnknownError, match="restart the daemon"):
        await asyncio.wait_for(db.write(insert("waits")), 30)
    with pytest.raises(StoreError, match="restart the daemon"):
        await db.write(insert("comes"))
    failing = db.failing()
    assert failing is not None
    assert "has ended" in failing.detail
    assert db.ended is not None
    assert not db.busy


# --- failed reads ---


async def test_a_statement_that_is_wrong_is_a_store_error_with_sqlites_name_and_no_fault_of_the_disk(
    db: Database,
) -> None:
    with pytest.raises(StoreError) as raised:
        await db.read("SELECT nothing FROM nowhere")
    assert raised.value.sqlite == "SQLITE_ERROR"
    assert db.failing() is None


async def test_a_database_that_was_closed_answers_with_store_errors(tmp_path: Path) -> None:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as db:
        pass
    with pytest.raises(StoreError, match="closed"):
        await db.read("SELECT 1")
    with pytest.raises(StoreError, match="closed"):
        await db.write(insert("late"))
    assert db.version() is None


def damage(path: Path) -> None:
    """Overwrite the last third of a database."""
    pages = path.stat().st_size // PAGE
    with path.open("r+b") as file:
        file.seek(pages * 2 // 3 * PAGE)
        file.write(b"\xa5" * (pages - pages * 2 // 3) * PAGE)


async def test_a_database_with_bad_pages_fails_by_name_where_they_are_and_works_elsewhere(tmp_path: Path) -> None:
    path, clock = tmp_path / "jobs.db", VirtualClock()
    async with open_database(path, "jobs", clock) as db:
        await db.write(lambda connection: connection.execute("CREATE TABLE t (a TEXT UNIQUE)"))
        await db.write(lambda connection: connection.execute("CREATE TABLE filling (a BLOB)"))
        await db.write(
            lambda connection: connection.executemany("INSERT INTO filling VALUES (zeroblob(3000))", [()] * 300)
        )
    damage(path)
    async with open_database(path, "jobs", clock) as db:
        with pytest.raises(StoreError, match=r"jobs\.db") as raised:
            await db.read("SELECT count(a), max(hex(a)) FROM filling")
        assert raised.value.sqlite.startswith(("SQLITE_CORRUPT", "SQLITE_IOERR"))
        assert isinstance(db.failing(), StoreError)
        results = await asyncio.gather(
            db.write(insert("kept")),
            db.write(lambda connection: connection.execute("SELECT max(hex(a)) FROM filling").fetchall()),
            return_exceptions=True,
        )
        assert isinstance(results[1], StoreError), results
        assert results[0] is not results[1], results
        await db.write(insert("also kept"))
        assert await values(db) == ["kept", "also kept"]
        assert isinstance(db.failing(), StoreError)
        clock.move(clock.monotonic() + 61)
        assert db.failing() is None


# --- failed commits ---


class Refusing(sqlite3.Connection):
    """A connection whose next COMMITs fail as on a disk that cannot sync."""

    refuse = 0

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as sqlite3 has it
        if statement == "COMMIT" and Refusing.refuse > 0:
            Refusing.refuse -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error
        return super().execute(statement, *parameters)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    Refusing.refuse = 0
    monkeypatch.setattr(module, "connect", partial(connect, factory=Refusing))


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize("together", [1, 3])
async def test_a_commit_that_failed_was_not_kept_once_another_has_overwritten_it(tmp_path: Path, together: int) -> None:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as db:
        await db.write(lambda connection: connection.execute("CREATE TABLE t (a TEXT UNIQUE)"))
        Refusing.refuse = 1
        writes = [db.write(insert(str(number))) for number in range(together)]
        for answer in await asyncio.gather(*writes, return_exceptions=True):
            assert isinstance(answer, StoreError)
            assert not isinstance(answer, CommitUnknownError)
            assert answer.sqlite == "SQLITE_IOERR_FSYNC"
            assert "nothing was changed" in answer.title
        assert db.failing() is not None
        assert await db.probe() is None
        assert await values(db) == []


@pytest.mark.usefixtures("refusing")
async def test_a_failed_commit_that_cannot_be_overwritten_is_reported_as_unknown(tmp_path: Path) -> None:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as db:
        await db.write(lambda connection: connection.execute("CREATE TABLE t (a TEXT UNIQUE)"))
        Refusing.refuse = 3
        with pytest.raises(CommitUnknownError, match="same Idempotency-Key") as raised:
            await db.write(insert("perhaps"))
        assert raised.value.sqlite == "SQLITE_IOERR_FSYNC"
        assert "nothing was changed" not in f"{raised.value.title} {raised.value.detail}"
        assert isinstance(await db.probe(), StoreError)
        await db.write(insert("kept"))
        assert await values(db) == ["kept"]
        assert db.failing() is None


@pytest.mark.parametrize("overwritten", [False, True])
async def test_frames_of_a_failed_commit_do_not_come_back_once_overwritten(tmp_path: Path, overwritten: bool) -> None:
    """After a failed fsync the WAL has the whole commit, and its index does not count it."""
    before, after, crashed = (tmp_path / name for name in ("before", "after", "crashed"))
    make_directories(before, after, crashed)
    async with open_database(after / "jobs.db", "jobs", SystemClock()) as db:
        await db.write(lambda connection: connection.execute("CREATE TABLE t (a TEXT UNIQUE)"))
        copy_of(after, before)
        await db.write(insert("refused" * 1000))
        journal = read(after / "jobs.db-wal")
    async with open_database(before / "jobs.db", "jobs", SystemClock()) as db:
        add_what_is_missing(before / "jobs.db-wal", journal)
        assert await values(db) == []
        if overwritten:
            assert db._writer._overwrite()
        copy_of(before, crashed)
    async with open_database(crashed / "jobs.db", "jobs", SystemClock()) as db:
        assert len(await values(db)) == (0 if overwritten else 1)


def make_directories(*paths: Path) -> None:
    for path in paths:
        path.mkdir()


def read(path: Path) -> bytes:
    return path.read_bytes()


def add_what_is_missing(path: Path, whole: bytes) -> None:
    with path.open("r+b") as file:
        counted = file.seek(0, os.SEEK_END)
        file.write(whole[counted:])


def copy_of(directory: Path, into: Path) -> None:
    """A copy of the database as a crash at this moment would leave it."""
    for name in ("jobs.db", "jobs.db-wal"):
        shutil.copy(directory / name, into / name)


# --- files that were removed or replaced ---


def take_away(path: Path, how: str) -> Callable[[], object]:
    """Remove or replace a file; returns a function that brings it back."""
    aside = path.with_suffix(".aside")
    path.rename(aside)
    if how == "replaced":
        shutil.copy(aside, path)
    return lambda: aside.rename(path)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_no_write_is_acknowledged_while_a_file_is_missing_and_writes_go_on_once_it_is_back(
    db: Database, suffix: str, how: str
) -> None:
    await db.write(insert("before"))
    put_back = take_away(Path(f"{db.path}{suffix}"), how)
    failing = db.failing()
    assert failing is not None
    assert how in failing.detail
    with pytest.raises(StoreError, match=how):
        await db.write(insert("lost"))
    assert await values(db) == ["before"]
    assert isinstance(await db.probe(), StoreError)
    put_back()
    assert await db.probe() is None
    await db.write(insert("after"))
    assert await values(db) == ["before", "after"]


async def test_a_write_whose_file_goes_while_it_is_written_is_not_acknowledged(db: Database) -> None:
    def act(connection: Connection) -> None:
        connection.execute("INSERT INTO t VALUES ('gone')")
        os.unlink(db.path)  # noqa: PTH108 - not of the loop's thread

    with pytest.raises(CommitUnknownError, match="removed"):
        await db.write(act)


# --- the size of the journal ---


def size_of(path: Path) -> int:
    return path.stat().st_size


async def test_a_journal_that_an_outside_reader_has_made_grow_shrinks_once_the_reader_has_gone(db: Database) -> None:
    journal = Path(f"{db.path}-wal")
    reader = sqlite3.connect(db.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM t").fetchone()
    await db.write(lambda connection: connection.execute("CREATE TABLE filling (a BLOB)"))
    while size_of(journal) < WAL_BYTES + PAGE * 100:
        await db.write(lambda connection: connection.execute("INSERT INTO filling VALUES (zeroblob(4000000))"))
    reader.execute("COMMIT")
    reader.close()
    for number in range(3):
        await db.write(insert(str(number)))
    assert size_of(journal) <= WAL_BYTES
