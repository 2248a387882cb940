"""The reaper: acts on jobs when their time has come.

It requests the end of attempts beyond their time limit, repeats earlier requests (a coroutine may have swallowed one),
gives away the slots of attempts that do not end, makes due jobs ready, and ends expired ones. It sleeps until the next
of these is due. Owned by the control loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from launchd.clock import SECOND, Clock, Instant
from launchd.engine.attempts.attempt import Attempt, is_stuck, next_look, next_stop
from launchd.engine.attempts.executor import Executor
from launchd.engine.events.bus import Bus
from launchd.engine.queues.pool import Pool
from launchd.errors import LaunchdError
from launchd.event import JobEnd
from launchd.logger import get_logger
from launchd.store.jobs import JobStore

_log = get_logger("launchd.reaper")
# How often a stop request is repeated, and how soon the store is tried again after an error.
TICK_SECONDS = 1.0
# Corrects the times of waiting jobs after the wall clock was set (firing/timekeeper.py); raises LaunchdError.
CheckClock = Callable[[], Awaitable[object]]


class Reaper:
    """Time limits, repeated cancellation, promotion and expiry."""

    def __init__(
        self,
        clock: Clock,
        store: JobStore,
        executor: Executor,
        pools: Mapping[str, Pool],
        bus: Bus,
        *,
        check_clock: CheckClock | None = None,
    ) -> None:
        self._clock = clock
        self._check_clock = check_clock
        self._store = store
        self._executor = executor
        self._pools = pools
        self._bus = bus
        # when the next waiting job is due or expires; None for never, 0 for unknown
        self._next_later: Instant | None = 0
        self._wake = asyncio.Event()
        # when the next sleep ends, in monotonic seconds; an earlier need wakes it
        self._wakes_at = 0.0

    async def run(self) -> None:
        """Tick whenever something is due."""
        while True:
            self._wake.clear()
            try:
                await self.run_once()
            except LaunchdError as error:
                _log.error("reaper_tick_failed", error=error.detail)
                await self._clock.sleep(TICK_SECONDS)
            else:
                await self._sleep()

    def started(self, attempts: Sequence[Attempt]) -> None:
        """Attempts have begun: their time limits count."""
        if any(attempt.deadline is not None and attempt.deadline < self._wakes_at for attempt in attempts):
            self._wake.set()

    def later(self, instant: Instant) -> None:
        """A job is due, or expires, at this instant."""
        if self._note(instant):
            self._wake.set()

    def asked(self) -> None:
        """The end of an attempt was requested: check that it ends."""
        self._wake.set()

    async def run_once(self) -> None:
        """One tick."""
        now = self._clock.monotonic()
        for pool in self._pools.values():
            for attempt in list(pool.running.values()):
                why = next_stop(attempt, now)
                if why is not None:
                    self._executor.stop(attempt, why, attempt.reason)
                if not attempt.stuck and is_stuck(attempt, now):
                    pool.set_aside(attempt)
        if self._check_clock is not None:  # before anything is due or expires by a clock that was set
            await self._check_clock()
        if self._next_later is not None and self._clock.now() >= self._next_later:
            await self.promote()

    async def promote(self) -> None:
        """Make due jobs ready, end expired ones, wake the pools."""
        self._next_later = None  # `later` may be called while the store is asked: its answer does not include that
        try:
            due, expired, promoted = await self._store.promote(self._clock.now())
        except BaseException:
            self._next_later = 0
            raise
        if due is not None:
            self._note(due)
        if expired:
            self._bus.ended([JobEnd(self._clock.now(), job_id, "expired") for job_id in expired])
        if promoted:
            for pool in self._pools.values():
                pool.wake()

    def _note(self, instant: Instant) -> bool:
        """Remember the earliest instant; True if it is this one."""
        if self._next_later is not None and self._next_later <= instant:
            return False
        self._next_later = instant
        return True

    async def _sleep(self) -> None:
        now = self._clock.monotonic()
        attempts = [attempt for pool in self._pools.values() for attempt in pool.running.values()]
        looks = [at for attempt in attempts if (at := next_look(attempt, now, TICK_SECONDS)) is not None]
        seconds = seconds_to(self._next_later, self._clock.now())
        if looks:
            at = max(min(looks) - now, 0.0)
            seconds = at if seconds is None else min(at, seconds)
        self._wakes_at = float("inf") if seconds is None else now + seconds
        woken = asyncio.ensure_future(self._wake.wait())
        waiting: set[asyncio.Future[Any]] = {woken}
        if seconds is not None:
            waiting.add(asyncio.ensure_future(self._timer(seconds)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()

    async def _timer(self, seconds: float) -> None:
        """Sleep towards a wall time in short steps, so that a clock that was put forward is noticed."""
        if self._next_later is not None:
            await self._clock.sleep_until(self._clock.now() + int(seconds * SECOND))
        else:
            await self._clock.sleep(seconds)


def seconds_to(instant: Instant | None, now: Instant) -> float | None:
    """The seconds until an instant, at least 0; None without one."""
    return None if instant is None else max((instant - now) / SECOND, 0.0)
