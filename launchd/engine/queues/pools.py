"""The dispatcher: passes new jobs, stops and freed locks on to the pools, the reaper and the executor.

Owned by the control loop.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from launchd.engine.attempts.attempt import Attempt, Stop
from launchd.engine.attempts.executor import Executor, Report
from launchd.engine.events.publisher import Publisher
from launchd.engine.queues.pool import Pool
from launchd.engine.queues.reaper import Reaper
from launchd.job import NewJob, Outcome
from launchd.lock import Lock
from launchd.store.fires import Cancelled


class Dispatcher:
    """Acts on the pools when jobs are made, attempts begin, a job is to end, or a lock is lost or freed."""

    def __init__(self, *, pools: Mapping[str, Pool], executor: Executor, reaper: Reaper, publisher: Publisher) -> None:
        self.pools = pools
        self.executor = executor
        self.reaper = reaper
        self._publisher = publisher

    def started(self, attempts: Sequence[Attempt]) -> None:
        """Attempts have begun: their time limits count."""
        self._publisher.attempts_started(attempts)
        self.reaper.started(attempts)

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
        self.made_expected(jobs)

    def made_expected(self, jobs: Sequence[NewJob]) -> None:
        """Jobs were made after a call of `expect` for their queues."""
        self._publisher.jobs_made(jobs)
        for job in jobs:
            if job.run_at > job.created_at:
                self.reaper.later(job.run_at)
            if job.expires_at is not None:
                self.reaper.later(job.expires_at)

    def attempts(self) -> Iterator[Attempt]:
        """The attempts that run now."""
        for pool in self.pools.values():
            yield from pool.running.values()

    def stop(self, job_id: str, queue: str, why: Stop, reason: str | None) -> None:
        """The end of a job is requested, and on record: ask its running attempt to end."""
        attempt = self.pools[queue].attempt_of(job_id) if queue in self.pools else None
        if attempt is not None:
            self.executor.stop(attempt, why, reason)
            self.reaper.asked()

    def cancel(self, wanted: Sequence[Cancelled]) -> None:
        """An overlap policy cancels jobs."""
        for one in wanted:
            self.stop(one.job_id, one.queue, Stop(one.how), one.reason)

    def lock_lost(self, lock: Lock) -> None:
        """Stop the job that held this lock."""
        for queue in self.pools:
            self.stop(lock.job_id or "", queue, Stop.LOCK_LOST, None)

    def lock_freed(self) -> None:
        """The pools try again for the jobs that wait for a lock."""
        for pool in self.pools.values():
            pool.lock_freed()


def report_to(pools: Mapping[str, Pool]) -> Report:
    """The report of an executor: it hands each ended attempt to the pool of its queue."""

    def report(batch: list[tuple[Attempt, Outcome]]) -> None:
        for attempt, outcome in batch:
            pools[attempt.job.queue].report(attempt, outcome)

    return report
