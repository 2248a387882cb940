"""The bus: passes events to listeners in this process. Owned by the control loop; nothing durable depends on it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from launchd.event import Event, Happening, JobEnd


class Bus:
    """Publish and subscribe on one loop. Listeners are called at once and must not block or raise.

    Ends of jobs come tens of thousands a second: they are published in batches, and become events only when a listener
    reads one. Ask `has_listeners` before you make an event.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[[Sequence[Happening]], None]] = []
        self._counters: list[Callable[[Sequence[JobEnd]], None]] = []
        self._ends: dict[str, list[asyncio.Event]] = {}
        self.waiting = 0  # how many wait for the end of a job
        self.releases = 0  # how often `release` was called
        self.closed = False  # True once nobody may wait any more
        self._of_type: dict[str, list[Callable[[Event], None]]] = {}

    @property
    def has_listeners(self) -> bool:
        """True if anybody listens to all events."""
        return bool(self._listeners)

    def publish(self, happenings: Sequence[Happening]) -> None:
        """Call every listener."""
        for listener in self._listeners:
            listener(happenings)
        if self._of_type:
            for one in happenings:
                for call in self._of_type.get(one.type, ()):
                    call(one.event())

    def subscribe(self, listener: Callable[[Sequence[Happening]], None]) -> Callable[[], None]:
        """Listen to all events, in batches; returns how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def listen(self, types: Iterable[str], listener: Callable[[Event], None]) -> Callable[[], None]:
        """Listen to events of these types alone, one by one, never to ends of jobs; returns how to stop."""
        lists = [self._of_type.setdefault(kind, []) for kind in types]
        for listeners in lists:
            listeners.append(listener)

        def stop() -> None:
            for listeners in lists:
                listeners.remove(listener)

        return stop

    def subscribe_ends(self, counter: Callable[[Sequence[JobEnd]], None]) -> Callable[[], None]:
        """Listen to the ends of jobs alone, in batches; returns how to stop."""
        self._counters.append(counter)
        return lambda: self._counters.remove(counter)

    def ended(self, ends: Sequence[JobEnd]) -> None:
        """Attempts have ended: wake those who wait for one of them, call every listener."""
        for counter in self._counters:
            counter(ends)
        if self._ends:
            for end in ends:
                for waiter in self._ends.get(end.job_id, ()):
                    waiter.set()
        for listener in self._listeners:
            listener(ends)

    def release(self, *, closing: bool = False) -> None:
        """Wake all who wait for the end of a job: they get the job as it is. With `closing`, nobody may wait again."""
        self.releases += 1
        self.closed = self.closed or closing
        for waiters in self._ends.values():
            for waiter in waiters:
                waiter.set()

    @contextmanager
    def end_of(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the job ends. Read the job after entering: it may have ended before."""
        waiter = asyncio.Event()
        self._ends.setdefault(job_id, []).append(waiter)
        self.waiting += 1
        try:
            yield waiter
        finally:
            self.waiting -= 1
            left = self._ends[job_id]
            left.remove(waiter)
            if not left:
                del self._ends[job_id]
