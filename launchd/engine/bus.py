"""The bus: tells events to whoever listens in this process. Owned by the control loop; nothing durable hangs on it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from launchd.event import Event


class Bus:
    """Publish and subscribe on one loop. Listeners are called at once and must not block or raise."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []
        self._ends: dict[str, list[asyncio.Event]] = {}

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener(event)

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Listen to all events; returns how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def ended(self, job_id: str) -> None:
        """Wake those who wait for the end of a job."""
        for waiter in self._ends.get(job_id, ()):
            waiter.set()

    @contextmanager
    def end_of(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the job ends. Look at the job after entering: it may have ended before."""
        waiter = asyncio.Event()
        self._ends.setdefault(job_id, []).append(waiter)
        try:
            yield waiter
        finally:
            left = self._ends[job_id]
            left.remove(waiter)
            if not left:
                del self._ends[job_id]
