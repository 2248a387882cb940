"""Payloads in the real formats, made from facts: the launches of November 2024, and launches set in the near future.

There are two editions. In the second one launch has slipped by eleven days and another was scrubbed.
"""

import json
import uuid
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, NamedTuple

from launchd.clock import format_instant
from launchd.launches.dates import parse_vague

_SPACEX, _CAPE, _CASC = "SpaceX", "Cape Canaveral SFS, FL, USA", "China Aerospace Science and Technology Corporation"
_PROVIDERS = {"SPX": _SPACEX, "CALT": _CASC, "SAST": _CASC, "RLABN": "Rocket Lab", "FKA": "Roscosmos"}
_SUCCESS, _GO, _TBD, _TBC = (
    (3, "Launch Successful"),
    (1, "Go for Launch"),
    (2, "To Be Determined"),
    (8, "To Be Confirmed"),
)
_MINUTE, _HOUR, _MONTH = 1, 2, 7


class Planned(NamedTuple):
    """An upcoming launch: its NET is `days` from now."""

    name: str
    provider: str
    pad: str
    place: str
    days: float
    precision: int = _MINUTE
    status: tuple[int, str] = _GO


UPCOMING = (
    Planned("Falcon 9 Block 5 | Starlink Group 10-10", _SPACEX, "Space Launch Complex 40", _CAPE, 0.4, _HOUR),
    Planned("Falcon 9 Block 5 | Hera", _SPACEX, "Space Launch Complex 40", _CAPE, 0.55),
    Planned("Vulcan VC2S | Certification Flight 2", "United Launch Alliance", "Space Launch Complex 41", _CAPE, 3.0),
    Planned("Falcon 9 Block 5 | OneWeb 20", _SPACEX, "Space Launch Complex 4E", "Vandenberg SFB, CA, USA", 6.2),
    Planned("Falcon Heavy | Europa Clipper", _SPACEX, "Launch Complex 39A", "Kennedy Space Center, FL, USA", 9.7),
    Planned(
        "H3-22 | DSN 3 (Kirameki 3)",
        "Mitsubishi Heavy Industries",
        "Yoshinobu Launch Complex LP-2",
        "Tanegashima Space Center, Japan",
        20.0,
        _MINUTE,
        _TBC,
    ),
    Planned("Ceres-1 | Unknown Payload", "Galactic Energy", "Launch Area 95A", "Jiuquan", 45.0, _MONTH, _TBD),
    Planned("Falcon 9 Block 5 | Dragon CRS-2 SpX-31", _SPACEX, "Space Launch Complex 40", _CAPE, 50.0, _MONTH, _TBD),
    Planned("Falcon 9 Block 5 | Koreasat 6A", _SPACEX, "Unknown Pad", _CAPE, 80.0, _MONTH, _TBD),
    Planned("Falcon 9 Block 5 | Sirius SXM-9", _SPACEX, "Unknown Pad", _CAPE, 80.0, _MONTH, _TBD),
)
SLIPPED, SCRUBBED = "Falcon Heavy | Europa Clipper", "Falcon 9 Block 5 | Hera"


def launchlog() -> bytes:
    """GCAT's launch log, `tsv/derived/launchlog.tsv`."""
    return resources.files("launchd.demo").joinpath("flown.tsv").read_bytes()


def upcoming(now: datetime, edition: int) -> bytes:
    """Launch Library's `launches/upcoming/`, first or second edition."""
    records = []
    for planned in UPCOMING:
        one = planned
        if edition > 1 and planned.name == SLIPPED:
            one = planned._replace(days=planned.days + 11)
        if edition > 1 and planned.name == SCRUBBED:
            one = planned._replace(days=planned.days + 1, status=_TBC)
        records.append(_record(one, _instant(now, one), one.name))
    return _page(records)


def previous() -> bytes:
    """Launch Library's `launches/previous/`: the launches of GCAT, in LL2's words and to the minute."""
    lines = [line.split("\t") for line in launchlog().decode().splitlines()]
    header = [name.lstrip("#") for name in lines[0]]
    records = []
    for cells in lines[2:]:
        row = dict(zip(header, cells, strict=True))
        vehicle = row["LV_Type"].replace("Chang Zheng", "Long March").replace("Lijian", "Kinetica")
        provider = _PROVIDERS.get(row["Agency"], row["Agency"])
        flown = Planned(f"{vehicle} | {row['Name']}", provider, row["Launch_Pad"], row["Launch_Site"], 0, 1, _SUCCESS)
        record = _record(
            flown, format_instant(parse_vague(row["Launch_Date"]).earliest)[:16] + ":00Z", row["Launch_Tag"]
        )
        is_cospar = row["Launch_Tag"][5:].isdigit()
        records.append(record | {"launch_designator": row["Launch_Tag"] if is_cospar else None})
    return _page(records)


def _instant(now: datetime, one: Planned) -> str:
    """The NET as Launch Library writes it: a month is put at its last day, 00:00Z."""
    at = (now + timedelta(days=one.days)).replace(second=0, microsecond=0)
    if one.precision == _MONTH:
        at = (at.replace(day=28) + timedelta(days=4)).replace(day=1, hour=0, minute=0) - timedelta(days=1)
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _record(one: Planned, net: str, key: str) -> dict[str, Any]:
    vehicle, _, mission = one.name.partition(" | ")
    known = mission != "Unknown Payload"
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"demo:{key}")),
        "name": one.name,
        "status": {"id": one.status[0], "name": one.status[1]},
        "net": net,
        "net_precision": {"id": one.precision},
        "window_start": net,
        "window_end": net,
        "launch_designator": None,
        "launch_service_provider": {"name": one.provider},
        "rocket": {"configuration": {"name": vehicle, "full_name": vehicle}},
        "mission": {"name": mission, "orbit": None} if known else None,
        "pad": {"name": one.pad, "latitude": None, "longitude": None, "location": {"name": one.place}},
    }


def _page(records: list[dict[str, Any]]) -> bytes:
    return json.dumps({"count": len(records), "next": None, "previous": None, "results": records}).encode()
