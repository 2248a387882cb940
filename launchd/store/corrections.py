"""Schedules and their ledger after the wall clock was set, corrected within a transaction."""

from collections.abc import Sequence
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection
from launchd.schedules.schedule import Fire, FireOutcome, Plan, Schedule, correct, ended_at, set_in_words
from launchd.store.fires import Recorded, ledger_values

_SQL = sql.statements("jobs", "schedules")
# Ledger rows that a correction deletes in one commit.
CUT_BATCH = 500


class Correction(NamedTuple):
    """A schedule to be corrected: the cursor that it had by the old clock, and by how much the clock was set."""

    schedule: Schedule
    cursor: Instant
    set_by: Instant
    paused: bool


class Corrected(NamedTuple):
    """A schedule after a correction: its plan, and the last future occurrence that has a job already."""

    plan: Plan
    fired_until: Instant | None


def cut_ahead(connection: Connection, schedules: Sequence[Schedule], now: Instant) -> tuple[int, bool]:
    """Delete one batch of rows for each schedule: (how many rows, True if there may be more)."""
    cut, more = 0, False
    for schedule in schedules:
        values = {"schedule": schedule.name, "now": now, "limit": CUT_BATCH}
        gone = connection.execute(_SQL["forget_ahead"], values).rowcount
        cut += gone + _cut_ranges(connection, schedule, now)
        more = more or gone == CUT_BATCH
    return cut, more


def _cut_ranges(connection: Connection, schedule: Schedule, now: Instant) -> int:
    """End at `now` the range rows that begin before it and reach beyond it; returns how many."""
    cut = 0
    for row in connection.execute(_SQL["last_rows"], (schedule.name, now)).fetchall():
        if row["job_id"] is not None or row["until"] is None or row["until"] <= now:
            continue
        connection.execute(_SQL["forget_fire"], (schedule.name, row["fire_time"]))
        fire = Fire(row["fire_time"], FireOutcome(row["outcome"]), row["reason"], row["until"], row["count"])
        for part in ended_at(schedule.recurrence, fire, now):
            connection.execute(_SQL["record"], ledger_values(schedule.name, part, None))
        cut += 1
    return cut


def correct_schedule(connection: Connection, one: Correction, now: Instant, recorded: list[Recorded]) -> Corrected:
    """Set one schedule's cursor to `now`; the reason goes into a new row of missed fires, or else into the last row."""
    schedule, name = one.schedule, one.schedule.name
    rows = connection.execute(_SQL["last_rows"], (name, now)).fetchall()
    ahead = connection.execute(_SQL["fired_ahead"], {"schedule": name, "now": now}).fetchone()["fire_time"]
    known = [row["until"] or row["fire_time"] for row in rows]
    if one.cursor <= now:
        known.append(one.cursor)
    if not known:  # the ledger says nothing about the time up to now
        known.append(now if ahead is not None else (schedule.recurrence.previous(now) or now) - 1)
    reason = set_in_words(one.set_by)
    plan = correct(schedule, max(known), now, reason, paused=one.paused)
    for fire in plan.fires:
        connection.execute(_SQL["record"], ledger_values(name, fire, None))
        recorded.append(Recorded(name, fire, None))
    last = rows[0]["fire_time"] if rows else ahead
    if not plan.fires and one.set_by < 0:
        connection.execute(_SQL["add_reason"], {"schedule": name, "fire_time": last, "reason": reason})
    connection.execute(_SQL["correct_cursor"], {"name": name, "cursor": plan.cursor})
    return Corrected(plan, ahead)
