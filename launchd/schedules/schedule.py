"""A schedule: when jobs are made. What is due, what was missed, and what becomes of each occurrence. Pure.

Every occurrence in (cursor, now] gets exactly one verdict. Runs of one verdict become one range, computed from its
ends: an outage is never walked.
"""

import hashlib
from enum import StrEnum
from typing import NamedTuple

import msgspec

from launchd.clock import SECOND, Instant
from launchd.schedules.recurrence import Every, Recurrence, period_seconds

# The most missed occurrences that `catchup = "all"` makes up for.
CATCHUP_CAP = 100
_GRACE_MIN, _GRACE_MAX = 60.0, 3600.0
_LATE = "the daemon was not running or was late"
FORWARD = "the clock was put forward"


class Catchup(StrEnum):
    """Which of the occurrences missed in an outage are fired afterwards."""

    LATEST = "latest"
    SKIP = "skip"
    EARLIEST = "earliest"
    ALL = "all"


class Overlap(StrEnum):
    """What happens at a fire whose predecessor has not ended."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_OTHER = "cancel_other"
    TERMINATE_OTHER = "terminate_other"
    ALLOW = "allow"


class FireOutcome(StrEnum):
    """What became of an occurrence."""

    FIRED = "fired"
    COALESCED = "coalesced"
    MISSED = "missed"
    OVERLAP_SKIPPED = "overlap_skipped"
    PAUSED = "paused"
    BACKFILLED = "backfilled"


class TightenRule(msgspec.Struct, frozen=True):
    """Within so many seconds of something near, fire every so often, with these arguments (canonical JSON)."""

    within: int
    every: Every
    args: str

    def in_words(self) -> str:
        """Such as "every 300 s within 3600 s"."""
        return f"every {self.every.seconds} s within {self.within} s"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as configured. `args` is canonical JSON; `grace_seconds` None means a half period within 1..60 min.

    `tighten` are the rules by which it fires more often while something is near (launchd/schedules/tighten.py).
    """

    name: str
    task: str
    recurrence: Recurrence
    spec: str
    args: str = "{}"
    catchup: Catchup = Catchup.LATEST
    overlap: Overlap = Overlap.SKIP
    grace_seconds: float | None = None
    jitter_seconds: float = 0.0
    run_on_first_start: bool = False
    tighten: tuple[TightenRule, ...] = ()


class Fire(msgspec.Struct, frozen=True):
    """One ledger row to be: `count` occurrences from `fire_time` to `until` (equal when there is one).

    `catch_up` marks a fire made after its time: several of them run one after another. `args` (canonical JSON) are
    other arguments than the schedule's: those of an additional fire (launchd/schedules/tighten.py).
    """

    fire_time: Instant
    outcome: FireOutcome
    reason: str | None = None
    until: Instant | None = None
    count: int = 1
    catch_up: bool = False
    args: str | None = None


class Plan(NamedTuple):
    """What is to be done at `now`: ledger rows in order, the new cursor, and when to look again (None: never)."""

    fires: tuple[Fire, ...]
    cursor: Instant
    next_fire: Instant | None


def grace(schedule: Schedule, after: Instant) -> float:
    """Seconds a fire may be late before it counts as missed."""
    if schedule.grace_seconds is not None:
        return schedule.grace_seconds
    return grace_of(period_seconds(schedule.recurrence, after))


def grace_of(period: float) -> float:
    """Seconds an occurrence of this period (in seconds) may be late where nobody said otherwise."""
    return min(max(period / 2, _GRACE_MIN), _GRACE_MAX)


def _late_after(schedule: Schedule, period: Instant) -> Instant:
    return int(SECOND * (grace_of(period / SECOND) if schedule.grace_seconds is None else schedule.grace_seconds))


