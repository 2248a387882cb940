"""A rate limit: at most so many starts in any window of its length. Pure but for what it remembers."""

from collections import deque
from collections.abc import Iterable

from launchd.rate import Rate


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
