"""What a cron expression says of a wall clock: which seconds of a local calendar match. Pure, and knows no zones.

croniter reads the expression (`croniter.expand`); matching, stepping and counting are arithmetic on wall seconds, so
that a year of a per-second schedule is counted, never walked.
"""

import calendar
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal() - _EPOCH_ORDINAL
_FIRST_DAY = date.min.toordinal() - _EPOCH_ORDINAL
# 29 February falls on a given weekday every 28 years, or after 40 where a century has no leap day.
SEARCH_YEARS = 40
LAST = "l"


class DayRule(NamedTuple):
    """Which days match. An empty set stands for every day, month or weekday; weekdays count from Sunday = 0.

    With both days and weekdays, either is enough. `nth` says which ones of a weekday in the month ("l" is the last).
    """

    days: frozenset[int]
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth: Mapping[int, frozenset[int | str]]

    def matches(self, day: date) -> bool:
        """Whether a day matches."""
        if self.months and day.month not in self.months:
            return False
        by_day, by_weekday = bool(self.days or self.last_day), bool(self.weekdays)
        if by_day and self._day(day):
            return True
        if by_weekday and self._weekday(day):
            return True
        return not by_day and not by_weekday

    def _day(self, day: date) -> bool:
        return day.day in self.days or (self.last_day and day.day == _month_length(day))

    def _weekday(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        if weekday not in self.weekdays:
            return False
        wanted = self.nth.get(weekday)
        if wanted is None:
            return True
        return (day.day - 1) // 7 + 1 in wanted or (LAST in wanted and day.day + 7 > _month_length(day))


@dataclass(frozen=True, slots=True)
class WallPattern:
    """The wall seconds that match: every combination of an hour, a minute and a second on a day that matches."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    rule: DayRule

    def next(self, wall: int, limit: int) -> int | None:
        """The first match at `wall` or later, before `limit`."""
        day, second = divmod(wall, DAY_SECONDS)
        found = self._next_in_day(second) if self._is_day(day) else None
        if found is None:
            following = self._next_day(day + 1, (limit - 1) // DAY_SECONDS)
            if following is None:
                return None
            day, found = following, self._first
        match = day * DAY_SECONDS + found
        return match if match < limit else None

    def previous(self, wall: int, limit: int) -> int | None:
        """The last match at `wall` or earlier, not before `limit`."""
        day, second = divmod(wall, DAY_SECONDS)
        rank = self._rank(second + 1) if self._is_day(day) else 0
        if rank == 0:
            day -= 1
            while day >= limit // DAY_SECONDS and not self._is_day(day):
                day -= 1
            rank = self._per_day
        match = day * DAY_SECONDS + self._at(rank - 1)
        return match if match >= limit else None

    def count(self, start: int, end: int) -> int:
        """How many matches there are in [start, end)."""
        if end <= start:
            return 0
        first, last = start // DAY_SECONDS, (end - 1) // DAY_SECONDS
        days = sum(1 for day in range(first + 1, last) if self._is_day(day))
        head, tail = self._rank(start - first * DAY_SECONDS), self._rank(end - last * DAY_SECONDS)
        if first == last:
            return tail - head if self._is_day(first) else 0
        edges = (self._per_day - head if self._is_day(first) else 0) + (tail if self._is_day(last) else 0)
        return days * self._per_day + edges

    # --- a day ---

    @property
    def _per_day(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    @property
    def _first(self) -> int:
        return self.hours[0] * 3600 + self.minutes[0] * 60 + self.seconds[0]

    def _rank(self, second: int) -> int:
        """How many matches of a day come before its `second`."""
        hour, rest = divmod(second, 3600)
        minute, left = divmod(rest, 60)
        hours, minutes = bisect_left(self.hours, hour), bisect_left(self.minutes, minute)
        rank = hours * len(self.minutes) * len(self.seconds)
        if _holds(self.hours, hours, hour):
            rank += minutes * len(self.seconds)
            if _holds(self.minutes, minutes, minute):
                rank += bisect_left(self.seconds, left)
        return rank

    def _at(self, rank: int) -> int:
        """The second of the day of its match number `rank`, from 0."""
        rest, second = divmod(rank, len(self.seconds))
        hour, minute = divmod(rest, len(self.minutes))
        return self.hours[hour] * 3600 + self.minutes[minute] * 60 + self.seconds[second]

    def _next_in_day(self, second: int) -> int | None:
        rank = self._rank(second)
        return self._at(rank) if rank < self._per_day else None

    # --- days ---

    def _is_day(self, day: int) -> bool:
        rule = self.rule
        if not (rule.months or rule.days or rule.weekdays or rule.last_day):
            return True
        return _FIRST_DAY <= day <= _LAST_DAY and rule.matches(date.fromordinal(day + _EPOCH_ORDINAL))

    def _next_day(self, day: int, last: int) -> int | None:
        """The first day that matches from `day` to `last`; whole months that cannot match are passed over."""
        while day <= min(last, _LAST_DAY):
            if self._is_day(day):
                return day
            given = date.fromordinal(day + _EPOCH_ORDINAL)
            skips = self.rule.months and given.month not in self.rule.months
            day += _month_length(given) - given.day + 1 if skips else 1
        return None


def read_pattern(
    expanded: Sequence[Sequence[int | str]], nth: Mapping[int, AbstractSet[int | str]], *, seconds: bool
) -> WallPattern:
    """The pattern of what `croniter.expand` gives: minute, hour, day, month, weekday and, with `seconds`, second."""
    minute, hour, day, month, weekday = expanded[:5]
    rule = DayRule(
        days=frozenset(one for one in day if isinstance(one, int)),
        last_day=LAST in day,
        months=frozenset(one for one in month if isinstance(one, int)),
        weekdays=frozenset(one % 7 for one in weekday if isinstance(one, int)),
        nth={one % 7: frozenset(wanted) for one, wanted in nth.items()},
    )
    second = _values(expanded[5], 60) if seconds else (0,)
    return WallPattern(_values(hour, 24), _values(minute, 60), second, rule)


def _values(field: Sequence[int | str], size: int) -> tuple[int, ...]:
    numbers = sorted({one for one in field if isinstance(one, int)})
    return tuple(numbers) if numbers else tuple(range(size))


def _holds(values: Sequence[int], index: int, value: int) -> bool:
    return index < len(values) and values[index] == value


def _month_length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]
