"""Claiming jobs within a transaction: jobs without a lock in a batch, a job with a lock once its lock is held."""

import heapq
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.batches import one_by_one, with_repair
from launchd.db.database import Connection, Row
from launchd.store.bad_rows import fail_bad_row, fail_bad_rows

_SQL = sql.statements("jobs", "jobs")
# The most ready jobs that are tried one by one to find bad rows.
_MAX_TRIED = 10_000


class Claimed(NamedTuple):
    """A job that is now running, with the columns that its attempt needs. `attempt` counts from 1."""

    seq: int
    id: str
    task: str
    queue: str
    args: str
    attempt: int
    max_retries: int
    schedule: str | None
    fire_time: Instant | None
    run_at: Instant


_claimed = msgspec.json.Decoder(list[Claimed])


class Candidate(NamedTuple):
    """A ready job that needs a lock before it may be claimed."""

    seq: int
    id: str
    task: str
    lock: str


def claim(
    connection: Connection, queue: str, limit: int, *, instance: str, now: Instant, skip_bad_rows: bool
) -> list[Claimed]:
    """Set the first `limit` ready jobs of a queue that need no lock to running; returns them in claim order.

    With `skip_bad_rows` a job whose row cannot be read fails alone; without it, the statement raises.
    """

    def take() -> list[Claimed]:
        claimed = _claimed.decode(connection.execute(_SQL["claimable"], (queue, limit)).fetchone()[0])
        if claimed:
            _take(connection, [job.seq for job in claimed], instance, now)
        return claimed

    def trial(seq: int) -> None:
        msgspec.convert(tuple(connection.execute(_SQL["ready_row"], (seq,)).fetchone()), Claimed)
        _take(connection, [seq], instance, now)

    if not skip_bad_rows:
        return take()
    return with_repair(
        connection, take, lambda: fail_bad_rows(connection, _ready(connection, queue, locked=False), trial, now)
    )


def claim_locked(connection: Connection, seq: int, fence: int, instance: str, now: Instant) -> Claimed | None:
    """Set one job to running under its lock's fence; None if it is no longer queued, or if its row is bad."""
    values = {"seq": seq, "fence": fence, "now": now, "instance": instance}

    def take() -> Claimed | None:
        row = connection.execute(_SQL["claim_locked"], values).fetchone()
        return None if row is None else msgspec.convert(tuple(row), Claimed)

    return one_by_one(connection, take, lambda error: fail_bad_row(connection, seq, error, now))


def candidates(
    connection: Connection,
    queue: str,
    free: int,
    *,
    waiting: Sequence[int],
    barred: Sequence[str],
    now: Instant,
    skip_bad_rows: bool,
) -> list[Candidate]:
    """Of the first `free` ready jobs of a queue, those that need a lock; the caller claims the others with `claim`.

    Jobs in `waiting` and jobs whose lock is in `barred` are left out. `skip_bad_rows` as for `claim`.
    """
    parameters = {"queue": queue, "limit": free, "waiting": _json(waiting), "barred": _json(barred)}

    def read() -> list[Candidate]:
        locked = connection.execute(_SQL["lock_candidates"], parameters).fetchall()
        if not locked:
            return []
        others = connection.execute(_SQL["unlocked_orders"], parameters).fetchall()
        first = heapq.merge(
            ((row["claim_order"], row) for row in locked), ((row[0], None) for row in others), key=_rank
        )
        return [Candidate(*row[:-1]) for _, row in islice(first, free) if row is not None]

    def trial(seq: int) -> None:
        msgspec.convert(tuple(connection.execute(_SQL["ready_row"], (seq,)).fetchone()), Claimed)

    if not skip_bad_rows:
        return read()
    return with_repair(
        connection, read, lambda: fail_bad_rows(connection, _ready(connection, queue, locked=True), trial, now)
    )


def _take(connection: Connection, seqs: Sequence[int], instance: str, now: Instant) -> None:
    connection.execute(_SQL["claim"], (now, instance, _json(seqs)))


def _ready(connection: Connection, queue: str, *, locked: bool) -> list[int]:
    return [row["seq"] for row in connection.execute(_SQL["ready_seqs"], (queue, int(locked), _MAX_TRIED))]


def _rank(ranked: tuple[int, Row | None]) -> int:
    return ranked[0]


def _json(value: Sequence[int] | Sequence[str]) -> str:
    """A list as one SQL parameter, for json_each."""
    return msgspec.json.encode(value).decode()
