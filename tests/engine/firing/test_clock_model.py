"""After any sequence of wrong clocks, sleeps, restarts and reboots, schedules are right once the clock is right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from launchd.clock import SECOND, STEP, Instant, SystemClock
from launchd.db.database import Database, open_database
from launchd.engine.firing.callbacks import FireCallbacks
from launchd.engine.firing.scheduler import Scheduler
from launchd.engine.firing.timekeeper import Timekeeper
from launchd.job import NewJob
from launchd.schedules.cron import parse_cron
from launchd.schedules.recurrence import Every, occurrences
from launchd.schedules.schedule import Catchup, Fire, Overlap, Schedule
from launchd.store.clock import ClockStore
from launchd.store.schedules import ScheduleStore
from launchd.testing import START, VirtualClock

YEARS = 20 * 365 * 86400
SCHEDULES = {
    "often": Schedule(name="often", task="t", recurrence=Every(90), spec="a", overlap=Overlap.ALLOW),
    "hourly": Schedule(
        name="hourly",
        task="t",
        recurrence=parse_cron("0 * * * *"),
        spec="b",
        overlap=Overlap.ALLOW,
        catchup=Catchup.ALL,
    ),
    "leap": Schedule(name="leap", task="t", recurrence=parse_cron("0 0 29 2 *"), spec="c", overlap=Overlap.ALLOW),
}


class Step(NamedTuple):
    """An event of the machine: `seconds` of true time pass, and the wall clock is set by `jump`."""

    kind: str
    seconds: float
    jump: float = 0.0


SOME_TIME = st.floats(0, 200_000)
JUMPS = st.one_of(st.floats(-YEARS, YEARS), st.floats(-20_000, 20_000))
STEPS = st.one_of(
    st.builds(Step, st.just("advance"), SOME_TIME, st.just(0.0)),
    st.builds(Step, st.just("jump"), st.just(0.0), JUMPS),
    st.builds(Step, st.just("suspend"), SOME_TIME, st.just(0.0)),
    st.builds(Step, st.just("restart"), SOME_TIME, JUMPS),
    st.builds(Step, st.just("reboot"), SOME_TIME, JUMPS),
)


class Machine:
    """A scheduler on a real store under a virtual clock, and the true time."""

    def __init__(self, db: Database) -> None:
        self.clock = VirtualClock()
        self.truth = START
        self.db = db
        self.store = ScheduleStore(db)
        self._numbers = count()
        self._drift = STEP  # each jump below STEP counts as drift, and several of them add up

    async def start(self) -> None:
        """Start the scheduler on the stored state."""
        self.keeper = Timekeeper(self.clock, ClockStore(self.db))
        set_by = await self.keeper.start()
        callbacks = FireCallbacks(lambda _: None, lambda _: None)
        self.scheduler = Scheduler(self.clock, self.store, self._job, callbacks)
        await self.scheduler.load(SCHEDULES, set_by=set_by)
        await self.tick()

    async def tick(self) -> None:
        """Check the clock and tick; no cursor is beyond the clock by more than drift."""
        await self.keeper.check()
        await self.scheduler.run_once()
        for name, state in (await self.store.states()).items():
            assert state.cursor <= self.clock.now() + self._drift, name
            assert self.scheduler.entries[name].cursor == state.cursor

    async def take(self, step: Step) -> None:
        """Apply an event, then tick."""
        self.truth += round(step.seconds * SECOND)
        self._drift += min(round(abs(step.jump) * SECOND), STEP)
        if step.kind == "suspend":
            self.clock.suspend(step.seconds)
        elif step.kind == "reboot":
            self.clock = VirtualClock(max(self.truth + round(step.jump * SECOND), 0))
        else:
            self.clock.move(self.clock.monotonic() + step.seconds)
            self.clock.jump(max(step.jump, -self.clock.now() / SECOND))
        if step.kind in {"reboot", "restart"}:
            await self.start()
        else:
            await self.tick()

    async def put_right(self) -> None:
        """Correct the clock."""
        self.clock.jump((self.truth - self.clock.now()) / SECOND)
        await self.tick()

    async def fired(self) -> dict[str, list[Instant]]:
        """The occurrences with a job, by schedule."""
        found: dict[str, list[Instant]] = {name: [] for name in SCHEDULES}
        for row in await self.db.read("SELECT schedule, fire_time FROM jobs"):
            found[row["schedule"]].append(row["fire_time"])
        return found

    def _job(self, schedule: Schedule, fire: Fire) -> NewJob:
        now = self.clock.now()
        return NewJob(
            id=f"job-{next(self._numbers)}",
            task="t",
            queue="default",
            args="{}",
            priority=5,
            max_retries=0,
            created_at=now,
            run_at=now,
            schedule=schedule.name,
            fire_time=fire.fire_time,
            counted_from=now,
        )


@asynccontextmanager
async def machine() -> AsyncIterator[Machine]:
    with TemporaryDirectory() as directory:
        async with open_database(Path(directory) / "jobs.db", "jobs", SystemClock()) as db:
            made = Machine(db)
            await made.start()
            yield made


async def lived(steps: list[Step]) -> None:
    """Each schedule fires at its next occurrence without a job, and no occurrence has two jobs."""
    async with machine() as one:
        for step in steps:
            await one.take(step)
        await one.put_right()
        before = await one.fired()
        nexts = {
            name: next(at for at in occurrences(schedule.recurrence, one.clock.now()) if at not in set(before[name]))
            for name, schedule in SCHEDULES.items()
        }
        for name, at in sorted(nexts.items(), key=lambda pair: pair[1]):
            passing = Step("advance", max((at + 1 - one.clock.now()) / SECOND, 0.0))  # a float may lose a microsecond
            await one.take(passing)
            assert at in (await one.fired())[name], name
        for name, fires in (await one.fired()).items():
            assert len(fires) == len(set(fires)), name
        rows = await one.db.read("SELECT * FROM fires WHERE job_id IS NULL")
        assert all((row["until"] or row["fire_time"]) <= one.clock.now() for row in rows)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=8))
@example([Step("jump", 0.0, -1.0), Step("jump", 0.0, -1.5)])
@example([Step("advance", 1.671875), Step("advance", 0.0078125)])
def test_once_the_clock_is_right_every_schedule_fires_at_its_next_occurrence_and_none_twice(steps: list[Step]) -> None:
    asyncio.run(lived(steps))
