"""Measures the parsers on each recorded file: its rows, the records kept, and the reasons for refusals.

A row that was refused as a whole is lost; a refused field costs only itself. Files of one folder without any refusal
share a line.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from launchd.launches.launch import Parsed
from launchd.launches.sources import SOURCES
from tests.support.recorded_payloads import Recording, recordings

# The least share of a file's rows that is kept; pages that people write by hand may have less.
WANTED, WANTED_OF_HTML = 0.995, 0.99
REASONS = 5


class Rows(NamedTuple):
    """The rows of files of one folder; `reasons` counts refusals by (field, reason), field None for a whole row."""

    name: str
    files: int
    rows: int
    records: int
    reasons: Counter[tuple[str | None, str]]

    @property
    def lost(self) -> int:
        """The number of rows that were refused as a whole."""
        return sum(count for (field, _), count in self.reasons.items() if field is None)

    @property
    def share(self) -> float:
        """The share of rows that were kept, 0 to 1."""
        return 1 - self.lost / self.rows if self.rows else 0.0

    @property
    def enough(self) -> bool:
        """True if the share is high enough."""
        return self.share >= (WANTED_OF_HTML if self.name.endswith(".html") else WANTED)


def judged(name: str, said: Parsed) -> Rows:
    """The rows and refusals of one file."""
    reasons = Counter((one.field, one.reason) for one in said.rejections)
    return Rows(name, 1, said.rows, len(said.sightings), reasons)


def table(root: Path) -> list[Rows]:
    """One entry for each file of launches; files without any refusal by folder."""
    found = [(one, judged(_name(one, root), SOURCES[one.source].parse(one.payloads))) for one in recordings(root)]
    clean = [(one.files[0].parent, rows) for one, rows in found if not rows.reasons]
    folders = (
        _together(folder, root, [rows for _, rows in group])
        for folder, group in groupby(sorted(clean, key=lambda one: (str(one[0]), one[1].name)), lambda one: one[0])
    )
    return sorted([*folders, *(rows for _, rows in found if rows.reasons)], key=lambda rows: rows.name)


def _name(one: Recording, root: Path) -> str:
    named = [path for path in one.files if "launches" in path.name] or one.files
    return str(named[0].relative_to(root))


def _together(folder: Path, root: Path, parts: Sequence[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    name, (rows, records) = str(folder.relative_to(root)), (sum(one.rows for one in parts), _records(parts))
    return Rows(name, len(parts), rows, records, Counter())


def _records(parts: Iterable[Rows]) -> int:
    return sum(one.records for one in parts)


def report(root: Path) -> bool:
    """Print the table; False if a file's share is too low."""
    found = table(root)
    _say(f"{'file':88} {'files':>5} {'rows':>6} {'kept':>7} {'records':>7}")
    for one in found:
        _say(f"{one.name[:88]:88} {one.files:5} {one.rows:6} {one.share:7.2%} {one.records:7}")
        for (field, reason), count in one.reasons.most_common(REASONS):
            _say(f"    {count} times {field or 'the whole row'}: {reason}")
        if len(one.reasons) > REASONS:
            _say(f"    and {len(one.reasons) - REASONS} more reasons")
    rows, lost = sum(one.rows for one in found), sum(one.lost for one in found)
    _say(f"{rows:,} rows, {lost} of them refused\n")
    return all(one.enough for one in found)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
