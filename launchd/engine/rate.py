"""A rate limit: at most so many starts in any window of its length. Pure but for what it remembers."""

from collections import deque

from launchd.rate import Rate


class RateLimiter:
    """Counts starts in a sliding window; times are monotonic seconds."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._starts: deque[float] = deque()

    def free(self, now: float) -> int:
        """How many starts are allowed at `now`."""
        while self._starts and self._starts[0] <= now - self.rate.seconds:
            self._starts.popleft()
        return self.rate.limit - len(self._starts)

    def started(self, count: int, now: float) -> None:
        """Remember starts."""
        self._starts.extend([now] * count)

    def next_free(self) -> float:
        """When the next start is allowed, if none is now."""
        return self._starts[0] + self.rate.seconds if self._starts else 0.0
