"""A pool runs one queue: a bounded number of slots, filled from the store, woken rather than polling.

Owned by the control loop. One turn is one transaction: the verdicts that came in are written and the freed slots are
filled in the same commit. Jobs that need a lock go through its LockWaits (lockwaits.py).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import structlog

from launchd.clock import SECOND, Clock, Instant, until
from launchd.engine.attempt import Attempt, Stop
from launchd.engine.bus import Bus
from launchd.engine.executor import Executor
from launchd.engine.joblog import JobLog
from launchd.engine.lockwaits import POLL_SECONDS, LockWaits, Slots
from launchd.engine.rate import RateLimiter
from launchd.engine.verdict import UnknownTaskError, failed, lock_lost
from launchd.errors import LaunchdError, StoreError
from launchd.event import JobEnd
from launchd.job import TRANSITIONS, JobState, Outcome, Verb
from launchd.lock import Lock
from launchd.locks.manager import LockManager
from launchd.rate import Rate
from launchd.store.jobs import Claimed, JobStore
from launchd.task import Port, Task

_log = structlog.get_logger("launchd.pool")
# How long a turn waits after the store refused it.
BACKOFF_SECONDS = 1.0
# The most jobs that one turn claims: bounds what a crash can leave half-started.
TURN_LIMIT = 500

# Where each verdict takes a running job, by its name.
_STATES = {verb: state.value for (before, verb), state in TRANSITIONS.items() if before is JobState.RUNNING}


class Watch(NamedTuple):
    """Who is told that time matters: attempts have begun, or a job waits until an instant."""

    started: Callable[[Sequence[Attempt]], None]
    later: Callable[[Instant], None]


class Shared(NamedTuple):
    """What all pools of a daemon use together."""

    clock: Clock
    store: JobStore
    locks: LockManager
    executor: Executor
    tasks: Mapping[str, Task]
    port: Port
    bus: Bus
    watch: Watch


class Pool:
    """One queue's slots.

    `running` maps seq to attempt; `stuck` are those of them whose slot was given away; `locked` has the jobs that wait
    for a lock; `_ended` are verdicts not yet on disk. All of them belong to the control loop and change only in a turn,
    in `report` or in `set_aside`.
    """

    def __init__(self, queue: str, concurrency: int, shared: Shared, rate: Rate | None = None) -> None:
        self.queue = queue
        self.concurrency = concurrency
        self.limiter = RateLimiter(rate) if rate else None
        self.paused = False
        self.note: str | None = None
        self.closing = False
        self._stopping: Stop | None = None
        self.running: dict[int, Attempt] = {}
        self.stuck: set[int] = set()
        self.last_turn = shared.clock.monotonic()
        self._ended: list[tuple[Attempt, Outcome]] = []
        self._joblog = JobLog(queue)
        self._wake = asyncio.Event()
        self._wake.set()  # for what waited in the store before this start
        self._idle = asyncio.Event()
        self._idle.set()
        # cleared while a turn is being written: what it took from `running` and `_ended` is in neither
        self._written = asyncio.Event()
        self._written.set()
        self._clock = shared.clock
        self._store = shared.store
        self._locks = shared.locks
        self._executor = shared.executor
        self._tasks = shared.tasks
        self._port = shared.port
        self._bus = shared.bus
        self._watch = shared.watch
        slots = Slots(self.free, self._start_locked, lambda: self._window)
        self.locked = LockWaits(
            queue,
            clock=shared.clock,
            store=shared.store,
            locks=shared.locks,
            tasks=shared.tasks,
            slots=slots,
            bus=shared.bus,
        )

    # --- told by others ---

    def wake(self) -> None:
        """There may be work: take a turn soon."""
        self._wake.set()

    def lock_freed(self) -> None:
        """A lock was given back here: those who wait look again at once."""
        if self.locked.freed():
            self._wake.set()

    def report(self, attempt: Attempt, outcome: Outcome) -> None:
        """An attempt has ended; its verdict is written in the next turn."""
        self._ended.append((attempt, outcome))
        self._wake.set()

    def set_aside(self, attempt: Attempt) -> None:
        """An attempt that does not end however often it is asked: it goes on, and its slot is given to another."""
        attempt.stuck = True
        self.stuck.add(attempt.job.seq)
        _log.error("job_stuck", job_id=attempt.job.id, task=attempt.job.task, stop=attempt.stop, queue=self.queue)
        self._wake.set()

    def free(self) -> int:
        """How many jobs may start now, as far as slots and the rate say."""
        slots = self.concurrency - len(self.running) + len(self.stuck)
        if self.limiter is not None:
            slots = min(slots, self.limiter.free(self._clock.monotonic()))
        return max(slots, 0)

    def set_rate(self, rate: Rate | None) -> None:
        """Limit starts otherwise, or no more; what has started under a rate counts on under another."""
        if rate is None or self.limiter is None:
            self.limiter = RateLimiter(rate) if rate else None
        else:
            self.limiter = self.limiter.under(rate)

    def recall(self, ages: Sequence[float]) -> None:
        """Starts before this life of the daemon, by how many seconds ago they were, the oldest first."""
        if self.limiter is not None:
            now = self._clock.monotonic()
            self.limiter = RateLimiter(self.limiter.rate, [now - max(age, 0.0) for age in ages])

    @property
    def _window(self) -> float | None:
        return self.limiter.rate.seconds if self.limiter is not None else None

    @property
    def awake(self) -> bool:
        """Whether a turn is about to be taken."""
        return self._wake.is_set() or bool(self._ended)

    def attempt_of(self, job_id: str) -> Attempt | None:
        """The running attempt of a job."""
        return next((attempt for attempt in self.running.values() if attempt.job.id == job_id), None)

    async def idle(self) -> None:
        """Wait until nothing runs and every verdict is on disk."""
        await self._idle.wait()

    # --- the loop ---

    async def run(self) -> None:
        """Take a turn whenever woken, and each second while a job waits for a lock."""
        while True:
            await self._sleep()
            self._wake.clear()
            try:
                full = await self.run_once()
            except LaunchdError as error:
                _log.error("pool_turn_failed", queue=self.queue, error=error.detail)
                self._wake.set()
                await self._clock.sleep(BACKOFF_SECONDS)
            else:
                if full:
                    self._wake.set()

    async def run_once(self) -> bool:
        """Write the verdicts, fill the free slots; True when there may be more to claim at once."""
        ended, self._ended = self._ended, []
        outcomes = [self._judge(attempt, outcome) for attempt, outcome in ended]
        for attempt, _ in ended:
            self.running.pop(attempt.job.seq, None)
            self.stuck.discard(attempt.job.seq)
        free = 0 if self.paused or self.closing else self.free()
        free = min(free, 0 if self.locked.full else TURN_LIMIT)
        if not ended and free <= 0:
            self.last_turn = self._clock.monotonic()
            self._joblog.sum_up(self.last_turn)
            return False
        waiting = self.locked.known()
        if free > 0:  # what this turn claims is running from the commit on: a stop must wait for it
            self._idle.clear()
        self._written.clear()
        try:
            turn = await self._store.turn(self.queue, free, waiting, outcomes, self._clock.now, window=self._window)
        except StoreError:
            self._ended = ended + self._ended  # nothing of it was written: say it again
            self.running |= {attempt.job.seq: attempt for attempt, _ in ended}
            self._mark_idle()
            raise
        finally:
            self._written.set()
        self.last_turn = self._clock.monotonic()
        self._start(turn.claimed)
        await self._settle(ended, outcomes, turn.refused)
        started, denied = len(turn.claimed), 0
        if waiting is not None and free > 0:
            more, denied = await self.locked.take(turn.candidates)
            started += more
        self._mark_idle()
        self._joblog.sum_up(self.last_turn)
        return free > 0 and (denied > 0 or started >= free)

    async def _sleep(self) -> None:
        seconds = self._doze()
        if seconds is None or self._wake.is_set():
            await self._wake.wait()
            return
        await until(self._wake, self._clock.sleep(seconds))

    def _doze(self) -> float | None:
        """Seconds after which a turn is taken even if nobody wakes the pool, None for never.

        A lock or the rate may have come free, or there are ends to sum up.
        """
        now = self._clock.monotonic()
        looks = [self._joblog.due(now), POLL_SECONDS if self.locked.looking else None]
        if self.limiter is not None and self.limiter.free(now) <= 0:
            looks.append(max(self.limiter.next_free() - now, 0.0))
        return min((seconds for seconds in looks if seconds is not None), default=None)

    # --- starting ---

    def _start(self, claimed: list[Claimed], lock: Lock | None = None) -> None:
        if not claimed:
            return
        started = self._clock.monotonic()
        attempts = []
        for job in claimed:
            task = self._tasks.get(job.task)
            if task is None:
                self._unknown_task(job)
                continue
            attempt = Attempt(job, task, lock, self._port, started)
            self.running[job.seq] = attempt
            attempts.append(attempt)
        if self.limiter is not None:
            self.limiter.started(len(attempts), started)
        self._idle.clear()
        self._executor.start(attempts)
        if self._stopping is not None:
            for attempt in attempts:
                self._executor.stop(attempt, self._stopping)
        self._watch.started(attempts)
        self._joblog.started(attempts)

    def _start_locked(self, job: Claimed, lock: Lock) -> None:
        self._start([job], lock)
        if not self._locks.holds(lock):  # it was taken away before there was an attempt to stop
            self._executor.stop(self.running[job.seq], Stop.LOCK_LOST)

    def _unknown_task(self, job: Claimed) -> None:
        """The code of this task is gone: the job fails with the reason, like any other failure."""
        missing = Task(_missing, name=job.task)
        attempt = Attempt(job, missing, None, self._port, self._clock.monotonic())
        self.running[job.seq] = attempt
        error = UnknownTaskError(f"no task {job.task} is loaded: see [tasks] modules")
        self.report(attempt, failed(attempt, error, self._clock.now()))

    # --- ending ---

    def _judge(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """A success under a lock that no longer stands is refused: the work is done again under a new fence."""
        if attempt.lock is None or outcome.verb is not Verb.SUCCEED or self._locks.holds(attempt.lock):
            return outcome
        return lock_lost(attempt, self._clock.now())

    async def _settle(
        self, ended: list[tuple[Attempt, Outcome]], outcomes: list[Outcome], refused: list[Outcome]
    ) -> None:
        """The verdicts are on disk: free the slots, give back the locks, tell who waits."""
        for outcome in refused:
            _log.error("verdict_refused", queue=self.queue, seq=outcome.seq, verb=outcome.verb.value)
        attempts = [attempt for attempt, _ in ended]
        self._tell(attempts, outcomes)
        for attempt, outcome in zip(attempts, outcomes, strict=True):
            if outcome.run_at is not None:
                self._watch.later(outcome.run_at)
            if attempt.lock is not None:
                await self._locks.release(attempt.lock)

    def _tell(self, attempts: list[Attempt], outcomes: list[Outcome]) -> None:
        """Tell of ends in one go: at full speed this is called for hundreds at once."""
        now, ends = self._clock.monotonic(), []
        for attempt, outcome in zip(attempts, outcomes, strict=True):
            job, seconds = attempt.job, now - attempt.started
            waited = max((outcome.finished_at - job.run_at) / SECOND - seconds, 0.0)
            state = _STATES[outcome.verb]
            ends.append(JobEnd(outcome.finished_at, job.id, state, job.task, job.queue, seconds, waited))
            self._joblog.ended(attempt, outcome, seconds, now)
        if ends:
            self._bus.ended(ends)

    def _mark_idle(self) -> None:
        if not self.running and not self._ended:
            self._idle.set()

    # --- stopping ---

    def stop_all(self, why: Stop) -> None:
        """Ask everything that runs to end, and whatever still comes out of a turn that is under way."""
        self._stopping = why
        for attempt in self.running.values():
            self._executor.stop(attempt, why)

    async def abandon(self, now: Instant) -> int:
        """Write the verdicts that came in, and put back what did not end, before the process goes; returns how many.

        Raises StoreError, and then may be called again.
        """
        await self._written.wait()
        ended, self._ended = self._ended, []
        known = {attempt.job.seq for attempt, _ in ended}
        left = [_abandoned(attempt, now) for seq, attempt in self.running.items() if seq not in known]
        outcomes = [self._judge(attempt, outcome) for attempt, outcome in ended]
        if outcomes or left:
            try:
                await self._store.finish(outcomes + left)
            except StoreError:
                self._ended = ended + self._ended
                raise
        for seq in known:
            self.running.pop(seq, None)
        return len(left)


def _abandoned(attempt: Attempt, now: Instant) -> Outcome:
    """What becomes of an attempt that the daemon does not wait for: one whose end was wanted is not run again."""
    job = attempt.job
    if attempt.stop in {Stop.CANCEL, Stop.TERMINATE}:
        return Outcome(job.seq, job.attempt, Verb.CANCEL, now, reason=attempt.reason)
    reason = "interrupted: the daemon stopped"
    return Outcome(job.seq, job.attempt, Verb.INTERRUPT, now, run_at=now, reason=reason)


async def _missing(_context: object) -> None:
    """Stands for a task whose code is not loaded; never run."""
