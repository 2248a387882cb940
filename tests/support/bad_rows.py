# ruff: noqa: S608 - the names of tables and columns are those of the schema
"""Gives a test rows that launchd never writes, and another program that puts them into a running daemon's databases."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

# One text with several odd characters; each value is tried in every column that accepts its type.
NOT_UTF8 = b"caf\xe9 \xff\xfe"
TEXTS = (
    "",
    "sleeping",
    "a\0b",
    "\ufeff{}",
    "{bad",
    "[1, 2]",
    '"\\ud800"',
    '{"done": "x", "total": [], "type": 1}',
    '{"a": 1e999}',
    "[" * 3000,
    "1" * 5000,
    "x" * 100_000,
    "../../etc/passwd",
    "~~~",
    NOT_UTF8,
)
NUMBERS = (-(2**63), 2**63 - 1, -1, 10**17, -62135596800000001, 253402300800000000)
REALS = (1e308, float("inf"), -1.5)
BLOBS = (
    b"",
    b"{bad",
    b"null",
    b"[]",
    NOT_UTF8,
    b'{"id": "x", "name": "y", "net": {"earliest": 1' + b"0" * 400 + b', "latest": 5, "precision": "day"}}',
)


class Column(NamedTuple):
    """A column of a table: its type, and whether it may be NULL."""

    name: str
    kind: str
    nullable: bool


class Odd:
    """Another program on the database of a daemon; it ignores CHECK constraints."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def columns(self, table: str) -> list[Column]:
        """The columns of a table."""
        with closing(self._connect()) as db:
            rows = db.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (table,)).fetchall()
        return [Column(name, kind, not required and not key) for name, kind, required, key in rows]

    def put(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows; bytes in a TEXT column are a text that is no UTF-8."""
        kinds = {one.name: one.kind for one in self.columns(table)}
        with closing(self._connect()) as db, db:
            triggers = db.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
            ).fetchall()
            db.execute("BEGIN IMMEDIATE")
            for name, _ in triggers:  # they would refuse a body that is no JSON, as a bad disk does not
                db.execute(f"DROP TRIGGER {name}")
            for row in rows:
                places = ", ".join("CAST(? AS TEXT)" if _is_text(kinds[name], row[name]) else "?" for name in row)
                db.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({places})", list(row.values()))
            for _, statement in triggers:
                db.execute(statement)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        with closing(self._connect()) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(f"SELECT * FROM {table}")]

    def reset(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make these the only rows of a table."""
        with closing(self._connect()) as db, db:
            db.execute(f"DELETE FROM {table}")
        self.put(table, rows)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=30)
        db.execute("PRAGMA ignore_check_constraints = ON")
        return db


def _is_text(kind: str, value: object) -> bool:
    return kind == "TEXT" and isinstance(value, bytes)


def values(column: Column) -> Iterator[Any]:
    """Odd values that a column of a STRICT table accepts."""
    yield from {"TEXT": TEXTS, "INTEGER": NUMBERS, "REAL": REALS, "BLOB": BLOBS}[column.kind]
    if column.nullable:
        yield None
