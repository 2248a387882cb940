"""The rows of Wikipedia's tables of Falcon launches, each read as a sighting. Pure.

A table of launches is recognised by the heads of its columns. A row that is not as expected is rejected whole, with the
reason.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from launchd.errors import InvalidError
from launchd.launches.launch import LaunchStatus, Place, Sighting
from launchd.launches.sources.markup import Cell, Row
from launchd.launches.sources.prose_dates import Written, parse_prose
from launchd.launches.sources.wikipedia_details import DETAILED, row_details
from launchd.launches.validate import Report, plain

MAX_ROWS = 5_000
# Words in the heads of columns. A table without most of the NEEDED ones is not a table of launches.
_COLUMNS = {
    "date": re.compile(r"\bdate\b", re.IGNORECASE),
    "version": re.compile(r"\bversion\b", re.IGNORECASE),
    "site": re.compile(r"\blaunch site\b", re.IGNORECASE),
    "payload": re.compile(r"^payload(?! mass)", re.IGNORECASE),
    "orbit": re.compile(r"^orbit\b", re.IGNORECASE),
    "outcome": re.compile(r"\blaunch outcome\b", re.IGNORECASE),
    "mass": re.compile(r"^payload mass\b", re.IGNORECASE),
    "customer": re.compile(r"^customer\b", re.IGNORECASE),
    "landing": re.compile(r"\blanding\b", re.IGNORECASE),
}
# the name in the report of a table that was rejected as a whole
TABLE = "table"
# the name in the report of a row that is not as expected: its own name may be that of another column
ROW = "row"
NEEDED = ("date", "version", "site", "payload", "orbit")
# Words in the heads of columns that only a table of flown launches has; such a table needs the outcome too.
_FLOWN_ONLY = re.compile(r"\bflight no\b|\bpayload mass\b|\blanding\b|\boutcome\b", re.IGNORECASE)
# A table without more of the NEEDED columns than these is one of other things.
_OTHER_TABLE = 2
_OPEN = frozenset({"", "tbd", "tba", "unknown", "classified"})
_FALCON = re.compile(
    r"(?:likely )?(?:(?P<heavy>falcon heavy|fh)|f9|falcon 9)\b ?(?:v(?P<version>1\.[01])|(?P<thrust>ft)|"
    r"(?:b|block )(?P<block>\d)(?!\d))?",
    re.IGNORECASE | re.ASCII,
)
# A remark in brackets that is no part of the name; others are, as in "Double Asteroid Redirection Test (DART)".
_REMARK = re.compile(
    r"\((?:\d+ (?:\w+ )?satellites?|[^()]*\bpayloads?|[^()]*\d kg|[^()]*\bC\d{3}[^()]*)\)", re.IGNORECASE | re.ASCII
)
_SEVERAL = re.compile(r"\b\d+ (?:more |additional )?launches\b", re.IGNORECASE)
_OUTCOMES = {
    "success": LaunchStatus.SUCCESS,
    "partial failure": LaunchStatus.PARTIAL_FAILURE,
    "failure": LaunchStatus.FAILURE,
    "precluded": LaunchStatus.FAILURE,  # lost on the pad before the launch (Amos-6)
}


class _NoOneLaunchError(InvalidError):
    """A row that is as expected, but names no launch or several."""


class FoundRow(NamedTuple):
    """A launch's row as a sighting; `key` is that of its payload, not yet unique."""

    key: str
    sighting: Sighting


def read_table(rows: Iterator[Row], url: str, report: Report) -> tuple[list[FoundRow], int]:
    """The launches of a table, and the number of rows that should be launches; none for a table of other things."""
    head = next(rows, {})
    columns = _columns(head, report)
    if columns is None:
        return [], 0
    found: list[FoundRow] = []
    seen = 0
    for number, row in enumerate(rows, 1):
        if not _is_launch(row, columns, number):
            continue
        seen += 1
        if seen > MAX_ROWS:
            report.reject(TABLE, f"it has more than {MAX_ROWS} launches; the rest was not read")
            break
        try:
            _check_cells(row, head, columns)
            found.append(_launch({name: row.get(column) for name, column in columns.items()}, url, report))
        except _NoOneLaunchError as error:
            report.reject(_label(row, columns), error.detail)
        except InvalidError as error:
            report.reject(ROW, f"{_label(row, columns)}: {error.detail}")
    if not seen:
        report.reject(TABLE, "it has the columns of a list of launches, but no row is one")
    return found, seen


def _columns(head: Row, report: Report) -> dict[str, int] | None:
    """The position of each column, by the words of its head; None if this is not a table of launches."""
    names = {column: plain(cell.text.removeprefix("hide")) for column, cell in head.items()}
    columns = {
        name: next((column for column, text in names.items() if words.search(text)), -1)
        for name, words in _COLUMNS.items()
    }
    needed = [*NEEDED, "outcome"] if any(_FLOWN_ONLY.search(text) for text in names.values()) else NEEDED
    missing = [name for name in needed if columns[name] < 0]
    if not missing:
        return columns
    if sum(columns[name] >= 0 for name in NEEDED) >= _OTHER_TABLE:  # a table of launches that has changed
        shown = ", ".join(names.values())[:200]
        report.reject(TABLE, f"its columns have changed: no {', '.join(missing)} among {shown}")
    return None


