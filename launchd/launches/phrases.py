"""Launch data as a person would say it: "Q4 2029", "slipped from Q3 2029 to Q4 2029". English, UTC. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

from launchd.clock import Instant, parse_instant, to_datetime
from launchd.errors import InvalidError
from launchd.launches.dates import TIMED, net_at
from launchd.launches.launch import HistoryRow, LaunchStatus, Net, Precision
from launchd.launches.net_history import NetMove
from launchd.launches.slips import moved

# A longer value of a source is cut.
_LONGEST = 120
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_STATUS = {
    LaunchStatus.GO: "go for launch",
    LaunchStatus.TBC: "date to be confirmed",
    LaunchStatus.TBD: "date to be determined",
    LaunchStatus.HOLD: "on hold",
    LaunchStatus.IN_FLIGHT: "in flight",
    LaunchStatus.SUCCESS: "successful",
    LaunchStatus.PARTIAL_FAILURE: "a partial failure",
    LaunchStatus.FAILURE: "a failure",
    LaunchStatus.CANCELLED: "cancelled",
}
_BECAME = {
    LaunchStatus.GO: "is go for launch",
    LaunchStatus.TBC: "has a date that is to be confirmed",
    LaunchStatus.TBD: "has a date that is to be determined",
    LaunchStatus.HOLD: "is on hold",
    LaunchStatus.IN_FLIGHT: "lifted off",
    LaunchStatus.SUCCESS: "was a success",
    LaunchStatus.PARTIAL_FAILURE: "was a partial failure",
    LaunchStatus.FAILURE: "was a failure",
    LaunchStatus.CANCELLED: "was cancelled",
}
_NET_FIELDS = frozenset({"net", "net_precision"})
# The rows of one moment that matter most come first; all others keep their order.
_FIRST = ("net", "net_precision", "status", "name")


def net_phrase(net: Net) -> str:
    """A NET to its precision: "20 April 2027, 10:00 UTC", "April 2027", "Q3 2029"; never more than is known."""
    start = to_datetime(net.earliest)
    if net.precision in TIMED:
        return instant_phrase(net.earliest, net.precision)
    try:
        period = net_at(net.earliest, net.precision)
    except InvalidError:  # a stored row of another program, in the year 3000
        period = net
    if (period.earliest, period.latest) == (net.earliest, net.latest):
        return _PERIODS[net.precision](start)
    first, last = day_phrase(start.date()), day_phrase(to_datetime(net.latest).date())
    return first if first == last else f"between {first} and {last}"


def instant_phrase(instant: Instant, precision: Precision = Precision.MINUTE) -> str:
    """A time in UTC: "20 April 2027, 10:00 UTC"; seconds only where they are known."""
    moment = to_datetime(instant)
    clock = f"{moment:%H:%M:%S}" if precision is Precision.SECOND else f"{moment:%H:%M}"
    return f"{day_phrase(moment.date())}, {'about ' if precision is Precision.HOUR else ''}{clock} UTC"


def day_phrase(day: date) -> str:
    """A day: "20 April 2027"."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


_PERIODS: Mapping[Precision, Callable[[datetime], str]] = {
    Precision.DAY: day_phrase,
    Precision.WEEK: lambda start: f"the week of {day_phrase(start)}",
    Precision.MONTH: lambda start: f"{_MONTHS[start.month - 1]} {start.year}",
    Precision.QUARTER: lambda start: f"Q{(start.month + 2) // 3} {start.year}",
    Precision.HALF: lambda start: f"the {'first' if start.month == 1 else 'second'} half of {start.year}",
    Precision.YEAR: lambda start: str(start.year),
    Precision.DECADE: lambda start: f"the {start.year}s",
}


def status_phrase(status: LaunchStatus) -> str:
    """A status: "go for launch", "on hold"."""
    return _STATUS[status]


def change_phrases(rows: Sequence[HistoryRow], move: NetMove | None) -> Iterator[tuple[HistoryRow, str]]:
    """The changes of a launch at one moment in words, the most important first, each with its row.

    `move` is the change of its NET at that moment; the rows of the NET are said together.
    """
    dated = False
    for row in sorted(rows, key=_importance):
        if row.field not in _NET_FIELDS:
            yield row, _field_phrase(row)
        elif not dated:
            dated = True
            yield row, move_phrase(move)


def move_phrase(move: NetMove | None) -> str:
    """A change of a NET: "slipped from Q3 2029 to Q4 2029"."""
    before, after = move or NetMove(None, None)
    if before is not None and after is not None:
        return _between(before, after)
    if after is not None:
        return f"is expected {_no_earlier(after)}"
    return "has another date" if before is None else f"has no date any more (it was {net_phrase(before)})"


def _between(before: Net, after: Net) -> str:
    old, new, by = net_phrase(before), net_phrase(after), moved(before, after)
    if old == new:
        return f"is still expected {_no_earlier(after)}"
    if by:
        return f"slipped from {old} to {new}" if by > 0 else f"was brought forward from {old} to {new}"
    longer = _length(after) - _length(before)
    if longer:
        return f"has a {'less' if longer > 0 else 'more'} exact date: {new} (it was {old})"
    return f"had its date corrected from {old} to {new}"


def _no_earlier(net: Net) -> str:
    said = net_phrase(net)
    if net.precision in {*TIMED, Precision.DAY}:
        return f"no earlier than {said}"
    return said if said.startswith("between ") else f"in {said}"


def _length(net: Net) -> int:
    return net.latest - net.earliest


def _importance(row: HistoryRow) -> int:
    return _FIRST.index(row.field) if row.field in _FIRST else len(_FIRST)


def _field_phrase(row: HistoryRow) -> str:
    special = _SPECIAL.get(row.field)
    if special is not None:
        return special(row)
    field = row.field.replace("_", " ")
    if row.old is None:
        return f"now has the {field} {_said(row.new)}"
    if row.new is None:
        return f"has no {field} any more (it was {_said(row.old)})"
    return f"changed its {field} from {_said(row.old)} to {_said(row.new)}"


def _name_change(row: HistoryRow) -> str:
    return f"is now named {_said(row.new)} (it was {_said(row.old)})"


def _status_change(row: HistoryRow) -> str:
    return _BECAME[LaunchStatus(row.new)] if row.new in set(LaunchStatus) else "has no status any more"


def _window_change(row: HistoryRow) -> str:
    verb = "opens" if row.field == "window_start" else "closes"
    try:
        return f"has a window that {verb} on {instant_phrase(parse_instant(row.new or ''))}"
    except InvalidError:
        return f"has no known time any more at which its window {verb}"


_SPECIAL: Mapping[str, Callable[[HistoryRow], str]] = {
    "status": _status_change,
    "name": _name_change,
    "window_start": _window_change,
    "window_end": _window_change,
    "urls": lambda _row: "has other links",
}


def _said(text: str | None) -> str:
    one = " ".join((text or "unknown").split())
    return one if len(one) <= _LONGEST else f"{one[: _LONGEST - 3]}..."
