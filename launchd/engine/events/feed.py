"""The feed: the last events in a bounded ring, for those who follow them and those who come back.

It listens to the bus only while somebody follows it, and for a while after: until then nothing is kept and nothing
costs. Events are numbered; an id names this daemon's start, the listening, and the number. Readers have no queues:
each has a place in the ring, and one that falls out of it has lost its place. Owned by the control loop.
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
# How long the feed goes on listening once the last reader has gone: for those who come back.
LINGER_SECONDS = 120.0
HEARTBEAT_SECONDS = 15.0
# How often running jobs are asked for their progress, and the checks for their levels, while somebody follows.
PROGRESS_SECONDS, HEALTH_SECONDS = 1.0, 15.0


class Gap(NamedTuple):
    """Events that a reader who came back has missed for good; None where nobody can know how many."""

    missed: int | None


class LostPlaceError(Exception):
    """A reader was so slow that the ring has passed it by."""


class Feed:
    """The events of one daemon, `start` being a name of this run. `running` gives the attempts that run now."""

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
        self._first = 1  # that of the first one since it listens
        self._listening = 0  # how often it has begun to listen
        self._stop_listening: Callable[[], None] | None = None
        self._readers: set[Reader] = set()
        self._watching: list[asyncio.Task[None]] = []
        self._lingering: asyncio.Task[None] | None = None
        self._told: dict[str, Progress | None] = {}

    @contextmanager
    def follow(self, last_id: str | None) -> Iterator["Reader"]:
        """A reader at the present end, or after the event with `last_id`. Raises UnavailableError when all are taken.

        Where that event is not in the ring any more, the reader's `gap` says so.
        """
        if self.closed or len(self._readers) >= MAX_READERS:
            raise UnavailableError("nobody else can follow the events at the moment: try again later")
        self._listen()
        place, gap = self._place(last_id)
        reader = Reader(self, self._clock, place, gap)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.remove(reader)
            if not self._readers and not self.closed:
                self._lingering = asyncio.create_task(self._linger())

    async def close(self) -> None:
        """Let every reader go."""
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
        """Up to `BATCH` events from a number on; raises LostPlaceError when the ring has passed it."""
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
        """Where a reader goes on, and what it has missed."""
        if last_id is None:
            return self._next, None
        listening, _, number = last_id.rpartition("-")
        known = listening == f"{self._start}-{self._listening}" and number.isascii() and number.isdigit()
        after = int(number) + 1 if known and len(number) < 16 else 0  # noqa: PLR2004 - no huge numbers
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
                asyncio.create_task(self._repeat(PROGRESS_SECONDS, self._look_at_progress)),
                asyncio.create_task(self._repeat(HEALTH_SECONDS, self._look_at_health)),
            ]

    async def _linger(self) -> None:
        for task in self._watching:
            task.cancel()
        self._watching = []
        await self._clock.sleep(LINGER_SECONDS)
        self._forget()

    def _forget(self) -> None:
        """Listen no more."""
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
        self._ring = [None] * RING
        self._told = {}

    async def _repeat(self, seconds: float, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._clock.sleep(seconds)
            await look()

    async def _look_at_progress(self) -> None:
        """Tell what running tasks have said since the last look."""
        told, now = self._told, self._clock.now()
        self._told = {attempt.job.id: attempt.latest_progress() for attempt in self._running()}
        news = [
            messages.job_progress(job_id, said, now)
            for job_id, said in self._told.items()
            if said is not None and told.get(job_id) is not said
        ]
        if news:
            self._bus.publish(news)

    async def _look_at_health(self) -> None:
        """The checks tell by themselves when a level is another one."""
        await self._health.report()


class Reader:
    """One who follows: `place` is the number of its next event, `gap` what it missed before."""

    def __init__(self, feed: Feed, clock: Clock, place: int, gap: Gap | None) -> None:
        self.woken = asyncio.Event()
        self.gap = gap
        self.place = place
        self._feed = feed
        self._clock = clock

    @property
    def last_id(self) -> str:
        """The id of the last event that this reader has had."""
        return self._feed.id_of(self.place - 1)

    async def read(self) -> list[tuple[str, Happening]] | None:
        """The next events with their ids, none when a heartbeat is due, None at the end of the feed.

        Raises LostPlaceError when they are gone.
        """
        if not self._feed.closed and not self._feed.since(self.place):
            self.woken.clear()
            await until(self.woken, self._clock.sleep(HEARTBEAT_SECONDS))
        if self._feed.closed:
            return None
        first, found = self.place, self._feed.since(self.place)
        self.place += len(found)
        return [(self._feed.id_of(first + index), one) for index, one in enumerate(found)]