def _is_launch(row: Row, columns: dict[str, int], number: int) -> bool:
    """True if a launch starts in this row, and not a description over all columns, a further payload or a booster."""
    date, payload = row.get(columns["date"]), row.get(columns["payload"])
    return date is not None and date.row == number and (payload is None or payload.column != date.column)


def _label(row: Row, columns: dict[str, int]) -> str:
    cells = (row.get(columns["payload"]), row.get(columns["date"]))
    return next((cell.text for cell in cells if cell is not None and cell.lines), "row")


def _check_cells(row: Row, head: Row, columns: dict[str, int]) -> None:
    """Raises InvalidError for a row with fewer cells than the head: some stand in the column of their neighbour."""
    missing = [name for name, column in columns.items() if column >= 0 and column not in row]
    if missing:
        raise InvalidError(f"the row has no cell for {', '.join(missing)}")
    if len(row) != len(head):
        raise InvalidError(f"the row has {len(row)} cells where the head has {len(head)}")


def _launch(cells: dict[str, Cell | None], url: str, report: Report) -> FoundRow:
    """A row as a sighting. Raises InvalidError for a row that is not as expected."""
    name, bare, payload = _payload(cells["payload"])
    flown = cells["outcome"] is not None
    when = parse_prose(_text(cells["date"]), midnight_is_a_time=flown)
    if flown and when is None:
        raise InvalidError("it has an outcome, but no date")
    pad, site = _place(_text(cells["site"]))
    orbit = _known(_text(cells["orbit"]))
    sighting = Sighting(
        source=report.source,
        source_id=name,
        name=name,
        status=(status := _status(name, cells["outcome"], report)),
        refused=("status",) if cells["outcome"] is not None and status is None else (),
        status_word=_text(cells["outcome"]) or None,
        provider="SpaceX",
        vehicle=_vehicle(_text(cells["version"])),
        pad=pad,
        location=Place(site) if site else None,
        mission=payload,
        orbit=orbit,
        urls=(url,),
        suborbital=orbit is not None and orbit.lower().startswith("sub-orbital"),
        details=row_details(name, orbit, {column: _text(cells[column]) for column in DETAILED}),
    )
    key = re.sub(r"\W+", "-", bare.casefold()).strip("-")
    return FoundRow((key or bare)[:200], _dated(sighting, when))


def _dated(sighting: Sighting, when: Written | None) -> Sighting:
    if when is None:
        return sighting
    start, end = when.window or (None, None)
    return msgspec.structs.replace(sighting, net=when.net, window_start=start, window_end=end)


def _payload(cell: Cell | None) -> tuple[str, str, str]:
    """The name of the launch (the first line without its remarks), that without brackets, and its whole payload.

    Brackets come and go between the plan and the record, so the key is made without them. Raises InvalidError.
    """
    text = _text(cell).replace("♺", "").replace("\u2011", "-")
    first = plain(cell.lines[0] if cell and cell.lines else "").replace("♺", "").replace("\u2011", "-")
    name = " ".join(_REMARK.sub(" ", first).split()).strip(" ,;") or first
    bare = first.partition("(")[0].strip(" ,;") or first
    if name.lower() in _OPEN:
        raise _NoOneLaunchError("it names no payload")
    if _SEVERAL.search(text):
        raise _NoOneLaunchError("it is a row for several launches")
    return name, bare, " ".join(text.split())


def _vehicle(text: str) -> str | None:
    """The vehicle: "F9 B5 ♺ B1062.2" is a Falcon 9 Block 5. None if it is left open; raises InvalidError."""
    if text.lower() in _OPEN or " or " in text:
        return None
    falcon = _FALCON.match(text)
    if falcon is None:
        raise InvalidError(f"{text[:50]!r} is not a version of Falcon 9 or Falcon Heavy")
    if falcon["heavy"]:
        return "Falcon Heavy"
    if falcon["thrust"]:
        return "Falcon 9 Full Thrust"
    block = f" Block {falcon['block']}" if falcon["block"] else ""
    return f"Falcon 9 v{falcon['version']}" if falcon["version"] else f"Falcon 9{block}"


def _place(text: str) -> tuple[str | None, str | None]:
    """The pad ("KSC LC-39A") and the site ("KSC"); "CC, LC-39A or SLC-40" leaves the pad open."""
    parts = [part.strip() for part in text.replace("\u2011", "-").split(",")]
    site = _known(parts[0])
    if site is None or len(parts) > 2 or " or " in site:  # noqa: PLR2004 - several sites
        return None, None
    pad = _known(parts[1]) if len(parts) > 1 else None
    return f"{site} {pad}" if pad and " or " not in pad else None, site


def _status(name: str, outcome: Cell | None, report: Report) -> LaunchStatus | None:
    if outcome is None:
        return None
    words = outcome.text.lower().partition("(")[0].strip()
    status = _OUTCOMES.get(words)
    if status is None:
        report.reject(name, f"unknown outcome {outcome.text[:50]!r}", "status")
    return status


def _known(text: str) -> str | None:
    return None if text.lower() in _OPEN else text


def _text(cell: Cell | None) -> str:
    return plain(cell.text) if cell else ""
