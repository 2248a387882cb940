"""The locks that this daemon holds: acquired for a job, renewed at a third of the lease, released, or lost.

It runs on the control loop, so renewal goes on whatever task code does. A lease is measured by the boot clock, which
counts the machine's sleep: a lock that was not renewed in time counts as lost, even if the backend has not noticed yet
or does not answer. After a sleep, or if the wall clock was set (the only sign that a virtual machine was stopped), a
lock is trusted again only after the backend has confirmed it. When a backend is back after an outage, the locks are
confirmed at once: another server may have taken its place that lacks the last locks.

Every request to the backend has a time-out, and each loop (renewals, releases, probes) is a task of its own, so that a
silent backend delays none of the others.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import NamedTuple

from launchd.clock import SECOND, STEP, Clock, Reading, reading, set_by, until
from launchd.errors import LaunchdError
from launchd.lock import LEASE_SECONDS, Lock, Locks
from launchd.locks.availability import ASK_SECONDS, PROBE_PREFIX, RETRY_SECONDS, Availability, within
from launchd.locks.releases import Releases
from launchd.logger import get_logger

_log = get_logger("launchd.locks")
# The time-out of a list of the locks.
LIST_SECONDS = 2.0
# A stop waits this long for the backend.
CLOSE_SECONDS = 3.0
# The longest time between two looks at the boot clock: timers of the loop stand still while the machine sleeps.
LOOK_SECONDS = 5.0


class _Moment(NamedTuple):
    """All three clocks at one moment."""

    clocks: Reading
    monotonic: float


class _Hold(NamedTuple):
    """A lock that is held. `asked_at` is just before the last confirmed request.

    `trusted_until` is the end of the lease, in seconds of the boot clock.
    """

    lock: Lock
    asked_at: _Moment
    trusted_until: float


class LockManager:
    """Acquires, renews and releases locks for the jobs of one instance.

    `on_loss` is called with a lost lock, whose job must stop; `on_free` when a lock may have become free; `on_change`
    with "taken", "released" or "lost" and the lock, after each change.
    """

    def __init__(
        self,
        backend: Locks,
        clock: Clock,
        owner: str,
        *,
        on_loss: Callable[[Lock], None],
        on_free: Callable[[], None],
        lease_seconds: float = LEASE_SECONDS,
        on_change: Callable[[str, Lock], None] = lambda _what, _lock: None,
    ) -> None:
        self.backend = backend
        self._on_change = on_change
        self._clock = clock
        self._owner = owner
        self._lease = lease_seconds
        self._on_loss = on_loss
        self._on_free = on_free
        self._held: dict[str, _Hold] = {}
        self._releases = Releases(backend, clock, on_free=on_free, on_change=on_change)
        self.availability = Availability(backend, clock, owner, prepare=self._prepare, on_back=on_free)
        self._asking: set[asyncio.Task[tuple[bool, Lock]]] = set()
        self._recovered = False
        self._holding = asyncio.Event()
        self._taken = asyncio.Event()
        # set when the backend is back after an outage: for the renewals, the releases and the probe
        self._back = (asyncio.Event(), asyncio.Event(), asyncio.Event())
        self._away = False

    @property
    def pending_releases(self) -> int:
        """How many locks could not be released yet."""
        return self._releases.pending

    async def recover(self) -> int:
        """Delete the locks of dead instances of this state directory, before the first acquire; returns how many."""
        voided = await within(ASK_SECONDS, self.backend.void_others(self._owner))
        self._recovered = True
        return voided

    async def _prepare(self) -> None:
        if not self._recovered:  # the backend was down when the daemon started
            await self.recover()

    async def acquire(self, name: str, job_id: str, ttl_seconds: float) -> tuple[bool, Lock]:
        """Try once: (True, our lock) or (False, the holder's lock). Raises UnavailableError: fail closed.

        A lock that arrives after the caller was cancelled is released, and so is one whose answer did not come in time.
        """
        asking = asyncio.create_task(self._acquire(name, job_id, ttl_seconds))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(self._unwanted)
            raise

    async def _acquire(self, name: str, job_id: str, ttl_seconds: float) -> tuple[bool, Lock]:
        await self._prepare()
        await self._releases.settled(name)
        asked_at, token = self._moment(), secrets.token_hex(16)
        asked = self.backend.acquire(name, owner=self._owner, job_id=job_id, ttl_seconds=ttl_seconds, token=token)
        try:
            lock = await within(ASK_SECONDS, asked)
        except LaunchdError:
            now = self._clock.now()
            lapses = now + int(self._lease * SECOND)
            self._releases.release_if_taken(Lock(name, token, self._owner, job_id, 0, now, lapses))
            raise
        self.availability.answered()
        if lock.owner != self._owner or lock.job_id != job_id:
            return False, lock
        self._held[name] = _Hold(lock, asked_at, self._trust(lock, asked_at))
        self._holding.set()
        self._taken.set()
        self._on_change("taken", lock)
        return True, lock

    def _unwanted(self, asked: asyncio.Task[tuple[bool, Lock]]) -> None:
        if asked.cancelled() or asked.exception() is not None:
            return
        got, lock = asked.result()
        if got:
            self.release_soon(lock)

    def holds(self, lock: Lock) -> bool:
        """True if a result under this lock may be written: it is held, its lease has not expired, no clock jumped."""
        hold = self._held.get(lock.name)
        if hold is None or hold.lock.token != lock.token:
            return False
        now = self._moment()
        return not _unsteady(hold.asked_at, now) and self._clock.boot() < hold.trusted_until

    async def confirm(self) -> None:
        """Renew all leases if the machine slept or its clock was set since the last confirmed request."""
        now = self._moment()
        if any(_unsteady(hold.asked_at, now) for hold in self._held.values()):
            await self.renew_once()

    def release_soon(self, lock: Lock) -> asyncio.Task[None]:
        """Release a lock in a task of its own; retried until the lease expires. A lost lock is left alone."""
        hold = self._held.get(lock.name)
        if hold is not None and hold.lock.token == lock.token:
            del self._held[lock.name]
            lock = hold.lock  # as it was last renewed
        return self._releases.start(lock)

    async def release(self, lock: Lock) -> None:
        """The same, and wait for the backend's answer."""
        await asyncio.shield(self.release_soon(lock))  # a caller that is cancelled must not leave it held

    async def everywhere(self) -> list[Lock]:
        """All locks that any host holds now, except those of probes; raises UnavailableError."""
        held = await within(LIST_SECONDS, self.backend.list())
        return [lock for lock in held if not lock.name.startswith(PROBE_PREFIX)]

    async def probe(self) -> None:
        """Acquire, renew and release a lock as jobs do; raises UnavailableError with the step that failed."""
        await self.availability.probe()

    async def close(self) -> None:
        """Wait up to CLOSE_SECONDS for the acquires and releases that are under way."""
        if self._asking:
            await asyncio.wait(self._asking, timeout=CLOSE_SECONDS)
        left = await self._releases.close(CLOSE_SECONDS)
        if left:
            _log.warning("locks_left", locks=left, detail="they expire with their lease, or at the next start")

    async def force_release(self, name: str) -> Lock | None:
        """Take a lock from its holder; returns the holder's lock or None. If it is ours, its job is stopped."""
        lock = await within(ASK_SECONDS, self.backend.force_release(name))
        if lock is not None:
            self._lose(lock.token, name)
            self._on_free()
        return lock

    async def renew_once(self) -> bool:
        """Renew all leases; a lock that the backend no longer has is lost. False if the backend did not answer."""
        held = [hold.lock for hold in self._held.values()]
        if not held:
            return True
        asked_at = self._moment()
        try:
            renewed = await within(ASK_SECONDS, self.backend.renew(held))
        except LaunchdError as error:
            if not self._away:
                _log.warning("lock_renewal_failed", error=error.detail, locks=[lock.name for lock in held])
            self._away = True
            return False
        self._away = False
        self._keep(renewed, asked_at)
        standing = {lock.token for lock in renewed}
        for lock in held:
            if lock.token not in standing:
                self._lose(lock.token, lock.name)
        return True

    def expire_once(self) -> None:
        """Treat every lock as lost whose lease has expired without a renewal."""
        for hold in list(self._held.values()):
            if self._clock.boot() >= hold.trusted_until:
                self._lose(hold.lock.token, hold.lock.name)

    async def run(self) -> None:
        """Run all loops for ever: renewals, expiry, releases, probes, and the watch for free locks."""

        def back() -> None:
            for event in self._back:
                event.set()

        renewing, returning, probing = self._back
        async with asyncio.TaskGroup() as group:
            group.create_task(self.backend.watch(self._on_free, back))
            group.create_task(self._renew_for_ever(renewing))
            group.create_task(self._expire_for_ever())
            group.create_task(self._releases.run(returning))
            group.create_task(self.availability.run(probing))

    async def _renew_for_ever(self, back: asyncio.Event) -> None:
        """At a third of the lease, while a lock is held; every second during an outage, and at once after it."""
        while True:
            await self._holding.wait()
            third = self._lease / 3
            await until(back, self._clock.sleep(min(third, RETRY_SECONDS) if self._away else third))
            back.clear()
            await self.renew_once()
            if not self._held:
                self._holding.clear()

    async def _expire_for_ever(self) -> None:
        """When the first lease expires, even if a renewal is under way."""
        while True:
            await self._holding.wait()
            self._taken.clear()
            ends = min((hold.trusted_until for hold in self._held.values()), default=None)
            if ends is None:
                await self._taken.wait()
                continue
            left = min(max(ends - self._clock.boot(), 0.0), LOOK_SECONDS)
            await until(self._taken, self._clock.sleep_until(self._clock.now() + int(left * SECOND) + 1))
            self.expire_once()
            await self.confirm()

    def _keep(self, renewed: list[Lock], asked_at: _Moment) -> None:
        for lock in renewed:
            hold = self._held.get(lock.name)
            if hold is not None and hold.lock.token == lock.token:
                self._held[lock.name] = _Hold(lock, asked_at, self._trust(lock, asked_at))

    def _moment(self) -> _Moment:
        return _Moment(reading(self._clock), self._clock.monotonic())

    def _trust(self, lock: Lock, asked_at: _Moment) -> float:
        """The end of the lease in seconds of the boot clock.

        It counts from before the request, and ends at the ceiling on the whole hold.
        """
        left = (lock.expires_at - self._clock.now()) / SECOND
        return asked_at.clocks.boot / SECOND + min(self._lease, left)

    def _lose(self, token: str, name: str) -> None:
        hold = self._held.get(name)
        if hold is None or hold.lock.token != token:
            return
        del self._held[name]
        _log.error("lock_lost", lock=name, job_id=hold.lock.job_id, fence=hold.lock.fence)
        self._on_loss(hold.lock)
        self._on_change("lost", hold.lock)


def _unsteady(earlier: _Moment, later: _Moment) -> bool:
    """True if the machine slept between two moments, or its wall clock was set."""
    boot = later.clocks.boot - earlier.clocks.boot
    slept = boot - int((later.monotonic - earlier.monotonic) * SECOND)
    return abs(slept) >= STEP or bool(set_by(earlier.clocks, later.clocks))
