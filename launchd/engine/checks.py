"""The engine's health checks: does the scheduler tick, is claimable work claimed, does the control loop keep up."""

from collections.abc import Mapping

from launchd.clock import SECOND, Clock
from launchd.engine.pool import Pool
from launchd.engine.reaper import Reaper
from launchd.engine.scheduler import SLEEP_LIMIT_SECONDS, Scheduler
from launchd.ops.health import Check, Finding, Level
from launchd.store.jobs import JobStore

# A ready job and a free slot that do not find each other within this time are a fault of the dispatcher.
CLAIM_SECONDS = 10.0
LAG_SECONDS = 0.5


def scheduler_check(scheduler: Scheduler, clock: Clock, *, enabled: bool) -> Check:
    """The scheduler has ticked within twice its longest sleep."""

    async def check() -> Finding:
        if not enabled:
            return Finding(Level.HEALTHY, "switched off by --no-scheduler")
        silent = clock.monotonic() - scheduler.last_tick
        if silent > 2 * SLEEP_LIMIT_SECONDS:
            return Finding(Level.UNHEALTHY, f"no tick for {silent:.0f} s")
        return Finding(Level.HEALTHY, f"{len(scheduler.entries)} schedules, last tick {silent:.0f} s ago")

    return check


def dispatcher_check(pools: Mapping[str, Pool], store: JobStore, clock: Clock) -> Check:
    """No queue has both work that waits and free slots for long."""

    async def check() -> Finding:
        waiting = await store.waiting()
        for name, pool in pools.items():
            count, oldest = waiting.get(name, (0, 0))
            free = pool.concurrency - len(pool.running)
            waited = (clock.now() - oldest) / SECOND
            idle = clock.monotonic() - pool.last_turn
            if count > len(pool.waits) and free > 0 and not pool.paused and min(waited, idle) > CLAIM_SECONDS:
                return Finding(Level.UNHEALTHY, f"queue {name}: {count} wait, {free} slots are free, nobody claims")
        total = sum(count for count, _ in waiting.values())
        running = sum(len(pool.running) for pool in pools.values())
        return Finding(Level.HEALTHY, f"{running} running, {total} waiting")

    return check


def loop_check(reaper: Reaper) -> Check:
    """The control loop runs its timers on time."""

    async def check() -> Finding:
        if reaper.lag > LAG_SECONDS:
            return Finding(Level.DEGRADED, f"the control loop was {reaper.lag:.2f} s late")
        return Finding(Level.HEALTHY, f"{reaper.lag * 1000:.0f} ms late")

    return check
