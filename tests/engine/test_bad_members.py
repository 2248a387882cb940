"""One bad member of a batch fails alone: a verdict that cannot be written, a row that cannot be read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from launchd.clock import SystemClock
from launchd.daemon import Daemon
from launchd.db.database import Connection, Database, open_database
from launchd.job import JobError, JobState, Outcome, Verb
from launchd.store.jobs import JobStore, insert_jobs
from launchd.task import Context, task
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.jobs import NOW, new_job

# Each breaks the transaction in a way of its own.
UNWRITABLE = [
    Outcome(2, 1, Verb.RETRY, NOW, run_at=2**63),
    Outcome(2, 1, Verb.SUCCEED, NOW, result='"\udce9"'),
    Outcome(2, 1, Verb.FAIL, 2**70),
    Outcome(2, 1, Verb.CANCEL, NOW, reason=object()),  # type: ignore[arg-type]
]


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        yield database


@pytest.mark.parametrize("bad", UNWRITABLE[:2] + UNWRITABLE[3:], ids=["number", "text", "object"])
async def test_a_verdict_that_cannot_be_written_fails_its_job_and_its_neighbours_keep_theirs(
    db: Database, bad: Outcome
) -> None:
    store = JobStore(db, "here")
    await db.write(lambda connection: insert_jobs(connection, [new_job(number) for number in range(1, 5)]))
    claimed = (await store.turn("default", 4, [], [], lambda: NOW)).claimed
    assert [job.seq for job in claimed] == [1, 2, 3, 4]
    others = [
        Outcome(1, 1, Verb.SUCCEED, NOW),
        Outcome(3, 1, Verb.SUCCEED, NOW, result='"kept"'),
        Outcome(4, 1, Verb.RETRY, NOW, run_at=NOW + 1),
    ]
    turn = await store.turn("default", 0, [], [others[0], bad, *others[1:]], lambda: NOW)
    jobs = [await store.get(f"job-{number:04}") for number in range(1, 5)]
    assert [job.state for job in jobs] == [JobState.SUCCEEDED, JobState.FAILED, JobState.SUCCEEDED, JobState.QUEUED]
    assert jobs[2].result == '"kept"'
    error = msgspec.json.decode(jobs[1].error or "", type=JobError)
    assert error.message.startswith(f"the verdict {bad.verb.value} could not be written: ")
    assert turn.written is not None
    assert [one.verb for one in turn.written] == [Verb.SUCCEED, Verb.FAIL, Verb.SUCCEED, Verb.RETRY]


@pytest.mark.parametrize(("column", "value"), [("args", b"\xff\x00"), ("task", b"caf\xe9"), ("id", b"\xed\xa0\x80")])
@pytest.mark.parametrize("lock", [None, "one_at_a_time"])
async def test_a_row_that_cannot_be_read_fails_alone_and_the_queue_goes_on(
    tmp_path: Path, column: str, value: bytes, lock: str | None
) -> None:
    @task(queue="default", lock=lock)
    async def work(_ctx: Context) -> str:
        return "done"

    async with hosted(quiet_config(tmp_path), tasks=[work]) as daemon:
        await daemon.control.pause_queue("default", None, by="test")
        jobs = [(await daemon.control.trigger("work", {}, by="test"))[0] for _ in range(3)]
        await spoil(daemon, jobs[1].id, column, value)
        await daemon.control.resume_queue("default", by="test")
        assert (await ended(daemon, jobs[0].id)).state is JobState.SUCCEEDED
        assert (await ended(daemon, jobs[2].id)).state is JobState.SUCCEEDED
        # its text is read with U+FFFD: it runs, or fails like any other
        unsettled = "SELECT count(*) FROM jobs WHERE seq = ? AND finished_at IS NULL AND reason IS NULL"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await daemon.control._jobs._db.read(unsettled, (jobs[1].seq,)))[0][0]:  # noqa: ASYNC110 - its id may be spoiled: nobody can wait for it
                await asyncio.sleep(0.01)


async def spoil(daemon: Daemon, job_id: str, column: str, value: bytes) -> None:
    """Put bytes that are not UTF-8 into a text column."""

    def act(connection: Connection) -> None:
        connection.execute(f"UPDATE jobs SET {column} = CAST(? AS TEXT) WHERE id = ?", (value, job_id))  # noqa: S608 - a fixed name

    await daemon.control._jobs._db.write(act)


@pytest.mark.parametrize(
    ("column", "value"), [("attempt", 2**63 - 1), ("priority", -1), ("priority", 2**62), ("crashes", -5)]
)
@pytest.mark.parametrize("lock", [None, "one_at_a_time"])
@pytest.mark.parametrize("delay", [0.0, 0.05])
async def test_a_row_with_a_number_that_no_code_writes_fails_alone_or_runs(
    tmp_path: Path, column: str, value: int, lock: str | None, delay: float
) -> None:
    @task(queue="default", lock=lock)
    async def work(_ctx: Context) -> str:
        return "done"

    async with hosted(quiet_config(tmp_path), tasks=[work]) as daemon:
        await daemon.control.pause_queue("default", None, by="test")
        jobs = [(await daemon.control.trigger("work", {}, delay=delay, by="test"))[0] for _ in range(3)]
        await unchecked(daemon.control._jobs._db, jobs[1].id, column, value)
        await daemon.control.resume_queue("default", by="test")
        assert (await ended(daemon, jobs[0].id)).state is JobState.SUCCEEDED
        assert (await ended(daemon, jobs[2].id)).state is JobState.SUCCEEDED
        assert (await ended(daemon, jobs[1].id)).state in {JobState.SUCCEEDED, JobState.FAILED}


@pytest.mark.parametrize(("column", "value"), [("attempt", 0), ("priority", -1), ("crashes", 2**63 - 1)])
async def test_a_running_row_that_no_code_writes_costs_no_other_its_rescue(
    db: Database, column: str, value: int
) -> None:
    await db.write(lambda connection: insert_jobs(connection, [new_job(number) for number in range(1, 4)]))
    assert len((await JobStore(db, "dead").turn("default", 3, [], [], lambda: NOW)).claimed) == 3
    await unchecked(db, "job-0002", column, value)
    store = JobStore(db, "living")
    rescued = await store.rescue(NOW)
    assert {"job-0001", "job-0003"} <= set(rescued.queued)
    assert (await store.get("job-0002")).state in {JobState.QUEUED, JobState.FAILED, JobState.QUARANTINED}


async def unchecked(db: Database, job_id: str, column: str, value: int) -> None:
    """Put a number past the CHECKs of the table."""

    def act(connection: Connection) -> None:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE jobs SET {column} = ? WHERE id = ?", (value, job_id))  # noqa: S608 - a fixed name
        connection.execute("PRAGMA ignore_check_constraints = OFF")

    await db.write(act)
