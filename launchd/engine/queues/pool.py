"""A pool runs one queue: a bounded number of slots, filled from the store; it is woken and does not poll.

Owned by the control loop. One turn is one transaction: it writes the verdicts that came in and fills the freed slots.
Jobs that need a lock are handed to the LockDesk (lockdesk.py): no turn waits for a lock.
"""

import asyncio
from collections.abc import Sequence

from launchd.clock import Instant, until
from launchd.engine.attempts.attempt import Attempt, Stop
from launchd.engine.attempts.joblog import JobLog
from launchd.engine.attempts.verdict import UnknownTaskError, failed, lock_lost
from launchd.engine.queues.dependencies import Dependencies
from launchd.engine.queues.lockdesk import LockDesk, Slots
from launchd.engine.queues.outcomes import abandoned, job_end, without_task
from launchd.errors import LaunchdError
from launchd.job import Outcome, Verb
from launchd.lock import Lock
from launchd.logger import get_logger
from launchd.rate import Rate, RateLimiter
from launchd.store.claims import Claimed
from launchd.store.jobs import Turn
from launchd.values.failure import describe

_log = get_logger("launchd.pool")
# How long the next turn waits after the store refused one.
BACKOFF_SECONDS = 1.0
# The most jobs that one turn claims: bounds what a crash can leave half-started.
TURN_LIMIT = 500


