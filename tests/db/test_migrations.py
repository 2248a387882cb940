"""After an upgrade, the jobs of an older database are complete and go on."""

from pathlib import Path

from launchd import sql
from launchd.clock import SECOND, SystemClock
from launchd.db.connection import connect, migrate
from launchd.db.database import open_database
from launchd.job import JobState
from launchd.store.jobs import JobStore

NOW = 1_790_000_000 * SECOND
BEFORE_READY_WAS_NULL = 4
INSERT = """
INSERT INTO jobs (id, task, queue, state, args, priority, attempt, max_retries, created_at, run_at, started_at,
  finished_at, claim_order, ready, lock, instance, result)
VALUES (:id, 'echo', 'default', :state, '{}', 5, :attempt, 3, :now, :run_at, :started, :finished, :run_at - 300000000,
  :ready, :lock, :instance, :result)
"""


def old_job(name: str, state: str, *, ready: int, later: int = 0, lock: str | None = None) -> dict[str, object]:
    started = NOW if state not in {"queued", "skipped"} else None
    ended = state not in {"queued", "running"}
    return {
        "id": name,
        "state": state,
        "attempt": int(started is not None),
        "now": NOW,
        "run_at": NOW + later * SECOND,
        "started": started,
        "finished": NOW if ended else None,
        "ready": ready,
        "lock": lock,
        "instance": "dead" if state == "running" else None,
        "result": "[1]" if state == "succeeded" else None,
    }


OLD_JOBS = [
    old_job("waits", "queued", ready=1),
    old_job("waits-for-lock", "queued", ready=1, lock="l"),
    old_job("later", "queued", ready=0, later=60),
    old_job("ran", "running", ready=1),
    old_job("done", "succeeded", ready=1),
    old_job("passed-over", "skipped", ready=1, lock="l"),
    old_job("broken", "failed", ready=1),
]


def left_by_an_older_daemon(path: Path) -> None:
    database = connect(path)
    migrate(database, sql.migrations("jobs")[:BEFORE_READY_WAS_NULL])
    database.executemany(INSERT, OLD_JOBS)
    database.close()


async def test_jobs_of_an_older_database_keep_their_states_and_go_on(tmp_path: Path) -> None:
    left_by_an_older_daemon(tmp_path / "jobs.db")
    async with open_database(tmp_path / "jobs.db", "jobs", SystemClock()) as db:
        store = JobStore(db, "me")
        assert {(await store.get(str(job["id"]))).state for job in OLD_JOBS} == {
            *(JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED, JobState.SKIPPED, JobState.FAILED)
        }
        assert (await store.get("done")).result == "[1]"
        assert (await store.rescue(NOW)).queued == ["ran"]
        turn = await store.turn("default", 10, [], [], lambda: NOW)
        assert {job.id for job in turn.claimed} == {"waits", "ran"}
        assert [job.id for job in turn.candidates] == ["waits-for-lock"]
        assert await store.promote(NOW + 60 * SECOND) == (None, [], True)
        assert [job.id for job in (await store.turn("default", 10, None, [], lambda: NOW)).claimed] == ["later"]


def test_every_step_leaves_a_sound_database(tmp_path: Path) -> None:
    left_by_an_older_daemon(tmp_path / "jobs.db")
    database = connect(tmp_path / "jobs.db")
    migrate(database, sql.migrations("jobs"))
    assert [row[0] for row in database.execute("PRAGMA integrity_check")] == ["ok"]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    rows = database.execute("SELECT ready IS NULL, count(*) FROM jobs GROUP BY 1 ORDER BY 1").fetchall()
    assert [tuple(row) for row in rows] == [(0, 3), (1, 4)]
    database.close()
