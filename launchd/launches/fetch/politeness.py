"""Limits on the requests to a source: its rate, kept by our limiter, and the Retry-After of its answers."""

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from launchd.clock import SECOND, Clock, Instant, from_datetime
from launchd.launches.circuit import LONGEST_PAUSE
from launchd.rate import RateLimiter, parse_rate

# The pause after an answer without a valid Retry-After, in seconds.
DEFAULT_WAIT_SECONDS = 60.0
# A number with more digits is longer than any pause.
_DIGITS = 18


class RequestLimiter:
    """Allows at most so many requests to one source in any period ("15/h"); all of them may be sent at once."""

    def __init__(self, rate: str, clock: Clock) -> None:
        self._clock = clock
        self._limiter = RateLimiter(parse_rate(rate))

    @property
    def rate(self) -> str:
        """The rate as the configuration writes it."""
        return str(self._limiter.rate)

    def changed(self, rate: str) -> "RequestLimiter":
        """A limiter with another rate that counts the requests already sent."""
        other = RequestLimiter(rate, self._clock)
        other._limiter = self._limiter.under(other._limiter.rate)
        return other

    def left(self) -> int:
        """The requests that are free now."""
        return max(self._limiter.free(self._clock.monotonic()), 0)

    def take(self) -> float:
        """Take a request if one is free and return 0; else return the seconds until one is."""
        now = self._clock.monotonic()
        if self._limiter.free(now) <= 0:
            return self._limiter.next_free() - now
        self._limiter.started(1, now)
        return 0.0


def affords(rate: str, requests: int, every_seconds: float) -> bool:
    """True if a rate ("15/h") leaves room for pulls of this many requests `every_seconds`, and for one pull more."""
    limit, period = parse_rate(rate)
    return requests * (math.ceil(period / every_seconds) + 1) <= limit


def retry_after(value: str | None, now: Instant) -> float:
    """Seconds of a Retry-After header (RFC 9110 §10.2.3), a number or a date; DEFAULT_WAIT_SECONDS when it is neither.

    At most the longest pause of a circuit: a source that names the year 9999 is asked again tomorrow.
    """
    longest = LONGEST_PAUSE / SECOND
    if value is None:
        return DEFAULT_WAIT_SECONDS
    text = value.strip()
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text), longest) if len(text) <= _DIGITS else longest
    try:
        moment = parsedate_to_datetime(text)
        at = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError, TypeError, IndexError):
        return DEFAULT_WAIT_SECONDS
    return min(max(at - now, 0) / SECOND, longest)
