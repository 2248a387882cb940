"""The tables that GCAT's codes refer to: sites, launch pads (lp), organisations and launch vehicles. Pure.

Reference: https://planet4589.org/space/gcat/web/sites/ and /web/orgs/. Codes change with the times ("NIIP-5" became
"GIK-5"): a table's `UCode` names the place through all of them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from launchd.launches.launch import Place
from launchd.launches.validate import Report

Row = Mapping[str, str]
# The name in the report of a file that was rejected as a whole.
FILE = "file"
EMPTY = frozenset({"", "-", "*", "?"})
# launch.tsv has 75,000 rows of 28 columns; rows beyond these limits are not read.
MAX_ROWS = 200_000
MAX_COLUMNS = 60
MAX_LINE = 10_000
MAX_REJECTED = 1_000
# The columns that are read of each file. A file without one of them has changed, and nothing of it is believed.
_CODE = ("LaunchCode", "Launch_Code")
_OF_ROWS = ("Launch_Tag", "Launch_Date", "LV_Type", "Launch_Site", "Launch_Pad", "Agency", _CODE)
_OF_PLACES = ("Site", "Code", "UCode", "ShortName", "Name", "Longitude", "Latitude", "ShortEName", "EName")
COLUMNS: Mapping[str, Sequence[str | tuple[str, ...]]] = {
    "launchlog": (*_OF_ROWS, "Piece", "Type", "Name", "PLName"),
    "launch": (*_OF_ROWS, "Variant", "Flight", "Mission"),
    "sites or lp": _OF_PLACES,
    "orgs": ("Code", "ShortName", "ShortEName"),
    "lv": ("LV_Name", "LV_Alias", "Class"),
}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Tables(NamedTuple):
    """Rows by their code; a code without a row is shown as it is."""

    sites: dict[str, Row]
    pads: dict[tuple[str, str], Row]
    organisations: dict[str, Row]
    vehicles: dict[str, Row]


def no_tables() -> Tables:
    """Empty tables: every code is shown as it is."""
    return Tables({}, {}, {}, {})


def read_rows(body: bytes, report: Report) -> Iterator[Row]:
    """The rows of a file by column name; cells are padded, `#` starts a comment, the first line is the header.

    A file that is cut off, that lacks a column, or that has too many broken rows is rejected: the rest is not read.
    """
    lines = _lines(body.removeprefix(_BYTE_ORDER_MARK))
    first = next(lines, b"")
    header = [name.strip() for name in _text(first).removeprefix("#").split("\t")]
    if not first.startswith(b"#") or not 1 < len(header) <= MAX_COLUMNS or len(first) > MAX_LINE:
        report.reject(FILE, f"its first line is not one of column names: {_text(first)[:100]!r}")
        return
    fault = _missing(header) or _cut(body)
    if fault is not None:
        report.reject(FILE, fault)
        return
    rejected = 0
    for number, line in enumerate(line for line in lines if line.strip() and not line.startswith(b"#")):
        if number >= MAX_ROWS or rejected >= MAX_REJECTED:
            why = f"more than {MAX_ROWS} rows" if number >= MAX_ROWS else f"{rejected} broken rows"
            report.reject(FILE, f"it has {why}; the rest was not read")
            return
        cells = _text(line).split("\t") if len(line) <= MAX_LINE else []
        if len(cells) != len(header):
            rejected += 1
            found = f"{len(cells)} cells" if cells else f"more than {MAX_LINE} bytes"
            report.reject(_text(line).partition("\t")[0].strip(), f"{found} where the header has {len(header)} columns")
            continue
        yield {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _cut(body: bytes) -> str | None:
    """The end of a file whose last line does not end, in words; None for a whole file."""
    return None if body.endswith(b"\n") else f"it is cut off: its last line does not end, {_text(body[-100:])!r}"


def _missing(header: Sequence[str]) -> str | None:
    """The columns that a file lacks, in words; None if it has all that are read of a file of its kind.

    Its kind is that of which it has the most columns, so one that was renamed hides it from no check.
    """
    lacks = {
        kind: [
            " or ".join(names)
            for one in wanted
            if not (names := (one,) if isinstance(one, str) else one) or not set(names) & set(header)
        ]
        for kind, wanted in COLUMNS.items()
    }
    if not all(lacks.values()):
        return None
    kind = min(lacks, key=lambda one: len(lacks[one]) / len(COLUMNS[one]))
    if len(lacks[kind]) > len(COLUMNS[kind]) // 2:
        return f"it is not one of the known files; its columns are {', '.join(header)[:200]}"
    return f"its columns have changed: no {', '.join(lacks[kind])} in the file {kind}, among {', '.join(header)[:200]}"


def add_row(row: Row, tables: Tables) -> bool:
    """Add a row to its table; False for a row of no known table."""
    if "LV_Name" in row:
        if row.get("Class") == "O":  # orbital vehicles alone, since sounding rockets share names with them
            tables.vehicles.setdefault(row["LV_Name"], row)
    elif "Site" not in row:
        if "Code" not in row or "ShortName" not in row:
            return False
        tables.organisations.setdefault(row["Code"], row)
    elif row.get("Code", "-") in EMPTY:
        tables.sites.setdefault(row["Site"], row)
    else:
        tables.pads.setdefault((row["Site"], "".join(row["Code"].split())), row)
    return True


def index_pads(tables: Tables) -> Tables:
    """The tables with each pad also under the `UCode` of its site, the name of the place through the times."""
    pads = dict(tables.pads)
    for (site, pad), row in tables.pads.items():
        pads.setdefault((_lasting(site, tables), pad), row)
    return tables._replace(pads=pads)


def pad_name(site: str | None, pad: str | None, tables: Tables) -> str | None:
    """Site and pad as GCAT codes them, with their name: "CC LC40 (Space Launch Complex 40, Cape Canaveral)"."""
    code = " ".join(part for part in (site, pad) if part)
    name = _first(_pad(site, pad, tables) or {}, "EName", "Name")
    return f"{code} ({name})" if name else code or None


def place(site: str | None, pad: str | None, tables: Tables) -> Place | None:
    """The site by its short name, at the coordinates of the pad if they are known, else at its own."""
    if site is None:
        return None
    of_site = tables.sites.get(_certain(site), {})
    short = _first(of_site, "ShortEName", "ShortName")
    if short is None or short.endswith(" -"):  # "V     -" repeats the code
        short = _first(of_site, "EName", "Name") or site
    for row in (_pad(site, pad, tables) or {}, of_site):
        latitude, longitude = _degrees(row, "Latitude"), _degrees(row, "Longitude")
        if latitude is not None and longitude is not None:
            return Place(short, latitude, longitude)
    return Place(short)


def organisation_name(code: str | None, tables: Tables) -> str | None:
    """The short name: "SPX" is SpaceX; "ESA/AE" names two organisations."""
    if code is None:
        return None
    parts = (_certain(part) for part in code.split("/"))
    return "/".join(_first(tables.organisations.get(part, {}), "ShortEName", "ShortName") or part for part in parts)


def vehicle_name(named: str | None, variant: str | None, tables: Tables) -> str | None:
    """The vehicle with its variant, and its better known name: "UR-500K (Proton-K)"."""
    if named is None:
        return None
    alias = _first(tables.vehicles.get(_certain(named), {}), "LV_Alias")
    return " ".join(part for part in (named, variant, f"({alias})" if alias else None) if part)


def _pad(site: str | None, pad: str | None, tables: Tables) -> Row | None:
    if site is None or pad is None:
        return None
    code = "".join(_certain(pad).split())
    exact = tables.pads.get((_certain(site), code))
    return exact or tables.pads.get((_lasting(_certain(site), tables), code))


def _lasting(site: str, tables: Tables) -> str:
    return _first(tables.sites.get(site, {}), "UCode") or site


def _certain(code: str) -> str:
    """A code without the mark of doubt."""
    return code.rstrip("? ")


def _first(row: Row, *names: str) -> str | None:
    return next((row[name] for name in names if row.get(name, "") not in EMPTY), None)


def _degrees(row: Row, name: str) -> float | None:
    try:
        value = float(row.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _lines(body: bytes) -> Iterator[bytes]:
    """The lines of a file, one at a time, so that a file of line ends alone never becomes a list."""
    start = 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        yield body[start:end].rstrip(b"\r")
        start = end + 1


def _text(line: bytes) -> str:
    return line[: MAX_LINE + 1].decode("utf-8", errors="replace")
