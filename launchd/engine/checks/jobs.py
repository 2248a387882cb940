"""The health check of the work itself: jobs that are due start, jobs that run are run by somebody, and ends come.

Each rule names the jobs or the queue. The first that applies is the finding, the worst first.
"""

from collections.abc import Iterator, Mapping, Sequence

from launchd.clock import LONGEST_SLEEP, SECOND, Clock, Instant, format_instant
from launchd.engine.queues.pool import Pool
from launchd.ops.health import Check, Finding, Level
from launchd.store.jobs import JobStore
from launchd.store.upkeep import Running, UpkeepStore

# A ready job and a free slot that do not find each other within this time are a fault of the dispatcher.
CLAIM_SECONDS = 10.0
# The system clock sleeps at most half of this towards a wall time.
PROMOTE_SECONDS = 2 * LONGEST_SLEEP
# How long an attempt may go on after its hard time limit without being marked as stuck.
OVERRUN_SECONDS = 60.0
_SHOWN = 5
# How often an attempt without a runner is looked at again.
_LOOKS = 3

Pools = Mapping[str, Pool]


def dispatcher_check(pools: Pools, store: JobStore, upkeep: UpkeepStore, clock: Clock) -> Check:
    """Work that is due is claimed, what runs is run here and within its limits, and verdicts get to disk."""

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
            return Finding(Level.DEGRADED, f"asked to end but still running, their slots given away: {names}")
        total = sum(count for count, _ in waiting.values())
        running = sum(len(pool.running) for pool in pools.values())
        words = [f"{running} running, {total} waiting", *_paused(pools, waiting)]
        return Finding(Level.HEALTHY, "; ".join(words))

    return check


def _unclaimed(pools: Pools, waiting: Mapping[str, tuple[int, Instant]], clock: Clock) -> str | None:
    """A queue that has both work that waits and free slots for long."""
    for name, pool in pools.items():
        count, oldest = waiting.get(name, (0, 0))
        free = pool.free()
        waited = (clock.now() - oldest) / SECOND
        idle = clock.monotonic() - pool.last_turn
        if count > len(pool.locked.waits) and free > 0 and not pool.paused and min(waited, idle) > CLAIM_SECONDS:
            return f"queue {name}: {count} wait, {free} slots are free, nobody claims"
    return None


def _no_turn(pools: Pools, now: float) -> str | None:
    """A queue that has something to do, such as ends to write, and does not get to it."""
    for name, pool in pools.items():
        seconds = now - pool.last_turn
        if pool.owes_turn and seconds > CLAIM_SECONDS:
            return f"queue {name}: a turn is due and none has come to its end for {seconds:.0f} s"
    return None


def _overrun(pools: Pools, now: float) -> str | None:
    """Attempts that nobody has ended though their hard time limit is long past."""
    late = [
        f"{attempt.job.task} {attempt.job.id}"
        for pool in pools.values()
        for attempt in pool.running.values()
        if attempt.hard_deadline is not None and not attempt.stuck and now > attempt.hard_deadline + OVERRUN_SECONDS
    ]
    return f"running past their hard time limit, and nobody ends them: {_some(late)}" if late else None


async def _not_promoted(store: UpkeepStore, now: Instant) -> str | None:
    """Jobs of the future whose time has come without anybody making them ready."""
    count, oldest = await store.overdue(now - int(PROMOTE_SECONDS * SECOND))
    return f"{count} jobs are due since {format_instant(oldest)} and not made ready" if oldest is not None else None


async def _orphans(pools: Pools, store: UpkeepStore) -> str | None:
    """Jobs that run by their rows but not here.

    An attempt that is just being started or ended is looked at again behind the writes under way: it may be both, one
    after the other, so that takes three looks.
    """
    missing = set(_unattended(pools, await store.running()))
    for _ in range(_LOOKS):
        if not missing:
            return None
        await store.settled()
        missing &= set(_unattended(pools, await store.running()))
    names = [f"{one.task} {one.id}" for one in sorted(missing)]
    return f"running by their rows, but nobody runs them: {_some(names)}" if names else None


def _unattended(pools: Pools, rows: Sequence[Running]) -> Iterator[Running]:
    for row in rows:
        pool = pools.get(row.queue)
        attempt = pool.running.get(row.seq) if pool is not None else None
        if attempt is None or attempt.job.attempt != row.attempt:
            yield row


def _paused(pools: Pools, waiting: Mapping[str, tuple[int, Instant]]) -> list[str]:
    """A pause is wanted, so it is well; but it is told."""
    paused = [f"{name} ({waiting.get(name, (0, 0))[0]} wait)" for name, pool in pools.items() if pool.paused]
    return [f"paused: {', '.join(paused)}"] if paused else []


def _some(names: list[str]) -> str:
    """The first few of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
