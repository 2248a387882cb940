"""The NETs of a launch at each moment of its history. Pure.

The history keeps the first instant of a NET and its precision in rows of their own, and only those that have changed:
a slip from one quarter to the next changes the instant alone. So the NETs are found by undoing the history from the
present one backwards.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from launchd.clock import Instant, format_instant, parse_instant
from launchd.errors import InvalidError
from launchd.launches.dates import net_from
from launchd.launches.launch import HistoryRow, Net, Precision


class NetMove(NamedTuple):
    """A change of a NET; None means that the launch had no NET, or one that cannot be read."""

    before: Net | None
    after: Net | None


class _Shown(NamedTuple):
    """A NET as the history shows it: the texts of its first instant and of its precision."""

    net: str | None
    net_precision: str | None


def net_moves(history: Sequence[HistoryRow], present: Net | None) -> dict[Instant, NetMove]:
    """Each change of the NET by its moment; `history` has the oldest row first and led to the `present` NET."""
    rows = [row for row in history if row.field in _Shown._fields]
    found: dict[Instant, NetMove] = {}
    after, shown = present, _Shown(None, None)
    if present is not None:
        shown = _Shown(format_instant(present.earliest), present.precision.value)
    for at, group in groupby(reversed(rows), key=attrgetter("seen_at")):
        of_moment = list(group)
        said = shown._replace(**{row.field: row.new for row in reversed(of_moment)})
        if said != shown:  # later rows are missing
            after, shown = _net(said), said
        for row in of_moment:
            shown = shown._replace(**{row.field: row.old})
        before = _net(shown)
        found[at] = NetMove(before, after)
        after = before
    return found


def _net(shown: _Shown) -> Net | None:
    if shown.net is None or shown.net_precision is None:
        return None
    try:
        return net_from(parse_instant(shown.net), Precision(shown.net_precision))
    except (InvalidError, ValueError):  # a row of another program: that NET stays unknown
        return None
