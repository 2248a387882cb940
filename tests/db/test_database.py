import asyncio
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from launchd import sql
from launchd.clock import SystemClock
from launchd.db.database import Connection, Database, open_database
from launchd.errors import AlreadyRunningError, DiskFullError, StoreBusyError, StoreError
from launchd.system.state_directory import own_directory


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (a TEXT UNIQUE)"))
        yield database


def insert(value: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute("INSERT INTO t VALUES (?)", (value,))


async def test_callers_that_wait_together_share_one_commit(db: Database) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        entered.set()
        release.wait(30)

    first = asyncio.create_task(db.write(hold))
    await asyncio.to_thread(entered.wait, 30)
    before = db.commits
    rest = [asyncio.create_task(db.write(insert(str(number)))) for number in range(50)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, *rest)
    assert db.commits == before + 2


async def test_what_one_turn_of_a_loop_asks_for_is_one_commit_in_the_order_of_asking(db: Database) -> None:
    before = db.commits
    await asyncio.gather(*(db.write(insert(str(number))) for number in range(50)))
    assert [row["a"] for row in await db.read("SELECT a FROM t ORDER BY rowid")] == [str(n) for n in range(50)]
    assert db.commits == before + 1


async def test_what_was_asked_for_just_before_the_end_is_still_written(tmp_path: Path) -> None:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (value TEXT)"))
        last = asyncio.ensure_future(database.write(insert("last")))
        await asyncio.sleep(0)
    await last
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        assert [row["value"] for row in await database.read("SELECT value FROM t")] == ["last"]


async def test_a_function_that_raises_alone_in_its_transaction_leaves_nothing_and_the_next_goes_on(
    db: Database,
) -> None:
    def broken(connection: Connection) -> None:
        connection.execute("INSERT INTO t VALUES ('lost')")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await db.write(broken)
    await db.write(insert("kept"))
    assert [row["a"] for row in await db.read("SELECT a FROM t")] == ["kept"]


async def test_a_database_that_was_closed_is_one_whole_file(tmp_path: Path) -> None:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (a TEXT)"))
        await database.read("SELECT a FROM t")
    assert os.listdir(tmp_path) == ["jobs.db"]  # noqa: PTH208 - a test may wait for its disk


async def test_a_function_that_raises_is_undone_alone(db: Database) -> None:
    def broken(connection: Connection) -> None:
        connection.execute("INSERT INTO t VALUES ('lost')")
        raise KeyError("mine")

    results = await asyncio.gather(
        db.write(insert("kept")),
        db.write(broken),
        db.write(insert("also kept")),
        return_exceptions=True,
    )
    assert isinstance(results[1], KeyError)
    assert [row["a"] for row in await db.read("SELECT a FROM t ORDER BY a")] == ["also kept", "kept"]


async def test_a_full_disk_is_a_clear_error_nothing_is_half_written_and_it_goes_on_when_there_is_room(
    db: Database,
) -> None:
    pages = (await db.read("PRAGMA page_count"))[0][0]
    await db.write(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 2}"))

    def large(connection: Connection) -> None:
        connection.execute("INSERT INTO t VALUES ('head')")
        connection.execute("INSERT INTO t VALUES (?)", ("x" * 100_000,))

    with pytest.raises(DiskFullError, match="free some space"):
        await db.write(large)
    assert isinstance(db.last_error, DiskFullError)
    assert await db.read("SELECT a FROM t") == []
    await db.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
    await db.write(large)
    assert len(await db.read("SELECT a FROM t")) == 2
    assert db.last_error is None


async def test_a_database_locked_by_another_program_is_a_clear_error_and_no_crash(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.write(lambda connection: connection.execute("PRAGMA busy_timeout = 1"))
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusyError, match="end that program"):
        await db.write(insert("a"))
    other.execute("ROLLBACK")
    other.close()
    await db.write(insert("a"))
    assert db.last_error is None
    monkeypatch.undo()


async def test_the_version_changes_with_every_commit_of_anybody_and_with_nothing_else(db: Database) -> None:
    versions = [db.version()]
    await db.write(insert("ours"))
    versions.append(db.version())
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("INSERT INTO t VALUES ('theirs')")
    versions.append(db.version())
    assert None not in versions
    assert len(set(versions)) == 3
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO t VALUES ('on the way')")
    assert db.version() == versions[-1]
    other.execute("ROLLBACK")
    other.close()
    with pytest.raises(sqlite3.IntegrityError):
        await db.write(insert("ours"))
    await db.read("SELECT * FROM t")
    assert db.version() == versions[-1]


async def test_a_version_that_cannot_be_asked_for_is_none(db: Database) -> None:
    db._onlooker.set_progress_handler(lambda: 1, 1)  # SQLite stops each statement with an OperationalError
    assert db.version() is None
    db._onlooker.set_progress_handler(None, 1)
    assert db.version() is not None


async def test_a_write_from_another_loop_is_answered_there(db: Database) -> None:
    def elsewhere() -> int:
        async def work() -> int:
            await db.write(insert("from afar"))
            return len(await db.read("SELECT a FROM t"))

        return asyncio.run(work())

    assert await asyncio.to_thread(elsewhere) == 1


async def test_a_cancelled_caller_does_not_disturb_the_writer(db: Database) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        entered.set()
        release.wait(30)

    task = asyncio.create_task(db.write(hold))
    await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    release.set()
    await db.write(insert("next"))
    assert task.cancelled()


async def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"jobs\.db"):
        async with open_database(path, "jobs", SystemClock()):
            pass


async def test_a_second_daemon_on_one_directory_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    async with own_directory(tmp_path):
        with pytest.raises(AlreadyRunningError, match=str(os.getpid())):
            async with own_directory(tmp_path):
                pass
    async with own_directory(tmp_path):
        pass


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from launchd.clock import SystemClock
        from launchd.db.database import open_database

        async def main():
            async with open_database(Path(sys.argv[1]), "jobs", SystemClock()) as db:
                await db.write(lambda c: c.execute("CREATE TABLE t (a INTEGER)"))
                number = 0
                while True:
                    number += 1
                    await db.write(lambda c: c.execute("INSERT INTO t VALUES (?)", (number,)))
                    print(number, flush=True)
        asyncio.run(main())
        """
    )
    path = tmp_path / "jobs.db"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            acknowledged = int(line)
            if acknowledged >= 200:
                child.kill()
                break
        rest = child.stdout.read().split()
    acknowledged = int(rest[-1]) if rest and rest[-1].isdigit() else acknowledged
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT max(a), count(*) FROM t").fetchone()[0] >= acknowledged
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


def test_a_statement_name_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_text", lambda *_: "-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;")
    with pytest.raises(ValueError, match="twice"):
        sql.statements("jobs", "x")
