"""Writes the verdicts on attempts to their jobs: many at once, each under its guard (state 'running', same attempt).

Successes without a result, which are nearly all, are written by one statement for each attempt number; the throughput
of short jobs depends on it (`make bench ARGS=drain`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from launchd import sql
from launchd.db.batches import one_by_one
from launchd.db.database import Connection
from launchd.job import MAX_INTERRUPTIONS, TRANSITIONS, JobError, JobState, Outcome, Verb
from launchd.store.job_events import note_returns
from launchd.values.failure import describe

_SQL = sql.statements("jobs", "jobs")
# A module constant: each access to an Enum's member costs a look-up, and the end of every job compares with it.
_SUCCEED = Verb.SUCCEED
# The statement for each verdict that puts a job back; all other verdicts use `end`.
_STATEMENT = {Verb.RETRY: "put_back", Verb.SNOOZE: "put_back", Verb.INTERRUPT: "interrupt"}


def finish_jobs(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Write verdicts within a transaction; returns those whose guard no longer holds, which change nothing."""
    if not outcomes:
        return []
    plain: dict[int, dict[int, Outcome]] = {}  # the usual verdict, by attempt and seq
    by_statement: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.verb is _SUCCEED and outcome.result is None and outcome.progress is None:
            plain.setdefault(outcome.attempt, {})[outcome.seq] = outcome
        else:
            by_statement.setdefault(_STATEMENT.get(outcome.verb, "end"), []).append(outcome)
    refused: list[Outcome] = []
    for attempt, group in plain.items():
        refused += _succeed_all(connection, attempt, group)
    for name, others in by_statement.items():
        if name == "end":
            refused += _write_all(connection, _SQL[name], others, _end_values)
        else:
            note_returns(connection, others)
            left = _write_all(connection, _SQL[name], others, _back_values)
            refused += _write_all(connection, _SQL["end_cancelled"], left, _back_values) if left else []
    return refused


def finish_each(connection: Connection, outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """Write verdicts one by one, within a transaction, after writing them together raised an error.

    Returns (the outcomes as they were written, in order; those whose guard no longer holds). A verdict that cannot be
    written becomes a failure with the reason: its job must end, and the other verdicts must not be lost.
    """
    written: list[Outcome] = []
    refused: list[Outcome] = []
    for outcome in outcomes:
        final = [outcome]

        def replace(error: Exception, outcome: Outcome = outcome, final: list[Outcome] = final) -> list[Outcome]:
            final[0] = _replaced(outcome, error)
            return finish_jobs(connection, final)

        refused += one_by_one(connection, lambda final=final: finish_jobs(connection, final), replace)  # type: ignore[misc]
        written += final
    return written, refused


def _replaced(outcome: Outcome, error: Exception) -> Outcome:
    """The failure that replaces a verdict which cannot be written."""
    message = f"the verdict {outcome.verb.value} could not be written: {describe(error).message}"
    text = msgspec.json.encode(JobError("UnwritableError", message)).decode()
    return Outcome(outcome.seq, outcome.attempt, Verb.FAIL, outcome.finished_at, error=text, reason=message)


def _succeed_all(connection: Connection, attempt: int, outcomes: dict[int, Outcome]) -> list[Outcome]:
    """Write successes without result and progress, of one attempt number; returns those whose guard did not hold."""
    values = (msgspec.json.encode({seq: outcome.finished_at for seq, outcome in outcomes.items()}).decode(), attempt)
    if connection.execute(_SQL["succeed_all"], values).rowcount == len(outcomes):
        return []
    return [outcomes[row["seq"]] for row in connection.execute(_SQL["not_succeeded"], values)]


def _write_all(
    connection: Connection, statement: str, outcomes: list[Outcome], values: Callable[[Outcome], Any]
) -> list[Outcome]:
    """Run the statement for all outcomes; if too few rows change, run it one by one to find the refused ones."""
    connection.execute("SAVEPOINT verdicts")
    changed = connection.executemany(statement, [values(outcome) for outcome in outcomes]).rowcount
    refused: list[Outcome] = []
    if changed != len(outcomes):
        connection.execute("ROLLBACK TO verdicts")
        refused = [one for one in outcomes if connection.execute(statement, values(one)).rowcount == 0]
    connection.execute("RELEASE verdicts")
    return refused


def _end_values(outcome: Outcome) -> tuple[Any, ...]:
    state = TRANSITIONS[JobState.RUNNING, outcome.verb]
    return (
        state.value,
        outcome.finished_at,
        outcome.result,
        outcome.error,
        outcome.reason,
        outcome.progress,
        outcome.seq,
        outcome.attempt,
    )


def _back_values(outcome: Outcome) -> dict[str, Any]:
    run_at = outcome.run_at if outcome.run_at is not None else outcome.finished_at
    return {
        "now": outcome.finished_at,
        "run_at": run_at,
        "ready": int(run_at <= outcome.finished_at),
        "error": outcome.error,
        "reason": outcome.reason,
        "progress": outcome.progress,
        "unspent": int(outcome.verb is Verb.SNOOZE),
        "max_interruptions": MAX_INTERRUPTIONS,
        "seq": outcome.seq,
        "attempt": outcome.attempt,
    }
