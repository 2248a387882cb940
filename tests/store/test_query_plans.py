"""How SQLite finds rows: what runs all day must not look at every job that ever was."""

import re
import sqlite3
from collections.abc import Iterator

import pytest

from launchd import sql
from launchd.db.database import migrate

INDEXED = {
    ("jobs", "claimable"): "SEARCH jobs USING INDEX jobs_ready (queue=?)",
    ("jobs", "lock_candidates"): "SEARCH jobs USING INDEX jobs_ready_locked (queue=?)",
    ("jobs", "unlocked_orders"): "SEARCH jobs USING COVERING INDEX jobs_ready (queue=?)",
    ("jobs", "waiting"): "SCAN jobs USING COVERING INDEX jobs_ready",
    ("jobs", "waiting_for_lock"): "SCAN jobs USING COVERING INDEX jobs_ready_locked",
    ("jobs", "promotable"): "SEARCH jobs USING INDEX jobs_later (run_at<?)",
    ("jobs", "next_later"): "SEARCH jobs USING INDEX jobs_later",
    ("jobs", "expirable"): "SEARCH jobs USING INDEX jobs_expiring (expires_at>? AND expires_at<?)",
    ("jobs", "twin"): "SEARCH jobs USING INDEX jobs_unique (unique_key=?)",
    ("jobs", "rescue"): "SEARCH jobs USING INDEX jobs_rare (state=? AND seq<?)",
    ("jobs", "rescue_failed"): "SEARCH jobs USING INDEX jobs_rare (state=? AND seq<?)",
    ("jobs", "rescue_cancelled"): "SEARCH jobs USING INDEX jobs_rare (state=? AND seq<?)",
    ("jobs", "quarantine"): "SEARCH jobs USING INDEX jobs_rare (state=? AND seq<?)",
    ("jobs", "rescue_stopped"): "SEARCH jobs USING INDEX jobs_rare (state=? AND seq<?)",
    ("jobs", "rescue_last"): "SEARCH jobs USING INDEX jobs_rare (state=?)",
    ("job_events", "note_rescue"): "SEARCH jobs USING INDEX jobs_rare (state=? AND seq<?)",
    ("job_events", "note_stopped"): "SEARCH jobs USING INDEX jobs_rare (state=? AND seq<?)",
    ("jobs", "list_rare"): "SEARCH jobs USING INDEX jobs_rare (state=? AND seq<?)",
    ("jobs", "succeed_all"): "SEARCH jobs USING INTEGER PRIMARY KEY (rowid=?)",
    ("schedules", "last_active"): "SEARCH jobs USING INDEX jobs_of_schedule (schedule=?)",
    ("schedules", "queued_jobs"): "SEARCH jobs USING INDEX jobs_of_schedule (schedule=?)",
    ("schedules", "active_jobs"): "SEARCH jobs USING INDEX jobs_of_schedule (schedule=?)",
}


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    migrate(connection, sql.migrations("jobs"))
    yield connection
    connection.close()


def plan(database: sqlite3.Connection, statement: str) -> list[str]:
    named = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
    values = named or [1] * statement.count("?")
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


@pytest.mark.parametrize(("area", "name"), INDEXED)
def test_a_statement_that_runs_all_day_finds_its_jobs_by_an_index(
    database: sqlite3.Connection, area: str, name: str
) -> None:
    steps = plan(database, sql.statements("jobs", area)[name])
    assert INDEXED[area, name] in steps, steps
    assert "SCAN jobs" not in steps


PRUNING = sql.statements("jobs", "prune")


@pytest.mark.parametrize("name", PRUNING)
def test_what_prunes_finds_its_rows_by_a_primary_key_and_sorts_nothing(database: sqlite3.Connection, name: str) -> None:
    steps = plan(database, PRUNING[name])
    tables = [step for step in steps if re.search(r"\b(jobs|job_events|fires|idempotency|audit)\b", step)]
    assert tables
    for step in tables:
        assert re.match(r"SEARCH \w+ USING (INTEGER )?(COVERING )?PRIMARY KEY", step), steps
    assert not [step for step in steps if "TEMP B-TREE" in step]
