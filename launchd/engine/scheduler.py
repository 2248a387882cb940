"""The scheduler: looks at the clock, decides by pure rules what each schedule owes, and writes it in one transaction.

Owned by the control loop. What it knows of a schedule (`cursor`, `paused`, `next_fire`) is a copy of the store, changed
only after the store has it.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import structlog

from launchd.clock import HOUR, SECOND, Clock, Instant, format_instant
from launchd.errors import InvalidError, LaunchdError, NotFoundError
from launchd.job import NewJob
from launchd.recurrence import Startup, occurrences
from launchd.schedule import Fire, FireOutcome, Plan, Schedule, correct, plan
from launchd.store.schedules import Cancelled, CarriedOut, DueSchedule, Recorded, ScheduleState, ScheduleStore

_log = structlog.get_logger("launchd.scheduler")
BACKOFF_SECONDS = 1.0
# A wall clock that moves this much against the boot clock was corrected: nothing is made up for.
CORRECTION = 3 * HOUR
# The most jobs that one backfill makes.
BACKFILL_LIMIT = 1000

JobMaker = Callable[[Schedule, Instant], NewJob]


class Entry:
    """A schedule and what the scheduler knows of it."""

    __slots__ = ("cursor", "next_fire", "note", "paused", "schedule")

    def __init__(self, schedule: Schedule, cursor: Instant, *, paused: bool = False, note: str | None = None) -> None:
        self.schedule = schedule
        self.cursor = cursor
        self.paused = paused
        self.note = note
        self.next_fire: Instant | None = schedule.recurrence.next(cursor)


class Told(NamedTuple):
    """Who is told what a tick did: the jobs that were made, those that are to end, and the rows of the ledger."""

    made: Callable[[Sequence[NewJob]], None]
    cancel: Callable[[Sequence[Cancelled]], None]
    recorded: Callable[[Sequence[Recorded]], None] = lambda _rows: None


class Scheduler:
    """Fires schedules. `make` builds the job of a fire. `lateness` is that of the last fires, in seconds."""

    def __init__(self, clock: Clock, store: ScheduleStore, make: JobMaker, told: Told) -> None:
        self.entries: dict[str, Entry] = {}
        self.last_tick = clock.monotonic()
        self.lateness = 0.0
        self._clock = clock
        self._store = store
        self._make = make
        self._told = told
        # how far the wall clock is ahead of the boot clock: constant but for corrections
        self._ahead = _ahead(clock)
        self._changed = asyncio.Event()
        # (next fire, name) of each entry, soonest first; what an entry no longer says is passed over
        self._coming: list[tuple[Instant, str]] = []
        # a pause takes a tick too: what that has taken up must be back before the loop looks for the next fire
        self._ticking = asyncio.Lock()

    async def load(self, schedules: Mapping[str, Schedule], *, starting: bool = True) -> None:
        """Take up the schedules of the configuration: known ones at their cursor, new or changed ones from now.

        `starting` says that the daemon starts, which is itself an occurrence of those that fire at a start.
        """
        states = await self._store.states()
        now = self._clock.now()
        new = [schedule for name, schedule in schedules.items() if name not in states]
        changed = [one for name, one in schedules.items() if name in states and not _same(one, states[name])]
        if changed:
            await self._store.redefine([(schedule, now) for schedule in changed])
            _log.warning("schedules_redefined", schedules=[one.name for one in changed], detail="they start from now")
        anew = {one.name for one in (*new, *changed)}
        self.entries = {
            name: _entry(schedule, states.get(name), now if name in anew else None)
            for name, schedule in schedules.items()
        }
        self._coming = []
        self._remember(self.entries.values())
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
        after = max(self._clock.now(), self.entry(name).cursor)
        return list(islice(occurrences(self.entry(name).schedule.recurrence, after), count))

    async def pause(self, name: str, *, paused: bool, note: str | None) -> None:
        """Pause or resume; what was due before is accounted for first, so paused time is never caught up."""
        entry = self.entry(name)
        await self.run_once()
        await self._store.pause(name, paused=paused, note=note)
        entry.paused, entry.note = paused, note

    async def backfill(self, name: str, first: Instant, last: Instant) -> list[NewJob]:
        """Make the jobs of past occurrences that were never fired; raises NotFoundError, InvalidError."""
        schedule = self.entry(name).schedule
        if last < first:
            raise InvalidError("to: expected a time after `from`")
        if last > self._clock.now():
            raise InvalidError("to: expected a time that has come; the future fires by itself")
        count = schedule.recurrence.count(first - 1, last)
        if count > BACKFILL_LIMIT:
            raise InvalidError(f"from, to: {count} fires, at most {BACKFILL_LIMIT} at once; take a shorter range")
        made = await self._store.backfill(schedule, first, last, lambda at: self._make(schedule, at))
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
        if abs(jump := self._jump()) > CORRECTION:
            await self._correct(now, jump)
        due = [
            (entry, plan(entry.schedule, entry.cursor, now, paused=entry.paused, first=entry.next_fire))
            for entry in self._take_due(now)
        ]
        if due:
            await self._carry_out(due, now)
        self.last_tick = self._clock.monotonic()
        return sum(len(made.fires) for _, made in due)

    def _take_due(self, now: Instant) -> list[Entry]:
        """The entries whose next fire has come; they are remembered again when their plan is on disk."""
        due: dict[str, Entry] = {}
        while self._coming and self._coming[0][0] <= now:
            at, name = heapq.heappop(self._coming)
            entry = self.entries.get(name)
            if entry is not None and entry.next_fire == at:
                due[name] = entry
        return list(due.values())

    def _remember(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.next_fire is not None:
                heapq.heappush(self._coming, (entry.next_fire, entry.schedule.name))

    def _jump(self) -> Instant:
        """How far the wall clock was moved since the last tick, in microseconds; small drifts are followed."""
        before, self._ahead = self._ahead, _ahead(self._clock)
        return self._ahead - before

    async def _correct(self, now: Instant, jump: Instant) -> None:
        seconds = jump / SECOND
        _log.warning("clock_corrected", seconds=seconds, now=format_instant(now), detail="schedules go on from now")
        entries = list(self.entries.values())
        await self._carry_out([(entry, correct(entry.schedule, entry.cursor, now)) for entry in entries], now)
        await self._store.redefine([(entry.schedule, now) for entry in entries])

    async def _carry_out(self, due: list[tuple[Entry, Plan]], now: Instant) -> None:
        try:
            done = await self._store.carry_out([self._due(entry, made) for entry, made in due], now)
        except LaunchdError:
            self._remember(entry for entry, _ in due)
            raise
        for entry, made in due:
            entry.cursor, entry.next_fire = made.cursor, made.next_fire
            _tell(entry, made)
        self._remember(entry for entry, _ in due)
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
        return DueSchedule(schedule, made, lambda fire_time: self._make(schedule, fire_time))

    async def _sleep(self) -> None:
        """Until the next fire, or until the schedules are other ones."""
        self._changed.clear()
        timer = asyncio.ensure_future(self._clock.sleep_until(self._coming[0][0] if self._coming else None))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait([timer, changed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            changed.cancel()


def _ahead(clock: Clock) -> Instant:
    return clock.now() - int(clock.boot() * SECOND)


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


def _tell(entry: Entry, made: Plan) -> None:
    for fire in made.fires:
        if fire.outcome is FireOutcome.MISSED:
            _log.warning("fires_missed", schedule=entry.schedule.name, count=fire.count, reason=fire.reason)
