"""Control: every operation that an operator or a client can ask of the daemon. Owned by the control loop.

It reads the store, writes rows first and acts second, and returns plain values that the admin socket encodes. `by` is
who asks, for the audit.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from launchd.clock import SECOND, Clock, Instant, until
from launchd.cursor import parse_cursor
from launchd.db.database import Database
from launchd.engine.attempts.attempt import Attempt, Stop
from launchd.engine.daemon_state import DaemonState, resident_bytes
from launchd.engine.events import messages
from launchd.engine.events.bus import Bus
from launchd.engine.firing.scheduler import Scheduler
from launchd.engine.firing.timetable import Timetable
from launchd.engine.maker import JobMaker, TriggerRequest
from launchd.engine.queues.lockwaits import held_by
from launchd.engine.queues.pool import Pool
from launchd.engine.queues.pools import Dispatcher
from launchd.engine.queues.waiting import waiting_on
from launchd.engine.snapshots import (
    DaemonStatus,
    JobPage,
    JobQuery,
    LockSnapshot,
    QueueSnapshot,
    Readiness,
    WaitingOn,
)
from launchd.errors import InvalidError, NotFoundError, UnavailableError
from launchd.event import JobEnd
from launchd.job import FINAL, Job, JobState
from launchd.job_history import Entry
from launchd.lock import Lock
from launchd.locks.manager import LockManager
from launchd.ops.health import Check, Health, HealthReport
from launchd.rate import parse_rate
from launchd.store.audit import Audit
from launchd.store.jobs import Idempotency, JobStore
from launchd.store.queues import QueueStore
from launchd.store.schedules import ScheduleStore

__all__ = ["MAX_WAITERS", "MAX_WAIT_SECONDS", "NO_RATE", "Control", "DaemonState", "resident_bytes"]
MAX_WAIT_SECONDS = 300.0
# Each waiter holds a connection of its own.
MAX_WAITERS = 128
MAX_CONCURRENCY = 1000
NO_RATE = "none"


class Control:
    """The operations of one running daemon."""

    def __init__(
        self,
        *,
        clock: Clock,
        daemon_state: DaemonState,
        maker: JobMaker,
        databases: Sequence[Database],
        jobs: JobStore,
        schedules: ScheduleStore,
        queue_store: QueueStore,
        scheduler: Scheduler,
        dispatcher: Dispatcher,
        locks: LockManager,
        lock_backend: str,
        health: Health,
        bus: Bus,
        check_sources: Callable[[list[str]], None],
    ) -> None:
        self.tasks = maker.tasks
        self._clock = clock
        self._daemon_state = daemon_state
        self._maker = maker
        self._databases = databases
        self._jobs = jobs
        self._queue_store = queue_store
        self.timetable = Timetable(clock, scheduler, schedules, self._audit)
        self._dispatcher = dispatcher
        self._pools = dispatcher.pools
        self._locks = locks
        self._lock_backend = lock_backend
        self._health = health
        self._bus = bus
        self._check_sources = check_sources

    # --- the daemon ---

    async def ready(self) -> Readiness:
        """Can the daemon take work? It cannot while a database refuses writes; a refused write is tried again first."""
        if self._daemon_state.stopping or not self._daemon_state.ready:
            return Readiness(ready=False, word="stopping" if self._daemon_state.stopping else "starting")
        for database in self._databases:
            failure = await database.probe()
            if failure is not None:
                return Readiness(ready=False, word=failure.code, detail=failure.detail)
        return Readiness(ready=True, word="ready")

    def now(self) -> Instant:
        """The wall time of this daemon."""
        return self._clock.now()

    async def status(self) -> DaemonStatus:
        """The state of the daemon, its queues and its next fires."""
        return DaemonStatus(
            version=self._daemon_state.version,
            instance=self._daemon_state.instance,
            pid=os.getpid(),
            started_at=self._daemon_state.started_at,
            uptime=self._clock.monotonic() - self._daemon_state.started_monotonic,
            leader=self._daemon_state.leader,
            ready=self._daemon_state.ready,
            stopping=self._daemon_state.stopping,
            lock_backend=self._lock_backend,
            queues=tuple(await self.queues()),
            next_fires=tuple(self.timetable.coming()),
            memory_bytes=resident_bytes(),
        )

    def add_check(self, name: str, check: Check) -> None:
        """Add the health check of a part that is made after the engine."""
        self._health.add(name, check, first=True)

    async def health(self) -> HealthReport:
        """Run every check now."""
        return await self._health.report()

    # --- making jobs ---

    async def trigger(
        self,
        task: str,
        args: dict[str, Any],
        *,
        queue: str | None = None,
        priority: int | None = None,
        delay: float | None = None,
        run_at: Instant | None = None,
        expires_in: float | None = None,
        max_retries: int | None = None,
        idempotency_key: str | None = None,
        idempotency: Idempotency | None = None,
        by: str,
    ) -> tuple[Job, bool]:
        """Make a job; returns (job, True) once it is on disk, (the earlier job, False) if the key was used before.

        The same goes for a unique task that has such a job already. `idempotency` brings a digest of its own; with a
        key alone, the digest is that of these arguments.
        Raises NotFoundError, InvalidError, IdempotencyError, StoreError.
        """
        request = TriggerRequest(task, args, queue, priority, delay, run_at, expires_in, max_retries)
        new = self._maker.requested(request, self._clock.now())
        key = idempotency if idempotency_key is None else Idempotency(idempotency_key, request.digest())
        self._dispatcher.expect([new.queue])
        made = await self._jobs.make(new, by, key)
        if made.id == new.id:
            self._dispatcher.made_expected([new])
        return made, made.id == new.id

    async def trigger_from_task(self, task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
        """Make a job for a running task; returns its id."""
        job, _ = await self.trigger(task, args, delay=delay, priority=priority, by="task")
        return job.id

    async def enqueue(
        self, requests: list[TriggerRequest], by: str, idempotency: Idempotency | None = None
    ) -> list[str]:
        """Make many jobs in one transaction, all or none; returns their ids in order.

        Raises InvalidError with the path of every wrong value (`jobs[3].task`), IdempotencyError, StoreError.
        """
        now = self._clock.now()
        new = self._maker.all_requested(requests, now)
        self._dispatcher.expect(job.queue for job in new)
        ids = await self._jobs.insert(new, Audit(now, by, "enqueue", f"{len(new)} jobs", None), idempotency)
        if idempotency is None or not idempotency.replayed:
            self._dispatcher.made_expected(new)
        return ids

    async def refresh(
        self, sources: list[str] | None, *, force: bool, by: str, idempotency: Idempotency | None = None
    ) -> Job:
        """Scrape now, beside the schedule; raises InvalidError that names the known sources."""
        if sources is not None and not sources:
            raise InvalidError.at("sources", "expected one source or more; leave it out for all that are enabled")
        self._check_sources(sources or [])
        args: dict[str, Any] = {"force": force}
        if sources is not None:
            args["sources"] = sources
        job, _ = await self.trigger("manual_refresh", args, by=by, idempotency=idempotency)
        return job

    # --- jobs ---

    async def job(self, job_id: str) -> Job:
        """One job, with the live progress of a running one; raises NotFoundError."""
        return self._with_progress(await self._jobs.get(job_id))

    async def history(self, job_id: str) -> tuple[Job, list[Entry]]:
        """A job and everything that happened to it, oldest first; raises NotFoundError."""
        job, entries = await self._jobs.with_history(job_id)
        return self._with_progress(job), entries

    async def jobs(self, query: JobQuery) -> JobPage:
        """Jobs, newest first; raises InvalidError for an unknown state or an invalid cursor."""
        if query.state is not None and query.state not in set(JobState):
            raise InvalidError.at("state", f"expected one of {', '.join(JobState)}, got {query.state!r}")
        filters = query._asdict() | {"limit": query.limit + 1, "cursor": parse_cursor(query.cursor)}
        found = await self._jobs.list(filters)
        items = tuple(self._with_progress(job) for job in found[: query.limit])
        return JobPage(items, str(items[-1].seq) if len(found) > query.limit else None)

    async def wait(self, job_id: str, seconds: float) -> Job:
        """Wait until a job has ended; returns it as it is when the time is up or the daemon begins to stop.

        Raises NotFoundError, UnavailableError.
        """
        if self._bus.waiting >= MAX_WAITERS:
            raise UnavailableError(f"{MAX_WAITERS} requests wait for the end of a job already: ask without `wait`")
        deadline = self._clock.monotonic() + min(seconds, MAX_WAIT_SECONDS)
        releases = self._bus.releases
        with self._bus.end_of(job_id) as ended:
            while True:
                ended.clear()
                job = await self.job(job_id)
                left = deadline - self._clock.monotonic()
                if job.state in FINAL or left <= 0 or self._bus.closed or self._bus.releases != releases:
                    return job
                await until(ended, self._clock.sleep(left))

    def release_waiters(self, *, closing: bool = False) -> None:
        """The daemon stops: answer all who wait for the end of a job. With `closing`, no request waits from now on."""
        self._bus.release(closing=closing)

    async def cancel(self, job_id: str, *, terminate: bool, reason: str | None, by: str) -> Job:
        """Cancel a job: a queued one at once, a running one by a request. Raises NotFoundError, ConflictError."""
        how = Stop.TERMINATE if terminate else Stop.CANCEL
        why = reason or f"cancelled by {by}"
        job = await self._jobs.cancel(job_id, how=how.value, reason=why, now=self._clock.now())
        if job.state is JobState.CANCELLED:
            self._bus.ended([JobEnd(self._clock.now(), job_id, job.state.value, job.task, job.queue)])
        self._dispatcher.stop(job_id, job.queue, how, why)
        await self._audit(by, how.value, job_id, reason)
        return await self.job(job_id)

    def enforceable(self, job: Job) -> bool:
        """True if the end of this job can be forced: it has not started, or it runs in a process of its own."""
        attempt = self._attempt(job)
        return job.state is JobState.QUEUED or (attempt is not None and attempt.enforceable)

    async def retry(self, job_id: str, by: str, idempotency: Idempotency | None = None) -> Job:
        """Queue an ended job again; raises NotFoundError, ConflictError, IdempotencyError."""
        reason, now = f"requeued by {by}", self._clock.now()
        job = await self._jobs.requeue(job_id, reason=reason, now=now, idempotency=idempotency)
        if idempotency is not None and idempotency.replayed:
            return job
        if job.queue in self._pools:
            self._pools[job.queue].wake()
        await self._audit(by, "retry", job_id, None)
        return job

    def waiting_on(self, job: Job) -> WaitingOn | None:
        """Why a queued job does not run; None for a job in any other state."""
        return waiting_on(job, self._pools, self._clock)

    async def stack(self, job_id: str) -> str | None:
        """The present stack of a running job; None if it does not run here. Raises NotFoundError."""
        attempt = self._attempt(await self._jobs.get(job_id))
        return None if attempt is None else await self._dispatcher.executor.stack(attempt)

    # --- queues ---

    async def queues(self) -> list[QueueSnapshot]:
        """All queues now."""
        waiting = await self._jobs.waiting()
        now = self._clock.now()
        snapshots = []
        for name, pool in self._pools.items():
            count, oldest = waiting.get(name, (0, now))
            snapshots.append(
                QueueSnapshot(
                    name=name,
                    concurrency=pool.concurrency,
                    slots=pool.concurrency + len(pool.stuck),
                    engine="local",
                    paused=pool.paused,
                    note=pool.note,
                    waiting=count,
                    running=len(pool.running),
                    oldest_wait=max(now - oldest, 0) / SECOND,
                    rate=str(pool.limiter.rate) if pool.limiter else None,
                )
            )
        return snapshots

    async def pause_queue(self, name: str, note: str | None, by: str) -> QueueSnapshot:
        """Start no more jobs of a queue; survives a restart."""
        return await self._set_paused(name, paused=True, note=note, by=by)

    async def resume_queue(self, name: str, by: str) -> QueueSnapshot:
        """Start jobs of a queue again."""
        return await self._set_paused(name, paused=False, note=None, by=by)

    async def resize_queue(self, name: str, concurrency: int | None, rate: str | None, by: str) -> QueueSnapshot:
        """Change slots or rate of a queue until the next start; None changes nothing, the rate "none" is no limit.

        Raises NotFoundError, InvalidError.
        """
        pool = self._pool(name)
        if concurrency is not None and not 1 <= concurrency <= MAX_CONCURRENCY:
            raise InvalidError.at("concurrency", f"expected 1..{MAX_CONCURRENCY}, got {concurrency}")
        if rate is not None:
            pool.set_rate(None if rate == NO_RATE else parse_rate(rate))
        pool.concurrency = concurrency or pool.concurrency
        pool.wake()
        await self._audit(by, "resize_queue", name, f"concurrency {pool.concurrency}, rate {rate or 'as it was'}")
        return next(one for one in await self.queues() if one.name == name)

    # --- schedules: see timetable ---

    async def trigger_schedule(self, name: str, by: str, idempotency: Idempotency | None = None) -> Job:
        """Run a schedule's task with its arguments now, in addition to its fires."""
        schedule = (await self.timetable.get(name)).schedule
        args = msgspec.json.decode(schedule.args)
        job, _ = await self.trigger(schedule.task, args, by=by, idempotency=idempotency)
        return job

    # --- locks ---

    async def locks(self) -> list[LockSnapshot]:
        """The locks that are held, and how many jobs wait for each."""
        waiters = await self._jobs.lock_waiters()
        return [LockSnapshot(lock, waiters.get(lock.name, 0)) for lock in await self._locks.everywhere()]

    async def release_lock(self, name: str, reason: str | None, by: str) -> Lock:
        """Take a lock from its holder, whose job is stopped and retried; raises NotFoundError."""
        lock = await self._locks.force_release(name)
        if lock is None:
            raise NotFoundError(f"nobody holds a lock {name}")
        await self._audit(by, "release_lock", name, f"held {held_by(lock)}: {reason or ''}")
        return lock

    async def audit(self, by: str, action: str, target: str, detail: str | None) -> None:
        """Write a row of the audit for an action that was done elsewhere."""
        await self._audit(by, action, target, detail)

    # --- within ---

    async def _audit(self, by: str, action: str, target: str, detail: str | None) -> None:
        now = self._clock.now()
        await self._jobs.audit(Audit(now, by, action, target, detail))
        if self._bus.has_listeners and (event := messages.operator_action(by, action, target, detail, now)) is not None:
            self._bus.publish([event])

    def _pool(self, name: str) -> Pool:
        if name not in self._pools:
            raise NotFoundError(f"no queue {name}; known: {', '.join(sorted(self._pools))}")
        return self._pools[name]

    def _attempt(self, job: Job) -> Attempt | None:
        pool = self._pools.get(job.queue)
        return pool.running.get(job.seq) if pool is not None else None

    def _with_progress(self, job: Job) -> Job:
        attempt = self._attempt(job)
        if attempt is not None:
            job.progress = attempt.progress() or job.progress
        return job

    async def _set_paused(self, name: str, *, paused: bool, note: str | None, by: str) -> QueueSnapshot:
        pool = self._pool(name)
        await self._queue_store.pause(name, paused=paused, note=note)
        pool.paused, pool.note = paused, note
        pool.wake()
        await self._audit(by, "pause_queue" if paused else "resume_queue", name, note)
        return next(one for one in await self.queues() if one.name == name)
