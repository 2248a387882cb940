"""GCAT, Jonathan McDowell's General Catalog of Artificial Space Objects: flown launches, to the second.

Two tab-separated files: `launchlog.tsv`, one row for each piece of an orbital launch, and `launch.tsv`, one row for
each launch of any kind; and the tables that their codes refer to. Reference:
https://planet4589.org/space/gcat/web/launch/. Columns are addressed by name, since their set changes between releases.
"""

import re
from collections.abc import Sequence

from launchd.errors import InvalidError
from launchd.launches.dates import parse_vague
from launchd.launches.launch import LaunchStatus, Net, Parsed, Sighting
from launchd.launches.sources import gcat_tables
from launchd.launches.sources.gcat_tables import EMPTY, FILE, Row, Tables
from launchd.launches.sources.source import Client, Payload, Source
from launchd.launches.validate import Report, clean

NAME = "gcat"
_LOG = "tsv/derived/launchlog.tsv"
# Mirrors may lack these files; without the tables codes are shown as they are.
_OPTIONAL = (
    "tsv/launch/launch.tsv",
    "tsv/tables/sites.tsv",
    "tsv/tables/lp.tsv",
    "tsv/tables/orgs.tsv",
    "tsv/tables/lv.tsv",
)
_GREEK = (
    "ALP BET GAM DEL EPS ZET ETA THE IOT KAP LAM MU NU XI OMI PI RHO SIG TAU UPS PHI CHI PSI OME".split()  # noqa: SIM905 - an alphabet reads best as one line
)
_GREEK_TAG = re.compile(r"(\d{4}) (?:([A-Z]) )?([A-Z]{2,3})", re.ASCII)
_TAG = re.compile(r"\d{4}-[A-Z]?\d{2,4}", re.ASCII)
_OUTCOME = re.compile(r"[A-Z]([SFEU])(\d{0,3})", re.ASCII)
# First letters of the launch codes of orbital launches; the other letters are suborbital kinds.
_ORBITAL = frozenset("ODX")
# The most rejections of one parse; a file with more has another shape.
_MAX_REJECTED = 10_000


async def pull(client: Client) -> list[Payload]:
    """The launch log, the list of all launches and the tables, where the server has them."""
    payloads = [await client.get(_LOG), *[await client.get(path, optional=True) for path in _OPTIONAL]]
    return [payload for payload in payloads if payload is not None]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """One sighting for each orbital launch; pieces share the `Launch_Tag` of their launch.

    The row of `launch.tsv` has more about the launch and is preferred; pieces give the name if that row has none.
    With both files the list is complete: a missing tag was replaced by another (2024-U01 by 2024-123).
    """
    report = Report(NAME)
    tables = gcat_tables.no_tables()
    launches: dict[str, Row] = {}
    pieces: dict[str, list[Row]] = {}
    rows = 0
    for body in payloads:
        for row in gcat_tables.read_rows(body, report):
            if "Launch_Tag" not in row:
                if gcat_tables.add_row(row, tables):
                    continue
                report.reject(FILE, f"it is not one of the known files; its columns are {', '.join(row)[:200]}")
                break
            rows += 1
            _sort(row, launches, pieces, report)
    tables = gcat_tables.index_pads(tables)
    sightings = []
    for tag in dict.fromkeys((*pieces, *launches)):
        if len(report.rejections) >= _MAX_REJECTED:
            report.reject(FILE, f"more than {_MAX_REJECTED} rows could not be read; the rest was left out")
            break
        group = [*([launches[tag]] if tag in launches else []), *pieces.get(tag, [])]
        sightings.append(_sighting(tag, group, tables, report))
    whole = bool(launches and pieces) and all(one.record != FILE for one in report.rejections)
    found = tuple(one for one in sightings if one is not None)
    return Parsed(found, tuple(report.rejections), rows, complete=whole)


