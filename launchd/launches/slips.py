"""The slips of a launch, counted from the history of its NET. Pure.

A NET is an interval, so it slips when it begins after the end of the NET before: "April" that becomes "20 April" is no
slip, "20 April" that becomes "May" is one. The length of a slip is the smaller of the distances that the beginning and
the end moved. Less than a minute is a correction of a measured lift-off.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from launchd.clock import DAY, HOUR, MINUTE, Instant, parse_instant
from launchd.errors import InvalidError
from launchd.launches.dates import net_at
from launchd.launches.launch import HistoryRow, Net, Precision


class Slips(NamedTuple):
    """`later`: how often the NET slipped, by `total` microseconds in all; `earlier`: how often it was moved forward."""

    later: int
    total: int
    earlier: int

    def sentence(self) -> str:
        """The slips in words: "slipped 3 times, 11 days in all"."""
        if self.later == 0:
            return "has not slipped"
        times = {1: "once", 2: "twice"}.get(self.later, f"{self.later} times")
        return f"slipped {times}, {_duration(self.total)}{' in all' if self.later > 1 else ''}"


def slips(history: Sequence[HistoryRow], present: Net | None) -> Slips:
    """The slips in a history (oldest row first) that led to the present NET."""
    nets = [net for net in _nets(history, present) if net is not None]
    count = total = earlier = 0
    for by in (moved(before, after) for before, after in pairwise(nets)):
        if by > 0:
            count, total = count + 1, total + by
        elif by < 0:
            earlier += 1
    return Slips(count, total, earlier)


def moved(before: Net, after: Net) -> int:
    """The microseconds by which a NET slipped; negative if it was moved forward, 0 if it may be the same."""
    later = min(after.earliest - before.earliest, after.latest - before.latest)
    if after.earliest > before.latest and later >= MINUTE:
        return later
    sooner = before.latest - after.latest
    return -sooner if after.latest < before.earliest and sooner >= MINUTE else 0


def _nets(history: Sequence[HistoryRow], present: Net | None) -> list[Net | None]:
    """Every NET the launch had, oldest first: the history is undone from the present one backwards."""
    nets = [present]
    precision: str | None = present.precision.value if present else None
    instant = present.earliest if present else None
    rows = [row for row in history if row.field in {"net", "net_precision"}]
    for index in range(len(rows) - 1, -1, -1):
        row = rows[index]
        if row.field == "net":
            instant = None if row.old is None else _instant(row.old)
        else:
            precision = row.old
        # the rows of one moment are one change: a NET is complete once all of them are undone
        if index == 0 or rows[index - 1].seen_at != row.seen_at or rows[index - 1].field == row.field:
            nets.append(_net(instant, precision))
    return nets[::-1]


def _instant(text: str) -> Instant | None:
    try:
        return parse_instant(text)
    except InvalidError:  # a row of another program: that NET stays unknown
        return None


def _net(instant: Instant | None, precision: str | None) -> Net | None:
    if instant is None or precision is None:
        return None
    try:
        return net_at(instant, Precision(precision))
    except (InvalidError, ValueError):
        return None


def _duration(microseconds: int) -> str:
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if microseconds >= unit:
            count = round(microseconds / unit)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "less than a minute"
