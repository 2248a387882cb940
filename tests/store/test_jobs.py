"""The store of jobs: every pair of state and verb agrees with the table of transitions, on a real database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import HOUR, SystemClock
from launchd.db.database import Connection, Database, open_database
from launchd.engine.snapshots import JobQuery
from launchd.errors import ConflictError, IdempotencyError, LaunchdError
from launchd.job import TRANSITIONS, IdMaker, Job, JobState, Outcome, Verb
from launchd.store.audit import Audit
from launchd.store.jobs import Idempotency, JobStore, insert_jobs
from tests.support.jobs import NOW, new_job

AUDIT = Audit(NOW, "test", "trigger", "x", None)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        yield database


async def put(db: Database, state: JobState, **changes: Any) -> Job:  # noqa: ANN401 - the fields of NewJob
    """A job in a state, written directly."""
    job = new_job(**changes)
    final = state not in {JobState.QUEUED, JobState.RUNNING}

    def act(connection: Connection) -> None:
        insert_jobs(connection, [job])
        connection.execute(
            "UPDATE jobs SET state = :state, ready = CASE :state WHEN 'queued' THEN ready END, attempt = 1, "
            "started_at = :now, finished_at = :finished_at, instance = :instance WHERE id = :id",
            {
                "id": job.id,
                "state": state.value,
                "now": NOW,
                "finished_at": NOW if final else None,
                "instance": "dead" if state is JobState.RUNNING else None,
            },
        )

    await db.write(act)
    return await JobStore(db, "me").get(job.id)


async def apply(store: JobStore, job: Job, verb: Verb) -> None:
    """Apply the verb, in any state."""
    match verb:
        case Verb.CLAIM:
            await store.turn(job.queue, 10, [], [], lambda: NOW)
        case Verb.SKIP:
            await store.skip(job.seq, "held", NOW)
        case Verb.EXPIRE:
            await store.promote(NOW)
        case Verb.RESCUE | Verb.QUARANTINE:
            await store.rescue(NOW)
        case Verb.REQUEUE:
            await store.requeue(job.id, reason="again", now=NOW)
        case Verb.CANCEL if job.state is JobState.QUEUED:
            await store.cancel(job.id, how="cancel", reason=None, now=NOW)
        case _:
            await store.finish([Outcome(job.seq, job.attempt, verb, NOW, run_at=NOW)])


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("verb", Verb)
async def test_each_verb_changes_each_state_as_the_table_says(db: Database, state: JobState, verb: Verb) -> None:
    expires = NOW if verb is Verb.EXPIRE else None
    job = await put(db, state, expires_at=expires)
    if verb is Verb.QUARANTINE:
        await db.write(lambda connection: connection.execute("UPDATE jobs SET crashes = 1"))
    store = JobStore(db, "me")
    try:
        await apply(store, job, verb)
    except LaunchdError:
        assert (state, verb) not in TRANSITIONS
    after = (await store.get(job.id)).state
    assert after is TRANSITIONS.get((state, verb), state)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'succeeded'",
        "finished_at = 1",
        "instance = 'x'",
        "state = 'running'",
        "priority = 10",
        "state = 'odd'",
        "ready = NULL",
    ],
)
async def test_the_database_refuses_illegal_rows(db: Database, change: str) -> None:
    await put(db, JobState.QUEUED)
    with pytest.raises(sqlite3.IntegrityError):
        await db.write(lambda connection: connection.execute(f"UPDATE jobs SET {change}"))  # noqa: S608 - fixed words


async def test_jobs_are_claimed_by_priority_then_age_and_never_before_their_time(db: Database) -> None:
    store = JobStore(db, "me")
    minute = 60_000_000
    await store.insert(
        [
            new_job(1, priority=5, run_at=NOW - 2 * minute),
            new_job(2, priority=6),
            new_job(3, priority=9),
            new_job(4, priority=9, run_at=NOW + minute),
            new_job(5, priority=0, run_at=NOW - 8 * minute),
        ],
        AUDIT,
    )
    turn = await store.turn("default", 10, [], [], lambda: NOW)
    assert [job.id for job in turn.claimed] == ["job-0003", "job-0005", "job-0001", "job-0002"]
    await store.promote(NOW + minute)
    turn = await store.turn("default", 10, [], [], lambda: NOW + minute)
    assert [job.id for job in turn.claimed] == ["job-0004"]


async def test_ready_jobs_are_counted_by_queue_with_and_without_a_lock(db: Database) -> None:
    store = JobStore(db, "me")
    jobs = [
        new_job(1, run_at=NOW + 5, priority=9),
        new_job(2, run_at=NOW + 7, priority=0, lock="l"),
        new_job(3, run_at=NOW + 9, queue="other", lock="l"),
        new_job(4, run_at=NOW + 60_000_000, queue="other"),
    ]
    await db.write(lambda connection: insert_jobs(connection, jobs))
    await store.promote(NOW + 10)
    assert await store.waiting() == {"default": (2, NOW + 5), "other": (1, NOW + 9)}


async def test_a_verdict_of_an_earlier_attempt_is_refused_and_the_others_are_written(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job(1), new_job(2)], AUDIT)
    first, second = (await store.turn("default", 10, [], [], lambda: NOW)).claimed
    late = Outcome(first.seq, first.attempt + 1, Verb.SUCCEED, NOW)
    good = Outcome(second.seq, second.attempt, Verb.SUCCEED, NOW)
    assert await store.finish([late, good]) == [late]
    assert (await store.get(first.id)).state is JobState.RUNNING
    assert (await store.get(second.id)).state is JobState.SUCCEEDED


async def test_snooze_spends_no_attempt_and_a_deploy_spends_none_five_times(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job()], AUDIT)
    attempts = []
    for verb in [Verb.SNOOZE, *[Verb.INTERRUPT] * 7]:
        claimed = (await store.turn("default", 1, [], [], lambda: NOW)).claimed[0]
        attempts.append(claimed.attempt)
        await store.finish([Outcome(claimed.seq, claimed.attempt, verb, NOW, run_at=NOW)])
    assert attempts == [1, 1, 1, 1, 1, 1, 1, 2]


async def test_a_crash_counts_as_an_attempt_and_the_second_in_a_row_sets_the_job_aside(db: Database) -> None:
    await JobStore(db, "first").insert([new_job()], AUDIT)
    for number, expected in enumerate([JobState.QUEUED, JobState.QUARANTINED]):
        await JobStore(db, f"life {number}").turn("default", 1, [], [], lambda: NOW)
        store = JobStore(db, f"life {number + 1}")
        await store.rescue(NOW)
        job = await store.get("job-0001")
        assert (job.state, job.attempt) == (expected, number + 1)


async def test_a_crash_after_a_cancel_request_ends_as_cancelled(db: Database) -> None:
    store = JobStore(db, "first")
    await store.insert([new_job()], AUDIT)
    await store.turn("default", 1, [], [], lambda: NOW)
    await store.cancel("job-0001", how="terminate", reason="enough", now=NOW)
    await JobStore(db, "second").rescue(NOW)
    job = await store.get("job-0001")
    assert (job.state, job.reason) == (JobState.CANCELLED, "enough")


async def test_an_idempotency_key_gives_the_first_job_again_and_refuses_another_request(db: Database) -> None:
    store = JobStore(db, "me")
    key = Idempotency("key", "digest")
    assert (await store.make(new_job(1), "test", key)).id == "job-0001"
    assert (await store.make(new_job(2), "test", key)).id == "job-0001"
    with pytest.raises(IdempotencyError):
        await store.make(new_job(3), "test", Idempotency("key", "other"))
    tomorrow = NOW + 25 * 3600 * 1_000_000
    assert (await store.make(new_job(4, created_at=tomorrow), "test", key)).id == "job-0004"


async def test_a_batch_with_one_impossible_job_leaves_none_behind(db: Database) -> None:
    store = JobStore(db, "me")
    with pytest.raises(sqlite3.IntegrityError):
        await store.insert([new_job(1), new_job(1)], AUDIT)
    assert await store.waiting() == {}


async def test_ended_jobs_are_pruned_after_their_retention_and_others_never(db: Database) -> None:
    store = JobStore(db, "me")
    await put(db, JobState.SUCCEEDED)
    await store.insert([new_job(2)], AUDIT)
    assert await store.prune(succeeded_before=NOW, others_before=NOW + 1, limit=10) == 0
    assert await store.prune(succeeded_before=NOW + 1, others_before=NOW, limit=10) == 1
    assert (await store.get("job-0002")).state is JobState.QUEUED


async def test_an_ended_job_cannot_be_cancelled_and_the_error_names_its_state(db: Database) -> None:
    await put(db, JobState.SUCCEEDED)
    with pytest.raises(ConflictError, match="succeeded"):
        await JobStore(db, "me").cancel("job-0001", how="cancel", reason=None, now=NOW)


# One state for each of the two statements.
STATES = [JobState.QUEUED, JobState.RUNNING, JobState.FAILED]
JOBS = st.lists(
    st.tuples(st.sampled_from(STATES), st.sampled_from(["default", "scraping"]), st.integers(0, 2)), max_size=12
)


@settings(deadline=None, max_examples=80)  # each one makes a database
@given(JOBS, st.none() | st.sampled_from(STATES), st.none() | st.just("scraping"), st.none() | st.integers(0, 2))
def test_a_list_agrees_with_a_plain_filter_whichever_way_it_is_read(
    jobs: list[tuple[JobState, str, int]], state: JobState | None, queue: str | None, hour: int | None
) -> None:
    """Pages of two rows give the same list as one query."""

    async def check() -> None:
        make_id, made = IdMaker(), []
        with TemporaryDirectory() as directory:
            async with open_database(Path(directory) / "jobs.db", "jobs", SystemClock()) as database:
                for wanted, where, at in sorted(jobs, key=lambda one: one[2]):
                    created = NOW + at * HOUR
                    new = new_job(id=make_id(created), queue=where, created_at=created)
                    made.append(await put(database, wanted, **msgspec.structs.asdict(new)))
                since = None if hour is None else NOW + hour * HOUR
                query = JobQuery(state, queue, since=since, limit=2)._asdict()
                store = JobStore(database, "me")
                found: list[Job] = []
                while page := await store.list(query | {"cursor": found[-1].seq if found else None}):
                    found += page
                    assert len(found) <= len(made)
        fits = [
            job
            for job in reversed(made)
            if state in {None, job.state} and queue in {None, job.queue} and (since is None or job.created_at >= since)
        ]
        assert found == fits

    asyncio.run(check())
