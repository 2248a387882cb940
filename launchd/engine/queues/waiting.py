"""Why a queued job does not run: a pure decision from its row and its pool."""

from collections.abc import Mapping

from launchd.clock import SECOND, Clock, format_instant
from launchd.engine.queues.lockwaits import held_by
from launchd.engine.queues.pool import Pool
from launchd.engine.snapshots import WaitingOn
from launchd.job import Job, JobState


def waiting_on(job: Job, pools: Mapping[str, Pool], clock: Clock) -> WaitingOn | None:
    """The first reason that applies: run_at, retry, overlap, lock, rate_limit, queue_paused, slots.

    None for a job that is not queued.
    """
    if job.state is not JobState.QUEUED:
        return None
    if job.waits_for is not None:
        return WaitingOn("overlap", f"job {job.waits_for} of schedule {job.schedule} has not ended", None)
    if job.run_at > clock.now():
        reason = "retry" if job.attempt > 0 else "run_at"
        return WaitingOn(reason, job.reason or f"due {format_instant(job.run_at)}", job.run_at)
    pool = pools.get(job.queue)
    if pool is None:
        return WaitingOn("slots", f"no pool runs queue {job.queue} here", None)
    return _on_the_pool(job, pool, clock)


def _on_the_pool(job: Job, pool: Pool, clock: Clock) -> WaitingOn:
    if pool.paused:
        return WaitingOn("queue_paused", pool.note or f"queue {job.queue} is paused", None)
    wait = pool.locked.waits.get(job.seq)
    if wait is not None:
        until = clock.now() + int((wait.until - clock.monotonic()) * SECOND)
        return WaitingOn("lock", f"lock {wait.holder.name} is held {held_by(wait.holder)}", until)
    trouble = pool.locked.trouble(job.lock) if job.lock is not None else None
    if trouble is not None:
        return WaitingOn("lock", trouble, None)
    limiter, monotonic = pool.limiter, clock.monotonic()
    if limiter is not None and limiter.free(monotonic) <= 0:
        until = clock.now() + int((limiter.next_free() - monotonic) * SECOND)
        return WaitingOn("rate_limit", f"queue {job.queue} starts at most {limiter.rate}", until)
    busy = len(pool.running) - len(pool.stuck)
    return WaitingOn("slots", f"{busy} of {pool.concurrency} slots of {job.queue} are busy", None)
