"""The timetable: every operation on schedules. Part of Control; `by` is who asks, for the audit."""

import heapq
from collections.abc import Awaitable, Callable, Sequence

from launchd.clock import Clock, Instant, format_instant
from launchd.cursor import SMALLEST, parse_cursor
from launchd.engine.firing.scheduler import Scheduler
from launchd.engine.snapshots import LedgerRow, Preview, ScheduleSnapshot
from launchd.errors import InvalidError
from launchd.job import NewJob
from launchd.schedules.cron import DayMatch, DstFold, DstGap
from launchd.schedules.recurrence import occurrences, parse_recurrence
from launchd.store.idempotency import Idempotency
from launchd.store.schedules import ScheduleStore
from launchd.values.rows import Reader

NEXT_FIRES = 10
# The most occurrences that one preview shows.
PREVIEW_LIMIT = 1000
# Reads a row of the ledger, even one with unreadable columns.
ledger_row = Reader(LedgerRow, "fires", "schedule", "fire_time")
AuditWriter = Callable[[str, str, str, str | None], Awaitable[None]]


class Timetable:
    """The schedules of one running daemon; `audit` takes by, action, target and detail."""

    def __init__(self, clock: Clock, scheduler: Scheduler, store: ScheduleStore, audit: AuditWriter) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._store = store
        self._audit = audit

    def coming(self) -> list[tuple[str, Instant]]:
        """The schedules that fire next and when, soonest first; without those that are paused."""
        entries = self._scheduler.entries.items()
        fires = [(at, name) for name, one in entries if (at := one.next_fire) is not None and not one.paused]
        return [(name, at) for at, name in heapq.nsmallest(NEXT_FIRES, fires)]

    def names(self) -> list[str]:
        """The names of all schedules."""
        return sorted(self._scheduler.entries)

    async def of(self, names: Sequence[str]) -> list[ScheduleSnapshot]:
        """The schedules of these names now, without those that a reload has just removed."""
        return [await self.get(name) for name in names if name in self._scheduler.entries]

    async def get(self, name: str) -> ScheduleSnapshot:
        """One schedule now; raises NotFoundError."""
        entry = self._scheduler.entry(name)
        last = await self._store.fires(name, 1)
        return ScheduleSnapshot(
            schedule=entry.schedule,
            description=entry.schedule.recurrence.describe(),
            paused=entry.paused,
            note=entry.note,
            next=tuple(self._scheduler.next_fires(name, NEXT_FIRES)),
            last=ledger_row(last[0]) if last else None,
            tightening=entry.look.tightening if entry.look and not entry.paused else None,
        )

    async def fires(self, name: str, limit: int, cursor: str | None = None) -> tuple[list[LedgerRow], str | None]:
        """The ledger of a schedule, newest first; `cursor` is the fire time (microseconds) of the last row before.

        A fire that was backfilled may lie before 1970.
        """
        self._scheduler.entry(name)
        rows = await self._store.fires(name, limit + 1, parse_cursor(cursor, least=SMALLEST))
        page = [ledger_row(row) for row in rows[:limit]]
        return page, str(page[-1].fire_time) if len(rows) > limit else None

    async def pause(self, name: str, note: str | None, by: str) -> ScheduleSnapshot:
        """Stop firing until resumed; the occurrences meanwhile are on the ledger and never caught up."""
        await self._scheduler.pause(name, paused=True, note=note)
        await self._audit(by, "pause_schedule", name, note)
        return await self.get(name)

    async def resume(self, name: str, by: str) -> ScheduleSnapshot:
        """Fire again, from now."""
        await self._scheduler.pause(name, paused=False, note=None)
        await self._audit(by, "resume_schedule", name, None)
        return await self.get(name)

    async def backfill(
        self, name: str, first: Instant, last: Instant, by: str, idempotency: Idempotency | None = None
    ) -> list[NewJob]:
        """Make the jobs of the occurrences in [first, last] that were never fired.

        Raises NotFoundError, InvalidError, IdempotencyError. A key that was used before makes no jobs: it has the ids
        of the first call.
        """
        made = await self._scheduler.backfill(name, first, last, idempotency)
        if idempotency is None or not idempotency.replayed:
            what = f"{format_instant(first)}..{format_instant(last)}: {len(made)} jobs"
            await self._audit(by, "backfill", name, what)
        return made

    def preview(
        self,
        expression: str,
        timezone: str,
        after: Instant | None,
        count: int,
        *,
        gap: DstGap,
        fold: DstFold,
        day_match: DayMatch = DayMatch.OR,
    ) -> Preview:
        """Describe an expression and list when it is due; raises InvalidError with the reason."""
        try:
            recurrence = parse_recurrence(expression, timezone, gap=gap, fold=fold, day_match=day_match)
        except InvalidError as error:
            raise error if error.errors else InvalidError.at("expression", error.detail) from error
        fires: list[Instant] = []
        for instant in occurrences(recurrence, self._clock.now() if after is None else after):
            fires.append(instant)
            if len(fires) >= count:
                break
        return Preview(recurrence.describe(), tuple(recurrence.warnings()), timezone, tuple(fires))
