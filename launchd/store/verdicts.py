"""Verdicts on attempts, written to their jobs: many at once, each under its guard.

The plain success, which nearly all jobs have, is one statement for all of an attempt number; that is what the rate of
short jobs hangs on (`make bench ARGS=drain`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from launchd import sql
from launchd.db.database import Connection, one_by_one
from launchd.job import MAX_INTERRUPTIONS, TRANSITIONS, JobError, JobState, Outcome, Verb
from launchd.store.job_events import note_returns
from launchd.values.failure import describe

_SQL = sql.statements("jobs", "jobs")
# A name of its own: an Enum's member costs a look-up each time, and every end of a job asks.
_SUCCEED = Verb.SUCCEED
# Which statement writes which verdict; all others end the job.
_STATEMENT = {Verb.RETRY: "put_back", Verb.SNOOZE: "put_back", Verb.INTERRUPT: "interrupt"}


def finish_jobs(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Write verdicts within a transaction; returns those whose guard no longer held."""
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
    """Write verdicts that were refused together, one by one, within a transaction.

    Returns the outcomes as they were written, in order, and those whose guard no longer held. One that cannot be
    written becomes a failure with the reason: its job must end, and its neighbours keep their verdicts.
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
    """The failure that stands for a verdict which could not be written."""
    message = f"the verdict {outcome.verb.value} could not be written: {describe(error).message}"
    text = msgspec.json.encode(JobError("UnwritableError", message)).decode()
    return Outcome(outcome.seq, outcome.attempt, Verb.FAIL, outcome.finished_at, error=text, reason=message)


def _succeed_all(connection: Connection, attempt: int, outcomes: dict[int, Outcome]) -> list[Outcome]:
    """Write successes with nothing to say, of one attempt number, at once; returns those whose guard did not hold."""
    values = (msgspec.json.encode({seq: outcome.finished_at for seq, outcome in outcomes.items()}).decode(), attempt)
    if connection.execute(_SQL["succeed_all"], values).rowcount == len(outcomes):
        return []
    return [outcomes[row["seq"]] for row in connection.execute(_SQL["not_succeeded"], values)]


def _write_all(
    connection: Connection, statement: str, outcomes: list[Outcome], values: Callable[[Outcome], Any]
) -> list[Outcome]:
    """Run the statement for all; only when a guard failed somewhere is it found out where."""
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
