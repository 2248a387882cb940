"""Migrations: steps run in order, each in its own transaction, and a database of another age is refused unchanged."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from launchd import sql
from launchd.clock import SystemClock
from launchd.db.database import Connection, connect, migrate, open_database
from launchd.errors import StoreError
from launchd.sql import Migration

# The schema of a shop, which no launchd has.
SHELVES = Migration(5, "initial", "CREATE TABLE shelves (name TEXT PRIMARY KEY); INSERT INTO shelves VALUES ('left');")
GOODS = Migration(
    6, "goods", "CREATE TABLE goods (name TEXT, shelf TEXT); INSERT INTO goods SELECT 'tea', name FROM shelves;"
)
PRICES = Migration(7, "prices", "ALTER TABLE goods ADD COLUMN price INTEGER; UPDATE goods SET price = 3;")
SHOP = [SHELVES, GOODS, PRICES]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Connection]:
    connection = connect(tmp_path / "shop.db")
    yield connection
    connection.close()


def tables(database: sqlite3.Connection) -> list[str]:
    rows = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return [row[0] for row in rows]


def version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def test_a_new_database_takes_every_step_in_order_and_an_up_to_date_one_takes_none(shop: Connection) -> None:
    assert migrate(shop, SHOP) == ["initial", "goods", "prices"]
    assert [tuple(row) for row in shop.execute("SELECT * FROM goods")] == [("tea", "left", 3)]
    assert version(shop) == 7
    assert migrate(shop, SHOP) == []


def test_an_older_database_takes_only_the_steps_that_it_lacks_and_keeps_its_rows(shop: Connection) -> None:
    migrate(shop, SHOP[:1])
    shop.execute("INSERT INTO shelves VALUES ('right')")
    assert migrate(shop, SHOP) == ["goods", "prices"]
    assert [tuple(row) for row in shop.execute("SELECT shelf, price FROM goods")] == [("left", 3), ("right", 3)]


def test_a_step_that_fails_leaves_nothing_of_itself_and_all_of_the_steps_before_it(shop: Connection) -> None:
    broken = GOODS._replace(script=GOODS.script + "DROP TABLE drawers;")
    with pytest.raises(sqlite3.OperationalError, match="no such table: drawers"):
        migrate(shop, [SHELVES, broken, PRICES])
    assert (version(shop), tables(shop), shop.in_transaction) == (5, ["shelves"], False)
    assert migrate(shop, SHOP) == ["goods", "prices"]
    assert [tuple(row) for row in shop.execute("SELECT * FROM goods")] == [("tea", "left", 3)]


def test_a_migration_that_was_killed_in_the_middle_of_a_step_starts_again_and_completes(tmp_path: Path) -> None:
    killed = GOODS._replace(script=GOODS.script + "SELECT die();")
    program = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from launchd.db.database import connect, migrate
        from launchd.sql import Migration

        database = connect(Path({str(tmp_path / "shop.db")!r}))
        database.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
        migrate(database, {[SHELVES, killed, PRICES]!r})
        """
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    database = connect(tmp_path / "shop.db")
    assert (version(database), tables(database)) == (5, ["shelves"])
    assert migrate(database, SHOP) == ["goods", "prices"]
    assert [tuple(row) for row in database.execute("SELECT * FROM goods")] == [("tea", "left", 3)]
    assert [row[0] for row in database.execute("PRAGMA integrity_check")] == ["ok"]
    database.close()


# --- a database of another age ---


def test_a_database_of_a_newer_schema_is_refused_unchanged(shop: Connection) -> None:
    migrate(shop, SHOP)
    with pytest.raises(StoreError, match="has schema 7, this launchd knows 6: install the newer one"):
        migrate(shop, SHOP[:2])
    assert (version(shop), tables(shop)) == (7, ["goods", "shelves"])


@pytest.mark.parametrize("kind", ["jobs", "launches"])
@pytest.mark.parametrize("old", [1, 10])
async def test_a_database_of_an_unreleased_launchd_is_refused_unchanged_with_what_to_do(
    tmp_path: Path, kind: str, old: int
) -> None:
    path = tmp_path / f"{kind}.db"
    database = connect(path)
    database.executescript(f"CREATE TABLE {kind} (id TEXT); PRAGMA user_version = {old};")
    database.close()
    with pytest.raises(StoreError, match=rf"{kind}\.db: .* schema {old}, .* unreleased .*: move this file away"):
        async with open_database(path, kind, SystemClock()):
            pass
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208 - one whole file, which can be moved away
    database = connect(path)
    assert (version(database), tables(database)) == (old, [kind])
    database.close()


@pytest.mark.parametrize("kind", ["jobs", "launches"])
async def test_once_a_refused_database_was_moved_away_an_empty_one_is_made(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}.db"
    database = connect(path)
    database.execute("PRAGMA user_version = 3")
    database.close()
    path.rename(tmp_path / "old.db")
    async with open_database(path, kind, SystemClock()) as opened:
        row = await opened.read_one("PRAGMA user_version")
    assert row is not None
    assert row[0] == sql.migrations(kind)[-1].version


@pytest.mark.parametrize("kind", ["jobs", "launches"])
def test_the_first_released_schema_has_a_number_that_no_unreleased_one_had(kind: str) -> None:
    assert min(step.version for step in sql.migrations(kind)) > 10
