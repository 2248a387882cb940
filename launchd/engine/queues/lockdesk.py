"""The lock desk of one queue: asks for the locks of its jobs beside the pool's turns, so that no turn waits for a lock.

A turn hands over the ready jobs that need a lock. For each of them the desk keeps a slot while it asks, so that the
job keeps its place in line. If the backend does not answer soon, no slots are kept, and the turns go on with jobs that
need no lock. A slot and a lock are always taken together: a job that waits for its lock holds no slot, and a lock that
is granted when no slot is free is released. Owned by the control loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from launchd.clock import Clock
from launchd.engine.events.bus import Bus
from launchd.engine.queues.lockwaits import POLL_SECONDS, LockWait, LockWaits, Overdue, held_by
from launchd.errors import LaunchdError
from launchd.event import JobEnd
from launchd.lock import Lock
from launchd.locks.manager import LockManager
from launchd.logger import get_logger
from launchd.store.claims import Candidate, Claimed
from launchd.store.jobs import JobStore
from launchd.task import LOCK_TTL_SECONDS, Task

_log = get_logger("launchd.pool")
# How long slots are kept for a backend that answers at once, and for a slow one: twice what its last answer took.
LEAST_PATIENCE_SECONDS, MOST_PATIENCE_SECONDS = 0.25, 1.0
# How many different locks are asked for at the same time.
WAVE = 16
# How long no job is asked for after the store refused to start one.
BACKOFF_SECONDS = 1.0


class Slots(NamedTuple):
    """The functions of the pool. `free` counts slots that are neither used nor kept; `open` is True if jobs may start.

    `start` starts a claimed job under its lock; `claiming` and `claimed` are called before and after the claim, since a
    stop must wait for a job that is about to start; `wake` asks for a turn; `window` is that of the queue's rate.
    """

    free: Callable[[], int]
    open: Callable[[], bool]
    start: Callable[[Claimed, Lock], None]
    claiming: Callable[[], None]
    claimed: Callable[[], None]
    wake: Callable[[], None]
    window: Callable[[], float | None]


class Offer(NamedTuple):
    """The jobs and the locks that the store leaves out of an offer."""

    waiting: list[int]
    barred: list[str]


class LockDesk:
    """Takes the locks of a queue's jobs. `waits` are the jobs whose lock was taken."""

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
        self._queue = queue
        self._clock = clock
        self._store = store
        self._locks = locks
        self._tasks = tasks
        self._slots = slots
        self._bus = bus
        self._waits = LockWaits(clock)
        self._offered: deque[Candidate] = deque()
        self._handed_over = asyncio.Event()
        # by seq: jobs whose locks are asked for now; jobs that are claimed now, with lock and slot
        self._trying: dict[int, Candidate] = {}
        self._claiming: set[int] = set()
        self._asked_at = 0.0
        self._patience = LEAST_PATIENCE_SECONDS  # of the present wave; `_answered_in` decides that of the next
        self._answered_in = 0.0
        self._rests_until = 0.0

    # --- the pool's questions ---

    @property
    def waits(self) -> dict[int, LockWait]:
        """The jobs that wait for a lock that is held, by seq."""
        return self._waits.waits

    @property
    def kept(self) -> int:
        """The slots that are kept for the jobs at the desk."""
        return len(self._claiming) if self._silent else len(self._offered) + len(self._trying)

    @property
    def claiming(self) -> bool:
        """True while a job is about to start."""
        return bool(self._claiming)

    @property
    def busy(self) -> bool:
        """True while there is a job at the desk."""
        return bool(self._offered or self._trying)

    @property
    def looking(self) -> bool:
        """True while the pool must take a turn every second: a lock may be released without notice to this daemon."""
        resting = self._clock.monotonic() < self._rests_until
        return resting or self._waits.looking or self._locks.availability.outage is not None

    def next_look(self) -> float:
        """In how many seconds at most the pool must take a turn, while jobs wait for locks."""
        now = self._clock.monotonic()
        looks = [self._waits.next_look(), self._asked_at + self._patience if self._trying else None]
        return min([POLL_SECONDS, *(at - now for at in looks if at is not None and at > now)])

    def trouble(self, name: str | None) -> str | None:
        """Why no lock, or not this one, can be taken at the moment."""
        if self._locks.availability.outage is not None:
            return self._locks.availability.outage
        if self._silent:
            return f"the lock backend has not answered for {self._clock.monotonic() - self._asked_at:.1f} s"
        return self._waits.fault(name)

    def faults(self) -> dict[str, str]:
        """The locks that cannot be taken although the backend works, and why."""
        return self._waits.faults()

    def offer(self) -> Offer | None:
        """The bounds of the next offer of jobs that need a lock; None while the store need not offer any."""
        if self._locks.availability.outage is not None:
            self._waits.clear()  # waiting for a backend that is away does not count
            return None
        if self._silent or self._clock.monotonic() < self._rests_until:
            return None
        at_desk = [*self._trying, *(one.seq for one in self._offered)]
        return Offer(self._waits.waiting() + at_desk, self._waits.barred())

    def hand_over(self, candidates: Sequence[Candidate], offer: Offer, *, all_of_them: bool) -> None:
        """Take the locks of these jobs soon; `all_of_them` is True if the store has no others."""
        if all_of_them:
            self._waits.offered(candidates, offer.waiting)
        if candidates:
            self._offered += candidates
            self._handed_over.set()

    def freed(self) -> bool:
        """A lock was released here: ask again at once for the waiting jobs; False if none waits."""
        self._waits.look_again()
        return self._waits.looking

    # --- the desk's own task ---

    async def run(self) -> None:
        """Take the locks of the jobs that are handed over, for ever."""
        while True:
            await self._handed_over.wait()
            self._handed_over.clear()
            await self.run_once()

    async def run_once(self) -> None:
        """Try every job at the desk, those with different locks side by side."""
        while self._offered:
            wave, overdue = self._next_wave()
            self._patience = min(max(2 * self._answered_in, LEAST_PATIENCE_SECONDS), MOST_PATIENCE_SECONDS)
            self._asked_at, self._answered_in = self._clock.monotonic(), 0.0
            await asyncio.gather(self._skip(overdue), *(self._try(candidate) for candidate in wave))
            late = self._clock.monotonic() >= self._asked_at + self._patience
            if late or self._locks.availability.outage is not None or not self._slots.open():
                self._offered.clear()  # keep no slots for them: a turn offers them again
            self._slots.wake()  # slots that were kept may be free

    # --- within ---

    @property
    def _silent(self) -> bool:
        """True if the backend has not answered for longer than slots are kept for it."""
        return bool(self._trying) and self._clock.monotonic() >= self._asked_at + self._patience

    def _next_wave(self) -> tuple[list[Candidate], list[Overdue]]:
        """The first jobs of different locks; a job whose lock is known to be held joins those that wait for it.

        Also returns the jobs whose time to wait is over.
        """
        wave: dict[str, Candidate] = {}
        same: list[Candidate] = []
        overdue: list[Overdue] = []
        while self._offered and len(wave) < WAVE:
            candidate = self._offered.popleft()
            name, holder = candidate.lock, self._waits.holder(candidate.lock)
            if holder is not None:
                overdue += self._waits.join(candidate, holder, self._wait_seconds(candidate))
            elif name in wave:
                same.append(candidate)
            elif not self._waits.faulty_now(name):
                wave[name] = candidate
        self._offered.extendleft(reversed(same))
        self._trying = {candidate.seq: candidate for candidate in wave.values()}
        return list(wave.values()), overdue

    async def _try(self, candidate: Candidate) -> None:
        try:
            await self._ask(candidate)
        except Exception:  # noqa: BLE001 - one job's trouble must not end the desk
            _log.exception("lock_desk_failed", queue=self._queue, job_id=candidate.id)
            self._rests_until = self._clock.monotonic() + BACKOFF_SECONDS
        finally:
            self._trying.pop(candidate.seq, None)
            self._claiming.discard(candidate.seq)
            self._slots.claimed()

    async def _ask(self, candidate: Candidate) -> None:
        """Take the lock, then the slot."""
        task = self._tasks.get(candidate.task)
        try:
            got, lock = await self._locks.acquire(
                candidate.lock, candidate.id, task.lock_ttl_seconds if task else LOCK_TTL_SECONDS
            )
        except LaunchdError as error:
            await self._failed(candidate.lock, error.detail)
            return
        self._answered_in = max(self._answered_in, self._clock.monotonic() - self._asked_at)
        if not got:
            await self._skip(self._waits.denied(candidate, lock, self._wait_seconds(candidate)))
        elif not self._slots.open() or (self._silent and self._slots.free() <= 0):
            self._locks.release_soon(lock)
        else:
            await self._claim(candidate, lock)

    async def _claim(self, candidate: Candidate, lock: Lock) -> None:
        """Start the job; if it is not queued any more, release its lock."""
        self._claiming.add(candidate.seq)
        self._slots.claiming()
        claimed = None
        try:
            now = self._clock.now()
            claimed = await self._store.claim_locked(candidate.seq, lock.fence, now, window=self._slots.window())
        finally:
            if claimed is None:
                self._locks.release_soon(lock)
        self._waits.taken(candidate)
        if claimed is not None:
            self._slots.start(claimed, lock)

    async def _failed(self, name: str, detail: str) -> None:
        """Find out if only this lock cannot be taken, or none can."""
        try:
            await self._locks.availability.probe()
        except LaunchdError:
            self._locks.availability.failed(detail)
            return
        if self._waits.fault(name) is None:
            _log.error("lock_faulty", queue=self._queue, lock=name, error=detail)
        self._waits.faulty(name, detail)

    def _wait_seconds(self, candidate: Candidate) -> float:
        task = self._tasks.get(candidate.task)
        return task.lock_wait_seconds if task else 0.0

    async def _skip(self, overdue: Sequence[Overdue]) -> None:
        """Skip the jobs whose locks stayed taken; a job that the store does not skip is offered again."""
        now = self._clock.now()
        reasons = [f"lock {holder.name} was held {held_by(holder)}" for _, holder in overdue]
        pairs = list(zip(overdue, reasons, strict=True))
        asked = (self._store.skip(one.candidate.seq, reason, now) for one, reason in pairs)
        skipped = await asyncio.gather(*asked, return_exceptions=True)
        for (one, reason), done in zip(pairs, skipped, strict=True):
            if done is True:
                said = {"job_id": one.candidate.id, "task": one.candidate.task, "queue": self._queue}
                _log.warning("job_skipped", **said, lock=one.holder.name, reason=reason)
                self._bus.ended([JobEnd(now, one.candidate.id, "skipped", one.candidate.task, self._queue)])
            elif isinstance(done, BaseException):
                self._rests_until = self._clock.monotonic() + BACKOFF_SECONDS
                _log.error("job_not_skipped", queue=self._queue, job_id=one.candidate.id, error=str(done))
