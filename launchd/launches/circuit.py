"""The circuit of a source: when a source that fails is asked again. Pure: each outcome gives the next circuit.

Closed: the source is asked. Open: it is left alone until `retry_at`. Half open: `retry_at` has passed, and the next
pull decides. A source that sends Retry-After is left alone for that long, from its first failure on. Only a forced
refresh asks while the circuit is open.
"""

from enum import StrEnum
from typing import NamedTuple

from launchd.clock import DAY, MINUTE, SECOND, Instant

# This many failures in a row open the circuit for the first pause; each further one doubles the pause, to the longest.
THRESHOLD = 5
FIRST_PAUSE, LONGEST_PAUSE = 15 * MINUTE, DAY


class CircuitState(StrEnum):
    """Closed: the source is asked. Open: it is left alone. Half open: the next pull decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit(NamedTuple):
    """`failures` in a row, and when the source is asked again (None: at once)."""

    failures: int = 0
    retry_at: Instant | None = None

    def state(self, now: Instant) -> CircuitState:
        """The state at an instant; half open if `retry_at` is beyond any pause, since the clock was set back."""
        if self.retry_at is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.retry_at <= now + LONGEST_PAUSE else CircuitState.HALF_OPEN

    def failed(self, now: Instant, asked_to_wait: float | None = None) -> "Circuit":
        """The circuit after one more failure; `asked_to_wait` is the seconds of the source's Retry-After."""
        failures = self.failures + 1
        pause = 0
        if failures >= THRESHOLD:
            pause = min(FIRST_PAUSE << min(failures - THRESHOLD, 16), LONGEST_PAUSE)
        if asked_to_wait is not None:
            pause = max(pause, min(int(asked_to_wait * SECOND), LONGEST_PAUSE))
        return Circuit(failures, now + pause if pause else None)
