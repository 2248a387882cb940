"""A schedule: when jobs are made. What is due, what was missed, and what becomes of each occurrence. Pure.

Every occurrence in (cursor, now] gets exactly one verdict; a run of missed ones becomes one range, computed from its
ends.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from launchd.clock import SECOND, Instant
from launchd.cron import Recurrence, occurrences, period_seconds

# The most missed occurrences that `catchup = "all"` makes up for.
CATCHUP_CAP = 100
_GRACE_MIN, _GRACE_MAX = 60.0, 3600.0


class Catchup(StrEnum):
    """Which of the occurrences missed in an outage are fired afterwards."""

    LATEST = "latest"
    SKIP = "skip"
    EARLIEST = "earliest"
    ALL = "all"


class Overlap(StrEnum):
    """What happens at a fire whose predecessor has not ended."""

    SKIP = "skip"
    ALLOW = "allow"


class FireOutcome(StrEnum):
    """What became of an occurrence."""

    FIRED = "fired"
    COALESCED = "coalesced"
    MISSED = "missed"
    OVERLAP_SKIPPED = "overlap_skipped"
    PAUSED = "paused"
    BACKFILLED = "backfilled"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as configured. `args` is canonical JSON; `grace_seconds` None means a half period within 1..60 min."""

    name: str
    task: str
    recurrence: Recurrence
    spec: str
    args: str = "{}"
    catchup: Catchup = Catchup.LATEST
    overlap: Overlap = Overlap.SKIP
    grace_seconds: float | None = None
    run_on_first_start: bool = False


class Fire(msgspec.Struct, frozen=True):
    """One ledger row to be: `count` occurrences from `fire_time` to `until` (equal when there is one)."""

    fire_time: Instant
    outcome: FireOutcome
    reason: str | None = None
    until: Instant | None = None
    count: int = 1


class Plan(NamedTuple):
    """What is to be done at `now`: ledger rows in order, the new cursor, and when to look again (None: never)."""

    fires: tuple[Fire, ...]
    cursor: Instant
    next_fire: Instant | None


def grace(schedule: Schedule, after: Instant) -> float:
    """Seconds a fire may be late before it counts as missed."""
    if schedule.grace_seconds is not None:
        return schedule.grace_seconds
    return min(max(period_seconds(schedule.recurrence, after) / 2, _GRACE_MIN), _GRACE_MAX)


def plan(schedule: Schedule, cursor: Instant, now: Instant, *, paused: bool = False) -> Plan:
    """The verdict on every occurrence in (cursor, now]. A clock that went back yields nothing and keeps the cursor."""
    if now <= cursor:
        return Plan((), cursor, next(occurrences(schedule.recurrence, cursor), None))
    due, upcoming = _due(schedule.recurrence, cursor, now)
    if not due:
        return Plan((), cursor, upcoming)
    if paused:
        return Plan(tuple(_ranges(due, FireOutcome.PAUSED, "the schedule was paused")), due[-1], upcoming)
    late = int(grace(schedule, cursor) * SECOND)
    missed = [instant for instant in due if now - instant > late]
    on_time = due[len(missed) :]
    fires = list(_missed(schedule, missed, caught_up=bool(on_time)))
    if on_time:
        *early, last = on_time
        fires += _ranges(early, FireOutcome.COALESCED, "several were due at once; the latest was fired")
        fires.append(Fire(last, FireOutcome.FIRED))
    return Plan(tuple(fires), due[-1], upcoming)


def _missed(schedule: Schedule, missed: list[Instant], *, caught_up: bool) -> list[Fire]:
    """The rows for occurrences beyond their grace. An occurrence on time makes a latest catch-up needless."""
    if not missed:
        return []
    reason = "the daemon was not running or was late"
    if schedule.catchup is Catchup.ALL:
        left, kept = missed[:-CATCHUP_CAP], missed[-CATCHUP_CAP:]
        return _ranges(left, FireOutcome.MISSED, reason) + [Fire(at, FireOutcome.FIRED, "catch-up") for at in kept]
    if schedule.catchup is Catchup.EARLIEST:
        return [Fire(missed[0], FireOutcome.FIRED, "catch-up"), *_ranges(missed[1:], FireOutcome.MISSED, reason)]
    if schedule.catchup is Catchup.LATEST and not caught_up:
        return [*_ranges(missed[:-1], FireOutcome.MISSED, reason), Fire(missed[-1], FireOutcome.FIRED, "catch-up")]
    return _ranges(missed, FireOutcome.MISSED, reason)


def _due(recurrence: Recurrence, cursor: Instant, now: Instant) -> tuple[list[Instant], Instant | None]:
    due: list[Instant] = []
    for instant in occurrences(recurrence, cursor):
        if instant > now:
            return due, instant
        due.append(instant)
    return due, None


def _ranges(instants: list[Instant], outcome: FireOutcome, reason: str) -> list[Fire]:
    if not instants:
        return []
    return [Fire(instants[0], outcome, reason, until=instants[-1], count=len(instants))]
