"""The schema of a database against the one that launchd gives it: every table, index, trigger and view, as written.

A database from elsewhere may hold a trigger that changes what launchd writes; so nothing is run on one that has
anything of its own.
"""

import re
import sqlite3
from contextlib import closing

from launchd import sql
from launchd.db.database import migrate

# What SQLite makes by itself.
_INTERNAL = re.compile(r"sqlite_(autoindex_.*|sequence|stat[134])")
_TOKEN = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\w+|[^\s\w]", re.DOTALL)

Shape = dict[tuple[str, str], str]


def foreign_schema(database: sqlite3.Connection, kind: str) -> str | None:
    """The first difference between a database and what launchd makes at its version; None when there is none.

    A database of a newer or an unreleased launchd has no difference here: `migrate` refuses it.
    """
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    steps = sql.migrations(kind)
    oldest, newest = sql.range_of(steps)
    if version > newest or 0 < version < oldest:
        return None
    if version < 0:
        return f"its schema has the number {version}"
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrate(model, [step for step in steps if step.version <= version])
        expected = shape(model)
    return _difference(shape(database), expected)


def shape(database: sqlite3.Connection) -> Shape:
    """The definition of everything in a database, without comments and spacing, by its type and name."""
    rows = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    return {
        (str(kind), str(name)): f"{table}: {_plain(str(text or ''))}"
        for kind, name, table, text in rows
        if not (_INTERNAL.fullmatch(str(name)) and kind in {"table", "index"})
    }


def _difference(found: Shape, expected: Shape) -> str | None:
    lacking, more = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if lacking:
        return f"it has no {', '.join(map(' '.join, lacking))}"
    if more:
        return f"it has a {more[0][0]} that launchd never made: {more[0][1][:100]!r}"
    changed = sorted(one for one in expected if found[one] != expected[one])
    return f"its {' '.join(changed[0])} is not as launchd makes it" if changed else None


def _plain(script: str) -> str:
    return " ".join(one for one in _TOKEN.findall(script) if not one.startswith(("--", "/*")))
