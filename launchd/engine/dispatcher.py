"""The dispatcher: carries word between the pools, the executor and the locks. Owned by the control loop.

`pools` and `executor` are filled in by daemon.py before the first job runs, then never change.
"""

from collections.abc import Iterable

from launchd.engine.executor import Attempt, Executor, Stop
from launchd.engine.pool import Pool
from launchd.job import Outcome
from launchd.lock import Lock


class Dispatcher:
    """Who is told when an attempt ends, a lock is lost or freed, or a queue got work."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.executor: Executor | None = None

    def report(self, batch: list[tuple[Attempt, Outcome]]) -> None:
        """Attempts ended: each pool gets its own."""
        for attempt, outcome in batch:
            self.pools[attempt.job.queue].report(attempt, outcome)

    def lock_lost(self, lock: Lock) -> None:
        """The job that held this lock must not go on."""
        for pool in self.pools.values():
            attempt = pool.attempt_of(lock.job_id or "")
            if attempt is not None and self.executor is not None:
                self.executor.stop(attempt, Stop.LOCK_LOST)

    def lock_freed(self) -> None:
        """Those who wait for a lock look again."""
        for pool in self.pools.values():
            pool.lock_freed()

    def wake(self, queues: Iterable[str]) -> None:
        """These queues got work."""
        for name in set(queues):
            if name in self.pools:
                self.pools[name].wake()
