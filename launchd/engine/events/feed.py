"""The feed: the last events in a bounded ring, for clients that follow them or come back.

It listens to the bus only while somebody follows it, and for a while after; otherwise it keeps nothing and costs
nothing. Events are numbered; an id names this start of the daemon, the period of listening, and the number. Readers
have no queues: each has a place in the ring, and loses it if it is too slow. Owned by the control loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from launchd.clock import Clock, until
from launchd.engine.attempts.attempt import Attempt
from launchd.engine.events import messages
from launchd.engine.events.bus import Bus
from launchd.errors import UnavailableError
from launchd.event import Happening
from launchd.job import Progress
from launchd.ops.health import Health

RING = 8192
# The most events handed to a reader at once, so that nobody holds the loop for long.
BATCH = 256
MAX_READERS = 64
# How long the feed goes on listening after the last reader has gone: a client may come back.
LINGER_SECONDS = 120.0
HEARTBEAT_SECONDS = 15.0
# How often the progress of running jobs and the health checks are read while somebody follows.
PROGRESS_SECONDS, HEALTH_SECONDS = 1.0, 15.0


class Gap(NamedTuple):
    """How many events a client that came back has missed for good; None if that is unknown."""

    missed: int | None


class LostPlaceError(Exception):
    """A reader was so slow that its next event is not in the ring any more."""


class Feed:
    """The events of one daemon. `start` names this run; `running` gives the attempts that run now."""

    def __init__(
        self, bus: Bus, clock: Clock, start: str, health: Health, running: Callable[[], Iterable[Attempt]]
    ) -> None:
        self.closed = False
        self._bus = bus
        self._clock = clock
        self._start = start
        self._health = health
        self._running = running
        self._ring: list[Happening | None] = [None] * RING
        self._next = 1  # the number of the next event
        self._first = 1  # the number of the first event since it listens
        self._listening = 0  # how often it has begun to listen
        self._stop_listening: Callable[[], None] | None = None
        self._readers: set[FeedReader] = set()
        self._watching: list[asyncio.Task[None]] = []
        self._lingering: asyncio.Task[None] | None = None
        self._progress: dict[str, Progress | None] = {}

    @contextmanager
    def follow(self, last_id: str | None) -> Iterator["FeedReader"]:
        """A reader at the present end, or after the event with `last_id`. Raises UnavailableError for one too many.

        If that event is not in the ring any more, the reader's `gap` says so.
        """
        if self.closed or len(self._readers) >= MAX_READERS:
            raise UnavailableError(f"{MAX_READERS} clients follow the events already: try again later")
        self._listen()
        place, gap = self._place(last_id)
        reader = FeedReader(self, self._clock, place, gap)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.remove(reader)
            if not self._readers and not self.closed:
                self._lingering = asyncio.create_task(self._linger())

    async def close(self) -> None:
        """End the feed for every reader."""
        self.closed = True
        self._wake()
        self._forget()
        tasks = [*self._watching, *([self._lingering] if self._lingering else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def id_of(self, number: int) -> str:
        """The id of an event."""
        return f"{self._start}-{self._listening}-{number}"

    def since(self, place: int) -> list[Happening]:
        """Up to `BATCH` events from a number on; raises LostPlaceError if that one is not in the ring any more."""
        if place < self._oldest():
            raise LostPlaceError
        end = min(place + BATCH, self._next)
        return [one for number in range(place, end) if (one := self._ring[number % RING]) is not None]

    # --- within ---

    def _heard(self, happenings: Sequence[Happening]) -> None:
        ring, number = self._ring, self._next
        for one in happenings:
            ring[number % RING] = one
            number += 1
        self._next = number
        self._wake()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.woken.set()

    def _oldest(self) -> int:
        return max(self._first, self._next - RING)

    def _place(self, last_id: str | None) -> tuple[int, Gap | None]:
        """The place where a reader goes on, and how much it has missed."""
        if last_id is None:
            return self._next, None
        listening, _, number = last_id.rpartition("-")
        known = listening == f"{self._start}-{self._listening}" and number.isascii() and number.isdigit()
        after = int(number) + 1 if known and len(number) < 16 else 0  # noqa: PLR2004 - int() of a huge text is slow
        oldest = self._oldest()
        if not known or after > self._next:
            return oldest, Gap(None)
        return (after, None) if after >= oldest else (oldest, Gap(oldest - after))

    def _listen(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._stop_listening is None:
            self._listening += 1
            self._first = self._next
            self._stop_listening = self._bus.subscribe(self._heard)
        if not self._watching:
            self._watching = [
                asyncio.create_task(self._repeat(PROGRESS_SECONDS, self._read_progress)),
                asyncio.create_task(self._repeat(HEALTH_SECONDS, self._run_checks)),
            ]

    async def _linger(self) -> None:
        for task in self._watching:
            task.cancel()
        self._watching = []
        await self._clock.sleep(LINGER_SECONDS)
        self._forget()

    def _forget(self) -> None:
        """Stop listening."""
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
        self._ring = [None] * RING
        self._progress = {}

    async def _repeat(self, seconds: float, call: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._clock.sleep(seconds)
            await call()

    async def _read_progress(self) -> None:
        """Publish the progress that running tasks have reported since the last call."""
        before, now = self._progress, self._clock.now()
        self._progress = {attempt.job.id: attempt.latest_progress() for attempt in self._running()}
        news = [
            messages.job_progress(job_id, said, now)
            for job_id, said in self._progress.items()
            if said is not None and before.get(job_id) is not said
        ]
        if news:
            self._bus.publish(news)

    async def _run_checks(self) -> None:
        """Run the checks: they publish a change of level themselves."""
        await self._health.report()


class FeedReader:
    """A reader of the feed: `place` is the number of its next event, `gap` is how much it missed before."""

    def __init__(self, feed: Feed, clock: Clock, place: int, gap: Gap | None) -> None:
        self.woken = asyncio.Event()
        self.gap = gap
        self.place = place
        self._feed = feed
        self._clock = clock

    @property
    def last_id(self) -> str:
        """The id of the last event that this reader has read."""
        return self._feed.id_of(self.place - 1)

    async def read(self) -> list[tuple[str, Happening]] | None:
        """The next events with their ids; an empty list when a heartbeat is due, None at the end of the feed.

        Raises LostPlaceError if they are not in the ring any more.
        """
        if not self._feed.closed and not self._feed.since(self.place):
            self.woken.clear()
            await until(self.woken, self._clock.sleep(HEARTBEAT_SECONDS))
        if self._feed.closed:
            return None
        first, found = self.place, self._feed.since(self.place)
        self.place += len(found)
        return [(self._feed.id_of(first + index), one) for index, one in enumerate(found)]
