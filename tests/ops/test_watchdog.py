"""WATCHDOG=1 is sent only while the daemon makes progress."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import SystemClock
from launchd.db.database import open_database
from launchd.engine.control import Control, DaemonState
from launchd.engine.vitals import Vitals
from launchd.ops.watchdog import TICK_SECONDS, TURN_SECONDS, WRITER_SECONDS, Signs, Watchdog, withheld
from tests.support.hosted_daemon import PATIENCE_SECONDS

WELL = Signs(tick=1.0, turns={"default": 0.0}, writers={"jobs.db": 0.0})
SILENCE = st.floats(0, 1000)
SIGNS = st.builds(
    Signs,
    st.none() | SILENCE,
    st.dictionaries(st.sampled_from(["default", "scraping"]), SILENCE),
    st.dictionaries(st.sampled_from(["jobs.db", "launches.db"]), SILENCE),
    st.none() | st.just("task hold blocks its loop"),
)


@given(SIGNS)
def test_watchdog_1_is_sent_exactly_while_no_part_is_silent_for_too_long_and_none_objects(signs: Signs) -> None:
    late = (signs.tick or 0) > TICK_SECONDS
    late = late or any(seconds > TURN_SECONDS for seconds in signs.turns.values())
    late = late or any(seconds > WRITER_SECONDS for seconds in signs.writers.values())
    assert (withheld(signs) is None) == (not late and signs.objection is None)


@pytest.mark.parametrize(
    ("signs", "says"),
    [
        (WELL._replace(tick=90.0), "scheduler has not ticked for 90 s"),
        (WELL._replace(turns={"scraping": 31.0}), "queue scraping was woken and has claimed nothing for 31 s"),
        (WELL._replace(writers={"jobs.db": 70.0}), "writer of jobs.db has not answered for 70 s"),
        (WELL._replace(objection="task hold blocks its loop for 61 s"), "task hold blocks its loop"),
    ],
)
def test_the_reason_names_what_is_stuck(signs: Signs, says: str) -> None:
    assert says in (withheld(signs) or "")


async def test_watchdog_1_is_withheld_while_a_part_is_stuck_and_sent_again_after_it() -> None:
    seen = [WELL, WELL._replace(tick=90.0), WELL]
    told: list[str] = []

    async def describe() -> str:
        return "3 running"

    watchdog = Watchdog(SystemClock(), lambda: seen.pop(0), describe, period=3.0, send=told.append)
    assert [await watchdog.run_once() for _ in range(3)] == [True, False, True]
    assert told == [
        "WATCHDOG=1",
        "STATUS=3 running",
        "STATUS=stuck: the scheduler has not ticked for 90 s",
        "WATCHDOG=1",
        "STATUS=3 running",
    ]


class HandClock(SystemClock):
    """Monotonic time that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


class StillPool:
    """A pool that is woken and never takes a turn."""

    def __init__(self) -> None:
        self.running: dict[int, Any] = {}
        self.last_turn = 0.0
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def vitals_of(clock: HandClock, pools: Any, databases: Any, **more: Any) -> Vitals:  # noqa: ANN401 - stand-ins
    daemon_state = DaemonState("instance", "0", clock)
    return Vitals(clock, Control.__new__(Control), daemon_state, pools, databases, **({"scheduler": None} | more))


async def test_a_pool_that_takes_no_turn_though_it_was_woken_is_stuck_and_one_turn_clears_it() -> None:
    clock, pool = HandClock(), StillPool()
    vitals = vitals_of(clock, {"default": pool}, ())
    assert withheld(vitals.signs()) is None
    assert pool.woken == 1
    clock.seconds += TURN_SECONDS + 1
    assert "queue default" in (withheld(vitals.signs()) or "")
    pool.last_turn = clock.seconds
    assert withheld(vitals.signs()) is None


async def test_an_idle_pool_is_not_stuck_however_long_it_was_idle() -> None:
    clock, pool = HandClock(), StillPool()
    vitals = vitals_of(clock, {"default": pool}, ())
    for _ in range(5):
        clock.seconds += 3600
        assert withheld(vitals.signs()) is None
        pool.last_turn = clock.seconds  # it was woken by the look and took its turn


async def test_a_writer_that_does_not_answer_is_stuck_and_one_that_refuses_is_not(tmp_path: Path) -> None:
    clock, release = HandClock(), threading.Event()

    def block(_connection: sqlite3.Connection) -> None:
        release.wait(PATIENCE_SECONDS)

    async with open_database(tmp_path / "jobs.db", "jobs", clock) as db:
        vitals = vitals_of(clock, {}, (db,))
        blocked = asyncio.create_task(db.write(block))
        await asyncio.sleep(0)  # the write is with the writer
        assert withheld(vitals.signs()) is None
        clock.seconds += WRITER_SECONDS + 1
        assert "writer of jobs.db" in (withheld(vitals.signs()) or "")
        release.set()
        await blocked
        await db.write(lambda _: None)  # it stands behind the question, so that has its answer as well
        assert withheld(vitals.signs()) is None


async def test_an_objection_of_the_stall_monitor_withholds_watchdog_1() -> None:
    said: list[str | None] = [None, "task hold blocks its loop for 61 s", None]
    vitals = vitals_of(HandClock(), {}, (), objection=lambda: said.pop(0))
    assert [withheld(vitals.signs()) for _ in range(3)] == [None, "task hold blocks its loop for 61 s", None]
