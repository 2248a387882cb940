"""Releases of locks, each in a task of its own, so that no job waits for a lock server that takes a lock back.

A release that the backend did not answer is sent again until it is answered or the lease has expired. An acquire that
was not answered may have taken the lock all the same, so it is released in the same way. It runs on the control loop.
"""

import asyncio
from collections.abc import Callable

from launchd.clock import Clock, until
from launchd.errors import LaunchdError, UnavailableError
from launchd.lock import Lock, Locks
from launchd.logger import get_logger

_log = get_logger("launchd.locks")
# The pause before a release is sent again.
RETRY_SECONDS = 1.0


class Releases:
    """Sends releases until they are answered. `on_free` is called after each attempt.

    `on_change` is called with "released" and the lock.
    """

    def __init__(
        self, backend: Locks, clock: Clock, *, on_free: Callable[[], None], on_change: Callable[[str, Lock], None]
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._on_free = on_free
        self._on_change = on_change
        self._under_way: dict[asyncio.Task[None], str] = {}  # the name of the lock
        # by token: locks whose release was not answered, until their lease has expired
        self._pending: dict[str, Lock] = {}
        self._any_pending = asyncio.Event()
        self._again = asyncio.Lock()  # one at a time sends them again

    @property
    def pending(self) -> int:
        """How many releases were not answered yet."""
        return len(self._pending)

    def start(self, lock: Lock) -> asyncio.Task[None]:
        """Release a lock; the task ends when the backend has answered or has failed."""
        returning = asyncio.create_task(self._give_back(lock))
        self._under_way[returning] = lock.name
        returning.add_done_callback(self._under_way.pop)
        return returning

    def release_if_taken(self, lock: Lock) -> None:
        """Release a lock whose acquire was not answered, in case the backend has given it."""
        self._keep_pending(lock)

    async def settled(self, name: str) -> None:
        """Wait until no return of this lock is under way or pending; raises UnavailableError if one stays pending."""
        under_way = [task for task, lock in self._under_way.items() if lock == name]
        if under_way:
            await asyncio.wait(under_way)
        if any(lock.name == name for lock in self._pending.values()):
            await self.again()
            if any(lock.name == name for lock in self._pending.values()):
                raise UnavailableError(
                    f"lock {name}: the release by its last job was not answered yet; it is sent again"
                )

    async def again(self) -> None:
        """Send all pending releases again; stop at the first that is not answered. Idempotent.

        A lock whose lease has expired meanwhile is free without a release.
        """
        async with self._again:
            for lock in list(self._pending.values()):
                if lock.expires_at > self._clock.now() and not await self._released(lock):
                    return
                self._pending.pop(lock.token, None)
            if not self._pending:
                self._any_pending.clear()
        self._on_free()

    async def run(self, wake: asyncio.Event) -> None:
        """Send pending releases for ever: every second, and at once when `wake` is set."""
        while True:
            await self._any_pending.wait()
            await until(wake, self._clock.sleep(RETRY_SECONDS))
            wake.clear()
            if self._pending:
                await self.again()

    async def close(self, seconds: float) -> list[str]:
        """Wait up to `seconds` for the releases that are under way; returns the names of the locks still held."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)
        return sorted({*self._under_way.values(), *(lock.name for lock in self._pending.values())})

    async def _give_back(self, lock: Lock) -> None:
        if not await self._released(lock):
            self._keep_pending(lock)
        self._on_free()

    def _keep_pending(self, lock: Lock) -> None:
        self._pending[lock.token] = lock
        self._any_pending.set()

    async def _released(self, lock: Lock) -> bool:
        """Send one release; True if the backend has answered."""
        try:
            if await self._backend.release(lock):
                self._on_change("released", lock)
        except Exception as error:  # noqa: BLE001 - whatever the backend raises, the lock must be released
            if lock.token not in self._pending:
                detail = error.detail if isinstance(error, LaunchdError) else f"{type(error).__name__}: {error}"
                _log.warning("lock_release_failed", lock=lock.name, job_id=lock.job_id, error=detail)
            return False
        return True
