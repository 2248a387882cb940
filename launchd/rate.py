"""Rates such as "30/m", and the limiter of starts: a sliding log, at most `limit` in any window of `seconds`."""

import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from launchd.errors import InvalidError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
PATTERN = r"^[1-9][0-9]{0,4}/[smhd]$"


class Rate(NamedTuple):
    """At most `limit` starts in any window of `seconds`."""

    limit: int
    seconds: float

    def __str__(self) -> str:
        unit = next(name for name, seconds in UNITS.items() if seconds == self.seconds)
        return f"{self.limit}/{unit}"


def parse_rate(text: str) -> Rate:
    """Read a rate: a number, a slash and s, m, h or d; raises InvalidError.

    >>> parse_rate("30/m")
    Rate(limit=30, seconds=60.0)
    """
    if not re.fullmatch(PATTERN, text):
        raise InvalidError.at("rate", f"expected such as 2/s, 30/m, 15/h or 100/d, got {text[:50]!r}")
    count, _, unit = text.partition("/")
    return Rate(int(count), UNITS[unit])


class RateLimiter:
    """Counts starts in a sliding window. Times are monotonic seconds; `starts` are earlier ones, the oldest first."""

    def __init__(self, rate: Rate, starts: Iterable[float] = ()) -> None:
        self.rate = rate
        self._starts = deque(starts)

    def under(self, rate: Rate) -> "RateLimiter":
        """A limiter for another rate that counts the same starts."""
        return RateLimiter(rate, self._starts)

    def free(self, now: float) -> int:
        """How many starts are allowed at `now`; negative if the rate was lowered."""
        while self._starts and self._starts[0] <= now - self.rate.seconds:
            self._starts.popleft()
        return self.rate.limit - len(self._starts)

    def started(self, count: int, now: float) -> None:
        """Record starts at `now`."""
        self._starts.extend([now] * count)

    def next_free(self) -> float:
        """The time at which the next start is allowed, if none is allowed now."""
        return self._starts[-self.rate.limit] + self.rate.seconds if len(self._starts) >= self.rate.limit else 0.0
