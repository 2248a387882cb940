"""How often a source may be asked, by our own measure and by its word (Retry-After)."""

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from launchd.clock import SECOND, Clock, Instant, from_datetime
from launchd.launches.circuit import LONGEST_PAUSE

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
# What a source that names no time is given, in seconds.
DEFAULT_WAIT_SECONDS = 60.0
# A number of more digits is beyond any pause.
_DIGITS = 18


class RateLimiter:
    """At most `count` requests in any period ("15/h"); all of them at once are allowed."""

    def __init__(self, rate: str, clock: Clock) -> None:
        count, _, unit = rate.partition("/")
        self.rate = rate
        self._count = int(count)
        self._period = _UNITS[unit]
        self._clock = clock
        self._sent: list[float] = []

    def changed(self, rate: str) -> "RateLimiter":
        """One of another rate that remembers what was sent."""
        other = RateLimiter(rate, self._clock)
        other._sent = self._sent
        return other

    def take(self) -> float:
        """Take a request if one is free: 0, else the seconds until one is."""
        now = self._clock.monotonic()
        self._sent = [at for at in self._sent if at > now - self._period]
        if len(self._sent) >= self._count:
            return self._sent[0] + self._period - now
        self._sent.append(now)
        return 0.0


def affords(rate: str, requests: int, every_seconds: float) -> bool:
    """Whether a rate ("15/h") leaves room for so many requests every so often, and for one pull more in its time."""
    count, _, unit = rate.partition("/")
    return requests * (math.ceil(_UNITS[unit] / every_seconds) + 1) <= int(count)


def retry_after(value: str | None, now: Instant) -> float:
    """Seconds of a Retry-After header (RFC 9110 §10.2.3): a number or a date; a minute when it is neither.

    At most the longest pause of a circuit: a source may ask for the year 9999, and is asked again tomorrow.
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
