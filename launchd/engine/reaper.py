"""The reaper: what must happen to jobs because time has passed.

Each second: attempts beyond their time limit are asked to end, those asked before are asked again (a coroutine may have
swallowed it), due jobs of the future become ready, expired ones end. Owned by the control loop.
"""

from collections.abc import Mapping

import structlog

from launchd.clock import SECOND, Clock, Instant
from launchd.engine.bus import Bus
from launchd.engine.executor import Attempt, Executor, Stop
from launchd.engine.pool import Pool
from launchd.errors import LaunchdError
from launchd.store.jobs import JobStore

_log = structlog.get_logger("launchd.reaper")
TICK_SECONDS = 1.0


class Reaper:
    """Time limits, repeated cancellation, promotion and expiry. `lag` is how late its last tick was, in seconds."""

    def __init__(self, clock: Clock, store: JobStore, executor: Executor, pools: Mapping[str, Pool], bus: Bus) -> None:
        self.lag = 0.0
        self._clock = clock
        self._store = store
        self._executor = executor
        self._pools = pools
        self._bus = bus
        self._next_later: Instant | None = None

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            seconds = seconds_to(self._next_later, self._clock.now(), TICK_SECONDS)
            wanted = self._clock.monotonic() + seconds
            await self._clock.sleep(seconds)
            self.lag = max(self._clock.monotonic() - wanted, 0.0)
            try:
                await self.run_once()
            except LaunchdError as error:
                _log.error("reaper_tick_failed", error=error.detail)

    async def run_once(self) -> None:
        """One tick."""
        now = self._clock.monotonic()
        for pool in self._pools.values():
            for attempt in pool.running.values():
                if needs_stop(attempt, now):
                    self._executor.stop(attempt, attempt.stop or Stop.TIMEOUT, attempt.reason)
        await self.promote()

    async def promote(self) -> None:
        """Make due jobs ready, end expired ones, wake the pools; again at once while there are more."""
        due, expired, promoted = await self._store.promote(self._clock.now())
        self._next_later = due
        for job_id in expired:
            self._bus.ended(job_id)
        if promoted:
            for pool in self._pools.values():
                pool.wake()


def needs_stop(attempt: Attempt, now: float) -> bool:
    """Whether an attempt must be asked to end (again) at monotonic `now`."""
    return attempt.stop is not None or (attempt.deadline is not None and now >= attempt.deadline)


def seconds_to(instant: Instant | None, now: Instant, limit: float) -> float:
    """How long to sleep before `instant`, at most `limit`."""
    return limit if instant is None else min(max((instant - now) / SECOND, 0.0), limit)
