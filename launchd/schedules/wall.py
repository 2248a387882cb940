"""The matches of a cron expression in a local calendar, without time zones. Pure.

A wall second counts from 1970-01-01T00:00:00 of the local clock. Matching, stepping and counting are arithmetic: times
of a day are ranked; days are looked up by month, which its length and first weekday determine, so that each rule has at
most 28 kinds of months. A year of a per-second schedule is counted without walking, and the longest search takes one
step for each month.
"""

import calendar
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# 29 February falls on a given weekday every 28 years, or after 40 years across a century without a leap day.
SEARCH_YEARS = 40
# In `DayRule.nearest` and `DayRule.nth`: the last one of the month.
LAST = 0
_WEEK = 7
_SUNDAY, _SATURDAY = 0, 6
_MONTHS = 12
_LONGEST_MONTH = 31


class DayRule(NamedTuple):
    """The days that match. Weekdays count from Sunday = 0; an empty set of months means every month.

    Days of the month: `days` by number, `before_last` by distance from the last day, `nearest` the weekday (Monday to
    Friday) nearest to a day. Weekdays: `weekdays` all of them, `nth` (weekday, number) only that one of the month. If
    both kinds are restricted, one match is enough unless `both` is True.
    """

    days: frozenset[int] = frozenset()
    before_last: frozenset[int] = frozenset()
    nearest: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()
    both: bool = False

    @property
    def by_day(self) -> bool:
        """True if days of the month are restricted."""
        return bool(self.days or self.before_last or self.nearest)

    @property
    def by_weekday(self) -> bool:
        """True if weekdays are restricted."""
        return bool(self.weekdays or self.nth)

    @property
    def every_day(self) -> bool:
        """True if every day matches."""
        return not (self.months or self.by_day or self.by_weekday)

    def days_of(self, month: int) -> tuple[int, ...]:
        """The matching days of a month, ascending; `month` counts from January of year 0."""
        year, index = divmod(month, _MONTHS)
        if self.months and index + 1 not in self.months:
            return ()
        first, length = calendar.monthrange(year, index + 1)
        return _days_of(self, length, (first + 1) % _WEEK)


@dataclass(frozen=True, slots=True)
class WallPattern:
    """The wall seconds that match: every combination of hour, minute and second on each matching day."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    rule: DayRule

    def next(self, wall: int, limit: int) -> int | None:
        """The first match in [wall, limit), or None."""
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
        """The last match in [limit, wall], or None."""
        day, second = divmod(wall, DAY_SECONDS)
        rank = self._rank(second + 1) if self._is_day(day) else 0
        if rank == 0:
            before = self._previous_day(day - 1, limit // DAY_SECONDS)
            if before is None:
                return None
            day, rank = before, self._per_day
        match = day * DAY_SECONDS + self._at(rank - 1)
        return match if match >= limit else None

    def count(self, start: int, end: int) -> int:
        """The number of matches in [start, end)."""
        if end <= start:
            return 0
        first, last = start // DAY_SECONDS, (end - 1) // DAY_SECONDS
        head, tail = self._rank(start - first * DAY_SECONDS), self._rank(end - last * DAY_SECONDS)
        if first == last:
            return tail - head if self._is_day(first) else 0
        edges = (self._per_day - head if self._is_day(first) else 0) + (tail if self._is_day(last) else 0)
        return self._count_days(first + 1, last) * self._per_day + edges

    # --- a day ---

    @property
    def _per_day(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    @property
    def _first(self) -> int:
        return self.hours[0] * 3600 + self.minutes[0] * 60 + self.seconds[0]

    def _rank(self, second: int) -> int:
        """The number of matches of a day before its `second`."""
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
        """The second of the day of match number `rank`, counted from 0."""
        rest, second = divmod(rank, len(self.seconds))
        hour, minute = divmod(rest, len(self.minutes))
        return self.hours[hour] * 3600 + self.minutes[minute] * 60 + self.seconds[second]

    def _next_in_day(self, second: int) -> int | None:
        rank = self._rank(second)
        return self._at(rank) if rank < self._per_day else None

    # --- days, counted from 1 January 1970; one step for each month ---

    def _is_day(self, day: int) -> bool:
        if self.rule.every_day:
            return True
        month, number = _month_of(day)
        return number in self.rule.days_of(month)

    def _next_day(self, day: int, last: int) -> int | None:
        """The first matching day in [day, last], or None."""
        if day > last:
            return None
        (month, number), (final, _) = _month_of(day), _month_of(last)
        while month <= final:
            days = self.rule.days_of(month)
            index = bisect_left(days, number)
            if index < len(days):
                found = _start_of(month) + days[index] - 1
                return found if found <= last else None
            month, number = month + 1, 1
        return None

    def _previous_day(self, day: int, first: int) -> int | None:
        """The last matching day in [first, day], or None."""
        if day < first:
            return None
        (month, number), (final, _) = _month_of(day), _month_of(first)
        while month >= final:
            days = self.rule.days_of(month)
            index = bisect_right(days, number)
            if index > 0:
                found = _start_of(month) + days[index - 1] - 1
                return found if found >= first else None
            month, number = month - 1, _LONGEST_MONTH
        return None

    def _count_days(self, first: int, end: int) -> int:
        """The number of matching days in [first, end)."""
        if self.rule.every_day or end <= first:
            return max(end - first, 0)
        (month, number), (final, until) = _month_of(first), _month_of(end)
        whole = sum(len(self.rule.days_of(one)) for one in range(month, final))
        return whole - bisect_left(self.rule.days_of(month), number) + bisect_left(self.rule.days_of(final), until)


@lru_cache(maxsize=16_384)
def _days_of(rule: DayRule, length: int, first: int) -> tuple[int, ...]:
    """The matching days of a month with `length` days whose first day is the weekday `first`."""
    month = range(1, length + 1)
    near = {_nearest_weekday(day or length, length, first) for day in rule.nearest if day <= length}
    by_day = {day for day in month if day in rule.days or length - day in rule.before_last or day in near}
    by_weekday = {day for day in month if _is_weekday(rule, day, length, (first + day - 1) % _WEEK)}
    if not (rule.by_day and rule.by_weekday):
        return tuple(sorted(by_day | by_weekday)) if rule.by_day or rule.by_weekday else tuple(month)
    return tuple(sorted(by_day & by_weekday if rule.both else by_day | by_weekday))


def _is_weekday(rule: DayRule, day: int, length: int, weekday: int) -> bool:
    number = (day - 1) // _WEEK + 1
    is_last = day + _WEEK > length
    return weekday in rule.weekdays or (weekday, number) in rule.nth or (is_last and (weekday, LAST) in rule.nth)


def _nearest_weekday(day: int, length: int, first: int) -> int:
    """The day of the same month, Monday to Friday, that is nearest to `day`."""
    weekday = (first + day - 1) % _WEEK
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < length else day - 2
    return day


def _month_of(day: int) -> tuple[int, int]:
    """The month (counted from January of year 0) and the day of the month."""
    found = date.fromordinal(day + _EPOCH_ORDINAL)
    return found.year * _MONTHS + found.month - 1, found.day


def _start_of(month: int) -> int:
    year, index = divmod(month, _MONTHS)
    return date(year, index + 1, 1).toordinal() - _EPOCH_ORDINAL


def _holds(values: Sequence[int], index: int, value: int) -> bool:
    return index < len(values) and values[index] == value
