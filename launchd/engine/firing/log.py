"""The log lines of schedules: another rule in force, a corrected clock, missed fires."""

from collections.abc import Sequence

from launchd.clock import SECOND, Instant, format_instant
from launchd.engine.firing.entry import ScheduleEntry
from launchd.logger import get_logger
from launchd.schedules.schedule import FireOutcome, Plan
from launchd.schedules.tighten import Tightening
from launchd.store.corrections import Corrected, Correction

_log = get_logger("launchd.scheduler")


def log_tightening(entry: ScheduleEntry, before: Tightening | None) -> None:
    """Log that another rule is in force, or none any more."""
    after = entry.look.tightening if entry.look else None
    rules = [None if one is None else (one.rule, one.near.id) for one in (before, after)]
    if rules[0] == rules[1]:
        return
    words = "by its recurrence alone" if after is None else after.rule.in_words()
    near = None if after is None else f"{after.near.name} ({after.near.id})"
    _log.info("schedule_tightened", schedule=entry.schedule.name, fires=words, near=near)


def log_correction(asked: Sequence[Correction], done: Sequence[Corrected], now: Instant) -> None:
    """Log which schedules go on from now, and until when their occurrences have a job already."""
    fired = {
        one.schedule.name: format_instant(made.fired_until)
        for one, made in zip(asked, done, strict=True)
        if made.fired_until is not None
    }
    _log.warning(
        "clock_corrected",
        seconds=max((one.set_by for one in asked), key=abs) / SECOND,
        now=format_instant(now),
        schedules=[one.schedule.name for one in asked],
        already_fired_until=fired,
        detail="schedules go on from now",
    )


def log_missed(entry: ScheduleEntry, plan: Plan) -> None:
    """Log the missed fires of a plan."""
    for fire in plan.fires:
        if fire.outcome is FireOutcome.MISSED:
            _log.warning("fires_missed", schedule=entry.schedule.name, count=fire.count, reason=fire.reason)
