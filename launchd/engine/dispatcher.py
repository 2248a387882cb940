"""The dispatcher: carries word between the pools, the executor and the locks. Owned by the control loop.

`pools` and `executor` are filled in by daemon.py before the first job runs, then never change.
"""

from collections.abc import Sequence

from launchd.clock import Instant
from launchd.engine.attempt import Attempt, Stop
from launchd.engine.executor import Executor
from launchd.engine.pool import Pool
from launchd.engine.reaper import Reaper
from launchd.job import NewJob, Outcome
from launchd.lock import Lock
from launchd.store.schedules import Cancelled


class Dispatcher:
    """Who is told when jobs are made, attempts begin or end, a lock is lost or freed, or an end is wanted."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.executor: Executor | None = None
        self.reaper: Reaper | None = None

    def report(self, batch: list[tuple[Attempt, Outcome]]) -> None:
        """Attempts ended: each pool gets its own."""
        for attempt, outcome in batch:
            self.pools[attempt.job.queue].report(attempt, outcome)

    def started(self, attempts: Sequence[Attempt]) -> None:
        """Attempts began: their time limits count."""
        if self.reaper is not None:
            self.reaper.started(attempts)

    def later(self, instant: Instant) -> None:
        """A job is due, or expires, at an instant to come."""
        if self.reaper is not None:
            self.reaper.later(instant)

    def made(self, jobs: Sequence[NewJob]) -> None:
        """Jobs were made: their queues have work, now or later."""
        for queue in {job.queue for job in jobs}:
            if queue in self.pools:
                self.pools[queue].wake()
        for job in jobs:
            if job.run_at > job.created_at:
                self.later(job.run_at)
            if job.expires_at is not None:
                self.later(job.expires_at)

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
