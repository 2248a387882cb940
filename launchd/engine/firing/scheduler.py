"""The scheduler: looks at the clock, decides by pure rules what each schedule owes, and writes it in one transaction.

Owned by the control loop. What it knows of a schedule (`cursor`, `paused`, `next_fire`) is a copy of the store, changed
only after the store has it.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from launchd.clock import HOUR, SECOND, STEP, Clock, Instant, format_instant, reading, set_by, until
from launchd.errors import InvalidError, LaunchdError, NotFoundError
from launchd.job import NewJob
from launchd.logger import get_logger
from launchd.schedules.recurrence import Startup, occurrences
from launchd.schedules.schedule import Fire, FireOutcome, Plan, Schedule, plan
from launchd.schedules.tighten import Look, Near, Tightening, coming, look, next_extra, span, tightened
from launchd.store.idempotency import Idempotency
from launchd.store.schedules import (
    Cancelled,
    CarriedOut,
    Corrected,
    Correction,
    DueSchedule,
    Recorded,
    ScheduleState,
    ScheduleStore,
)
from launchd.values.failure import describe

_log = get_logger("launchd.scheduler")
BACKOFF_SECONDS = 1.0
# How long a schedule goes on by the rule it has when nobody can say what is near.
LOOK_BACKOFF_SECONDS = 60.0
# How long a schedule whose plan failed is left alone, and how many of those a health finding names.
HOLD_SECONDS = 60.0
# A wall clock that was put forward by more than this was corrected: nothing is caught up.
CORRECTION = 3 * HOUR
# The most jobs that one backfill makes.
BACKFILL_LIMIT = 1000

JobMaker = Callable[[Schedule, Fire], NewJob]
# What is near in [first, last]; raises LaunchdError. Who knows is none of the scheduler's concern.
NearBy = Callable[[Instant, Instant], Awaitable[Sequence[Near]]]


class Entry:
    """A schedule and what the scheduler knows of it.

    `regular` is the next fire of its recurrence, `extra` the next additional one of the rule in force; `look` says
    which that is, and is None where there are no rules. `trouble` says why its last plan failed; it is not tried again
    before `held_until`.
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
        """Leave it alone until then, because of some trouble; or no longer, where both are None."""
        self.trouble, self.held_until = trouble, until

    def pass_extra(self, now: Instant) -> None:
        """The additional fires up to now have had their chance."""
        self.extra = None if self.look is None else next_extra(self.look, max(self.cursor, now))

    @property
    def next_fire(self) -> Instant | None:
        """When it fires next."""
        if self.regular is None or self.extra is None:
            return self.regular if self.extra is None else self.extra
        return min(self.regular, self.extra)

    @property
    def due(self) -> Instant | None:
        """When there is something to do: a fire, or a look at what is near."""
        again = None if self.look is None else self.look.again_at
        due = min((at for at in (self.next_fire, again) if at is not None), default=None)
        return due if due is None or self.held_until is None else max(due, self.held_until)


class Told(NamedTuple):
    """Who is told what a tick did: the jobs that were made, those that are to end, and the rows of the ledger.

    `expect` hears which schedules are about to have jobs made, in the step that asks the store for them.
    """

    made: Callable[[Sequence[NewJob]], None]
    cancel: Callable[[Sequence[Cancelled]], None]
    recorded: Callable[[Sequence[Recorded]], None] = lambda _rows: None
    expect: Callable[[Sequence[Schedule]], None] = lambda _schedules: None


