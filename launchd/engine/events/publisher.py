"""The publisher: publishes the engine's events on the bus. It makes no event while nobody listens."""

from collections.abc import Sequence

from launchd.clock import Clock
from launchd.engine.attempts.attempt import Attempt
from launchd.engine.events import messages
from launchd.engine.events.bus import Bus
from launchd.job import NewJob
from launchd.lock import Lock
from launchd.ops.health import CheckReport, Level
from launchd.store.fires import Recorded


class Publisher:
    """Publishes the engine's events. Called on the control loop only."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    def jobs_made(self, jobs: Sequence[NewJob]) -> None:
        """Jobs are on disk."""
        if self._bus.has_listeners:
            self._bus.publish([messages.job_made(job) for job in jobs])

    def attempts_started(self, attempts: Sequence[Attempt]) -> None:
        """Attempts have begun."""
        if self._bus.has_listeners:
            now = self._clock.now()
            self._bus.publish([messages.job_started(attempt, now) for attempt in attempts])

    def fires_recorded(self, rows: Sequence[Recorded]) -> None:
        """The ledger has new rows."""
        if self._bus.has_listeners:
            now = self._clock.now()
            self._bus.publish([messages.fired(row, now) for row in rows])

    def lock_changed(self, what: str, lock: Lock) -> None:
        """A lock was taken, released or lost."""
        if self._bus.has_listeners:
            self._bus.publish([messages.lock_changed(what, lock, self._clock.now())])

    def health_changed(self, name: str, before: Level | None, found: CheckReport) -> None:
        """The level of a check has changed. The first finding after a start is no change."""
        if self._bus.has_listeners and before is not None:
            self._bus.publish([messages.health_changed(name, before, found, self._clock.now())])
