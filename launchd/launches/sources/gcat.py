"""GCAT, Jonathan McDowell's General Catalog of Artificial Space Objects: what flew, and when to the second.

Two tab-separated files: `launchlog.tsv`, one row for each piece of an orbital launch, and `launch.tsv`, one row for
each launch of any kind. Reference: https://planet4589.org/space/gcat/web/launch/. Columns are addressed by name,
since their set changes between releases.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from launchd.errors import InvalidError
from launchd.launches.dates import parse_vague
from launchd.launches.launch import Net, Parsed, Place, Sighting, Status
from launchd.launches.sources.source import Client, Payload, Source
from launchd.launches.validate import Report, clean

NAME = "gcat"
_GREEK = (
    "ALP BET GAM DEL EPS ZET ETA THE IOT KAP LAM MU NU XI OMI PI RHO SIG TAU UPS PHI CHI PSI OME".split()  # noqa: SIM905 - an alphabet reads best as one line
)
_GREEK_TAG = re.compile(r"(\d{4}) (?:([A-Z]) )?([A-Z]{2,3})")
_TAG = re.compile(r"\d{4}-[A-Z]?\d{2,4}")
_EMPTY = frozenset({"", "-", "*", "?"})
# First letters of a launch code that belong to this catalogue's orbital side; the others are suborbital kinds.
_ORBITAL = frozenset("ODX")

Row = Mapping[str, str]


async def pull(client: Client) -> list[Payload]:
    """The launch log, and the list of all launches where the server has it (mirrors may lack it)."""
    log = await client.get("tsv/derived/launchlog.tsv")
    launches = await client.get("tsv/launch/launch.tsv", optional=True)
    return [payload for payload in (log, launches) if payload is not None]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """One sighting for each orbital launch; pieces share the `Launch_Tag` of their launch.

    The row of `launch.tsv` says more of the launch itself and is preferred; pieces give the name where it is missing.
    """
    report = Report(NAME)
    launches: dict[str, list[Row]] = {}
    rows = 0
    for body in payloads:
        for row in _rows(body, report):
            rows += 1
            tag = row.get("Launch_Tag", "")
            if tag in _EMPTY:
                report.reject("?", "it has no Launch_Tag")
            elif "Piece" in row:
                launches.setdefault(tag, []).append(row)
            elif _code(row)[:1] in _ORBITAL:
                launches.setdefault(tag, []).insert(0, row)
    sightings = (_sighting(tag, group, report) for tag, group in launches.items())
    return Parsed(tuple(one for one in sightings if one is not None), tuple(report.rejections), rows)


def modern_tag(tag: str) -> str | None:
    """The COSPAR form of a tag: "1957 ALP" is 1957-001, "1962 B PSI" is 1962-071; None for what is not a tag.

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


def _rows(body: bytes, report: Report) -> Iterator[Row]:
    """The rows of a file by column name; cells are padded, `#` starts a comment, the first one is the header."""
    lines = body.decode("utf-8", errors="replace").split("\n")
    header = [name.strip() for name in lines[0].lstrip("\ufeff#").split("\t")]
    if "Launch_Tag" not in header:
        report.reject("file", f"its first line names no Launch_Tag: {lines[0][:100]!r}")
        return
    for line in lines[1:]:
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) != len(header):
            report.reject(cells[0].strip(), f"{len(cells)} cells where the header has {len(header)}")
            continue
        yield {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _sighting(tag: str, rows: list[Row], report: Report) -> Sighting | None:
    designator = modern_tag(tag)
    if designator is None:
        report.reject(tag, "it is not a launch tag such as 2024-237, 2024-F05 or 1957 ALP")
        return None
    row = rows[0]
    code = _code(row)
    site, pad = _cell(row, "Launch_Site"), _cell(row, "Launch_Pad")
    status = _status(code)
    if status is None:
        report.reject(tag, f"launch code {code!r} says no outcome", "status")
    sighting = Sighting(
        source=NAME,
        source_id=tag,
        name=_name(rows) or tag,
        net=_net(row, tag, report),
        status=status,
        status_word=code or None,
        provider=_cell(row, "Agency"),
        vehicle=_vehicle(row),
        pad=" ".join(part for part in (site, pad) if part) or None,
        location=Place(site) if site else None,
        mission=_cell(row, "Mission"),
        designator=designator,
    )
    return clean(sighting, report)


def _net(row: Row, tag: str, report: Report) -> Net | None:
    try:
        return parse_vague(row.get("Launch_Date", ""))
    except InvalidError as error:
        report.reject(tag, error.detail, "net")
        return None


def _code(row: Row) -> str:
    return row.get("LaunchCode") or row.get("Launch_Code") or ""


def _status(code: str) -> Status | None:
    """The outcome in a launch code: S success, F failure, E explosion on the pad, digits the fraction of success."""
    outcome = code[1:2]
    if outcome == "S":
        return Status.PARTIAL_FAILURE if code[2:].isdigit() and int(code[2:]) < 100 else Status.SUCCESS  # noqa: PLR2004 - per cent
    return Status.FAILURE if outcome in {"F", "E"} else None


def _name(rows: list[Row]) -> str | None:
    """The usual name of the launch, its working label, or its first payload."""
    row = rows[0]
    payloads = [one for one in rows if one.get("Type", "").startswith("P")] or [one for one in rows if "Piece" in one]
    payload = (_cell(payloads[0], "PLName") or _cell(payloads[0], "Name")) if payloads else None
    return _cell(row, "Mission") or _cell(row, "Flight") or payload


def _vehicle(row: Row) -> str | None:
    named, variant = _cell(row, "LV_Type"), _cell(row, "Variant")
    return f"{named} {variant}" if named and variant else named


def _cell(row: Row, name: str) -> str | None:
    value = row.get(name, "")
    return None if value in _EMPTY else value


SOURCE = Source(
    name=NAME,
    title="GCAT launch log",
    attribution="GCAT (CC-BY 4.0), J. McDowell, planet4589.org/space/gcat",
    base_url="https://planet4589.org/space/gcat/",
    rate="10/d",
    priority=60,
    pull=pull,
    parse=parse,
)
