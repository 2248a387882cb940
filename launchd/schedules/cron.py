"""A cron expression in a time zone: next, previous and count of its occurrences. Pure.

The fields are those of crontab(5), with the extensions of launchd/schedules/fields.py. croniter reads the expression;
time zones and clock changes are launchd's own, by the rules of Debian's cron (cron(8), "daylight saving time"):

- An *interval* expression follows real time: it fires in both copies of a repeated hour, and never in an hour that is
  left out. Its minute or hour field, or one part of such a list, begins with `*`.
- Any other expression is *fixed*. All its times in a gap happen once, together, at the end of the gap (`DstGap.SHIFT`)
  or not at all (`SKIP`). A repeated time happens at the first copy, the last, or both (`DstFold`).
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from croniter import CroniterError

from launchd.clock import DAY, SECOND, Instant
from launchd.errors import InvalidError
from launchd.schedules import words
from launchd.schedules.dialects import ALIASES, EXAMPLE, suggest_line
from launchd.schedules.guard import FIELD_COUNTS, CronReading, read_expression
from launchd.schedules.wall import SEARCH_YEARS, WallPattern
from launchd.schedules.zones import Piece, pieces, pieces_back, zone

__all__ = ["ALIASES", "Cron", "DayMatch", "DstFold", "DstGap", "parse_cron"]

_SEARCH = SEARCH_YEARS * 366 * DAY
# The longest expression: a list of all sixty minutes has 169 characters.
_LONGEST = 1000


class DstGap(StrEnum):
    """The policy for fixed times that a clock change leaves out."""

    SHIFT = "shift"
    SKIP = "skip"


class DstFold(StrEnum):
    """The copy of a repeated fixed time at which the schedule fires."""

    FIRST = "first"
    LAST = "last"
    BOTH = "both"


class DayMatch(StrEnum):
    """The rule if day of month and weekday are both restricted: one must match (OR, as in crontab(5)), or both."""

    OR = "or"
    AND = "and"


class _WallRange(NamedTuple):
    """The wall seconds [low, high) of a piece that count; `shifted` is True if its start replaces times in the gap."""

    low: int
    high: int
    shifted: bool


@dataclass(frozen=True, slots=True)
class Cron:
    """A checked expression of five fields, or six with the seconds first, in an IANA time zone.

    >>> from launchd.clock import format_instant, parse_instant
    >>> daily = parse_cron("30 2 * * *", "Europe/Berlin")
    >>> format_instant(daily.next(parse_instant("2026-03-28T12:00:00Z")))  # 02:30 is in the gap of 29 March
    '2026-03-29T01:00:00Z'
    """

    expression: str
    timezone: str = "UTC"
    gap: DstGap = DstGap.SHIFT
    fold: DstFold = DstFold.FIRST
    day_match: DayMatch = DayMatch.OR

    @property
    def is_interval(self) -> bool:
        """True if it follows real time through clock changes."""
        return _timing(self.expression, self.day_match)[1]

    def next(self, after: Instant) -> Instant | None:
        """The first occurrence after `after`; None if there is none within 40 years."""
        pattern, _ = _timing(self.expression, self.day_match)
        for piece in pieces(self.timezone, after):
            if piece.start > after + _SEARCH:
                return None
            found = self._wall_range(piece, pattern)
            if found.shifted and piece.start > after:
                return piece.start
            wall = pattern.next(max(found.low, after // SECOND + 1 + piece.offset), found.high)
            if wall is not None:
                return (wall - piece.offset) * SECOND
        return None

    def previous(self, at: Instant) -> Instant | None:
        """The last occurrence at `at` or before; None if there is none within 40 years."""
        pattern, _ = _timing(self.expression, self.day_match)
        for piece in pieces_back(self.timezone, at):
            if piece.end < at - _SEARCH:
                return None
            found = self._wall_range(piece, pattern)
            wall = pattern.previous(min(found.high - 1, at // SECOND + piece.offset), found.low)
            if wall is not None:
                return (wall - piece.offset) * SECOND
            if found.shifted:
                return piece.start
        return None

    def count(self, after: Instant, until: Instant) -> int:
        """The number of occurrences in (after, until], in one step for each month."""
        pattern, _ = _timing(self.expression, self.day_match)
        total = 0
        for piece in pieces(self.timezone, after):
            if piece.start > until:
                break
            found = self._wall_range(piece, pattern)
            low = max(found.low, after // SECOND + 1 + piece.offset)
            total += pattern.count(low, min(found.high, until // SECOND + 1 + piece.offset))
            total += found.shifted and after < piece.start <= until
        return total

    def describe(self) -> str:
        """In plain English, without the zone; the expression itself if the library cannot describe it."""
        try:
            return words.describe(_reading(self.expression, self.day_match))
        except Exception:  # noqa: BLE001 - the library lacks some expressions, and raises errors of any type for them
            return self.expression

    def warnings(self) -> list[str]:
        """Warnings about an expression that is valid but may have another meaning than intended."""
        return words.warnings(_reading(self.expression, self.day_match), both=self.day_match is DayMatch.AND)

    def _wall_range(self, piece: Piece, pattern: WallPattern) -> _WallRange:
        start, end = piece.start // SECOND, piece.end // SECOND
        low, high = start + piece.offset, end + piece.offset
        if self.is_interval or piece.before == piece.offset == piece.after:
            return _WallRange(low, high, shifted=False)
        shifted = False
        if piece.offset > piece.before and self.gap is DstGap.SHIFT:
            left_out = pattern.count(start + piece.before, low)
            shifted = left_out > 0 and pattern.next(low, low + 1) is None
        if piece.offset < piece.before and self.fold is DstFold.FIRST:
            low = start + piece.before
        if piece.after < piece.offset and self.fold is DstFold.LAST:
            high = end + piece.after
        return _WallRange(low, high, shifted)


def parse_cron(
    text: str,
    timezone: str = "UTC",
    *,
    gap: DstGap = DstGap.SHIFT,
    fold: DstFold = DstFold.FIRST,
    day_match: DayMatch = DayMatch.OR,
) -> Cron:
    """Read an expression or an alias such as @daily.

    Raises InvalidError with the reason and a correction if implementations of cron read it differently, or if it is
    invalid or never occurs.
    """
    zone(timezone)
    if len(text) > _LONGEST:
        raise InvalidError(f"cron {text[:40]!r}...: expected at most {_LONGEST} characters, got {len(text)}")
    expression = ALIASES.get(text.strip().lower(), " ".join(text.split()))
    reason = _refusal(expression, day_match)
    if reason is not None:
        suggestion = suggest_line(text, lambda other: _refusal(" ".join(other.split()), day_match) is None)
        counted = expression.count(" ") >= max(FIELD_COUNTS)
        raise InvalidError(
            f"cron {text!r}: {reason.partition(';')[0] + ': ' if counted and suggestion else ''}{suggestion or reason}"
        )
    cron = Cron(expression, timezone, gap, fold, day_match)
    if cron.next(0) is None:
        raise InvalidError(f"cron {text!r}: no such date ever comes; write a day that its month has")
    return cron


def _refusal(expression: str, day_match: DayMatch) -> str | None:
    """The reason why an expression is refused; None if it is accepted."""
    count = expression.count(" ") + 1 if expression else 0
    if not expression.isascii():
        return "only ASCII is allowed"
    if count not in FIELD_COUNTS:
        return f"expected 5 fields (or 6 with seconds first), got {count}; {EXAMPLE}"
    hint = " (of six fields the first is the seconds)" if count == max(FIELD_COUNTS) else ""
    try:
        _timing(expression, day_match)
    except CroniterError:
        return f"it cannot be read{hint}; {EXAMPLE}"
    except ValueError as error:
        return f"{error}{hint}"
    return None


@lru_cache(maxsize=65_536)
def _timing(expression: str, day_match: DayMatch) -> tuple[WallPattern, bool]:
    """The pattern of an expression, and True if it is an interval expression."""
    reading = read_expression(expression, both=day_match is DayMatch.AND)
    return reading.pattern, reading.interval


@lru_cache(maxsize=1024)
def _reading(expression: str, day_match: DayMatch) -> CronReading:
    return read_expression(expression, both=day_match is DayMatch.AND)
