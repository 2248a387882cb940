"""Gives a test a row of each table as launchd writes it, and variants with one odd value."""

import json
from collections.abc import Iterator
from typing import Any

from launchd.clock import DAY, SECOND, SystemClock
from launchd.launches.sources import SOURCES
from tests.support import bad_rows
from tests.support.bad_rows import Column

NOW = SystemClock().now()
GOOD = "01900000-0000-7000-8000-000000000001"
_NET = {"earliest": NOW, "latest": NOW + 59 * SECOND, "precision": "minute"}
_LAUNCH = {"id": GOOD, "name": "Good", "net": _NET, "sources": ["gcat"], "status": "go"}
# A row of each table as launchd writes it: the neighbour of the odd rows, and their model.
JOBS: dict[str, dict[str, Any]] = {
    "jobs": {
        "id": GOOD,
        "task": "echo",
        "queue": "default",
        "state": "failed",
        "args": '{"value":"x"}',
        "priority": 5,
        "attempt": 1,
        "max_retries": 3,
        "crashes": 0,
        "interruptions": 0,
        "schedule": None,
        "fire_time": None,
        "created_at": NOW,
        "run_at": NOW,
        "expires_at": None,
        "started_at": NOW,
        "finished_at": NOW + SECOND,
        "claim_order": 1,
        "ready": None,
        "lock": "press",
        "fence": 1,
        "cancel_requested": None,
        "reason": "r",
        "result": "[1]",
        "error": '{"type":"ValueError","message":"no"}',
        "progress": '{"done":1.0,"total":2.0}',
        "instance": None,
        "unique_key": None,
        "waits_for": None,
    },
    "job_events": {
        "job_seq": 1,
        "number": 1,
        "at": NOW,
        "event": "retried",
        "detail": "d",
        "attempt": 1,
        "started_at": NOW,
    },
    "fires": {
        "schedule": "hourly",
        "fire_time": NOW - DAY,
        "outcome": "missed",
        "reason": None,
        "job_id": None,
        "count": 2,
        "until": NOW - DAY + SECOND,
    },
    "locks": {
        "name": "good",
        "token": "t",
        "owner": "o:o",
        "job_id": GOOD,
        "fence": 1,
        "since": NOW,
        "expires_at": NOW,
        "ends_at": 2**62,
        "lease_until": 2**62,
    },
    "feed_addresses": {
        "name": "team",
        "token_hash": b"t" * 32,
        "filters": '{"when":"upcoming"}',
        "formats": '["ics"]',
        "alarm": 60,
        "created_by": "a",
        "created_at": NOW,
        "requests": 1,
        "last_used_at": NOW,
    },
    "audit": {"seq": None, "at": NOW, "actor": "a", "action": "trigger", "target": "t", "detail": None},
    "alerts": {
        "id": GOOD,
        "rule": "job_failed",
        "key": "k",
        "severity": "failure",
        "title": "t",
        "body": "b",
        "count": 1,
        "repeats": 0,
        "created_at": NOW,
        "last_at": NOW,
        "job_id": None,
        "admitted_at": None,
        "sent_at": None,
        "summed_up_by": GOOD,
        "error": None,
    },
}
LAUNCHES: dict[str, dict[str, Any]] = {
    "launches": {
        "id": GOOD,
        "net_earliest": NOW,
        "net_latest": NOW + 59 * SECOND,
        "status": "go",
        "provider": "P",
        "name": "Good",
        "updated_at": NOW,
        "body": json.dumps(_LAUNCH).encode(),
        "revision": 1,
        "reconciled": None,
    },
    "sightings": {
        "source": "gcat",
        "source_id": "1",
        "launch_id": GOOD,
        "first_seen": NOW,
        "seen_at": NOW,
        "body": b'{"source":"gcat","source_id":"1","name":"Good"}',
        "origin_id": GOOD,
        "retired_at": None,
    },
    "changes": {
        "launch_id": GOOD,
        "field": "net",
        "old": "2026-01-01T00:00:00Z",
        "new": None,
        "source": "gcat",
        "seen_at": NOW,
        "origin_id": GOOD,
    },
    "net_moves": {
        "launch_id": GOOD,
        "origin_id": GOOD,
        "seen_at": NOW,
        "last_look": None,
        "late": 0,
        "source": "gcat",
        "kind": "slip",
        "counts": 1,
        "size": SECOND,
        "old_earliest": NOW,
        "old_latest": NOW,
        "old_precision": "second",
        "new_earliest": None,
        "new_latest": None,
        "new_precision": None,
    },
    "stated_nets": {
        "source": "gcat",
        "source_id": "1",
        "seen_at": NOW,
        "away_since": None,
        "earliest": NOW,
        "latest": NOW,
        "precision": "second",
    },
    "conflicts": {
        "launch_id": GOOD,
        "kind": "net",
        "other_id": "",
        "evidence": b'{"gcat":"x"}',
        "since": NOW,
    },
    "overrides": {
        "launch_id": GOOD,
        "field": "mission",
        "value": b'"m"',
        "actor": "a",
        "reason": None,
        "at": NOW,
        "origin_id": None,
    },
    "sources": {
        "name": "gcat",
        "last_attempt": NOW,
        "last_success": NOW,
        "last_error": None,
        "records": 1,
        "rejected": 0,
        "failures": 0,
        "retry_at": None,
        "requests": 1,
        "bytes": 1,
        "seconds": 1.0,
        "last_requests": 1,
        "last_bytes": 1,
        "last_seconds": 1.0,
    },
}
# The key columns of each table: each odd row gets a text of its own there.
KEYS = {
    "jobs": "id",
    "locks": "name",
    "alerts": "id",
    "launches": "id",
    "sightings": "source_id",
    "stated_nets": "source_id",
    "conflicts": "kind",
    "overrides": "field",
    "sources": "name",
    "feed_addresses": "name",
}
NUMBERED = {"job_events": "number", "fires": "fire_time", "locks": "fence"}
NAMES = tuple(SOURCES)


def variants(table: str, model: dict[str, Any], columns: list[Column]) -> Iterator[dict[str, Any]]:
    """A row for each odd value of each column; its other values are correct."""
    number = 0
    for column in columns:
        if (table, column.name) == ("sources", "name"):
            continue
        for value in bad_rows.values(column):
            number += 1
            yield keyed(table, model, number) | {column.name: value}


def keyed(table: str, model: dict[str, Any], number: int) -> dict[str, Any]:
    """The model under a key of its own."""
    row = dict(model)
    if table == "sources":
        row["name"] = NAMES[number % len(NAMES)]
    elif table in KEYS:
        row[KEYS[table]] = f"odd-{table}-{number}"
    if table in NUMBERED:
        row[NUMBERED[table]] += number + 1
    if table == "launches":
        row["body"] = json.dumps(_LAUNCH | {"id": row["id"]}).encode()
    if table == "feed_addresses":
        row["token_hash"] = row["name"].encode()
    return row


def batches(table: str, rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows in groups that can exist at the same time: the table of sources has one row for each known source."""
    size = len(NAMES) if table == "sources" else len(rows)
    return [rows[start : start + size] for start in range(0, len(rows), size)]
