"""The reaper acts on jobs when they are due, and forgets none."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from launchd.clock import SystemClock
from launchd.db.database import Connection, Database, open_database
from launchd.engine.events.bus import Bus
from launchd.engine.queues.reaper import Reaper
from launchd.errors import StoreError
from launchd.store.audit import Audit
from launchd.store.jobs import JobStore
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.jobs import new_job

CLOCK = SystemClock()
SOON = 100_000


class Woken:
    """A pool for the reaper: notes only that it was woken."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.running: dict[int, Any] = {}

    def wake(self) -> None:
        self.woken.set()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "jobs.db", "jobs", CLOCK) as database:
        yield database


def reaper_of(db: Database, pool: Woken) -> Reaper:
    nothing = cast("Any", None)  # no attempt is ever stopped here
    return Reaper(CLOCK, JobStore(db, "me"), nothing, cast("Any", {"default": pool}), Bus())


async def insert(db: Database, run_at: int) -> None:
    now = CLOCK.now()
    job = new_job(created_at=now, run_at=run_at)
    await JobStore(db, "me").insert([job], Audit(now, "test", "trigger", "x", None))


async def until_woken(reaper: Reaper, pool: Woken) -> None:
    loop = asyncio.create_task(reaper.run())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await pool.woken.wait()
    finally:
        loop.cancel()


async def test_a_job_that_is_made_while_the_store_is_asked_for_the_next_is_not_forgotten(db: Database) -> None:
    pool, entered, release = Woken(), threading.Event(), threading.Event()
    reaper = reaper_of(db, pool)

    def hold(_connection: Connection) -> None:
        entered.set()
        release.wait(PATIENCE_SECONDS)

    held = asyncio.create_task(db.write(hold))
    await asyncio.to_thread(entered.wait, PATIENCE_SECONDS)
    asked = asyncio.create_task(reaper.run_once())
    await asyncio.sleep(0)  # it has asked, and is not answered yet
    run_at = CLOCK.now() + SOON
    made = asyncio.create_task(insert(db, run_at))
    reaper.later(run_at)
    release.set()
    await asyncio.gather(held, asked, made)
    await until_woken(reaper, pool)


async def test_a_store_that_could_not_answer_is_asked_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Woken()
    reaper = reaper_of(db, pool)
    await insert(db, CLOCK.now() + SOON)

    async def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "promote", refuse)
        with pytest.raises(StoreError):
            await reaper.run_once()
    await until_woken(reaper, pool)