def _sort(row: Row, launches: dict[str, Row], pieces: dict[str, list[Row]], report: Report) -> None:
    """Add a row to its launch."""
    tag = row["Launch_Tag"]
    if tag in EMPTY:
        if len(report.rejections) < _MAX_REJECTED:
            report.reject("?", "it has no Launch_Tag")
    elif "Piece" in row:
        pieces.setdefault(tag, []).append(row)
    elif _code(row)[:1] in _ORBITAL:
        launches.setdefault(tag, row)


def modern_tag(tag: str) -> str | None:
    """The COSPAR form of a tag: "1957 ALP" is 1957-001, "1962 B PSI" is 1962-071; None for any other text.

    Until 1962 launches of a year were counted in Greek letters: Alpha to Omega, then Alpha Alpha and on.
    """
    match = _GREEK_TAG.fullmatch(tag)
    if match is None:
        return tag if _TAG.fullmatch(tag) else None
    year, round_letter, letter = match.groups()
    if letter not in _GREEK:
        return None
    rounds = "ABGDE".find(round_letter) + 1 if round_letter else 0
    return f"{year}-{rounds * len(_GREEK) + _GREEK.index(letter) + 1:03d}"


def _sighting(tag: str, rows: list[Row], tables: Tables, report: Report) -> Sighting | None:
    designator = modern_tag(tag)
    if designator is None:
        report.reject(tag, "it is not a launch tag such as 2024-237, 2024-F05 or 1957 ALP")
        return None
    row = rows[0]
    code = _code(row)
    site, pad = _cell(row, "Launch_Site"), _cell(row, "Launch_Pad")
    status = _status(code)
    if status is None:
        report.reject(tag, f"launch code {code[:20]!r} has no known outcome", "status")
    sighting = Sighting(
        source=NAME,
        source_id=tag,
        name=_name(rows) or tag,
        net=_net(row, tag, report),
        status=status,
        status_word=code or None,
        provider=gcat_tables.organisation_name(_cell(row, "Agency"), tables),
        vehicle=gcat_tables.vehicle_name(_cell(row, "LV_Type"), _cell(row, "Variant"), tables),
        pad=gcat_tables.pad_name(site, pad, tables),
        location=gcat_tables.place(site, pad, tables),
        mission=_cell(row, "Mission"),
        designator=designator,
    )
    return clean(sighting, report)


def _net(row: Row, tag: str, report: Report) -> Net | None:
    try:
        return parse_vague(row.get("Launch_Date", "")[:100])
    except InvalidError as error:
        report.reject(tag, error.detail, "net")
        return None


def _code(row: Row) -> str:
    return row.get("LaunchCode") or row.get("Launch_Code") or ""


def _status(code: str) -> LaunchStatus | None:
    """The outcome in a launch code: S success, F failure, E explosion on the pad, digits the fraction of success."""
    outcome = _OUTCOME.fullmatch(code)
    if outcome is None or outcome[1] == "U":
        return None
    if outcome[1] == "S":
        return LaunchStatus.PARTIAL_FAILURE if outcome[2] and int(outcome[2]) < 100 else LaunchStatus.SUCCESS  # noqa: PLR2004 - per cent
    return LaunchStatus.FAILURE


def _name(rows: list[Row]) -> str | None:
    """The usual name of the launch, its working label, or its first payload."""
    row = rows[0]
    payloads = [one for one in rows if one.get("Type", "").startswith("P")] or [one for one in rows if "Piece" in one]
    payload = (_cell(payloads[0], "PLName") or _cell(payloads[0], "Name")) if payloads else None
    return _cell(row, "Mission") or _cell(row, "Flight") or payload


def _cell(row: Row, name: str) -> str | None:
    value = row.get(name, "")
    return None if value in EMPTY else value


SOURCE = Source(
    name=NAME,
    title="GCAT launch log",
    attribution="GCAT (CC-BY 4.0), J. McDowell, planet4589.org/space/gcat",
    base_url="https://planet4589.org/space/gcat/",
    rate="48/d",  # four scrapes of six files, each asked for twice when only some have changed
    priority=60,
    pull=pull,
    parse=parse,
    revision=2,
)
