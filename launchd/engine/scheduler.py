"""The scheduler: looks at the clock, decides by pure rules what each schedule owes, and writes it in one transaction.

Owned by the control loop. What it knows of a schedule (`cursor`, `paused`, `next_fire`) is a copy of the store, changed
only after the store has it.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import structlog

from launchd.clock import SECOND, Clock, Instant
from launchd.cron import occurrences
from launchd.errors import LaunchdError, NotFoundError
from launchd.job import NewJob
from launchd.schedule import FireOutcome, Plan, Schedule, plan
from launchd.store.schedules import DueSchedule, ScheduleStore

_log = structlog.get_logger("launchd.scheduler")
# The longest sleep: a wall clock that jumped is noticed within it.
SLEEP_LIMIT_SECONDS = 30.0
BACKOFF_SECONDS = 1.0

JobMaker = Callable[[Schedule, Instant], NewJob]


class Entry:
    """A schedule and what the scheduler knows of it."""

    __slots__ = ("cursor", "next_fire", "note", "paused", "schedule")

    def __init__(self, schedule: Schedule, cursor: Instant, *, paused: bool = False, note: str | None = None) -> None:
        self.schedule = schedule
        self.cursor = cursor
        self.paused = paused
        self.note = note
        self.next_fire: Instant | None = next(occurrences(schedule.recurrence, cursor), None)


class Scheduler:
    """Fires schedules. `make` builds the job of a fire; `wake` is told the queues that got work."""

    def __init__(
        self, clock: Clock, store: ScheduleStore, make: JobMaker, wake: Callable[[Sequence[str]], None]
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self.last_tick = clock.monotonic()
        self._clock = clock
        self._store = store
        self._make = make
        self._wake_queues = wake

    async def load(self, schedules: Mapping[str, Schedule]) -> None:
        """Take up the schedules of the configuration: known ones at their cursor, new ones from now."""
        states = await self._store.states()
        now = self._clock.now()
        new = [schedule for name, schedule in schedules.items() if name not in states]
        first = [(one, now, self._make(one, now) if one.run_on_first_start else None) for one in new]
        if first:
            await self._store.begin(first)
        for name, schedule in schedules.items():
            state = states.get(name)
            if state is None:
                self.entries[name] = Entry(schedule, now)
            else:
                self.entries[name] = Entry(schedule, state.cursor, paused=state.paused, note=state.note)

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

    async def run(self) -> None:
        """Tick when the next fire is due, and at least every 30 s."""
        while True:
            try:
                await self.run_once()
                seconds = self._until_next()
            except LaunchdError as error:
                _log.error("scheduler_tick_failed", error=error.detail)
                seconds = BACKOFF_SECONDS
            await self._clock.sleep(seconds)

    async def run_once(self) -> int:
        """Carry out what is due now; returns how many ledger rows that made."""
        now = self._clock.now()
        due = [
            (entry, plan(entry.schedule, entry.cursor, now, paused=entry.paused))
            for entry in self.entries.values()
            if entry.next_fire is not None and entry.next_fire <= now
        ]
        if due:
            queues = await self._store.carry_out([self._due(entry, made) for entry, made in due])
            for entry, made in due:
                entry.cursor, entry.next_fire = made.cursor, made.next_fire
                _tell(entry, made)
            self._wake_queues(queues)
        self.last_tick = self._clock.monotonic()
        return sum(len(made.fires) for _, made in due)

    def _due(self, entry: Entry, made: Plan) -> DueSchedule:
        schedule = entry.schedule
        return DueSchedule(schedule, made, lambda fire_time: self._make(schedule, fire_time))

    def _until_next(self) -> float:
        coming = [entry.next_fire for entry in self.entries.values() if entry.next_fire is not None]
        if not coming:
            return SLEEP_LIMIT_SECONDS
        seconds = (min(coming) - self._clock.now()) / SECOND
        return min(max(seconds, 0.0), SLEEP_LIMIT_SECONDS)


def _tell(entry: Entry, made: Plan) -> None:
    for fire in made.fires:
        if fire.outcome is FireOutcome.MISSED:
            _log.warning("fires_missed", schedule=entry.schedule.name, count=fire.count, reason=fire.reason)
