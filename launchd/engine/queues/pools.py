"""The dispatcher: carries word between the pools, the executor and the locks. Owned by the control loop.

`pools` and `executor` are filled in by launchd/daemon before the first job runs, then never change.
"""

from collections.abc import Iterable, Iterator, Sequence

from launchd.clock import Clock, Instant
from launchd.engine.attempts.attempt import Attempt, Stop
from launchd.engine.attempts.executor import Executor
from launchd.engine.events import telling
from launchd.engine.events.bus import Bus
from launchd.engine.queues.pool import Pool
from launchd.engine.queues.reaper import Reaper
from launchd.job import NewJob, Outcome
from launchd.lock import Lock
from launchd.ops.health import CheckReport, Level
from launchd.store.fires import Cancelled, Recorded


class Dispatcher:
    """Who is told when jobs are made, attempts begin or end, a lock is lost or freed, or an end is wanted."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        self._clock = clock
        self._bus = bus
        self.pools: dict[str, Pool] = {}
        self.executor: Executor | None = None
        self.reaper: Reaper | None = None

    def report(self, batch: list[tuple[Attempt, Outcome]]) -> None:
        """Attempts ended: each pool gets its own."""
        for attempt, outcome in batch:
            self.pools[attempt.job.queue].report(attempt, outcome)

    def started(self, attempts: Sequence[Attempt]) -> None:
        """Attempts began: their time limits count."""
        if self._bus.heard:
            now = self._clock.now()
            self._bus.publish([telling.job_started(attempt, now) for attempt in attempts])
        if self.reaper is not None:
            self.reaper.started(attempts)

    def later(self, instant: Instant) -> None:
        """A job is due, or expires, at an instant to come."""
        if self.reaper is not None:
            self.reaper.later(instant)

    def expect(self, queues: Iterable[str]) -> None:
        """The store is asked for jobs of these queues in this very step: they take a turn right behind it.

        The writer keeps the order, so that turn finds them, in the same commit if the queue has nothing else to do.
        """
        for queue in set(queues):
            if queue in self.pools:
                self.pools[queue].wake()

    def made(self, jobs: Sequence[NewJob]) -> None:
        """Jobs were made: their queues have work, now or later."""
        self.expect(job.queue for job in jobs)
        self.told(jobs)

    def told(self, jobs: Sequence[NewJob]) -> None:
        """Jobs were made that were expected."""
        if self._bus.heard:
            self._bus.publish([telling.job_made(job) for job in jobs])
        for job in jobs:
            if job.run_at > job.created_at:
                self.later(job.run_at)
            if job.expires_at is not None:
                self.later(job.expires_at)

    def recorded(self, rows: Sequence[Recorded]) -> None:
        """The ledger got rows."""
        if self._bus.heard:
            now = self._clock.now()
            self._bus.publish([telling.fired(row, now) for row in rows])

    def lock_changed(self, what: str, lock: Lock) -> None:
        """A lock was taken, released or lost."""
        if self._bus.heard:
            self._bus.publish([telling.lock_changed(what, lock, self._clock.now())])

    def health_changed(self, name: str, before: Level | None, found: CheckReport) -> None:
        """A check is at another level; what is found first is no change."""
        if self._bus.heard and before is not None:
            self._bus.publish([telling.health_changed(name, before, found, self._clock.now())])

    def attempts(self) -> Iterator[Attempt]:
        """What runs now."""
        for pool in self.pools.values():
            yield from pool.running.values()

    def stop(self, job_id: str, queue: str, why: Stop, reason: str | None) -> None:
        """The end of a job is wanted, and on record: a running attempt is asked."""
        attempt = self.pools[queue].attempt_of(job_id) if queue in self.pools else None
        if attempt is not None and self.executor is not None and self.reaper is not None:
            self.executor.stop(attempt, why, reason)
            self.reaper.asked()

    def cancel(self, wanted: Sequence[Cancelled]) -> None:
        """An overlap policy wants jobs to end."""
        for one in wanted:
            self.stop(one.job_id, one.queue, Stop(one.how), one.reason)

    def lock_lost(self, lock: Lock) -> None:
        """The job that held this lock must not go on."""
        for queue in self.pools:
            self.stop(lock.job_id or "", queue, Stop.LOCK_LOST, None)

    def lock_freed(self) -> None:
        """Those who wait for a lock look again."""
        for pool in self.pools.values():
            pool.lock_freed()
