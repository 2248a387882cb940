"""The timekeeper: notices that the wall clock was set, and corrects the times that jobs wait for.

A delay, a retry, a snooze and an expiry are durations: they stay as long as they were when the clock is set, in either
direction. An instant that a client named is not changed. The scheduler corrects its schedules itself.

The last reading of the clocks is on disk, so a clock that was set while the daemon was stopped is noticed at the start.
Owned by the control loop.
"""

import asyncio
from collections.abc import Awaitable, Callable

from launchd.clock import MINUTE, SECOND, Clock, Instant, format_instant, reading, set_by
from launchd.errors import LaunchdError
from launchd.logger import get_logger
from launchd.store.clock import ClockStore

_log = get_logger("launchd.clock")
# How often a reading is kept. A clock that is set within one boot is measured exactly however old the reading is.
NOTE_EVERY = MINUTE
BACKOFF_SECONDS = 1.0


class Timekeeper:
    """Compares wall and boot time at each `check`.

    `on_shift` is called after the times that jobs wait for have changed. `put_back` is called with the new time when
    the clock was put back: it corrects the other database.
    """

    def __init__(
        self,
        clock: Clock,
        store: ClockStore,
        put_back: Callable[[Instant], Awaitable[None]] | None = None,
        on_shift: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_shift = on_shift
        self._put_back = put_back
        self._clock = clock
        self._store = store
        self._last = reading(clock)
        self._noted: int | None = None
        self._owing = True  # a dead instance may have left a correction half done
        self._checking = asyncio.Lock()

    async def start(self) -> Instant:
        """Compare with the reading on disk; returns by how much the wall clock was set since then.

        Call it before anything asks the store by the wall clock. Raises StoreError.
        """
        self._last = await self._store.last() or self._last
        return await self.check()

    async def check(self) -> Instant:
        """Correct the times of waiting jobs if the clock was set, before anybody acts on them; returns by how much.

        Raises StoreError; the next check then does the rest.
        """
        async with self._checking:
            now = reading(self._clock)
            await self._finish()
            delta = set_by(self._last, now)
            if delta < 0 and self._put_back is not None:  # idempotent
                await self._put_back(now.wall)
            if delta:
                await self._store.begin(delta, now)
                self._owing, self._noted = True, now.boot
                _log.warning("clock_set", seconds=delta / SECOND, now=format_instant(now.wall))
            self._last = now
            await self._finish()
            if self._noted is None or now.boot - self._noted >= NOTE_EVERY:
                await self.note()
            return delta

    async def note(self) -> None:
        """Write the last reading to disk."""
        await self._store.note(self._last)
        self._noted = self._last.boot

    async def run(self) -> None:
        """Check at each jump that the clock reports, and at least every half minute."""
        while True:
            await self._clock.sleep_until(None)
            try:
                await self.check()
            except LaunchdError as error:
                _log.error("clock_check_failed", error=error.detail)
                await self._clock.sleep(BACKOFF_SECONDS)

    async def _finish(self) -> None:
        """Shift the times of jobs, a batch at a time, until none is left."""
        jobs, more = 0, self._owing
        while more:
            shifted, more = await self._store.shift_some()
            jobs += shifted
        if jobs:
            _log.warning("waits_shifted", jobs=jobs, detail="delays and retries keep their length")
        if self._owing:
            self._owing = False
            self._on_shift()