class Pool:
    """One queue's slots.

    `running` maps seq to attempt; `stuck` are those of them whose slot was given away; `locked` has the jobs that need
    a lock; `_ended` are the verdicts not yet on disk; `_claiming` is how many slots the present turn may fill.
    """

    def __init__(self, queue: str, concurrency: int, needs: Dependencies, rate: Rate | None = None) -> None:
        self.queue = queue
        self.concurrency = concurrency
        self.limiter = RateLimiter(rate) if rate else None
        self.paused = False
        self.note: str | None = None
        self.closing = False
        self._stopping: Stop | None = None
        self.running: dict[int, Attempt] = {}
        self.stuck: set[int] = set()
        self.last_turn = needs.clock.monotonic()
        self._ended: list[tuple[Attempt, Outcome]] = []
        self._claiming = 0
        self._joblog = JobLog(queue)
        self._wake = asyncio.Event()
        self._wake.set()  # for the jobs that waited in the store before this start
        self._idle = asyncio.Event()
        self._idle.set()
        # cleared while a turn is written: the attempts that it took from `running` and `_ended` are in neither
        self._written = asyncio.Event()
        self._written.set()
        self._clock = needs.clock
        self._store = needs.store
        self._locks = needs.locks
        self._executor = needs.executor
        self._tasks = needs.tasks
        self._port = needs.port
        self._bus = needs.bus
        self._on_started = needs.started
        self._later = needs.later
        self.locked = LockDesk(
            queue,
            clock=needs.clock,
            store=needs.store,
            locks=needs.locks,
            tasks=needs.tasks,
            slots=self._slots(),
            bus=needs.bus,
        )

    # --- called by other parts ---

    def wake(self) -> None:
        """Take a turn soon: there may be work."""
        self._wake.set()

    def lock_freed(self) -> None:
        """A lock was released here: try again at once for the jobs that wait for one."""
        if self.locked.freed():
            self._wake.set()

    def report(self, attempt: Attempt, outcome: Outcome) -> None:
        """An attempt has ended: write its verdict in the next turn."""
        self._ended.append((attempt, outcome))
        self._wake.set()

    def set_aside(self, attempt: Attempt) -> None:
        """Give the slot of a stuck attempt to another job; the attempt goes on."""
        attempt.stuck = True
        self.stuck.add(attempt.job.seq)
        _log.error("job_stuck", job_id=attempt.job.id, task=attempt.job.task, stop=attempt.stop, queue=self.queue)
        self._wake.set()

    def free(self) -> int:
        """How many more jobs may start now, by slots and by rate."""
        slots = self.concurrency - len(self.running) + len(self.stuck)
        if self.limiter is not None:
            slots = min(slots, self.limiter.free(self._clock.monotonic()))
        return max(slots - self._claiming - self.locked.kept, 0)

    @property
    def open(self) -> bool:
        """True while jobs of this queue may start."""
        return not (self.paused or self.closing)

    def resize(self, concurrency: int, rate: Rate | None) -> None:
        """Change slots and rate; jobs that run are not touched."""
        self.concurrency = concurrency
        self.set_rate(rate)
        self.wake()

    def set_rate(self, rate: Rate | None) -> None:
        """Change the rate, or end it with None; starts under the old rate count for the new one."""
        if rate is None or self.limiter is None:
            self.limiter = RateLimiter(rate) if rate else None
        else:
            self.limiter = self.limiter.under(rate)

    def recall(self, ages: Sequence[float]) -> None:
        """Count starts from before this start of the daemon: how many seconds ago each was, oldest first."""
        if self.limiter is not None:
            now = self._clock.monotonic()
            self.limiter = RateLimiter(self.limiter.rate, [now - max(age, 0.0) for age in ages])

    @property
    def _window(self) -> float | None:
        return self.limiter.rate.seconds if self.limiter is not None else None

    @property
    def awake(self) -> bool:
        """True while a turn is due, or a lock is asked for."""
        return self.turn_due or self.locked.busy

    @property
    def turn_due(self) -> bool:
        """True while there is a reason to take a turn."""
        return self._wake.is_set() or bool(self._ended)

    def attempt_of(self, job_id: str) -> Attempt | None:
        """The running attempt of a job."""
        return next((attempt for attempt in self.running.values() if attempt.job.id == job_id), None)

    async def idle(self) -> None:
        """Wait until nothing runs and every verdict is on disk."""
        await self._idle.wait()

    # --- the loop ---

    async def run(self) -> None:
        """Take turns for ever, and ask for locks beside them."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.locked.run())
            await self._take_turns()

    async def _take_turns(self) -> None:
        """Take a turn whenever woken, and each second while a job waits for a lock."""
        while True:
            await self._sleep()
            self._wake.clear()
            try:
                full = await self.run_once()
            except Exception as error:  # noqa: BLE001 - no failed turn may end the pool
                detail = error.detail if isinstance(error, LaunchdError) else describe(error).message
                unexpected = None if isinstance(error, LaunchdError) else error
                _log.error("pool_turn_failed", queue=self.queue, error=detail, exc_info=unexpected)
                self._wake.set()
                await self._clock.sleep(BACKOFF_SECONDS)
            else:
                if full:
                    self._wake.set()

    async def run_once(self) -> bool:
        """Write the verdicts and fill the free slots; True if there may be more jobs to claim at once."""
        if any(attempt.lock is not None for attempt, _ in self._ended):
            await self._locks.confirm()  # the machine may have slept for longer than a lease
        ended, self._ended = self._ended, []
        outcomes = [self._judge(attempt, outcome) for attempt, outcome in ended]
        for attempt, _ in ended:
            self.running.pop(attempt.job.seq, None)
            self.stuck.discard(attempt.job.seq)
        free = min(self.free(), TURN_LIMIT) if self.open else 0
        if not ended and free <= 0:
            self.last_turn = self._clock.monotonic()
            self._joblog.sum_up(self.last_turn)
            return False
        offer = self.locked.offer() if free > 0 else None
        waiting, barred = offer if offer is not None else (None, [])
        if free > 0:  # its jobs run from the commit on: a stop must wait for them
            self._idle.clear()
        self._claiming = free
        self._written.clear()
        try:
            turn = await self._store.turn(
                self.queue, free, waiting, outcomes, self._clock.now, barred=barred, window=self._window
            )
        except BaseException:
            self._ended = ended + self._ended  # probably nothing was written: write it again
            self.running |= {attempt.job.seq: attempt for attempt, _ in ended}
            self._claiming = 0
            self._mark_idle()
            raise
        finally:
            self._claiming = 0
            self._written.set()
        self.last_turn = self._clock.monotonic()
        outcomes = self._as_written(outcomes, turn)
        self._start(turn.claimed)
        filled = len(turn.claimed) + len(turn.candidates)
        if offer is not None:
            self.locked.hand_over(turn.candidates, offer, all_of_them=filled < free)
        self._settle(ended, outcomes, turn.refused)
        self._mark_idle()
        self._joblog.sum_up(self.last_turn)
        return free > 0 and filled >= free

    async def _sleep(self) -> None:
        seconds = self._doze()
        if seconds is None or self._wake.is_set():
            await self._wake.wait()
            return
        await until(self._wake, self._clock.sleep(seconds))

    def _doze(self) -> float | None:
        """Seconds after which a turn is taken even if nobody wakes the pool, None for never.

        A lock or the rate may be free by then, or successes must be logged.
        """
        now = self._clock.monotonic()
        locked = self.open and (self.locked.looking or self.locked.busy)
        looks = [self._joblog.due(now), self.locked.next_look() if locked else None]
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
                self._unknown_task(job, lock)
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
        self._on_started(attempts)
        self._joblog.started(attempts)

    def _slots(self) -> Slots:
        """This pool's side of the lock desk."""
        return Slots(
            free=self.free,
            open=lambda: self.open,
            start=self._start_locked,
            claiming=self._idle.clear,
            claimed=self._mark_idle,
            wake=self._wake.set,
            window=lambda: self._window,
        )

    def _start_locked(self, job: Claimed, lock: Lock) -> None:
        self._start([job], lock)
        if not self._locks.holds(lock):  # it was lost before there was an attempt to stop
            self._executor.stop(self.running[job.seq], Stop.LOCK_LOST)

    def _unknown_task(self, job: Claimed, lock: Lock | None) -> None:
        """Fail a job whose task is not loaded any more."""
        attempt = without_task(job, lock, self._port, self._clock.monotonic())
        self.running[job.seq] = attempt
        error = UnknownTaskError(f"no task {job.task} is loaded: see [tasks] modules")
        self.report(attempt, failed(attempt, error, self._clock.now()))

    # --- ending ---

    def _judge(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """Refuse a success whose lock was lost: the job runs again under a new fence."""
        if attempt.lock is None or outcome.verb is not Verb.SUCCEED or self._locks.holds(attempt.lock):
            return outcome
        return lock_lost(attempt, self._clock.now())

    def _as_written(self, outcomes: list[Outcome], turn: Turn) -> list[Outcome]:
        """The outcomes as they are on disk. An outcome that could not be written became a failure, which is logged."""
        if turn.written is None:
            return outcomes
        for asked, written in zip(outcomes, turn.written, strict=True):
            if written is not asked:
                _log.error("verdict_replaced", queue=self.queue, seq=asked.seq, reason=written.reason)
        return turn.written

    def _settle(self, ended: list[tuple[Attempt, Outcome]], outcomes: list[Outcome], refused: list[Outcome]) -> None:
        """After the commit: release the locks and publish the ends."""
        for outcome in refused:
            _log.error("verdict_refused", queue=self.queue, seq=outcome.seq, verb=outcome.verb.value)
        attempts = [attempt for attempt, _ in ended]
        self._publish(attempts, outcomes)
        for attempt, outcome in zip(attempts, outcomes, strict=True):
            if outcome.run_at is not None:
                self._later(outcome.run_at)
            if attempt.lock is not None:
                self._locks.release_soon(attempt.lock)

    def _publish(self, attempts: list[Attempt], outcomes: list[Outcome]) -> None:
        """Publish and log ends in one batch: at full speed there are hundreds at once."""
        now, ends = self._clock.monotonic(), []
        for attempt, outcome in zip(attempts, outcomes, strict=True):
            seconds = now - attempt.started
            ends.append(job_end(attempt, outcome, seconds))
            self._joblog.ended(attempt, outcome, seconds, now)
        if ends:
            self._bus.ended(ends)

    def _mark_idle(self) -> None:
        if not (self.running or self._ended or self._claiming or self.locked.claiming):
            self._idle.set()

    # --- stopping ---

    def stop_all(self, why: Stop) -> None:
        """Request the end of every running attempt, and of those that a turn under way still starts."""
        self._stopping = why
        for attempt in self.running.values():
            self._executor.stop(attempt, why)

    async def abandon(self, now: Instant) -> int:
        """Write the verdicts that came in and put the other running jobs back into the queue, before the process ends.

        Returns how many were put back. Raises StoreError, and may then be called again.
        """
        await self._written.wait()
        ended, self._ended = self._ended, []
        known = {attempt.job.seq for attempt, _ in ended}
        left = [abandoned(attempt, now) for seq, attempt in self.running.items() if seq not in known]
        outcomes = [self._judge(attempt, outcome) for attempt, outcome in ended]
        if outcomes or left:
            try:
                await self._store.finish(outcomes + left)
            except BaseException:
                self._ended = ended + self._ended
                raise
        for seq in known:
            self.running.pop(seq, None)
        return len(left)