class Scheduler:
    """Fires schedules. `make` builds the job of a fire. `lateness` is that of the last fires, in seconds.

    `near_by` is asked for what makes a schedule tighten itself; without it nothing does.
    """

    def __init__(
        self, clock: Clock, store: ScheduleStore, make: JobMaker, told: Told, near_by: NearBy | None = None
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self.last_tick = clock.monotonic()
        self.lateness = 0.0
        self._clock = clock
        self._store = store
        self._make = make
        self._told = told
        self._near_by = near_by
        self._asked = 0  # how often somebody wanted a look at what is near
        # both clocks at the last tick: the next one tells by how much the wall clock was set
        self._last = reading(clock)
        self._changed = asyncio.Event()
        # (when it is due, name) of each entry, soonest first; what an entry no longer says is passed over
        self._coming: list[tuple[Instant, str]] = []
        # a pause takes a tick too: what that has taken up must be back before the loop looks for the next fire
        self._ticking = asyncio.Lock()

    async def load(self, schedules: Mapping[str, Schedule], *, starting: bool = True, set_by: Instant = 0) -> None:
        """Take up the schedules of the configuration: known ones at their cursor, new or changed ones from now.

        `starting` says that the daemon starts, which is itself an occurrence of those that fire at a start. `set_by` is
        by how much the wall clock was set since the last start; a cursor beyond now tells so, too.
        """
        states = await self._store.states()
        now = self._clock.now()
        new = [schedule for name, schedule in schedules.items() if name not in states]
        changed = [one for name, one in schedules.items() if name in states and not _same(one, states[name])]
        if changed:
            await self._store.redefine([(schedule, now) for schedule in changed])
            _log.warning("schedules_redefined", schedules=[one.name for one in changed], detail="they start from now")
        anew = {one.name for one in (*new, *changed)}
        entries = {
            name: _entry(schedule, states.get(name), now if name in anew else None)
            for name, schedule in schedules.items()
        }
        self.entries.clear()  # the same dict: health checks and metrics hold it
        self.entries.update(entries)
        self._coming = []
        self._remember(self.entries.values())
        await self._correct(now, set_by)
        fired = Plan((Fire(now, FireOutcome.FIRED, "start"),), now, None)
        first = [
            self._due(entry, fired)
            for name, entry in self.entries.items()
            if _fires_now(entry.schedule, is_new=name not in states, starting=starting) and not entry.paused
        ]
        self._tell_others(await self._store.begin(new, first, now))
        self._changed.set()

    def entry(self, name: str) -> Entry:
        """One schedule; raises NotFoundError."""
        if name not in self.entries:
            known = ", ".join(sorted(self.entries)) or "none"
            raise NotFoundError(f"no schedule {name}; known: {known}")
        return self.entries[name]

    def next_fires(self, name: str, count: int) -> list[Instant]:
        """The next nominal instants of a schedule."""
        entry = self.entry(name)
        after = max(self._clock.now(), entry.cursor)
        if entry.look is None:
            return list(islice(occurrences(entry.schedule.recurrence, after), count))
        return list(islice(coming(entry.schedule, entry.look, after), count))

    def look_again(self) -> None:
        """What is near may have changed: ask again, as to every schedule that tightens itself."""
        self._asked += 1
        for entry in self.entries.values():
            if entry.look is not None:
                entry.look = entry.look._replace(again_at=self._clock.now())
                self._remember([entry])
        self._changed.set()

    async def pause(self, name: str, *, paused: bool, note: str | None) -> None:
        """Pause or resume; what was due before is accounted for first, so paused time is never caught up."""
        entry = self.entry(name)
        await self.run_once()
        await self._store.pause(name, paused=paused, note=note)
        entry.paused, entry.note = paused, note

    async def backfill(
        self, name: str, first: Instant, last: Instant, idempotency: Idempotency | None = None
    ) -> list[NewJob]:
        """Make the jobs of past occurrences that were never fired; raises NotFoundError, InvalidError.

        A key that was used before makes none; it has the ids.
        """
        schedule = self.entry(name).schedule
        if last < first:
            raise InvalidError.at("to", "expected a time after `from`")
        now = self._clock.now()
        if last > now:
            raise InvalidError.at("to", "expected a time that has come; the future fires by itself")
        count = schedule.recurrence.count(first - 1, last)
        if count > BACKFILL_LIMIT:
            raise InvalidError.at("to", f"{count} fires, at most {BACKFILL_LIMIT} at once; take a shorter range")
        made = await self._store.backfill(
            schedule, first, last, lambda fire: self._make(schedule, fire), now=now, idempotency=idempotency
        )
        self._told.made(made)
        return made

    async def run(self) -> None:
        """Tick whenever a fire is due."""
        while True:
            try:
                await self.run_once()
            except LaunchdError as error:
                _log.error("scheduler_tick_failed", error=error.detail)
                await self._clock.sleep(BACKOFF_SECONDS)
            else:
                await self._sleep()

    async def run_once(self) -> int:
        """Carry out what is due now; returns how many ledger rows that made."""
        async with self._ticking:
            return await self._tick()

    # --- within ---

    async def _tick(self) -> int:
        now = self._clock.now()
        last = reading(self._clock)
        if jump := set_by(self._last, last):
            await self._correct(now, jump)
        self._last = last
        taken = self._take_due(now)
        try:
            await self._look(taken, now)
            due = self._plan(taken, now)
            if due:
                await self._carry_out(due, now)
        finally:  # whatever happened: an entry that nobody remembers would never be due again
            self._remember(taken)
        self.last_tick = self._clock.monotonic()
        return sum(len(made.fires) for _, made in due)

    def _plan(self, taken: Sequence[Entry], now: Instant) -> list[tuple[Entry, Plan]]:
        """The plans of those that have fires. One whose plan cannot be made is held, and costs no other its fire."""
        due = []
        for entry in taken:
            try:
                made = _planned(entry, now)
            except Exception as error:  # noqa: BLE001 - a recurrence that cannot be computed must not silence the others
                self._hold(entry, describe(error).message, now)
                continue
            if made.fires:
                due.append((entry, made))
            else:
                entry.hold(None, None)
                entry.pass_extra(now)
        return due

    def _hold(self, entry: Entry, trouble: str, now: Instant) -> None:
        """Try a schedule again later."""
        _log.error("schedule_failed", schedule=entry.schedule.name, error=trouble, again_in=HOLD_SECONDS)
        entry.hold(trouble, now + int(HOLD_SECONDS * SECOND))

    def _take_due(self, now: Instant) -> list[Entry]:
        """The entries whose next fire has come; they are remembered again when their plan is on disk."""
        due: dict[str, Entry] = {}
        while self._coming and self._coming[0][0] <= now:
            at, name = heapq.heappop(self._coming)
            entry = self.entries.get(name)
            if entry is not None and entry.due == at:
                due[name] = entry
        return list(due.values())

    def _remember(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.due is not None:
                heapq.heappush(self._coming, (entry.due, entry.schedule.name))

    async def _look(self, entries: Iterable[Entry], now: Instant) -> None:
        """See what is near those that tighten themselves, where that may have changed; what fails fails no fire."""
        for entry in entries:
            if entry.look is None or entry.look.again_at > now:
                continue
            rules, asked = entry.schedule.tighten, self._asked
            try:
                near = [] if self._near_by is None else await self._near_by(*span(rules, now))
            except Exception as error:  # noqa: BLE001 - see above
                _log.warning("tightening_unknown", schedule=entry.schedule.name, error=describe(error).message)
                entry.look = entry.look._replace(again_at=now + int(LOOK_BACKOFF_SECONDS * SECOND))
                continue
            # what came since the cursor counts where nobody has looked since then: the daemon has just started
            after = entry.cursor if entry.look.again_at <= entry.cursor else now - 1
            before, entry.look = entry.look.tightening, look(rules, near, now)
            if entry.extra is None or entry.extra > now:  # else it is due, whichever rule was in force before
                entry.extra = next_extra(entry.look, after)
            if asked != self._asked:  # something changed while we asked
                entry.look = entry.look._replace(again_at=now)
            _tell_tightening(entry, before)

    async def _correct(self, now: Instant, jump: Instant) -> None:
        """Let schedules go on from now whose cursor cannot be believed, or that would catch up what never passed."""
        wrong = [entry for entry in self.entries.values() if must_correct(entry.cursor, now, jump)]
        await self._store.cut([entry.schedule for entry in self.entries.values()], now)
        if jump:
            self.look_again()
            for entry in self.entries.values():
                entry.hold(entry.trouble, None)  # it was held by a clock that was wrong
            self._remember(self.entries.values())
        if not wrong:
            return
        asked = [Correction(one.schedule, one.cursor, _set_by(one.cursor, now, jump), one.paused) for one in wrong]
        done, rows = await self._store.correct(asked, now)
        for entry, made in zip(wrong, done, strict=True):
            entry.cursor, entry.regular = made.plan.cursor, made.plan.next_fire
            entry.pass_extra(now)
            _tell(entry, made.plan)
        self._remember(wrong)
        self._told.recorded(rows)
        _tell_correction(asked, done, now)

    async def _carry_out(self, due: list[tuple[Entry, Plan]], now: Instant) -> None:
        self._told.expect([entry.schedule for entry, _ in due])
        done = await self._store.carry_out([self._due(entry, made) for entry, made in due], now)
        failed = dict(done.failed)
        for entry, made in due:
            if entry.schedule.name in failed:
                self._hold(entry, failed[entry.schedule.name], now)
                continue
            entry.hold(None, None)
            entry.cursor, entry.regular = made.cursor, made.next_fire
            entry.pass_extra(now)
            _tell(entry, made)
        self._tell_others(done)
        on_time = [fire.fire_time for _, made in due for fire in made.fires if fire.outcome is FireOutcome.FIRED]
        if on_time:
            self.lateness = max((self._clock.now() - min(on_time)) / SECOND, 0.0)

    def _tell_others(self, done: CarriedOut) -> None:
        self._told.recorded(done.recorded)
        self._told.made(done.made)
        self._told.cancel(done.cancelled)

    def _due(self, entry: Entry, made: Plan) -> DueSchedule:
        schedule = entry.schedule
        return DueSchedule(schedule, made, lambda fire: self._make(schedule, fire))

    async def _sleep(self) -> None:
        """Until the next fire, or until the schedules are other ones."""
        self._changed.clear()
        await until(self._changed, self._clock.sleep_until(self._coming[0][0] if self._coming else None))


def must_correct(cursor: Instant, now: Instant, jump: Instant) -> bool:
    """True if a schedule cannot go on from its cursor: the clock was put back behind it, or forward by too much."""
    return jump > CORRECTION or cursor >= now + (1 if jump < 0 else STEP)


def _set_by(cursor: Instant, now: Instant, jump: Instant) -> Instant:
    """By how much the clock was set, going by the jump or, where nobody saw one that explains it, by the cursor."""
    return jump if (jump < 0) == (cursor > now) else now - cursor


def _fires_now(schedule: Schedule, *, is_new: bool, starting: bool) -> bool:
    """Whether being taken up is itself an occurrence."""
    return (starting and isinstance(schedule.recurrence, Startup)) or (is_new and schedule.run_on_first_start)


def _same(schedule: Schedule, state: ScheduleState) -> bool:
    """Whether a schedule means what it meant; what was remembered before meanings were is trusted."""
    return state.spec is None or state.spec == schedule.spec


def _entry(schedule: Schedule, state: ScheduleState | None, start: Instant | None) -> Entry:
    if state is None:
        return Entry(schedule, start or 0)
    return Entry(schedule, state.cursor if start is None else start, paused=state.paused, note=state.note)


def _planned(entry: Entry, now: Instant) -> Plan:
    """What the schedule owes, by its recurrence and by the rule in force."""
    made = plan(entry.schedule, entry.cursor, now, paused=entry.paused, first=entry.regular)
    return made if entry.look is None else tightened(made, entry.look, entry.extra, now, paused=entry.paused)


def _tell_tightening(entry: Entry, before: Tightening | None) -> None:
    """Say in the log when another rule comes into force, or none any more."""
    after = entry.look.tightening if entry.look else None
    told = [None if one is None else (one.rule, one.near.id) for one in (before, after)]
    if told[0] == told[1]:
        return
    words = "by its recurrence alone" if after is None else after.rule.in_words()
    near = None if after is None else f"{after.near.name} ({after.near.id})"
    _log.info("schedule_tightened", schedule=entry.schedule.name, fires=words, near=near)


def _tell_correction(asked: Sequence[Correction], done: Sequence[Corrected], now: Instant) -> None:
    """Say in the log which schedules go on from now, and until when occurrences come that have a job already."""
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


def _tell(entry: Entry, made: Plan) -> None:
    for fire in made.fires:
        if fire.outcome is FireOutcome.MISSED:
            _log.warning("fires_missed", schedule=entry.schedule.name, count=fire.count, reason=fire.reason)
