"""Rates, and the limiter that allows at most so many starts in any window of a rate's length."""

import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from launchd.errors import InvalidError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
PATTERN = r"^[1-9][0-9]{0,4}/[smhd]$"


class Rate(NamedTuple):
    """`limit` in any window of `seconds`."""

    limit: int
    seconds: float

    def __str__(self) -> str:
        unit = next(name for name, seconds in UNITS.items() if seconds == self.seconds)
        return f"{self.limit}/{unit}"


def parse_rate(text: str) -> Rate:
    """Read a rate such as "30/m"; raises InvalidError."""
    if not re.fullmatch(PATTERN, text):
        raise InvalidError.at("rate", f"expected such as 2/s, 30/m, 15/h or 100/d, got {text[:50]!r}")
    count, _, unit = text.partition("/")
    return Rate(int(count), UNITS[unit])


class RateLimiter:
    """Counts starts in a sliding window; times are monotonic seconds. `starts` are earlier ones, the oldest first."""

    def __init__(self, rate: Rate, starts: Iterable[float] = ()) -> None:
        self.rate = rate
        self._starts = deque(starts)

    def under(self, rate: Rate) -> "RateLimiter":
        """What has started counts on under another rate."""
        return RateLimiter(rate, self._starts)

    def free(self, now: float) -> int:
        """How many starts are allowed at `now`; below zero where the rate has been lowered."""
        while self._starts and self._starts[0] <= now - self.rate.seconds:
            self._starts.popleft()
        return self.rate.limit - len(self._starts)

    def started(self, count: int, now: float) -> None:
        """Remember starts."""
        self._starts.extend([now] * count)

    def next_free(self) -> float:
        """When the next start is allowed, if none is now."""
        return self._starts[-self.rate.limit] + self.rate.seconds if len(self._starts) >= self.rate.limit else 0.0
