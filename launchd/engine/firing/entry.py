"""A schedule in force: its cursor, its next fires, and its plan. Pure.

The scheduler owns the entries; every decision about one of them is made here.
"""

from launchd.clock import HOUR, STEP, Instant
from launchd.schedules.recurrence import Startup
from launchd.schedules.schedule import Plan, Schedule, plan
from launchd.schedules.tighten import Look, next_extra, tightened
from launchd.store.schedules import ScheduleState

# A wall clock that was put forward by more than this was corrected: nothing is caught up.
CORRECTION = 3 * HOUR


class ScheduleEntry:
    """A schedule and its state.

    `regular` is the next fire of its recurrence, `extra` the next additional fire of the rule in force. `look` holds
    that rule; it is None for a schedule without rules. `trouble` says why the last plan failed; the next try is at
    `held_until`.
    """

    __slots__ = ("cursor", "extra", "held_until", "look", "note", "paused", "regular", "schedule", "trouble")

    def __init__(self, schedule: Schedule, cursor: Instant, *, paused: bool = False, note: str | None = None) -> None:
        self.schedule = schedule
        self.cursor = cursor
        self.paused = paused
        self.note = note
        self.regular: Instant | None = schedule.recurrence.next(cursor)
        self.extra: Instant | None = None
        self.look = Look(None, cursor) if schedule.tighten else None
        self.trouble: str | None = None
        self.held_until: Instant | None = None

    def hold(self, trouble: str | None, until: Instant | None) -> None:
        """Do not plan it before `until`, because of `trouble`; None and None end that."""
        self.trouble, self.held_until = trouble, until

    def pass_extra(self, now: Instant) -> None:
        """Go on to the next additional fire after now."""
        self.extra = None if self.look is None else next_extra(self.look, max(self.cursor, now))

    @property
    def next_fire(self) -> Instant | None:
        """The next fire, regular or additional."""
        if self.regular is None or self.extra is None:
            return self.regular if self.extra is None else self.extra
        return min(self.regular, self.extra)

    @property
    def due(self) -> Instant | None:
        """When the scheduler must act on it: to fire it, or to ask what is near."""
        again = None if self.look is None else self.look.again_at
        due = min((at for at in (self.next_fire, again) if at is not None), default=None)
        return due if due is None or self.held_until is None else max(due, self.held_until)


def must_correct(cursor: Instant, now: Instant, jump: Instant) -> bool:
    """True if a schedule cannot go on from its cursor: the clock was put back behind it, or too far forward."""
    return jump > CORRECTION or cursor >= now + (1 if jump < 0 else STEP)


def clock_step(cursor: Instant, now: Instant, jump: Instant) -> Instant:
    """By how much the clock was set: the jump, or the distance to the cursor if no jump explains that."""
    return jump if (jump < 0) == (cursor > now) else now - cursor


def fires_now(schedule: Schedule, *, is_new: bool, starting: bool) -> bool:
    """True if loading this schedule is itself an occurrence."""
    return (starting and isinstance(schedule.recurrence, Startup)) or (is_new and schedule.run_on_first_start)


def is_unchanged(schedule: Schedule, state: ScheduleState) -> bool:
    """True if the stored text matches; rows from before that column count as matching."""
    return state.spec is None or state.spec == schedule.spec


def entry_of(schedule: Schedule, state: ScheduleState | None, start: Instant | None) -> ScheduleEntry:
    """The entry of a schedule as the store knows it; `start` is its cursor instead if it starts anew."""
    if state is None:
        return ScheduleEntry(schedule, start or 0)
    return ScheduleEntry(schedule, state.cursor if start is None else start, paused=state.paused, note=state.note)


def planned(entry: ScheduleEntry, now: Instant) -> Plan:
    """The plan of a schedule up to now, by its recurrence and by the rule in force."""
    made = plan(entry.schedule, entry.cursor, now, paused=entry.paused, first=entry.regular)
    return made if entry.look is None else tightened(made, entry.look, entry.extra, now, paused=entry.paused)
