"""A schedule that cannot fire does not delay others, is tried again, and is named by the health check."""

import msgspec
import pytest

from launchd.ops.health import Level
from launchd.schedules.schedule import Fire, Schedule
from launchd.task import Context, task
from launchd.testing import TestDaemon, running

SCHEDULES = {name: {"task": "work", "every": "60s"} for name in ("before", "broken", "later")}


@task
async def work(_ctx: Context) -> None:
    """Succeed."""


def break_making(daemon: TestDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = daemon.daemon.control.timetable._scheduler
    make = scheduler._make

    def fail(schedule: Schedule, fire: Fire) -> object:
        if schedule.name == "broken":
            raise OverflowError("it does not fit")
        return make(schedule, fire)

    monkeypatch.setattr(scheduler, "_make", fail)


def break_planning(daemon: TestDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = daemon.daemon.control.timetable._scheduler.entries["broken"]

    class Endless:
        def __getattr__(self, name: str) -> object:
            raise OverflowError("it does not fit")

    monkeypatch.setattr(entry, "schedule", msgspec.structs.replace(entry.schedule, recurrence=Endless()))


@pytest.mark.parametrize("spoil", [break_making, break_planning])
async def test_a_schedule_that_fails_is_named_and_the_others_fire(
    spoil: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tasks=[work], schedules=SCHEDULES) as daemon:
        await daemon.advance(minutes=2)
        with monkeypatch.context() as broken:
            spoil(daemon, broken)  # type: ignore[operator]
            await daemon.advance(minutes=5)
            counts = {name: len(await daemon.fires(name)) for name in SCHEDULES}
            assert counts == {"before": 7, "broken": 2, "later": 7}
            report = await daemon.daemon.control.health()
            assert report.checks["scheduler"].level is Level.UNHEALTHY
            assert "schedule broken cannot fire: it does not fit" in report.checks["scheduler"].detail
        await daemon.advance(minutes=3)
        fired = {name: await daemon.fires(name) for name in SCHEDULES}
        assert sum(row.count for row in fired["broken"]) == sum(row.count for row in fired["before"]) == 10
        assert (await daemon.daemon.control.health()).checks["scheduler"].level is Level.HEALTHY
