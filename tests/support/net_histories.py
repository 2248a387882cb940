"""The recorded changes of launches, one JSON object a line, as records of one launch and the times they were seen."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from launchd.clock import Instant, parse_instant
from launchd.launches.dates import net_from
from launchd.launches.launch import Launch, LaunchStatus, Precision

_PRECISIONS = {
    "SEC": "second",
    "MIN": "minute",
    "HR": "hour",
    "DAY": "day",
    "WK": "week",
    "M": "month",
    "Y": "year",
    **dict.fromkeys(("Q1", "Q2", "Q3", "Q4"), "quarter"),
    **dict.fromkeys(("H1", "H2"), "half"),
}
_STATUSES = {
    **dict.fromkeys(("Go", "Go for Launch"), LaunchStatus.GO),
    **dict.fromkeys(("TBC", "To Be Confirmed"), LaunchStatus.TBC),
    **dict.fromkeys(("TBD", "To Be Determined"), LaunchStatus.TBD),
    **dict.fromkeys(("Hold", "On Hold"), LaunchStatus.HOLD),
    **dict.fromkeys(("In Flight", "Launch in Flight"), LaunchStatus.IN_FLIGHT),
    **dict.fromkeys(("Success", "Launch Successful", "Payload Deployed", "Deployed"), LaunchStatus.SUCCESS),
    **dict.fromkeys(("Failure", "Launch Failure"), LaunchStatus.FAILURE),
    **dict.fromkeys(("Partial Failure", "Launch was a Partial Failure"), LaunchStatus.PARTIAL_FAILURE),
}


def histories(root: Path) -> Iterator[list[tuple[Instant, Launch]]]:
    """The history of each launch of each file under `root`, oldest state first."""
    for path in sorted(root.glob("*.jsonl")):
        found: dict[str, list[tuple[Instant, Launch]]] = defaultdict(list)
        for line in path.read_text("utf-8").splitlines():
            one = json.loads(line)
            midnight = one["net"].endswith("T00:00:00Z")  # without a precision it is no time of day
            precision = Precision(_PRECISIONS[one["net_precision"] or ("DAY" if midnight else "MIN")])
            net, status = net_from(parse_instant(one["net"]), precision), _STATUSES[one["status"]]
            launch = Launch(id=one["id"], name=one["name"], net=net, status=status)
            found[one["id"]].append((parse_instant(one["seen"]), launch))
        yield from found.values()
