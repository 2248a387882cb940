"""A time zone as pieces of constant offset from UTC, by the IANA database (zoneinfo). Pure.

Instants are microseconds UTC; wall seconds count from 1970-01-01T00:00:00 of the local clock, as if it were UTC;
offsets are whole seconds east of UTC.
"""

from calendar import isleap, weekday
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from launchd.clock import DAY, SECOND, Instant, from_datetime, to_datetime
from launchd.errors import InvalidError

LAST_YEAR = 9998
_FIRST_YEAR = 2
# tzdata lists single changes up to 2087 (Morocco). Later years follow rules by weekday alone, so a year is like any
# other with as many days that begins on the same weekday; 28 consecutive years have all fourteen kinds.
_BY_RULE = range(2101, 2129)


class Piece(NamedTuple):
    """The real time [start, end) in which the local clock is `offset` seconds ahead of UTC.

    `before` and `after` are the offsets of the pieces before and after; they equal `offset` if the piece begins or ends
    at a new year and not at a clock change.
    """

    start: Instant
    end: Instant
    before: int
    offset: int
    after: int


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The zone with an IANA name; raises InvalidError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"no such zone as {name!r}; expected an IANA name such as Europe/Berlin"
        raise InvalidError.at("timezone", message) from error


def offset_at(name: str, instant: Instant) -> int:
    """The seconds that the local clock is ahead of UTC at an instant."""
    if name == "UTC":
        return 0
    offset = to_datetime(instant).astimezone(zone(name)).utcoffset() or timedelta()
    return offset // timedelta(seconds=1)


def pieces(name: str, instant: Instant) -> Iterator[Piece]:
    """The pieces from the one that holds `instant` on, to the end of the calendar."""
    for year in range(_year(instant), LAST_YEAR + 1):
        for piece in _pieces_of(name, year):
            if piece.end > instant:
                yield piece


def pieces_back(name: str, instant: Instant) -> Iterator[Piece]:
    """The pieces from the one that holds `instant` back, to the beginning of the calendar."""
    for year in range(_year(instant), _FIRST_YEAR - 1, -1):
        for piece in reversed(_pieces_of(name, year)):
            if piece.start <= instant:
                yield piece


@lru_cache(maxsize=4096)
def _pieces_of(name: str, year: int) -> tuple[Piece, ...]:
    """The pieces of a year of UTC. Two changes within one day would count as one; no zone has such days."""
    if year >= _BY_RULE.stop:
        alike = next(one for one in _BY_RULE if _kind_of(one) == _kind_of(year))
        ahead = _new_year(year) - _new_year(alike)
        return tuple(one._replace(start=one.start + ahead, end=one.end + ahead) for one in _pieces_of(name, alike))
    day, end = _new_year(year), _new_year(year + 1)
    before = offset_at(name, day - 1)
    starts = [(day, offset_at(name, day))]
    while day < end:
        following = min(day + DAY, end)
        offset = offset_at(name, following - 1)
        if offset != starts[-1][1]:
            starts.append((_change(name, day - SECOND, following - 1), offset))
        day = following
    bounds = [start for start, _ in starts] + [end]
    offsets = [before] + [offset for _, offset in starts] + [offset_at(name, end)]
    return tuple(Piece(bounds[index], bounds[index + 1], *offsets[index : index + 3]) for index in range(len(starts)))


def _kind_of(year: int) -> tuple[bool, int]:
    """(True for a leap year, the weekday of 1 January): years of one kind have the same calendar."""
    return isleap(year), weekday(year, 1, 1)


def _change(name: str, low: Instant, high: Instant) -> Instant:
    """The first instant with the offset of `high`, which differs from that of `low`; changes fall on whole seconds."""
    wanted = offset_at(name, high)
    low, high = low // SECOND, high // SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(name, middle * SECOND) == wanted:
            high = middle
        else:
            low = middle
    return high * SECOND


def _year(instant: Instant) -> int:
    return min(max(to_datetime(instant).year, _FIRST_YEAR), LAST_YEAR)


def _new_year(year: int) -> Instant:
    return from_datetime(datetime(year, 1, 1, tzinfo=UTC))
