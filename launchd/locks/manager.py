"""The locks that this daemon holds: taken for a job, renewed at a third of the lease, given back, or lost.

Owned by the control loop, so renewal goes on whatever task code does. Trust is by the boot clock, which counts the
machine's sleep: a lock that was not renewed in time counts as lost here even if the backend has not noticed yet, or
does not answer. After a sleep, or when the wall clock was set (a virtual machine that was stopped shows only there), a
lock is not trusted before the backend was asked. A backend that was away is asked at once when it is back: another
server may have taken its place that does not know the last locks.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import structlog

from launchd.clock import SECOND, STEP, Clock, Reading, reading, set_by, until
from launchd.errors import LaunchdError
from launchd.lock import LEASE_SECONDS, Lock, Locks

_log = structlog.get_logger("launchd.locks")
# How soon a renewal that found the backend away is tried again.
RETRY_SECONDS = 1.0
# How often what is held is looked at by the boot clock: timers of the loop stand still while the machine sleeps.
LOOK_SECONDS = 5.0


class _Moment(NamedTuple):
    """All clocks at one moment."""

    clocks: Reading
    monotonic: float


class _Hold(NamedTuple):
    """`asked_at`: just before the backend said last that the lock is ours; `trusted_until` is by the boot clock."""

    lock: Lock
    asked_at: _Moment
    trusted_until: float


class LockManager:
    """Takes and keeps locks for the jobs of one instance. `on_loss` is told the lock of a job that must stop.

    `tell` hears "taken", "released" or "lost" and the lock, after the fact.
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
        tell: Callable[[str, Lock], None] = lambda _what, _lock: None,
    ) -> None:
        self.backend = backend
        self._tell = tell
        self._clock = clock
        self._owner = owner
        self._lease = lease_seconds
        self._on_loss = on_loss
        self._on_free = on_free
        self._held: dict[str, _Hold] = {}
        # by token: what could not be given back, until its lease has lapsed
        self._owed: dict[str, Lock] = {}
        self._recovered = False
        self._holding = asyncio.Event()
        self._taken = asyncio.Event()
        self._look = asyncio.Event()
        self._away = False
        self._returning: set[asyncio.Future[None]] = set()

    async def recover(self) -> int:
        """Void what dead instances of this state directory held; before that, no lock is taken. Returns how many."""
        voided = await self.backend.void_others(self._owner)
        self._recovered = True
        return voided

    async def acquire(self, name: str, job_id: str, ttl_seconds: float) -> tuple[bool, Lock]:
        """Try once: (True, our lock) or (False, the holder's). Raises UnavailableError: fail closed."""
        if not self._recovered:  # the backend was away when the daemon started
            await self.recover()
        asked_at = self._moment()
        lock = await self.backend.acquire(name, owner=self._owner, job_id=job_id, ttl_seconds=ttl_seconds)
        if lock.owner != self._owner or lock.job_id != job_id:
            return False, lock
        self._held[name] = _Hold(lock, asked_at, self._trust(lock, asked_at))
        self._holding.set()
        self._taken.set()
        self._tell("taken", lock)
        return True, lock

    def holds(self, lock: Lock) -> bool:
        """Whether a result under this lock may still be written."""
        hold = self._held.get(lock.name)
        if hold is None or hold.lock.token != lock.token:
            return False
        now = self._moment()
        return not _unsteady(hold.asked_at, now) and self._clock.boot() < hold.trusted_until

    async def confirm(self) -> None:
        """Ask the backend again if the machine has slept, or its clock was set, since it answered last."""
        now = self._moment()
        if any(_unsteady(hold.asked_at, now) for hold in self._held.values()):
            await self.renew_once()

    async def release(self, lock: Lock) -> None:
        """Give a lock back; one that was lost meanwhile is left alone. A backend that is away gets it later."""
        hold = self._held.get(lock.name)
        if hold is not None and hold.lock.token == lock.token:
            del self._held[lock.name]
            lock = hold.lock  # as it was last renewed
        returning = asyncio.ensure_future(self._give_back(lock))
        self._returning.add(returning)
        returning.add_done_callback(self._returning.discard)
        await asyncio.shield(returning)  # a caller that is cancelled must not leave it held

    async def close(self) -> None:
        """Wait for the locks that are being given back."""
        await asyncio.gather(*self._returning)

    async def force_release(self, name: str) -> Lock | None:
        """Take a lock from whoever holds it; a holder in this daemon is stopped."""
        lock = await self.backend.force_release(name)
        if lock is not None:
            self._lose(lock.token, name)
            self._on_free()
        return lock

    async def renew_once(self) -> bool:
        """Renew all leases; what the backend no longer knows is lost. False when it could not be asked."""
        held = [hold.lock for hold in self._held.values()]
        if not held:
            return True
        asked_at = self._moment()
        try:
            renewed = await self.backend.renew(held)
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

    def lapse_once(self) -> None:
        """Lose what was not renewed in time."""
        for hold in list(self._held.values()):
            if self._clock.boot() >= hold.trusted_until:
                self._lose(hold.lock.token, hold.lock.name)

    async def run(self) -> None:
        """Renew for ever, lose what cannot be renewed, and hear of locks that others give back."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.backend.watch(self._on_free, self._look.set))
            group.create_task(self._renew_for_ever())
            group.create_task(self._lapse_for_ever())

    async def _renew_for_ever(self) -> None:
        """At a third of the lease, while anything is held; sooner while the backend is away, and once it is back."""
        while True:
            await self._holding.wait()
            third = self._lease / 3
            seconds = min(third, RETRY_SECONDS) if self._away or self._owed else third
            await until(self._look, self._clock.sleep(seconds))
            self._look.clear()
            await self.return_owed()
            await self.renew_once()
            if not self._held and not self._owed:
                self._holding.clear()

    async def _lapse_for_ever(self) -> None:
        """When the first trust ends, whatever becomes of a renewal that is under way."""
        while True:
            await self._holding.wait()
            self._taken.clear()
            ends = min((hold.trusted_until for hold in self._held.values()), default=None)
            if ends is None:
                await self._taken.wait()
                continue
            left = min(max(ends - self._clock.boot(), 0.0), LOOK_SECONDS)
            await until(self._taken, self._clock.sleep_until(self._clock.now() + int(left * SECOND) + 1))
            self.lapse_once()
            await self.confirm()

    async def return_owed(self) -> None:
        """Give back what could not be given back, as far as it has not lapsed: again and again does no harm."""
        for lock in list(self._owed.values()):
            if lock.expires_at <= self._clock.now() or await self._released(lock):
                self._owed.pop(lock.token, None)

    async def _give_back(self, lock: Lock) -> None:
        if not await self._released(lock):
            self._owed[lock.token] = lock
            self._holding.set()
            self._look.set()
        self._on_free()

    async def _released(self, lock: Lock) -> bool:
        """Whether the backend has answered."""
        try:
            if await self.backend.release(lock):
                self._tell("released", lock)
        except LaunchdError as error:
            if lock.token not in self._owed:
                _log.warning("lock_release_failed", lock=lock.name, job_id=lock.job_id, error=error.detail)
            return False
        return True

    def _keep(self, renewed: list[Lock], asked_at: _Moment) -> None:
        for lock in renewed:
            hold = self._held.get(lock.name)
            if hold is not None and hold.lock.token == lock.token:
                self._held[lock.name] = _Hold(lock, asked_at, self._trust(lock, asked_at))

    def _moment(self) -> _Moment:
        return _Moment(reading(self._clock), self._clock.monotonic())

    def _trust(self, lock: Lock, asked_at: _Moment) -> float:
        """Until when the lock is surely ours: a lease from before the question, never past the ceiling on the hold."""
        left = (lock.expires_at - self._clock.now()) / SECOND
        return asked_at.clocks.boot / SECOND + min(self._lease, left)

    def _lose(self, token: str, name: str) -> None:
        hold = self._held.get(name)
        if hold is None or hold.lock.token != token:
            return
        del self._held[name]
        _log.error("lock_lost", lock=name, job_id=hold.lock.job_id, fence=hold.lock.fence)
        self._on_loss(hold.lock)
        self._tell("lost", hold.lock)


def _unsteady(earlier: _Moment, later: _Moment) -> bool:
    """True if the machine slept between two moments, or its wall clock was set."""
    boot = later.clocks.boot - earlier.clocks.boot
    slept = boot - int((later.monotonic - earlier.monotonic) * SECOND)
    return abs(slept) >= STEP or bool(set_by(earlier.clocks, later.clocks))
