"""The jobs of one queue that need a lock: one whose lock is free starts, others wait, and not for ever.

Owned by the queue's pool. A slot and a lock are always taken together: a job that waits for its lock holds no slot, and
a job that waits for a slot holds no lock.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import structlog

from launchd.clock import Clock, format_instant
from launchd.engine.bus import Bus
from launchd.errors import StoreError, UnavailableError
from launchd.event import JobEnd
from launchd.lock import Lock
from launchd.locks.manager import LockManager
from launchd.store.jobs import Candidate, Claimed, JobStore
from launchd.task import LOCK_TTL_SECONDS, Task

_log = structlog.get_logger("launchd.pool")
# How long after the lock backend refused to answer it is asked again.
AWAY_SECONDS = 1.0
# How often a job looks again at a lock that is held elsewhere.
POLL_SECONDS = 1.0
# The most jobs of a queue that wait for locks with a running clock; the rest wait their turn in the store.
LIMIT = 1000


class LockWait(NamedTuple):
    """A ready job that found its lock taken. Times are monotonic seconds."""

    candidate: Candidate
    until: float
    holder: Lock


class Slots(NamedTuple):
    """The pool's side: how many jobs may start, how one is started under its lock, the window of the queue's rate."""

    free: Callable[[], int]
    start: Callable[[Claimed, Lock], None]
    window: Callable[[], float | None]


class LockWaits:
    """Who waits for a lock, by seq; changes in a turn of the pool only.

    `trouble` says why locks cannot be asked for at the moment.
    """

    def __init__(
        self,
        queue: str,
        *,
        clock: Clock,
        store: JobStore,
        locks: LockManager,
        tasks: Mapping[str, Task],
        slots: Slots,
        bus: Bus,
    ) -> None:
        self.waits: dict[int, LockWait] = {}
        self.trouble: str | None = None
        self._queue = queue
        self._clock = clock
        self._store = store
        self._locks = locks
        self._tasks = tasks
        self._slots = slots
        self._bus = bus
        self._look_again = 0.0
        self._away_until = 0.0

    @property
    def full(self) -> bool:
        """Whether no more may wait here."""
        return len(self.waits) >= LIMIT

    @property
    def looking(self) -> bool:
        """Whether a lock may come free without a word to this daemon: it must be looked at again and again."""
        return bool(self.waits) or self.trouble is not None

    def freed(self) -> bool:
        """A lock was given back here: those who wait look at once; False when nobody does."""
        self._look_again = 0.0
        return bool(self.waits)

    def known(self) -> list[int] | None:
        """The seqs of those that wait, for a turn that asks for others; None while locks cannot be asked for."""
        return list(self.waits) if self._clock.monotonic() >= self._away_until else None

    async def take(self, candidates: list[Candidate]) -> tuple[int, int]:
        """Start what gets its lock: how many started, how many were denied. A backend that is away is asked later."""
        try:
            started = await self._retry()
            more, denied = await self._try_all(candidates)
        except StoreError:
            raise
        except UnavailableError as error:
            if self.trouble is None:
                _log.error("locks_unavailable", queue=self._queue, error=error.detail)
            self.trouble = error.detail
            self._away_until = self._clock.monotonic() + AWAY_SECONDS
            self.waits.clear()  # the time that they wait for nobody does not count
            return 0, 0
        if self.trouble is not None:
            _log.info("locks_available", queue=self._queue)
            self.trouble = None
        return started + more, denied

    async def _try_all(self, candidates: list[Candidate]) -> tuple[int, int]:
        """Try the lock of each candidate once: how many started, how many found it taken and wait now.

        Those that waited for their lock have gone first and may have left no slot.
        """
        started = denied = 0
        taken: dict[str, Lock] = {wait.candidate.lock: wait.holder for wait in self.waits.values()}
        for candidate in candidates:
            if self._slots.free() <= 0:
                break
            holder = taken.get(candidate.lock)
            if holder is None:
                got, holder = await self._try(candidate)
                started += got
                if got or holder is None:
                    continue
                taken[candidate.lock] = holder
            self._wait(candidate, holder)
            denied += 1
        return started, denied

    def _wait(self, candidate: Candidate, holder: Lock) -> None:
        task = self._tasks.get(candidate.task)
        seconds = task.lock_wait_seconds if task else 0.0
        self.waits[candidate.seq] = LockWait(candidate, self._clock.monotonic() + seconds, holder)

    async def _retry(self) -> int:
        """Look again at each waiting job; one whose time is up while the lock is held is skipped."""
        if not self.waits or self._clock.monotonic() < self._look_again:
            return 0
        self._look_again = self._clock.monotonic() + POLL_SECONDS
        started = 0
        for seq, wait in list(self.waits.items()):
            if self._slots.free() <= 0:
                break
            got, holder = await self._try(wait.candidate)
            if got or holder is None:
                del self.waits[seq]
                started += got
            elif self._clock.monotonic() >= wait.until:
                del self.waits[seq]
                await self._skip(wait.candidate, holder)
            else:
                self.waits[seq] = wait._replace(holder=holder)
        return started

    async def _try(self, candidate: Candidate) -> tuple[bool, Lock | None]:
        """Take lock and slot together: (True, lock) started, (False, holder) taken, (False, None) the job is gone."""
        task = self._tasks.get(candidate.task)
        ttl = task.lock_ttl_seconds if task else LOCK_TTL_SECONDS
        got, lock = await self._locks.acquire(candidate.lock, candidate.id, ttl)
        if not got:
            return False, lock
        claimed = None
        try:
            now = self._clock.now()
            claimed = await self._store.claim_locked(candidate.seq, lock.fence, now, window=self._slots.window())
        finally:
            if claimed is None:
                await self._locks.release(lock)
        if claimed is None:
            return False, None
        self._slots.start(claimed, lock)
        return True, lock

    async def _skip(self, candidate: Candidate, holder: Lock) -> None:
        reason = f"lock {holder.name} was held {held_by(holder)}"
        if await self._store.skip(candidate.seq, reason, self._clock.now()):
            said = {"job_id": candidate.id, "task": candidate.task, "queue": self._queue, "lock": holder.name}
            _log.warning("job_skipped", **said, reason=reason)
            self._bus.ended([JobEnd(self._clock.now(), candidate.id, "skipped", candidate.task, self._queue)])


def held_by(lock: Lock) -> str:
    """Who holds a lock and since when, for a sentence."""
    who = f"job {lock.job_id}" if lock.job_id else lock.owner
    return f"by {who} since {format_instant(lock.since)}"
