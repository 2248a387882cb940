"""The slips of a launch in numbers and words, and the distance by which a NET moved. Pure.

A NET is an interval, so it slips when it begins after the end of the NET before: "April" that becomes "20 April" is no
slip, "20 April" that becomes "May" is one. The length of a slip is the smaller of the distances that the beginning and
the end moved. Less than a minute is a correction of a measured lift-off. The slip ledger (launches/slip_ledger.py) says
which moves count.
"""

from typing import NamedTuple

from launchd.clock import DAY, HOUR, MINUTE
from launchd.launches.launch import Net


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


NONE = Slips(0, 0, 0)


def moved(before: Net, after: Net) -> int:
    """The microseconds by which a NET slipped; negative if it was moved forward, 0 if it may be the same."""
    later = min(after.earliest - before.earliest, after.latest - before.latest)
    if after.earliest > before.latest and later >= MINUTE:
        return later
    sooner = before.latest - after.latest
    return -sooner if after.latest < before.earliest and sooner >= MINUTE else 0


def _duration(microseconds: int) -> str:
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if microseconds >= unit:
            count = round(microseconds / unit)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "less than a minute"
