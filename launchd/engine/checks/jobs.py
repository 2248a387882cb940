"""The health check of jobs: due jobs start, running jobs have an attempt here, and verdicts reach the disk.

Each rule names the jobs or the queue. The first rule that applies is the finding; the worst comes first.
"""

from collections.abc import Iterator, Mapping, Sequence

from launchd.clock import LONGEST_SLEEP, SECOND, Clock, Instant, format_instant
from launchd.engine.queues.pool import Pool
from launchd.ops.health import Check, Finding, Level
from launchd.store.jobs import JobStore
from launchd.store.upkeep import Running, UpkeepStore

# A ready job that does not start within this time though a slot is free is a fault of the dispatcher.
CLAIM_SECONDS = 10.0
# The system clock sleeps at most half of this towards a wall time.
PROMOTE_SECONDS = 2 * LONGEST_SLEEP
# How long an attempt may go on after its hard time limit without being marked as stuck.
OVERRUN_SECONDS = 60.0
_SHOWN = 5
# How often an attempt without a runner is checked again.
_LOOKS = 3

Pools = Mapping[str, Pool]


def dispatcher_check(pools: Pools, store: JobStore, upkeep: UpkeepStore, clock: Clock) -> Check:
    """Due jobs are claimed, running jobs run here and within their limits, and verdicts reach the disk."""

    async def check() -> Finding:
        waiting = await store.waiting()
        trouble = _unclaimed(pools, waiting, clock) or _no_turn(pools, clock.monotonic())
        trouble = trouble or _overrun(pools, clock.monotonic()) or await _not_promoted(upkeep, clock.now())
        trouble = trouble or await _orphans(pools, upkeep)
        if trouble is not None:
            return Finding(Level.UNHEALTHY, trouble)
        stuck = [pool.running[seq].job for pool in pools.values() for seq in pool.stuck if seq in pool.running]
        if stuck:
            names = ", ".join(f"{job.task} {job.id}" for job in stuck)
            return Finding(Level.DEGRADED, f"still running after a stop request, their slots given to others: {names}")
        total = sum(count for count, _ in waiting.values())
        running = sum(len(pool.running) for pool in pools.values())
        words = [f"{running} running, {total} waiting", *_paused(pools, waiting)]
        return Finding(Level.HEALTHY, "; ".join(words))

    return check


def _unclaimed(pools: Pools, waiting: Mapping[str, tuple[int, Instant]], clock: Clock) -> str | None:
    """A queue in which jobs wait for long though slots are free."""
    for name, pool in pools.items():
        count, oldest = waiting.get(name, (0, 0))
        free = pool.free()
        waited = (clock.now() - oldest) / SECOND
        idle = clock.monotonic() - pool.last_turn
        if count > len(pool.locked.waits) and free > 0 and not pool.paused and min(waited, idle) > CLAIM_SECONDS:
            return f"queue {name}: {count} jobs wait and {free} slots are free, but none is claimed"
    return None


def _no_turn(pools: Pools, now: float) -> str | None:
    """A queue whose turn is due, such as for verdicts to write, and does not end."""
    for name, pool in pools.items():
        seconds = now - pool.last_turn
        if pool.turn_due and seconds > CLAIM_SECONDS:
            return f"queue {name}: a turn is due, and none has ended for {seconds:.0f} s"
    return None


def _overrun(pools: Pools, now: float) -> str | None:
    """Attempts that still run long after their hard time limit."""
    late = [
        f"{attempt.job.task} {attempt.job.id}"
        for pool in pools.values()
        for attempt in pool.running.values()
        if attempt.hard_deadline is not None and not attempt.stuck and now > attempt.hard_deadline + OVERRUN_SECONDS
    ]
    return f"still running after their hard time limit: {_some(late)}" if late else None


async def _not_promoted(store: UpkeepStore, now: Instant) -> str | None:
    """Jobs with a later `run_at` that are due now and were not made ready."""
    count, oldest = await store.overdue(now - int(PROMOTE_SECONDS * SECOND))
    if oldest is None:
        return None
    return f"{count} jobs have been due since {format_instant(oldest)} and were not made ready"


async def _orphans(pools: Pools, store: UpkeepStore) -> str | None:
    """Jobs whose state is `running` without an attempt here.

    An attempt that is just being started or ended is checked again after the writes under way. It may be both, one
    after the other, so this takes three checks.
    """
    missing = set(_unattended(pools, await store.running()))
    for _ in range(_LOOKS):
        if not missing:
            return None
        await store.settled()
        missing &= set(_unattended(pools, await store.running()))
    names = [f"{one.task} {one.id}" for one in sorted(missing)]
    return f"in state running, but not run by this daemon: {_some(names)}" if names else None


def _unattended(pools: Pools, rows: Sequence[Running]) -> Iterator[Running]:
    for row in rows:
        pool = pools.get(row.queue)
        attempt = pool.running.get(row.seq) if pool is not None else None
        if attempt is None or attempt.job.attempt != row.attempt:
            yield row


def _paused(pools: Pools, waiting: Mapping[str, tuple[int, Instant]]) -> list[str]:
    """The paused queues. A pause is intended, so the finding stays healthy, but names them."""
    paused = [f"{name} ({waiting.get(name, (0, 0))[0]} waiting)" for name, pool in pools.items() if pool.paused]
    return [f"paused: {', '.join(paused)}"] if paused else []


def _some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
