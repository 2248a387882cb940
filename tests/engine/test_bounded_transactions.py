"""No transaction is large, however many rows are due at once: other writes get their turn between two batches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from launchd import Context, task
from launchd.clock import DAY, SECOND, Instant, SystemClock
from launchd.db.database import Connection, Database, open_database
from launchd.engine.builtin import PRUNE_BATCH
from launchd.engine.maker import TriggerRequest
from launchd.job import JobState, NewJob
from launchd.store.audit import Audit
from launchd.store.jobs import PROMOTE_BATCH, JobStore, insert_jobs
from launchd.store.rescue import RESCUE_BATCH
from launchd.store.schedules import CANCEL_BATCH
from launchd.testing import TestDaemon, running
from tests.support.jobs import new_job

NOW = 1_790_000_000 * SECOND


@task(max_retries=0)
async def nothing(_ctx: Context) -> None:
    """Do nothing."""


@contextmanager
def transactions(db: Database) -> Iterator[list[int]]:
    """The number of rows that each transaction has changed, with those of triggers and cascades."""
    connection, sizes = db._writer._connection, [0]
    before = connection.total_changes

    def traced(statement: str) -> None:
        nonlocal before
        if statement == "COMMIT":
            sizes.append(connection.total_changes - before)
        before = connection.total_changes if statement == "COMMIT" else before

    connection.set_trace_callback(traced)
    yield sizes
    connection.set_trace_callback(None)


def databases(daemon: TestDaemon) -> Sequence[Database]:
    return daemon.daemon.control._databases


async def fill(db: Database, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    await db.write(lambda connection: connection.executemany(statement, rows))


async def test_thousands_of_jobs_that_expire_at_once_end_a_batch_at_a_time() -> None:
    async with running(tasks=[nothing]) as daemon:
        control = daemon.daemon.control
        await control.pause_queue("default", None, "test")
        wishes = [TriggerRequest("nothing", expires_in=60.0)] * 1000
        for _ in range(3):
            await control.enqueue(wishes, "test")
        with transactions(databases(daemon)[0]) as sizes:
            await daemon.advance(seconds=61)
        (row,) = await databases(daemon)[0].read("SELECT count(*) FROM jobs WHERE state = 'expired'")
        assert row[0] == 3000
        assert max(sizes) <= PROMOTE_BATCH + 10


async def test_thousands_of_jobs_that_are_due_at_once_become_ready_a_batch_at_a_time() -> None:
    async with running(tasks=[nothing]) as daemon:
        control = daemon.daemon.control
        await control.pause_queue("default", None, "test")
        for _ in range(3):
            await control.enqueue([TriggerRequest("nothing", delay=60.0)] * 1000, "test")
        with transactions(databases(daemon)[0]) as sizes:
            await daemon.advance(seconds=61)
        (row,) = await databases(daemon)[0].read("SELECT count(*) FROM jobs WHERE ready = 1")
        assert row[0] == 3000
        assert max(sizes) <= PROMOTE_BATCH + 10


ENDED = """
INSERT INTO jobs (id, task, queue, state, args, priority, max_retries, created_at, run_at, finished_at, claim_order)
VALUES (?, 'nothing', 'default', ?, '{}', 5, 0, ?, ?, ?, 0)
"""


def ended(count: int, state: str, at: Instant) -> list[tuple[object, ...]]:
    return [(f"{state}-{at}-{number}", state, at, at, at) for number in range(count)]


async def test_expired_rows_are_pruned_a_batch_at_a_time_and_the_rest_is_kept() -> None:
    async with running(tasks=[nothing]) as daemon:
        db, now = databases(daemon)[0], daemon.clock.now()
        old, young = now - 200 * DAY, now - DAY
        await fill(
            db, ENDED, ended(1500, "succeeded", old) + ended(30, "failed", young) + ended(30, "succeeded", young)
        )
        await fill(
            db,
            "INSERT INTO job_events SELECT seq, ?, 0, 'retried', NULL, 1, NULL FROM jobs WHERE seq <= 100",
            [(number,) for number in range(1, 31)],
        )
        fires = "INSERT INTO fires (schedule, fire_time, outcome) VALUES (?, ?, 'missed')"
        await fill(db, fires, [(name, old + n) for name in ("a", "b", "c", "d") for n in range(700)] + [("a", young)])
        keys = "INSERT INTO idempotency VALUES (?, '', '', ?)"
        await fill(db, keys, [(f"old {n}", old) for n in range(1200)] + [(f"young {n}", now) for n in range(700)])
        audit = "INSERT INTO audit (at, actor, action, target) VALUES (?, 'a', 'b', 'c')"
        await fill(db, audit, [(old,)] * 1200 + [(young,)] * 700)
        with transactions(db) as sizes:
            job = await daemon.trigger("prune")
        assert job.state is JobState.SUCCEEDED
        assert job.result == '{"jobs":1500,"fires":2800,"audit":1200}'
        assert max(sizes) <= 2 * PRUNE_BATCH
        tables = ("jobs", "job_events", "fires", "idempotency", "audit")
        left = {name: (await db.read(f"SELECT count(*) FROM {name}"))[0][0] for name in tables}  # noqa: S608 - fixed words
        assert left == {"jobs": 61, "job_events": 0, "fires": 1, "idempotency": 700, "audit": 701}


async def test_a_long_backlog_that_a_newer_fire_ends_is_cancelled_a_batch_at_a_time() -> None:
    schedules = {"often": {"task": "nothing", "every": "1h", "overlap": "cancel_other"}}
    async with running(tasks=[nothing], schedules=schedules) as daemon:
        db, now = databases(daemon)[0], daemon.clock.now()
        await daemon.daemon.control.pause_queue("default", None, "test")
        backlog = [backlogged(number, now) for number in range(3 * CANCEL_BATCH)]
        await db.write(lambda connection: insert(connection, backlog))
        with transactions(db) as sizes:
            await daemon.advance(hours=1)
        rows = await db.read("SELECT state, count(*) AS count FROM jobs WHERE schedule = 'often' GROUP BY state")
        assert {row["state"]: row["count"] for row in rows} == {"cancelled": 3 * CANCEL_BATCH, "queued": 1}
        assert max(sizes) <= CANCEL_BATCH + 10


def backlogged(number: int, now: Instant) -> NewJob:
    return new_job(number, created_at=now, run_at=now, schedule="often", fire_time=number)


def insert(connection: Connection, jobs: Sequence[NewJob]) -> None:
    insert_jobs(connection, jobs)


async def test_the_jobs_of_a_dead_instance_are_rescued_a_batch_at_a_time_and_a_stop_is_no_crash(tmp_path: Path) -> None:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as db:
        first, count = JobStore(db, "first"), 2 * RESCUE_BATCH + 100
        await first.insert([new_job(number) for number in range(count)], Audit(NOW, "test", "enqueue", "", None))
        while (await first.turn("default", 500, [], [], lambda: NOW)).claimed:
            pass
        with transactions(db) as sizes:
            assert len((await JobStore(db, "second").rescue(NOW, stopped="first")).queued) == count
        assert max(sizes) <= 2 * RESCUE_BATCH
        (row,) = await db.read("SELECT max(crashes), max(attempt), max(interruptions), count(*) FROM jobs")
        assert tuple(row) == (0, 0, 1, count)
        while (await JobStore(db, "second").turn("default", 500, [], [], lambda: NOW)).claimed:
            pass
        assert len((await JobStore(db, "third").rescue(NOW, stopped="first")).queued) == count
        (row,) = await db.read("SELECT min(crashes), min(attempt) FROM jobs")
        assert tuple(row) == (1, 1)
