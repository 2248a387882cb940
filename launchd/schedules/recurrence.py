"""A recurrence: a cron expression, a fixed interval, or each start of the daemon. Pure.

All three have `next`, `previous` and `count`, which compute their answers and do not walk over occurrences.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from launchd.clock import DAY, SECOND, Instant
from launchd.errors import InvalidError
from launchd.schedules.cron import Cron, DayMatch, DstFold, DstGap, parse_cron

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MAX_DAYS = 366
STARTUP = "@startup"


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed interval in seconds: occurrences are its multiples since 1970, so that restarts do not shift them."""

    seconds: int

    def next(self, after: Instant) -> Instant | None:
        """The first occurrence after `after`."""
        step = self.seconds * SECOND
        return (after // step + 1) * step

    def previous(self, at: Instant) -> Instant | None:
        """The last occurrence at `at` or before."""
        step = self.seconds * SECOND
        return at // step * step

    def count(self, after: Instant, until: Instant) -> int:
        """The number of occurrences in (after, until]."""
        step = self.seconds * SECOND
        return max(until // step - after // step, 0)

    def describe(self) -> str:
        """In plain English."""
        return "Every second" if self.seconds == 1 else f"Every {self.seconds} seconds"

    def warnings(self) -> list[str]:
        """No warnings: an interval is never ambiguous."""
        return []


@dataclass(frozen=True, slots=True)
class Startup:
    """Each start of the daemon: the scheduler fires it when it loads; it has no occurrences in the calendar."""

    def next(self, _after: Instant) -> Instant | None:
        """None: the next start is unknown."""
        return None

    def previous(self, _at: Instant) -> Instant | None:
        """None: only the ledger has past starts."""
        return None

    def count(self, _after: Instant, _until: Instant) -> int:
        """0: a start is never missed."""
        return 0

    def describe(self) -> str:
        """In plain English."""
        return "At each start of the daemon"

    def warnings(self) -> list[str]:
        """No warnings: a start is never ambiguous."""
        return []


Recurrence = Cron | Every | Startup


def parse_recurrence(
    text: str,
    timezone: str = "UTC",
    *,
    gap: DstGap = DstGap.SHIFT,
    fold: DstFold = DstFold.FIRST,
    day_match: DayMatch = DayMatch.OR,
) -> Cron | Startup:
    """Read a `cron =` value: an expression, an alias such as @daily, or @startup. Raises InvalidError."""
    if text.strip().lower() == STARTUP:
        return Startup()
    return parse_cron(text, timezone, gap=gap, fold=fold, day_match=day_match)


def parse_every(text: str) -> Every:
    """Read an interval such as "90s", "5m", "6h" or "1d", at most a year; raises InvalidError.

    >>> parse_every("5m")
    Every(seconds=300)
    """
    amount, unit = text.strip()[:-1], text.strip()[-1:]
    if unit not in _UNITS or not amount.isascii() or not amount.isdigit() or int(amount) == 0:
        raise InvalidError(f"every {text!r}: expected a whole number and a unit, such as 90s, 5m, 6h or 1d")
    seconds = int(amount) * _UNITS[unit]
    if seconds > _MAX_DAYS * _UNITS["d"]:
        raise InvalidError(f"every {text!r}: expected at most 366 days")
    return Every(seconds)


def occurrences(recurrence: Recurrence, after: Instant) -> Iterator[Instant]:
    """The occurrences after `after`, ascending; it ends if the recurrence has no more."""
    instant = recurrence.next(after)
    while instant is not None:
        yield instant
        instant = recurrence.next(instant)


def period_seconds(recurrence: Recurrence, after: Instant) -> float:
    """The seconds between the next two occurrences; those of a day if fewer than two are left."""
    first = recurrence.next(after)
    second = recurrence.next(first) if first is not None else None
    if first is None or second is None:
        return DAY / SECOND
    return (second - first) / SECOND
