"""The engine's health checks: does the scheduler tick, is claimable work claimed, does the control loop keep up."""

from collections.abc import Mapping

from launchd.clock import LONGEST_SLEEP, SECOND, STEP, Clock, Instant, format_instant
from launchd.engine.pool import Pool
from launchd.engine.scheduler import Entry, Scheduler
from launchd.engine.stall import StallMonitor
from launchd.ops.health import Check, Finding, Level
from launchd.store.jobs import JobStore

# A ready job and a free slot that do not find each other within this time are a fault of the dispatcher.
CLAIM_SECONDS = 10.0
LATE_SECONDS = 5.0
# How many schedules a finding names.
_NAMED = 3


def scheduler_check(scheduler: Scheduler, clock: Clock, *, enabled: bool) -> Check:
    """The scheduler has ticked within twice its longest sleep, and waits for no fire beyond the next regular one."""

    async def check() -> Finding:
        if not enabled:
            return Finding(Level.HEALTHY, "switched off by --no-scheduler")
        silent = clock.monotonic() - scheduler.last_tick
        if silent > 2 * LONGEST_SLEEP:
            return Finding(Level.UNHEALTHY, f"no tick for {silent:.0f} s")
        if waits := [words for one in scheduler.entries.values() if (words := waits_too_long(one, clock.now()))]:
            return Finding(Level.UNHEALTHY, "; ".join(waits[:_NAMED]))
        if scheduler.lateness > LATE_SECONDS:
            return Finding(Level.DEGRADED, f"the last fire was {scheduler.lateness:.1f} s late")
        return Finding(Level.HEALTHY, f"{len(scheduler.entries)} schedules, last tick {silent:.0f} s ago")

    return check


def waits_too_long(entry: Entry, now: Instant) -> str | None:
    """Says so if a schedule waits for a later time than its recurrence has after now; a rare one may wait for years."""
    regular = entry.schedule.recurrence.next(now + STEP)
    if regular is None or (entry.regular is not None and entry.regular <= regular):
        return None
    waits = "never fires" if entry.regular is None else f"waits until {format_instant(entry.regular)}"
    due = format_instant(regular)
    return f"schedule {entry.schedule.name} {waits}, but is due at {due}: the clock was ahead, a restart puts it right"


def dispatcher_check(pools: Mapping[str, Pool], store: JobStore, clock: Clock) -> Check:
    """No queue has both work that waits and free slots for long."""

    async def check() -> Finding:
        waiting = await store.waiting()
        for name, pool in pools.items():
            count, oldest = waiting.get(name, (0, 0))
            free = pool.free()
            waited = (clock.now() - oldest) / SECOND
            idle = clock.monotonic() - pool.last_turn
            if count > len(pool.locked.waits) and free > 0 and not pool.paused and min(waited, idle) > CLAIM_SECONDS:
                return Finding(Level.UNHEALTHY, f"queue {name}: {count} wait, {free} slots are free, nobody claims")
        stuck = [pool.running[seq].job for pool in pools.values() for seq in pool.stuck if seq in pool.running]
        if stuck:
            names = ", ".join(f"{job.task} {job.id}" for job in stuck)
            return Finding(Level.DEGRADED, f"asked to end but still running, their slots given away: {names}")
        total = sum(count for count, _ in waiting.values())
        running = sum(len(pool.running) for pool in pools.values())
        return Finding(Level.HEALTHY, f"{running} running, {total} waiting")

    return check


def loop_check(monitor: StallMonitor) -> Check:
    """No task blocks its loop, and nothing blocks ours."""

    async def check() -> Finding:
        for stall in monitor.stalls.values():
            who = f"by {stall.task} {stall.job_id} " if stall.job_id else ""
            return Finding(Level.DEGRADED, f"the {stall.loop} has been blocked {who}for {stall.seconds:.1f} s")
        return Finding(Level.HEALTHY, "every loop answers")

    return check
