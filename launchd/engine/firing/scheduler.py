"""The scheduler: reads the clock, decides by pure rules which fires are due, and writes them in one transaction.

Owned by the control loop. Its copy of a schedule's state (`cursor`, `paused`, `next_fire`) changes only after the store
has the new one.
"""

import asyncio
import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from launchd.clock import SECOND, Clock, Instant, reading, set_by, until
from launchd.engine.firing.callbacks import FireCallbacks, MakeJob, NearBy
from launchd.engine.firing.entry import (
    ScheduleEntry,
    clock_step,
    entry_of,
    fires_now,
    is_unchanged,
    must_correct,
    planned,
)
from launchd.engine.firing.log import log_correction, log_missed, log_tightening
from launchd.errors import InvalidError, LaunchdError, NotFoundError
from launchd.job import NewJob
from launchd.logger import get_logger
from launchd.schedules.recurrence import occurrences
from launchd.schedules.schedule import Fire, FireOutcome, Plan, Schedule
from launchd.schedules.tighten import coming, look, near_window, next_extra
from launchd.store.corrections import Correction
from launchd.store.fires import CarriedOut, DueSchedule
from launchd.store.idempotency import Idempotency
from launchd.store.schedules import ScheduleStore
from launchd.values.failure import describe

_log = get_logger("launchd.scheduler")
BACKOFF_SECONDS = 1.0
# How long a schedule keeps its rule when asking what is near has failed.
LOOK_BACKOFF_SECONDS = 60.0
# How long a schedule whose plan failed waits for the next try.
HOLD_SECONDS = 60.0
# The most jobs that one backfill makes.
BACKFILL_LIMIT = 1000


