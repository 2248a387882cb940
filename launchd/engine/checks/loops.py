"""The health checks of the loops: the scheduler ticks, and no loop is blocked."""

import asyncio
from collections.abc import Sequence

from launchd.clock import LONGEST_SLEEP, STEP, Clock, Instant, format_instant
from launchd.engine.attempts.stall import StallMonitor
from launchd.engine.firing.entry import ScheduleEntry
from launchd.engine.firing.scheduler import Scheduler
from launchd.ops.health import Check, Finding, Level

LATE_SECONDS = 5.0
# How many schedules a finding names.
_NAMED = 3
# How many recurrences are computed before the loop goes on.
_STRETCH = 50


def scheduler_check(scheduler: Scheduler, clock: Clock, *, enabled: bool) -> Check:
    """The scheduler has ticked within twice its longest sleep, and no schedule waits beyond its next occurrence."""
    waiting = _Waiting()

    async def check() -> Finding:
        if not enabled:
            return Finding(Level.HEALTHY, "switched off by --no-scheduler")
        silent = clock.monotonic() - scheduler.last_tick
        if silent > 2 * LONGEST_SLEEP:
            return Finding(Level.UNHEALTHY, f"no tick for {silent:.0f} s")
        entries = list(scheduler.entries.values())
        held = [f"schedule {one.schedule.name} cannot fire: {one.trouble}" for one in entries if one.trouble]
        if wrong := held + await waiting.too_long(entries, clock.now()):
            return Finding(Level.UNHEALTHY, "; ".join(wrong[:_NAMED]))
        if scheduler.lateness > LATE_SECONDS:
            return Finding(Level.DEGRADED, f"the last fire was {scheduler.lateness:.1f} s late")
        return Finding(Level.HEALTHY, f"{len(scheduler.entries)} schedules, last tick {silent:.0f} s ago")

    return check


class _Waiting:
    """Finds schedules that wait too long; computes a recurrence once for each next fire.

    A next fire that was right stays right until it is due, unless the clock goes back.
    """

    def __init__(self) -> None:
        self._right: dict[str, tuple[Instant, Instant]] = {}  # by schedule: its next fire, and when that was checked

    async def too_long(self, entries: Sequence[ScheduleEntry], now: Instant) -> list[str]:
        """A sentence about each schedule that waits too long. Yields to the loop: there may be 10,000 schedules."""
        found = []
        for number, entry in enumerate(entries):
            right, checked = self._right.get(entry.schedule.name, (None, 0))
            if entry.trouble or (entry.regular is not None and right == entry.regular and checked <= now):
                continue
            if words := waits_too_long(entry, now):
                found.append(words)
            elif entry.regular is not None:
                self._right[entry.schedule.name] = entry.regular, now
            if number % _STRETCH == 0:
                await asyncio.sleep(0)
        return found


def waits_too_long(entry: ScheduleEntry, now: Instant) -> str | None:
    """A sentence if a schedule waits beyond the next occurrence of its recurrence; a rare one may wait for years."""
    regular = entry.schedule.recurrence.next(now + STEP)
    if regular is None or (entry.regular is not None and entry.regular <= regular):
        return None
    waits = "never fires" if entry.regular is None else f"waits until {format_instant(entry.regular)}"
    due = format_instant(regular)
    cure = "the clock was ahead; restart the daemon to correct it"
    return f"schedule {entry.schedule.name} {waits}, but is due at {due}: {cure}"


def loop_check(monitor: StallMonitor) -> Check:
    """No task blocks the task loop, and nothing blocks the control loop."""

    async def check() -> Finding:
        for stall in monitor.stalls.values():
            who = f"by {stall.task} {stall.job_id} " if stall.job_id else ""
            return Finding(Level.DEGRADED, f"the {stall.loop} has been blocked {who}for {stall.seconds:.1f} s")
        return Finding(Level.HEALTHY, "every loop answers")

    return check
