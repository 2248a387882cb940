"""The engine's health checks: does the scheduler tick, does the control loop keep up. See workcheck.py for the jobs."""

from launchd.clock import LONGEST_SLEEP, STEP, Clock, Instant, format_instant
from launchd.engine.scheduler import Entry, Scheduler
from launchd.engine.stall import StallMonitor
from launchd.ops.health import Check, Finding, Level

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


def loop_check(monitor: StallMonitor) -> Check:
    """No task blocks its loop, and nothing blocks ours."""

    async def check() -> Finding:
        for stall in monitor.stalls.values():
            who = f"by {stall.task} {stall.job_id} " if stall.job_id else ""
            return Finding(Level.DEGRADED, f"the {stall.loop} has been blocked {who}for {stall.seconds:.1f} s")
        return Finding(Level.HEALTHY, "every loop answers")

    return check
