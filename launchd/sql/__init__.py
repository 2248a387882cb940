"""Named SQL statements and migrations, as data files beside this module.

A statement file holds blocks that start with `-- name: the_name`; comment lines under it say why the statement exists.
Each database has a folder: `migrations/NNNN_what.sql` are the steps to its schema; the first one makes every table.
"""

import re
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Migration(NamedTuple):
    """One step of a schema: `version` grows from step to step."""

    version: int
    name: str
    script: str


def statements(database: str, area: str) -> dict[str, str]:
    """The named statements of `sql/<database>/<area>.sql`; a name given twice raises ValueError."""
    parts = _NAME.split(_text(database, f"{area}.sql"))
    names, bodies = parts[1::2], parts[2::2]
    found: dict[str, str] = {}
    for name, body in zip(names, bodies, strict=True):
        if name in found:
            raise ValueError(f"{database}/{area}.sql names {name} twice")
        found[name] = _without_comments(body)
    return found


def migrations(database: str) -> list[Migration]:
    """The steps to the current schema, in order; a number given twice raises ValueError."""
    folder = resources.files(__name__).joinpath(database, "migrations")
    steps = []
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            steps.append(Migration(int(number), name, entry.read_text("utf-8")))
    if len({step.version for step in steps}) != len(steps):
        raise ValueError(f"two migrations of {database} have the same number")
    return steps


def range_of(steps: Sequence[Migration]) -> tuple[int, int]:
    """The versions of the first and the last step: databases between them can be opened. (0, 0) without a step."""
    versions = [step.version for step in steps] or [0]
    return min(versions), max(versions)


def _text(database: str, file: str) -> str:
    return resources.files(__name__).joinpath(database, file).read_text("utf-8")


def _without_comments(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if not line.lstrip().startswith("--")).strip().rstrip(";")