def jitter(schedule: Schedule, fire_time: Instant) -> Instant:
    """How much later than its fire the job may start: a hash of (schedule, nominal), always before the next fire.

    The same after a restart and on every host; in [0, `jitter_seconds`), in microseconds.
    """
    if schedule.jitter_seconds <= 0:
        return 0
    following = schedule.recurrence.next(fire_time)
    limit = int(schedule.jitter_seconds * SECOND)
    if following is not None:
        limit = min(limit, following - fire_time)
    digest = hashlib.blake2b(f"{schedule.name}:{fire_time}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) * limit >> 64


def plan(
    schedule: Schedule, cursor: Instant, now: Instant, *, paused: bool = False, first: Instant | None = None
) -> Plan:
    """The verdict on every occurrence in (cursor, now]. A clock that went back yields nothing (see `correct`).

    `first` is the first occurrence after the cursor, where the caller knows it.
    """
    recurrence = schedule.recurrence
    first = recurrence.next(cursor) if first is None else first
    if first is None or first > now:
        return Plan((), cursor, first)
    upcoming = recurrence.next(first)
    if (
        upcoming is not None
        and upcoming > now
        and not paused
        and now - first <= _late_after(schedule, upcoming - first)
    ):
        return Plan((_fired(first, late=False),), first, upcoming)  # the usual case: one, on time
    last, upcoming = _previous(recurrence, now), recurrence.next(now)
    if paused:
        return Plan(_range(recurrence, cursor, now, FireOutcome.PAUSED, "the schedule was paused"), last, upcoming)
    # an occurrence later than its grace is missed: all those before `edge`
    edge = max(now - int(grace(schedule, cursor) * SECOND) - 1, cursor)
    return Plan(_verdicts(schedule, cursor, edge, now), last, upcoming)


def correct(schedule: Schedule, cursor: Instant, now: Instant, reason: str = FORWARD, *, paused: bool = False) -> Plan:
    """The plan after the clock was set: nothing is caught up, and the schedule goes on from now.

    `cursor` is the last occurrence that has a verdict, as far as that can be believed; those after it are missed.
    """
    outcome = FireOutcome.PAUSED if paused else FireOutcome.MISSED
    rows = _range(schedule.recurrence, cursor, now, outcome, reason)
    return Plan(rows, now, schedule.recurrence.next(now))


def set_in_words(set_by: Instant) -> str:
    """The ledger's words for a clock that was set."""
    if set_by > 0:
        return FORWARD
    return f"the clock was put back by {-set_by // SECOND} s; the schedule went on from the corrected time"


def ended_at(recurrence: Recurrence, row: Fire, now: Instant) -> tuple[Fire, ...]:
    """The part of a ledger row up to now: a range that a wrong clock wrote ends where the clock was corrected."""
    return without(recurrence, row, now + 1, max(row.until or row.fire_time, now + 1))


def _verdicts(schedule: Schedule, cursor: Instant, edge: Instant, now: Instant) -> tuple[Fire, ...]:
    """The rows for the occurrences missed in (cursor, edge] and those on time in (edge, now]."""
    recurrence = schedule.recurrence
    missed, on_time = recurrence.count(cursor, edge), recurrence.count(edge, now)
    if schedule.catchup is Catchup.ALL:
        return _all(recurrence, cursor, edge, now)
    if schedule.catchup is Catchup.LATEST and (missed or on_time == 1):
        last = _previous(recurrence, now)
        rest = _range(recurrence, cursor, last - 1, FireOutcome.MISSED, f"{_LATE}; the latest was fired")
        return (*rest, _fired(last, late=not on_time))
    if schedule.catchup is Catchup.EARLIEST and missed:
        first = _next(recurrence, cursor)
        rest = _range(recurrence, first, edge, FireOutcome.MISSED, f"{_LATE}; the earliest was fired")
        return (_fired(first, late=True), *rest, *_on_time(recurrence, edge, now))
    return (*_range(recurrence, cursor, edge, FireOutcome.MISSED, _LATE), *_on_time(recurrence, edge, now))


def _on_time(recurrence: Recurrence, edge: Instant, now: Instant) -> tuple[Fire, ...]:
    """Of several that are due at once the latest is fired."""
    if recurrence.count(edge, now) == 0:
        return ()
    last = _previous(recurrence, now)
    reason = "several were due at once; the latest was fired"
    return (*_range(recurrence, edge, last - 1, FireOutcome.COALESCED, reason), _fired(last, late=False))


def _all(recurrence: Recurrence, cursor: Instant, edge: Instant, now: Instant) -> tuple[Fire, ...]:
    """Every one is fired, but no more than the latest 100."""
    kept: list[Instant] = []
    at = now
    while len(kept) < CATCHUP_CAP:
        instant = recurrence.previous(at)
        if instant is None or instant <= cursor:
            break
        kept.append(instant)
        at = instant - 1
    left = _range(recurrence, cursor, kept[-1] - 1, FireOutcome.MISSED, f"{_LATE}; the latest {CATCHUP_CAP} were fired")
    return (*left, *(_fired(instant, late=instant <= edge, chained=len(kept) > 1) for instant in reversed(kept)))


def _fired(instant: Instant, *, late: bool, chained: bool = False) -> Fire:
    return Fire(instant, FireOutcome.FIRED, "catch-up" if late else None, catch_up=late or chained)


def _range(
    recurrence: Recurrence, after: Instant, until: Instant, outcome: FireOutcome, reason: str
) -> tuple[Fire, ...]:
    """The one row for all occurrences in (after, until]; none when there are none."""
    count = recurrence.count(after, until) if until > after else 0
    if count == 0:
        return ()
    first, last = _next(recurrence, after), _previous(recurrence, until)
    return (Fire(first, outcome, reason, until=last, count=count),)


def without(recurrence: Recurrence, row: Fire, start: Instant, end: Instant) -> tuple[Fire, ...]:
    """What is left of a range row when the occurrences in [start, end] get a row of their own."""
    until, reason = row.until or row.fire_time, row.reason or ""
    before = _range(recurrence, row.fire_time - 1, min(start - 1, until), row.outcome, reason)
    after = _range(recurrence, max(end, row.fire_time - 1), until, row.outcome, reason)
    return before + after


def _next(recurrence: Recurrence, after: Instant) -> Instant:
    """An occurrence that is known to exist: it was counted."""
    return _known(recurrence.next(after))


def _previous(recurrence: Recurrence, at: Instant) -> Instant:
    return _known(recurrence.previous(at))


def _known(found: Instant | None) -> Instant:
    if found is None:
        raise LookupError("an occurrence was counted that does not exist")
    return found