class Scheduler:
    """Fires schedules. `make` builds the job of a fire. `lateness` is that of the last fires, in seconds.

    `near_by` gives the launches that make a schedule fire more often; without it, none does.
    """

    def __init__(
        self, clock: Clock, store: ScheduleStore, make: MakeJob, callbacks: FireCallbacks, near_by: NearBy | None = None
    ) -> None:
        self.entries: dict[str, ScheduleEntry] = {}
        self.last_tick = clock.monotonic()
        self.lateness = 0.0
        self._clock = clock
        self._store = store
        self._make = make
        self._callbacks = callbacks
        self._near_by = near_by
        self._asked = 0  # how often `look_again` was called
        # both clocks at the last tick: the next one computes by how much the wall clock was set
        self._last = reading(clock)
        self._changed = asyncio.Event()
        # (when it is due, name) of each entry, soonest first; a time that is no longer the entry's is ignored
        self._coming: list[tuple[Instant, str]] = []
        # a pause also ticks: the entries that it takes must be back before the loop looks for the next fire
        self._ticking = asyncio.Lock()

    async def load(self, schedules: Mapping[str, Schedule], *, starting: bool = True, set_by: Instant = 0) -> None:
        """Load the schedules of the configuration: known ones at their cursor, new or changed ones from now.

        `starting` is True when the daemon starts: that is an occurrence of every @startup schedule. `set_by` is by how
        much the wall clock was set since the last start; a cursor beyond now also shows that it was set.
        """
        states = await self._store.states()
        now = self._clock.now()
        new = [schedule for name, schedule in schedules.items() if name not in states]
        changed = [one for name, one in schedules.items() if name in states and not is_unchanged(one, states[name])]
        if changed:
            await self._store.redefine([(schedule, now) for schedule in changed])
            _log.warning("schedules_redefined", schedules=[one.name for one in changed], detail="they start from now")
        anew = {one.name for one in (*new, *changed)}
        entries = {
            name: entry_of(schedule, states.get(name), now if name in anew else None)
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
            if fires_now(entry.schedule, is_new=name not in states, starting=starting) and not entry.paused
        ]
        self._report(await self._store.begin(new, first, now))
        self._changed.set()

    def entry(self, name: str) -> ScheduleEntry:
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
        """Launches have changed: ask again what is near each schedule that has rules for it."""
        self._asked += 1
        for entry in self.entries.values():
            if entry.look is not None:
                entry.look = entry.look._replace(again_at=self._clock.now())
                self._remember([entry])
        self._changed.set()

    async def pause(self, name: str, *, paused: bool, note: str | None) -> None:
        """Pause or resume; earlier occurrences are recorded first, so paused time is never caught up."""
        entry = self.entry(name)
        await self.run_once()
        await self._store.pause(name, paused=paused, note=note)
        entry.paused, entry.note = paused, note

    async def backfill(
        self, name: str, first: Instant, last: Instant, idempotency: Idempotency | None = None
    ) -> list[NewJob]:
        """Make the jobs of past occurrences that were never fired; raises NotFoundError, InvalidError.

        A key that was used before makes no jobs: it has the ids of the first call.
        """
        schedule = self.entry(name).schedule
        if last < first:
            raise InvalidError.at("to", "expected a time after `from`")
        now = self._clock.now()
        if last > now:
            raise InvalidError.at("to", "expected a time in the past; future occurrences fire by themselves")
        count = schedule.recurrence.count(first - 1, last)
        if count > BACKFILL_LIMIT:
            raise InvalidError.at("to", f"{count} fires, at most {BACKFILL_LIMIT} at once; take a shorter range")
        made = await self._store.backfill(
            schedule, first, last, lambda fire: self._make(schedule, fire), now=now, idempotency=idempotency
        )
        self._callbacks.made(made)
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
        """Fire the schedules that are due now; returns how many ledger rows that made."""
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
        finally:  # also after an error: an entry that is not in `_coming` would never be due again
            self._remember(taken)
        self.last_tick = self._clock.monotonic()
        return sum(len(made.fires) for _, made in due)

    def _plan(self, taken: Sequence[ScheduleEntry], now: Instant) -> list[tuple[ScheduleEntry, Plan]]:
        """The plans of the entries that have fires. An entry whose plan fails is held; the others still fire."""
        due = []
        for entry in taken:
            try:
                made = planned(entry, now)
            except Exception as error:  # noqa: BLE001 - a recurrence that cannot be computed must not silence the others
                self._hold(entry, describe(error).message, now)
                continue
            if made.fires:
                due.append((entry, made))
            else:
                entry.hold(None, None)
                entry.pass_extra(now)
        return due

    def _hold(self, entry: ScheduleEntry, trouble: str, now: Instant) -> None:
        """Try a schedule again later."""
        _log.error("schedule_failed", schedule=entry.schedule.name, error=trouble, again_in=HOLD_SECONDS)
        entry.hold(trouble, now + int(HOLD_SECONDS * SECOND))

    def _take_due(self, now: Instant) -> list[ScheduleEntry]:
        """Take the entries that are due out of `_coming`; they return when their plan is on disk."""
        due: dict[str, ScheduleEntry] = {}
        while self._coming and self._coming[0][0] <= now:
            at, name = heapq.heappop(self._coming)
            entry = self.entries.get(name)
            if entry is not None and entry.due == at:
                due[name] = entry
        return list(due.values())

    def _remember(self, entries: Iterable[ScheduleEntry]) -> None:
        for entry in entries:
            if entry.due is not None:
                heapq.heappush(self._coming, (entry.due, entry.schedule.name))

    async def _look(self, entries: Iterable[ScheduleEntry], now: Instant) -> None:
        """Ask what is near the entries that have rules for it. An error costs no fire: the rule in force stays."""
        for entry in entries:
            if entry.look is None or entry.look.again_at > now:
                continue
            rules, asked = entry.schedule.tighten, self._asked
            try:
                near = [] if self._near_by is None else await self._near_by(*near_window(rules, now))
            except Exception as error:  # noqa: BLE001 - see above
                _log.warning("tightening_unknown", schedule=entry.schedule.name, error=describe(error).message)
                entry.look = entry.look._replace(again_at=now + int(LOOK_BACKOFF_SECONDS * SECOND))
                continue
            # after a start nobody has looked since the cursor: then the additional fires since the cursor count
            after = entry.cursor if entry.look.again_at <= entry.cursor else now - 1
            before, entry.look = entry.look.tightening, look(rules, near, now)
            if entry.extra is None or entry.extra > now:  # else it is due, whichever rule was in force before
                entry.extra = next_extra(entry.look, after)
            if asked != self._asked:  # something changed while we asked
                entry.look = entry.look._replace(again_at=now)
            log_tightening(entry, before)

    async def _correct(self, now: Instant, jump: Instant) -> None:
        """Move cursors to now after the clock was set: those in the future, and those that would catch up a jump."""
        wrong = [entry for entry in self.entries.values() if must_correct(entry.cursor, now, jump)]
        await self._store.cut([entry.schedule for entry in self.entries.values()], now)
        if jump:
            self.look_again()
            for entry in self.entries.values():
                entry.hold(entry.trouble, None)  # it was held by a clock that was wrong
            self._remember(self.entries.values())
        if not wrong:
            return
        asked = [Correction(one.schedule, one.cursor, clock_step(one.cursor, now, jump), one.paused) for one in wrong]
        done, rows = await self._store.correct(asked, now)
        for entry, made in zip(wrong, done, strict=True):
            entry.cursor, entry.regular = made.plan.cursor, made.plan.next_fire
            entry.pass_extra(now)
            log_missed(entry, made.plan)
        self._remember(wrong)
        self._callbacks.recorded(rows)
        log_correction(asked, done, now)

    async def _carry_out(self, due: list[tuple[ScheduleEntry, Plan]], now: Instant) -> None:
        """Write the plans in one transaction, then move the entries on. A plan that cannot be written is held."""
        self._callbacks.expect([entry.schedule for entry, _ in due])
        done = await self._store.carry_out([self._due(entry, made) for entry, made in due], now)
        failed = dict(done.failed)
        for entry, made in due:
            if entry.schedule.name in failed:
                self._hold(entry, failed[entry.schedule.name], now)
                continue
            entry.hold(None, None)
            entry.cursor, entry.regular = made.cursor, made.next_fire
            entry.pass_extra(now)
            log_missed(entry, made)
        self._report(done)
        on_time = [fire.fire_time for _, made in due for fire in made.fires if fire.outcome is FireOutcome.FIRED]
        if on_time:
            self.lateness = max((self._clock.now() - min(on_time)) / SECOND, 0.0)

    def _report(self, done: CarriedOut) -> None:
        self._callbacks.recorded(done.recorded)
        self._callbacks.made(done.made)
        self._callbacks.cancel(done.cancelled)

    def _due(self, entry: ScheduleEntry, made: Plan) -> DueSchedule:
        schedule = entry.schedule
        return DueSchedule(schedule, made, lambda fire: self._make(schedule, fire))

    async def _sleep(self) -> None:
        """Sleep until the next fire, or until the schedules change."""
        self._changed.clear()
        await until(self._changed, self._clock.sleep_until(self._coming[0][0] if self._coming else None))
