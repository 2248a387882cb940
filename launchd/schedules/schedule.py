"""A schedule, and its plan at a moment: the verdict on each occurrence since its cursor. Pure.

Every occurrence in (cursor, now] gets exactly one verdict. Consecutive occurrences with the same verdict become one
range, computed from its ends: an outage takes no longer to plan than a minute.
"""

import hashlib
from enum import StrEnum
from typing import NamedTuple

import msgspec

from launchd.clock import SECOND, Instant
from launchd.schedules.recurrence import Every, Recurrence, period_seconds

# The most missed occurrences that `catchup = "all"` fires.
CATCHUP_CAP = 100
_GRACE_MIN, _GRACE_MAX = 60.0, 3600.0
_LATE = "the daemon was not running or was late"
FORWARD = "the clock was put forward"


class Catchup(StrEnum):
    """The missed occurrences of an outage that are fired afterwards."""

    LATEST = "latest"
    SKIP = "skip"
    EARLIEST = "earliest"
    ALL = "all"


class Overlap(StrEnum):
    """The policy for a fire while an earlier job of the schedule has not ended."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_OTHER = "cancel_other"
    TERMINATE_OTHER = "terminate_other"
    ALLOW = "allow"


class FireOutcome(StrEnum):
    """The verdict on an occurrence, as the ledger has it."""

    FIRED = "fired"
    COALESCED = "coalesced"
    MISSED = "missed"
    OVERLAP_SKIPPED = "overlap_skipped"
    PAUSED = "paused"
    BACKFILLED = "backfilled"


class TightenRule(msgspec.Struct, frozen=True):
    """Within `within` seconds of a near event, fire every `every`, with the arguments `args` (canonical JSON)."""

    within: int
    every: Every
    args: str

    def in_words(self) -> str:
        """The rule in words, such as "every 300 s within 3600 s"."""
        return f"every {self.every.seconds} s within {self.within} s"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as configured. `args` is canonical JSON; `spec` is its definition as text, to notice changes.

    `grace_seconds` None means half a period, at least 1 and at most 60 minutes. `tighten` are the rules for additional
    fires while an event is near (launchd/schedules/tighten.py).
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
    """A ledger row to be written: `count` occurrences from `fire_time` to `until` (None or equal for one occurrence).

    `catch_up` marks a fire after its time: several of them run one after another. `args` (canonical JSON) replaces the
    schedule's arguments in an additional fire (launchd/schedules/tighten.py).
    """

    fire_time: Instant
    outcome: FireOutcome
    reason: str | None = None
    until: Instant | None = None
    count: int = 1
    catch_up: bool = False
    args: str | None = None


class Plan(NamedTuple):
    """The plan at `now`: ledger rows in order, the new cursor, and the next fire (None: never)."""

    fires: tuple[Fire, ...]
    cursor: Instant
    next_fire: Instant | None


def grace(schedule: Schedule, after: Instant) -> float:
    """The seconds by which a fire may be late; a later one counts as missed."""
    if schedule.grace_seconds is not None:
        return schedule.grace_seconds
    return grace_of(period_seconds(schedule.recurrence, after))


def grace_of(period: float) -> float:
    """The default grace for a period, both in seconds: half a period, at least 60 and at most 3600."""
    return min(max(period / 2, _GRACE_MIN), _GRACE_MAX)


def _late_after(schedule: Schedule, period: Instant) -> Instant:
    return int(SECOND * (grace_of(period / SECOND) if schedule.grace_seconds is None else schedule.grace_seconds))


def jitter(schedule: Schedule, fire_time: Instant) -> Instant:
    """The delay of the job after its fire, in microseconds: in [0, `jitter_seconds`), and before the next fire.

    It is a hash of (schedule, fire time): the same after a restart and on every host.
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
    """The verdicts on all occurrences in (cursor, now]; none if the clock went back (see `correct`).

    `first` is the first occurrence after the cursor, if the caller knows it.
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
    # occurrences up to `edge` are later than the grace, and so missed
    edge = max(now - int(grace(schedule, cursor) * SECOND) - 1, cursor)
    return Plan(_verdicts(schedule, cursor, edge, now), last, upcoming)


def correct(schedule: Schedule, cursor: Instant, now: Instant, reason: str = FORWARD, *, paused: bool = False) -> Plan:
    """The plan after the clock was set: no catch-up, and the schedule goes on from `now`.

    `cursor` is the last occurrence with a credible verdict; those after it are missed, or paused.
    """
    outcome = FireOutcome.PAUSED if paused else FireOutcome.MISSED
    rows = _range(schedule.recurrence, cursor, now, outcome, reason)
    return Plan(rows, now, schedule.recurrence.next(now))


def set_in_words(set_by: Instant) -> str:
    """The ledger's reason after the clock was set by `set_by` microseconds."""
    if set_by > 0:
        return FORWARD
    return f"the clock was put back by {-set_by // SECOND} s; the schedule went on from the corrected time"


def ended_at(recurrence: Recurrence, row: Fire, now: Instant) -> tuple[Fire, ...]:
    """The part of a ledger row up to `now`, for a range that was written while the clock was ahead."""
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
    """Fire the latest of the occurrences in (edge, now]; the others are coalesced."""
    if recurrence.count(edge, now) == 0:
        return ()
    last = _previous(recurrence, now)
    reason = "several were due at once; the latest was fired"
    return (*_range(recurrence, edge, last - 1, FireOutcome.COALESCED, reason), _fired(last, late=False))


def _all(recurrence: Recurrence, cursor: Instant, edge: Instant, now: Instant) -> tuple[Fire, ...]:
    """Fire every occurrence in (cursor, now], but only the latest CATCHUP_CAP; the older ones are missed."""
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
    """One range row for all occurrences in (after, until]; no row if there are none."""
    count = recurrence.count(after, until) if until > after else 0
    if count == 0:
        return ()
    first, last = _next(recurrence, after), _previous(recurrence, until)
    return (Fire(first, outcome, reason, until=last, count=count),)


def without(recurrence: Recurrence, row: Fire, start: Instant, end: Instant) -> tuple[Fire, ...]:
    """The rest of a range row, in up to two rows, without the occurrences in [start, end]."""
    until, reason = row.until or row.fire_time, row.reason or ""
    before = _range(recurrence, row.fire_time - 1, min(start - 1, until), row.outcome, reason)
    after = _range(recurrence, max(end, row.fire_time - 1), until, row.outcome, reason)
    return before + after


def _next(recurrence: Recurrence, after: Instant) -> Instant:
    """The next occurrence, which exists since it was counted."""
    return _known(recurrence.next(after))


def _previous(recurrence: Recurrence, at: Instant) -> Instant:
    return _known(recurrence.previous(at))


def _known(found: Instant | None) -> Instant:
    if found is None:
        raise LookupError("an occurrence was counted that does not exist")
    return found
