"""Small payloads in the formats of the sources, and the paths where a test lays them out."""

import json
from typing import Any

UPCOMING, PREVIOUS = "/ll/launches/upcoming/", "/ll/launches/previous/"
LOG = "/gcat/tsv/derived/launchlog.tsv"
HEADER = "#Launch_Tag\tLaunch_Date\tPiece\tType\tName\tPLName\tLV_Type\tLaunch_Site\tLaunch_Pad\tAgency\tLaunch_Code"


def ll2(name: str, net: str, *, key: str = "id-1", status: int = 1, precision: int = 1, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "id": key,
        "name": name,
        "net": net,
        "status": {"id": status, "name": f"status {status}"},
        "net_precision": {"id": precision},
        "launch_service_provider": {"name": "SpaceX"},
        "rocket": {"configuration": {"full_name": name.partition(" | ")[0]}},
        "pad": None,
        **more,
    }


def page(*records: Any) -> bytes:  # noqa: ANN401 - good and bad JSON
    return json.dumps({"count": len(records), "next": None, "previous": None, "results": records}).encode()


def gcat(*rows: str) -> bytes:
    return "\n".join([HEADER, "# Updated 2026 Jan 01", *rows, ""]).encode()


FLOWN_ROW = "2026-001 \t2026 Jan  4 1200:30\t2026-001A\tP\tStarlink 9001\tStarlink\tFalcon 9\tCC\tLC40\tSPX\tOS"
