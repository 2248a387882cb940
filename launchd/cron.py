"""Cron expressions in a time zone. Pure.

croniter reads the expression; the zone, and what happens when clocks change, are ours, by the rules of Debian's cron
(cron(8), "daylight saving time"):

- An *interval* expression, whose minute or hour begins with `*`, follows real time: it runs through both copies of a
  repeated hour and has nothing in an hour that is left out.
- Any other is *fixed*. Times that are left out happen once, together, when the clock has been put forward
  (`DstGap.SHIFT`) or not at all (`SKIP`). Times that come twice happen at the first copy, the last, or both.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from cron_descriptor import ExpressionDescriptor, Options
from croniter import CroniterError, croniter

from launchd.clock import DAY, SECOND, Instant
from launchd.cron_guard import refuse_surprises
from launchd.errors import InvalidError
from launchd.walltime import SEARCH_YEARS, WallPattern, read_pattern
from launchd.zones import Piece, pieces, pieces_back, zone

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (5, 6)
# Said, or the library takes the language and the clock of the process's locale.
_ENGLISH = Options(locale_code="en_US", use_24hour_time_format=True)
_SEARCH = SEARCH_YEARS * 366 * DAY


class DstGap(StrEnum):
    """What becomes of fixed times that the clock leaves out."""

    SHIFT = "shift"
    SKIP = "skip"


class DstFold(StrEnum):
    """Which copies of fixed times that the clock shows twice are meant."""

    FIRST = "first"
    LAST = "last"
    BOTH = "both"


class _Span(NamedTuple):
    """The wall seconds [low, high) of a piece that count, and whether its start stands for times that were left out."""

    low: int
    high: int
    shifted: bool


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression that was checked, of five fields or six with the seconds first, in an IANA zone."""

    expression: str
    timezone: str = "UTC"
    gap: DstGap = DstGap.SHIFT
    fold: DstFold = DstFold.FIRST

    @property
    def is_interval(self) -> bool:
        """Whether it follows real time through a change of the clock."""
        minute, hour = self.expression.split(" ")[-5:-3]
        return minute.startswith("*") or hour.startswith("*")

    def next(self, after: Instant) -> Instant | None:
        """The first occurrence after `after`; None when none comes within 40 years."""
        pattern = _pattern(self.expression)
        for piece in pieces(self.timezone, after):
            if piece.start > after + _SEARCH:
                return None
            span = self._span(piece, pattern)
            if span.shifted and piece.start > after:
                return piece.start
            wall = pattern.next(max(span.low, after // SECOND + 1 + piece.offset), span.high)
            if wall is not None:
                return (wall - piece.offset) * SECOND
        return None

    def previous(self, at: Instant) -> Instant | None:
        """The last occurrence at `at` or before; None when there was none within 40 years."""
        pattern = _pattern(self.expression)
        for piece in pieces_back(self.timezone, at):
            if piece.end < at - _SEARCH:
                return None
            span = self._span(piece, pattern)
            wall = pattern.previous(min(span.high - 1, at // SECOND + piece.offset), span.low)
            if wall is not None:
                return (wall - piece.offset) * SECOND
            if span.shifted:
                return piece.start
        return None

    def count(self, after: Instant, until: Instant) -> int:
        """How many occurrences there are in (after, until]; the days are walked, the times are not."""
        pattern = _pattern(self.expression)
        total = 0
        for piece in pieces(self.timezone, after):
            if piece.start > until:
                break
            span = self._span(piece, pattern)
            low = max(span.low, after // SECOND + 1 + piece.offset)
            total += pattern.count(low, min(span.high, until // SECOND + 1 + piece.offset))
            total += span.shifted and after < piece.start <= until
        return total

    def describe(self) -> str:
        """In plain English, without the zone; the expression itself where the library has no words for it."""
        try:
            return str(ExpressionDescriptor(self.expression, _ENGLISH).get_full_description())
        except Exception:  # noqa: BLE001 - it knows fewer expressions than croniter, and raises what it likes
            return self.expression

    def warnings(self) -> list[str]:
        """What is legal but may not be meant."""
        return _warnings(self.expression)

    def _span(self, piece: Piece, pattern: WallPattern) -> _Span:
        start, end = piece.start // SECOND, piece.end // SECOND
        low, high = start + piece.offset, end + piece.offset
        if self.is_interval or piece.before == piece.offset == piece.after:
            return _Span(low, high, shifted=False)
        shifted = False
        if piece.offset > piece.before and self.gap is DstGap.SHIFT:
            left_out = pattern.count(start + piece.before, low)
            shifted = left_out > 0 and pattern.next(low, low + 1) is None
        if piece.offset < piece.before and self.fold is DstFold.FIRST:
            low = start + piece.before
        if piece.after < piece.offset and self.fold is DstFold.LAST:
            high = end + piece.after
        return _Span(low, high, shifted)


def parse_cron(text: str, timezone: str = "UTC", *, gap: DstGap = DstGap.SHIFT, fold: DstFold = DstFold.FIRST) -> Cron:
    """Read an expression; raises InvalidError with the reason for what croniter refuses or would misread."""
    zone(timezone)
    expression = ALIASES.get(text.strip().lower(), " ".join(text.split()))
    fields = expression.split(" ")
    if expression.startswith("@"):
        raise InvalidError(f"cron {text!r}: expected @startup or one of {', '.join(ALIASES)}")
    if len(fields) not in _FIELDS:
        raise InvalidError(f"cron {text!r}: expected 5 fields (or 6 with seconds first), got {len(fields)}")
    try:
        refuse_surprises(fields)
        _pattern(expression)
    except (CroniterError, ValueError, KeyError) as error:
        hint = " (of six fields the first is the seconds)" if len(fields) == max(_FIELDS) else ""
        raise InvalidError(f"cron {text!r}: {error}{hint}") from error
    cron = Cron(expression, timezone, gap, fold)
    if cron.next(0) is None:
        raise InvalidError(f"cron {text!r}: no such date ever comes")
    return cron


@lru_cache(maxsize=65_536)
def _pattern(expression: str) -> WallPattern:
    six = expression.count(" ") == max(_FIELDS) - 1
    expanded, nth = croniter.expand(expression, second_at_beginning=six)
    return read_pattern(expanded, nth, seconds=six)


def _warnings(expression: str) -> list[str]:
    minute, hour, day, _, weekday = expression.split(" ")[-5:]
    found = []
    if day not in "*?" and weekday not in "*?":
        found.append("with both a day of the month and a weekday, either is enough")
    for field, size, name in ((minute, 60, "hour"), (hour, 24, "day")):
        step = field.removeprefix("*/")
        if step != field and size % int(step):
            found.append(f"{field} starts anew each {name}: the last step of the {name} is shorter")
    return found
