"""Periods and vague dates such as "April", "Q3 2026" or "1957 Oct  4 1928:34", as intervals. Pure, UTC.

Sources put a vague date at either end of its period, so a period is found from any instant inside it.
"""

import re
from datetime import UTC, datetime, timedelta

from launchd.clock import DAY, HOUR, MINUTE, SECOND, Instant, from_datetime, to_datetime
from launchd.errors import InvalidError
from launchd.launches.launch import Net, Precision

# No launch lies outside these years; a date that does is a mistake of its source.
FIRST_YEAR, LAST_YEAR = 1900, 2199

# These give a time of day; of a vaguer NET the time of day means nothing.
TIMED = frozenset({Precision.SECOND, Precision.MINUTE, Precision.HOUR})

_CLOCK_UNITS = {Precision.SECOND: SECOND, Precision.MINUTE: MINUTE, Precision.HOUR: HOUR, Precision.DAY: DAY}
_MONTHS_IN = {Precision.MONTH: 1, Precision.QUARTER: 3, Precision.HALF: 6, Precision.YEAR: 12, Precision.DECADE: 120}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_VAGUE = re.compile(
    r"(?P<year>\d{4})(?P<decade>s)?"
    r"(?: +(?:Q(?P<quarter>[1-4])|(?P<month>[A-Za-z]{3})"
    r"(?: +(?P<day>\d{1,2})(?: +(?P<hour>\d{2})(?:h|(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?))?)?))?"
    r" *-? *(?P<doubt>\??)"
)


def net_at(instant: Instant, precision: Precision) -> Net:
    """The period of this precision that holds the instant; weeks start on Monday (ISO 8601).

    Raises InvalidError outside the years 1900 to 2199.
    """
    moment = _moment(instant)
    unit = _CLOCK_UNITS.get(precision)
    if unit is not None:
        start = instant // unit * unit
        return Net(start, start + unit - 1, precision)
    if precision is Precision.WEEK:
        monday = instant // DAY * DAY - moment.weekday() * DAY
        return Net(monday, monday + 7 * DAY - 1, precision)
    return _months(moment.year, moment.month, precision)


def net_from(instant: Instant, precision: Precision) -> Net:
    """The NET a source states as an instant with a precision.

    A timed NET starts as stated ("21:30, to the hour" is 21:30:00 to 22:29:59.999999). A vaguer NET is the period that
    holds the instant, at whichever end of it the instant lies. Raises InvalidError as `net_at` does.
    """
    period = net_at(instant, precision)
    length = period.latest - period.earliest
    return Net(instant, instant + length, precision) if precision in TIMED else period


def utc_date(year: int, month: int = 1, day: int = 1) -> datetime:
    """The start of a day, UTC; raises InvalidError unless it is a day of the years 1900 to 2199."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise InvalidError(f"a launch date must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidError(f"there is no such date: {error}") from error


def parse_vague(text: str) -> Net:
    """A GCAT Vague Date as an interval; raises InvalidError for any other text.

    Forms (https://planet4589.org/space/gcat/web/intro/vague.html): `1957 Oct  4 1928:34`, `... 1928`, `... 19h`,
    `1958 Jul 25`, `1992 Jul`, `2009 Q1`, `1968`, `1960s`. A trailing `?` puts the last unit in doubt: the
    interval is widened by one such unit at each end.
    """
    match = _VAGUE.fullmatch(text.strip())
    if match is None:
        raise InvalidError(f"{text!r} is not a vague date such as '1992 Jul' or '1957 Oct  4 1928:34'")
    precision = _precision(match)
    net = net_at(_start(match, text), precision)
    if not match["doubt"]:
        return net
    before, after = net_at(net.earliest - 1, precision), net_at(net.latest + 1, precision)
    return Net(before.earliest, after.latest, precision)


def _precision(match: re.Match[str]) -> Precision:
    """The precision of the finest part that is given."""
    if match["decade"]:
        return Precision.DECADE
    finest_first = (
        ("second", Precision.SECOND),
        ("minute", Precision.MINUTE),
        ("hour", Precision.HOUR),
        ("day", Precision.DAY),
        ("month", Precision.MONTH),
        ("quarter", Precision.QUARTER),
    )
    return next((precision for part, precision in finest_first if match[part]), Precision.YEAR)


def _start(match: re.Match[str], text: str) -> Instant:
    month = 1
    if match["quarter"]:
        month = 3 * int(match["quarter"]) - 2
    elif match["month"]:
        month = _MONTHS.get(match["month"].lower(), 0)
    try:
        moment = datetime(int(match["year"]), month, int(match["day"] or 1), tzinfo=UTC)
        # some sources write 24:00 or a leap second: they belong to the next day or minute
        moment += timedelta(
            hours=int(match["hour"] or 0), minutes=int(match["minute"] or 0), seconds=int(match["second"] or 0)
        )
    except (ValueError, OverflowError) as error:  # a 31 June; the hour 99 of the last day there is
        raise InvalidError(f"{text!r}: {error}") from error
    return from_datetime(moment)


def _months(year: int, month: int, precision: Precision) -> Net:
    length = _MONTHS_IN[precision]
    decade = precision is Precision.DECADE
    first = year // 10 * 120 if decade else year * 12 + (month - 1) // length * length
    return Net(_month_start(first), _month_start(first + length) - 1, precision)


def _month_start(count: int) -> Instant:
    """The first instant of the month that is `count` months after the year 0."""
    return from_datetime(datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC))


def _moment(instant: Instant) -> datetime:
    moment = to_datetime(instant)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InvalidError(f"a launch date must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment
