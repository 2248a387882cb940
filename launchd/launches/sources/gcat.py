"""GCAT, Jonathan McDowell's General Catalog of Artificial Space Objects: flown launches, to the second.

Two tab-separated files: `launchlog.tsv`, one row for each piece of an orbital launch, and `launch.tsv`, one row for
each launch of any kind; and the tables that their codes refer to. Reference:
https://planet4589.org/space/gcat/web/launch/. Columns are addressed by name, since their set changes between releases.
"""

import re
from collections.abc import Iterator, Sequence

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
# "Apollo CM-107", "Dragon C212.5", "New Shepard CC2.0-2 F16": the serial of a spacecraft, which people do not use.
_CRAFT = re.compile(r".+\s(?:C|CC|CM|CSM|LM|SC|OV)-?\d[\d.]*(?:-\d+)?(?: F\d+)?", re.ASCII)
# A mark of doubt: after a word, or in its own brackets.
_DOUBT = re.compile(r"\(\?\)|\?+(?=[\s,;/)\]]|$)")
# The fields that a missing file leaves without a value, or with a bare code.
_OF_LIST = ("name", "names", "mission", "vehicle")
_OF_ROW = (*_OF_LIST, "net", "status", "status_word", "provider", "pad", "location")
# The most rejections of one parse; a file with more has another shape.
_MAX_REJECTED = 10_000


async def pull(client: Client) -> list[Payload]:
    """The launch log, the list of all launches and the tables, where the server has them."""
    payloads = [await client.get(_LOG), *[await client.get(path, optional=True) for path in _OPTIONAL]]
    return [payload for payload in payloads if payload is not None]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """One sighting for each orbital launch; pieces share the `Launch_Tag` of their launch.

    The row of `launch.tsv` has more about the launch and is preferred; pieces give the name if that row has none.
    With both files the list is complete: a missing tag was replaced by another (2024-U01 by 2024-123). A file that is
    missing leaves the values that it gave before; one that is cut off or has lost a column is a fault.
    """
    report = Report(NAME)
    tables = gcat_tables.no_tables()
    launches: dict[str, Row] = {}
    pieces: dict[str, list[Row]] = {}
    rows = 0
    for body in payloads:
        for row in gcat_tables.read_rows(body, report):
            if "Launch_Tag" in row:
                rows += 1
                _sort(row, launches, pieces, report)
            else:
                gcat_tables.add_row(row, tables)
    tables = gcat_tables.index_pads(tables)
    broken = {one.record for one in report.rejections if one.field is None}
    sightings = []
    for tag in dict.fromkeys((*pieces, *launches)):
        if len(report.rejections) >= _MAX_REJECTED:
            report.reject(FILE, f"more than {_MAX_REJECTED} rows could not be read; the rest was left out")
            break
        group = [*([launches[tag]] if tag in launches else []), *pieces.get(tag, [])]
        report.miss(
            tag, *_unsaid(tables, listed=tag in launches, logged=tag in pieces), *(_OF_ROW if tag in broken else ())
        )
        sightings.append(_sighting(tag, group, tables, report))
    fault = next((one.reason for one in report.rejections if one.record == FILE), None)
    found = tuple(one for one in sightings if one is not None)
    return Parsed(found, tuple(report.rejections), rows, complete=bool(launches and pieces) and not fault, fault=fault)


def _unsaid(tables: Tables, *, listed: bool, logged: bool) -> Iterator[str]:
    """The fields of a launch that its rows and the tables leave without a value, or with a bare code."""
    if not listed:
        yield from _OF_LIST
    if not logged:
        yield "names"
    if not tables.organisations:
        yield "provider"
    if not tables.vehicles:
        yield "vehicle"
    if not tables.pads:
        yield from ("pad", "location")
    if not tables.sites:
        yield "location"


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
    site, pad = _certain(_cell(row, "Launch_Site")), _certain(_cell(row, "Launch_Pad"))
    status = _status(code)
    if status is None:
        report.reject(tag, f"launch code {code[:20]!r} has no known outcome", "status")
    found = _names(rows)
    sighting = Sighting(
        source=NAME,
        source_id=tag,
        name=found[0] if found else tag,
        names=tuple(found[1:]),
        net=_net(row, tag, report),
        status=status,
        status_word=code or None,
        provider=gcat_tables.organisation_name(_cell(row, "Agency"), tables),
        vehicle=gcat_tables.vehicle_name(_certain(_cell(row, "LV_Type")), _certain(_cell(row, "Variant")), tables),
        pad=gcat_tables.pad_name(site, pad, tables),
        location=gcat_tables.place(site, pad, tables),
        mission=_certain(_cell(row, "Mission")),
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


def _names(rows: list[Row]) -> list[str]:
    """The names of a launch, the one that people use first: the mission, or the flight where the mission is a craft.

    A mission that has the name of a payload, or the serial of a spacecraft ("Apollo CM-107"), is no name of the launch;
    the flight is ("Apollo 11"). Of a launch without both, the name is that of its first payload.
    """
    row = rows[0]
    payloads = [one for one in rows if one.get("Type", "").startswith("P")] or [one for one in rows if "Piece" in one]
    first = [_certain(_cell(payloads[0], column)) for column in ("PLName", "Name")] if payloads else []
    if first and first[0] and _CRAFT.fullmatch(first[0]):
        first.reverse()
    mission, flight = _certain(_cell(row, "Mission")), _certain(_cell(row, "Flight"))
    carried = {one.get(column, "") for one in payloads for column in ("PLName", "Name")}
    named = [mission, flight]
    if mission is not None and (mission in carried or _CRAFT.fullmatch(mission)):
        named.reverse()
    return list(dict.fromkeys(one for one in (*named, *first) if one))


def _certain(name: str | None) -> str | None:
    """A name without the marks of doubt: "Yaogan 50-01?" is Yaogan 50-01."""
    return None if name is None else _DOUBT.sub("", name).strip() or None


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
    revision=3,
)
