"""The history of a job: ordinary events come from its own row, rare ones from rows of their own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from launchd.clock import SystemClock
from launchd.daemon import Daemon
from launchd.db.database import Connection, Database, open_database
from launchd.job import JobState, NewJob, Outcome, Verb
from launchd.job_history import Entry, JobEvent
from launchd.store.audit import Audit
from launchd.store.claims import Claimed
from launchd.store.jobs import JobStore
from launchd.testing import running
from tests.support.hosted_daemon import ended
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL, fact, gate, started

NOW = 1_800_000_000_000_000
AUDIT = Audit(NOW, "test", "trigger", "x", None)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as database:
        yield database


def new_job(number: int = 1, **changes: Any) -> NewJob:  # noqa: ANN401 - the fields of NewJob
    usual: dict[str, Any] = {"task": "echo", "queue": "default", "args": "{}", "priority": 5, "max_retries": 3}
    return NewJob(**({"id": f"job-{number:04}", **usual, "created_at": NOW, "run_at": NOW} | changes))


async def claim(store: JobStore, now: int) -> Claimed:
    (job,) = (await store.turn("default", 1, [], [], lambda: now)).claimed
    return job


def verdict(job: Claimed, verb: Verb, at: int, **more: Any) -> Outcome:  # noqa: ANN401 - the fields of Outcome
    return Outcome(job.seq, job.attempt, verb, at, **more)


async def noted(db: Database) -> int:
    return int((await db.read("SELECT count(*) FROM job_events"))[0][0])


async def history_of(db: Database, job_id: str = "job-0001") -> list[tuple[int, str, str | None]]:
    """The history as (seconds since NOW, event, detail)."""
    _, entries = await JobStore(db, "me").with_history(job_id)
    return [((one.at - NOW) // 1_000_000, one.event.value, one.detail) for one in entries]


def second(number: int) -> int:
    return NOW + number * 1_000_000


async def test_an_ordinary_history_needs_no_row_of_its_own(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job(1), new_job(2), new_job(3)], AUDIT)
    for verb in (Verb.SUCCEED, Verb.FAIL):
        job = await claim(store, second(1))
        error = '{"type":"ValueError","message":"no"}' if verb is Verb.FAIL else None
        await store.finish([verdict(job, verb, second(2), error=error)])
    await store.cancel("job-0003", how="cancel", reason="not wanted", now=second(3))
    assert await noted(db) == 0
    assert await history_of(db) == [(0, "created", None), (1, "started", "attempt 1"), (2, "succeeded", None)]
    assert (await history_of(db, "job-0002"))[-1] == (2, "failed", "ValueError: no")
    assert await history_of(db, "job-0003") == [(0, "created", None), (3, "cancelled", "not wanted")]


async def test_retries_snoozes_and_interruptions_are_listed_with_their_reasons_and_starts(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job()], AUDIT)
    boom = '{"type":"ValueError","message":"boom"}'
    await store.finish(
        [verdict(await claim(store, second(1)), Verb.RETRY, second(2), error=boom, run_at=second(3), reason="boom")]
    )
    await store.promote(second(3))
    await store.finish([verdict(await claim(store, second(4)), Verb.SNOOZE, second(5), run_at=second(5), reason="zzz")])
    await store.finish(
        [verdict(await claim(store, second(6)), Verb.INTERRUPT, second(7), run_at=second(7), reason="deploy")]
    )
    await store.finish([verdict(await claim(store, second(8)), Verb.SUCCEED, second(9))])
    assert await history_of(db) == [
        (0, "created", None),
        (1, "started", "attempt 1"),
        (2, "retried", "boom; again at 2027-01-15T08:00:03Z"),
        (4, "started", "attempt 2"),
        (5, "snoozed", "zzz; again at 2027-01-15T08:00:05Z"),
        (6, "started", "attempt 2"),
        (7, "interrupted", "deploy"),
        (8, "started", "attempt 2"),
        (9, "succeeded", None),  # and no word of the error of the first attempt
    ]


async def test_a_refused_verdict_is_not_in_the_history(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job()], AUDIT)
    job = await claim(store, second(1))
    late = verdict(job, Verb.RETRY, second(2), run_at=second(3), reason="late")._replace(attempt=job.attempt + 1)
    assert await store.finish([late]) == [late]
    assert [event for _, event, _ in await history_of(db)] == ["created", "started"]


async def test_a_cancel_request_is_listed_between_the_start_and_the_end(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job()], AUDIT)
    job = await claim(store, second(1))
    await store.cancel("job-0001", how="cancel", reason="please", now=second(2))
    await store.cancel("job-0001", how="terminate", reason="now", now=second(3))
    await store.finish([verdict(job, Verb.RETRY, second(4), run_at=second(5), reason="it failed while it ended")])
    assert await history_of(db) == [
        (0, "created", None),
        (1, "started", "attempt 1"),
        (2, "cancel_requested", "please"),
        (3, "terminate_requested", "now"),
        (4, "cancelled", "now"),
    ]


async def test_a_crash_is_listed_as_a_rescue_and_the_second_in_a_row_as_quarantine(db: Database) -> None:
    await JobStore(db, "first").insert([new_job(1), new_job(2, run_at=second(60))], AUDIT)
    await claim(JobStore(db, "first"), second(1))
    await JobStore(db, "second").rescue(second(2))
    await claim(JobStore(db, "second"), second(3))
    await JobStore(db, "third").rescue(second(4))
    assert await history_of(db) == [
        (0, "created", None),
        (1, "started", "attempt 1"),
        (2, "rescued", "the daemon died while it ran"),
        (3, "started", "attempt 2"),
        (4, "quarantined", "the daemon died twice in a row while this job ran"),
    ]
    assert await history_of(db, "job-0002") == [(0, "created", None)]


async def test_a_requeue_keeps_the_end_that_its_row_loses(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job(expires_at=second(1))], AUDIT)
    await store.promote(second(2))
    await store.requeue("job-0001", reason="requeued by me", now=second(3))
    job = await claim(store, second(4))
    await store.finish([verdict(job, Verb.FAIL, second(5), error='{"type":"ValueError","message":"no"}')])
    await store.requeue("job-0001", reason="requeued by you", now=second(6))
    assert await history_of(db) == [
        (0, "created", None),
        (2, "expired", "not started before expires_at"),
        (3, "requeued", "requeued by me"),
        (4, "started", "attempt 1"),
        (5, "failed", "ValueError: no"),
        (6, "requeued", "requeued by you"),
    ]


async def test_attempts_of_one_instant_are_separate_events(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job()], AUDIT)
    for _ in range(2):
        await store.finish([verdict(await claim(store, NOW), Verb.SNOOZE, NOW, run_at=NOW, reason="at once")])
    assert [event for _, event, _ in await history_of(db)] == ["created", "started", "snoozed", "started", "snoozed"]


async def test_the_last_hundred_are_kept_and_the_others_counted(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job()], AUDIT)
    for number in range(130):
        job = await claim(store, second(number))
        await store.finish([verdict(job, Verb.SNOOZE, second(number), run_at=second(number), reason=str(number))])
    assert await noted(db) == 100
    history = await history_of(db)
    assert history[:3] == [(0, "created", None), (30, "forgotten", "30 earlier events"), (30, "started", "attempt 1")]
    assert history[-1][1:] == ("snoozed", "129; again at 2027-01-15T08:02:09Z")


async def test_the_history_is_deleted_with_its_job(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job(1), new_job(2)], AUDIT)
    for _ in range(2):
        job = await claim(store, NOW)
        await store.cancel(job.id, how="cancel", reason=None, now=NOW)
        await store.finish([verdict(job, Verb.CANCEL, second(int(job.id[-1])))])
    assert await noted(db) == 2
    assert await store.prune(succeeded_before=NOW, others_before=second(2), limit=10) == 1
    assert await noted(db) == 1
    assert len(await history_of(db, "job-0002")) == 4


async def test_job_and_events_are_read_as_of_one_moment(db: Database) -> None:
    """While verdicts are written, no answer repeats or misses an attempt."""
    store = JobStore(db, "me")
    await store.insert([new_job()], AUDIT)
    stop = False

    async def read() -> list[list[Entry]]:
        seen = []
        while not stop:
            seen.append((await store.with_history("job-0001"))[1])
        return seen

    reading = asyncio.create_task(read())
    for number in range(45):
        job = await claim(store, second(2 * number))
        at = second(2 * number + 1)
        await store.finish([verdict(job, Verb.SNOOZE, at, run_at=at, reason="")])
    stop = True
    pair = [JobEvent.STARTED, JobEvent.SNOOZED]
    for entries in await reading:
        events = [one.event for one in entries[1:]]
        assert events == (pair * 45)[: len(events)]


async def test_the_notes_share_the_fate_of_their_transition(db: Database) -> None:
    store = JobStore(db, "me")
    await store.insert([new_job()], AUDIT)
    job = await claim(store, NOW)

    def fail(connection: Connection) -> None:
        connection.execute("CREATE TRIGGER no BEFORE UPDATE ON jobs BEGIN SELECT raise(ABORT, 'no'); END")

    await db.write(fail)
    with pytest.raises(Exception, match="no"):
        await store.finish([verdict(job, Verb.RETRY, NOW, run_at=NOW, reason="x")])
    assert await noted(db) == 0


async def test_one_job_has_its_history_and_a_list_of_jobs_has_none(daemon: Daemon) -> None:
    job, _ = await daemon.control.trigger("waiting", {"name": "history"}, by="test")
    await fact(started("history"))
    async with asking(daemon) as client:
        async with client.post(f"/v1/jobs/{job.id}/cancel", json={"reason": "enough"}) as response:
            assert "history" not in await response.json()
        await ended(daemon, job.id)
        async with client.get(f"/v1/jobs/{job.id}", params={"wait": "5"}) as response:
            history = (await response.json())["history"]
        async with client.get("/v1/jobs") as response:
            assert all("history" not in one for one in (await response.json())["items"])
    assert [one["event"] for one in history] == ["created", "started", "cancel_requested", "cancelled"]
    assert [one["detail"] for one in history] == [None, "attempt 1", "enough", "enough"]
    assert [one["at"] for one in history] == sorted(one["at"] for one in history)
    gate("history").set()


async def test_the_history_of_a_scheduled_job_names_its_fire_and_the_errors_of_its_retries() -> None:
    schedules = {"hourly": {"task": "failing", "cron": "0 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start="2026-06-01T12:30:00Z") as daemon:
        await daemon.advance(hours=1)
        (job,) = await daemon.jobs(state=JobState.FAILED)
        _, entries = await daemon.daemon.control.history(job.id)
        assert entries[0].detail == "by schedule hourly for 2026-06-01T13:00:00Z"
        events = [one.event.value for one in entries]
        assert events == ["created", "started", "retried", "started", "failed"]
        assert str(entries[2].detail).startswith("attempt 1 of 2 failed: this never works; again at 2026-06-01T13:0")
