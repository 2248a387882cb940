"""The health check of launch data: the sources answer, and they are asked on schedule."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import islice, pairwise
from typing import NamedTuple

from launchd.clock import SECOND, Clock, Instant, format_instant
from launchd.engine.attempts.attempt import Attempt
from launchd.engine.firing.entry import ScheduleEntry
from launchd.engine.queues.pool import Pool
from launchd.ops.health import Check, Finding, Level

# The task that the schedules of launch data run, and the lock of every scrape.
SCRAPE_TASK, SCRAPE_LOCK = "scrape_launch_data", "scraping_task_lock"
# A scrape may take this long, retries apart, before the next one is missed.
LATE_SECONDS = 1800.0
# A scrape may take this long even under a schedule that fires more often.
LEAST_PERIOD_SECONDS = 300.0


class Sources(NamedTuple):
    """Questions to the tracker: do the enabled sources answer, and when was each asked last?"""

    health: Callable[[], Awaitable[tuple[bool, str]]]
    last_attempts: Callable[[], Awaitable[Mapping[str, Instant | None]]]


def sources_check(
    sources: Sources,
    schedules: Mapping[str, ScheduleEntry],
    pools: Mapping[str, Pool],
    clock: Clock,
    started_at: Instant,
) -> Check:
    """Every enabled source answered last time, no scrape hangs, and scrapes run as often as scheduled."""

    async def check() -> Finding:
        now = clock.now()
        period = min((one for entry in schedules.values() if (one := _period(entry, now)) is not None), default=None)
        well, detail = await sources.health()
        trouble = _standing(pools, period, clock.monotonic()) if period is not None else None
        if trouble is None and period is not None:
            trouble = _silence(await sources.last_attempts(), period, started_at, now)
        if trouble is not None:
            return Finding(Level.DEGRADED, f"{trouble}; {detail}" if detail else trouble)
        return Finding(Level.HEALTHY if well else Level.DEGRADED, detail)

    return check


def _period(entry: ScheduleEntry, now: Instant) -> float | None:
    """The longer of the next two gaps between fires, in seconds; None for a schedule that does not scrape now."""
    if entry.schedule.task != SCRAPE_TASK or entry.paused:
        return None
    fires = list(islice(_fires(entry, now), 3))
    return max(((after - before) / SECOND for before, after in pairwise(fires)), default=None)


def _fires(entry: ScheduleEntry, after: Instant) -> Iterator[Instant]:
    at = entry.schedule.recurrence.next(after)
    while at is not None:
        yield at
        at = entry.schedule.recurrence.next(at)


def _standing(pools: Mapping[str, Pool], period: float, now: float) -> str | None:
    """A scrape that runs beyond the next fire: the next scrape is skipped, or waits for the lock."""
    for attempt in _scrapes(pools):
        seconds = now - attempt.started
        if seconds > max(period, LEAST_PERIOD_SECONDS):
            job = attempt.job
            return f"{job.task} {job.id} has been running for {seconds:.0f} s: cancel it, no other scrape can start"
    return None


def _silence(last: Mapping[str, Instant | None], period: float, started_at: Instant, now: Instant) -> str | None:
    """A sentence if no source was asked since a fire was due."""
    if not last:
        return None
    asked = max([at for at in last.values() if at is not None], default=None)
    silent = (now - max(asked or 0, started_at)) / SECOND
    if silent <= period + LATE_SECONDS:
        return None
    since = f"since {format_instant(asked)}" if asked is not None else "yet"
    return f"no source has been asked {since}, though a scrape is due every {period:.0f} s"


def _scrapes(pools: Mapping[str, Pool]) -> Iterator[Attempt]:
    for pool in pools.values():
        for attempt in pool.running.values():
            if attempt.lock is not None and attempt.lock.name == SCRAPE_LOCK:
                yield attempt
