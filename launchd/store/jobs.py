"""Jobs in jobs.db: creating, claiming, ending, cancelling, rescuing and reading them.

Each method is one transaction, which may share its commit with others (launchd/db/database.py). The rules of the state
machine are in launchd/job.py; SQL repeats the guards, so a transition that does not apply changes nothing, and the
method says so.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Database
from launchd.errors import ConflictError, NotFoundError
from launchd.job import Job, JobState, NewJob, Outcome, claim_order
from launchd.job_history import Entry, StoredEvent, history
from launchd.store.audit import Audit
from launchd.store.bad_rows import update_rows
from launchd.store.claims import Candidate, Claimed, candidates, claim, claim_locked
from launchd.store.idempotency import Idempotency, recall, remember
from launchd.store.job_events import note_cancel_request, note_requeue
from launchd.store.prune import prune_audit, prune_fires, prune_jobs, prune_keys
from launchd.store.queues import note_starts
from launchd.store.rescue import Rescued, rescue_batch
from launchd.store.verdicts import finish_each, finish_jobs
from launchd.values.rows import Reader

__all__ = ["Idempotency", "JobStore"]
_SQL = sql.statements("jobs", "jobs")
# The most jobs that one transaction makes ready, and the most that it lets expire.
PROMOTE_BATCH = 1000
# Makes the Job of a row; values that cannot be read are named in its `unreadable`.
job_of = Reader(Job, "jobs", "id")
_stored = Reader(StoredEvent, "job_events", "job", "number")
_RARE = frozenset(JobState) - {JobState.QUEUED, JobState.SUCCEEDED}


class Turn(NamedTuple):
    """The result of one turn of a pool: jobs now running, candidates for locks, outcomes that no longer applied.

    `written` are the outcomes as they were written; None if all were written as given.
    """

    claimed: list[Claimed]
    candidates: list[Candidate]
    refused: list[Outcome]
    written: list[Outcome] | None = None


class JobStore:
    """The jobs of one daemon; `instance` marks the rows that this process runs."""

    def __init__(self, db: Database, instance: str) -> None:
        self._db = db
        self._instance = instance

    async def insert(self, jobs: Sequence[NewJob], audit: Audit, idempotency: Idempotency | None = None) -> list[str]:
        """Insert jobs, all or none; returns their ids in order.

        For a unique job that is queued or running already, its id is returned in place of a new one. A key that was
        used in the last 24 h returns the ids of that time; raises IdempotencyError if that was another request.
        """

        def act(connection: Connection) -> list[str]:
            if recall(connection, idempotency, audit.at):
                return idempotency.ids if idempotency is not None else []
            ids = insert_jobs(connection, jobs)
            connection.execute(_SQL["audit"], audit)
            remember(connection, idempotency, ids, audit.at)
            return ids

        return await self._db.write(act)

    async def make(self, job: NewJob, by: str, idempotency: Idempotency | None = None) -> Job:
        """Insert one job and return it; or return the earlier one if it is unique and unfinished, or its key was used.

        Raises IdempotencyError if the key was used in the last 24 h with another request.
        """

        def act(connection: Connection) -> Job:
            if idempotency is not None and recall(connection, idempotency, job.created_at):
                return _job(connection, idempotency.ids[0])
            (made,) = insert_jobs(connection, [job])
            connection.execute(_SQL["audit"], Audit(job.created_at, by, "trigger", made, job.task))
            remember(connection, idempotency, [made], job.created_at)
            return _job(connection, made)

        return await self._db.write(act)

    async def turn(
        self,
        queue: str,
        free: int,
        waiting: Sequence[int] | None,
        outcomes: Sequence[Outcome],
        now: Callable[[], Instant],
        *,
        barred: Sequence[str] = (),
        window: float | None = None,
    ) -> Turn:
        """One turn of a pool in one transaction: end these attempts, then claim up to `free` jobs.

        Jobs that need a lock are not claimed but offered as candidates, except those whose seq is in `waiting` and
        those whose lock is in `barred`; with `waiting` None, none is offered. `now` is called when the jobs are
        claimed, because the write may wait in the writer's queue. `window` is that of the queue's rate in seconds, or
        None.
        """
        instance = self._instance

        def act(connection: Connection, each: bool) -> Turn:  # noqa: FBT001 - as write_batch calls it
            refused, written = _finish(connection, outcomes, each=each)
            if free <= 0:
                return Turn([], [], refused, written)
            offered: list[Candidate] = []
            if waiting is not None:
                offered = candidates(
                    connection, queue, free, waiting=waiting, barred=barred, now=now(), skip_bad_rows=each
                )
            left = free - len(offered)
            if left <= 0:
                return Turn([], offered, refused, written)
            claimed_at = now()
            claimed = claim(connection, queue, left, instance=instance, now=claimed_at, skip_bad_rows=each)
            if window is not None and claimed:
                note_starts(connection, queue, len(claimed), claimed_at, window)
            return Turn(claimed, offered, refused, written)

        return await self._db.write_batch(act)

    async def claim_locked(self, seq: int, fence: int, now: Instant, *, window: float | None = None) -> Claimed | None:
        """Claim one job whose lock is held for it; None if it is no longer queued. `window` as for `turn`."""

        def act(connection: Connection) -> Claimed | None:
            claimed = claim_locked(connection, seq, fence, self._instance, now)
            if claimed is not None and window is not None:
                note_starts(connection, claimed.queue, 1, now, window)
            return claimed

        return await self._db.write(act)

    async def finish(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """End attempts without claiming jobs; returns the outcomes that no longer applied."""
        return await self._db.write_batch(lambda connection, each: _finish(connection, outcomes, each=each)[0])

    async def skip(self, seq: int, reason: str, now: Instant) -> bool:
        """Set a queued job whose lock stayed taken to skipped; False if it is no longer queued."""
        values = {"seq": seq, "reason": reason, "now": now}
        return await self._db.write(lambda connection: connection.execute(_SQL["skip"], values).rowcount == 1)

    async def promote(self, now: Instant) -> tuple[Instant | None, list[str], bool]:
        """Make due jobs ready and let expired ones end, up to PROMOTE_BATCH of each.

        Returns (when the next job is due, the ids of expired jobs, True if any job became ready). The first is in the
        past if more jobs are due already: call again, so that other writes are served in between.
        """

        def act(connection: Connection) -> tuple[Instant | None, list[str], bool]:
            values = {"now": now, "limit": PROMOTE_BATCH}
            expired = update_rows(connection, "expire", _seqs(connection, "expirable", values), now)
            promoted = update_rows(connection, "promote", _seqs(connection, "promotable", values), now)
            return connection.execute(_SQL["next_later"], {"now": now}).fetchone()[0], expired, bool(promoted)

        return await self._db.write(act)

    async def cancel(self, job_id: str, *, how: str, reason: str | None, now: Instant) -> Job:
        """Cancel a queued job, or set `cancel_requested` of a running one; raises NotFoundError, ConflictError."""

        def act(connection: Connection) -> Job:
            if not cancel_job(connection, job_id, how=how, reason=reason, now=now):
                raise ConflictError(f"the job has ended ({_job(connection, job_id).state}): it cannot be cancelled")
            return _job(connection, job_id)

        return await self._db.write(act)

    async def requeue(self, job_id: str, *, reason: str, now: Instant, idempotency: Idempotency | None = None) -> Job:
        """Queue an ended job again from attempt 1; raises NotFoundError, ConflictError, IdempotencyError."""

        def act(connection: Connection) -> Job:
            if recall(connection, idempotency, now):
                return _job(connection, job_id)
            values = {"id": job_id, "reason": reason, "now": now}
            ended = _job(connection, job_id)
            twin = connection.execute(_SQL["twin"], (ended.unique_key,)).fetchone()
            if twin is not None and twin["id"] != job_id:
                raise ConflictError(
                    f"the task is unique and job {twin['id']} with the same arguments has not ended: wait for its end"
                )
            if connection.execute(_SQL["requeue"], values).rowcount == 0:
                raise ConflictError(f"the job has not ended: it is {ended.state}; cancel it or wait for its end")
            note_requeue(connection, ended, reason, now)
            remember(connection, idempotency, [job_id], now)
            return _job(connection, job_id)

        return await self._db.write(act)

    async def node(self) -> int:
        """The random number that names this state directory among hosts: drawn once, then kept."""
        return await self._db.write(lambda connection: int(connection.execute(_SQL["node"]).fetchone()[0]))

    async def rescue(self, now: Instant, stopped: str | None = None) -> Rescued:
        """Rescue the jobs that dead instances were running, a batch at a time; call it once, before any pool runs.

        `stopped` is an instance that did not crash: it was asked to stop, and could not write that its jobs go back.
        """
        rescued = Rescued([], [], [], [])
        act = partial(rescue_batch, instance=self._instance, stopped=stopped, now=now)
        while (batch := await self._db.write(act)) is not None:
            rescued = rescued.and_also(batch)
        return rescued

    async def get(self, job_id: str) -> Job:
        """One job; raises NotFoundError."""
        row = await self._db.read_one(_SQL["job"], (job_id,))
        if row is None:
            raise NotFoundError(f"no job {job_id}")
        return job_of(row)

    async def with_history(self, job_id: str) -> tuple[Job, list[Entry]]:
        """A job and its history, both as of one moment; raises NotFoundError."""
        row = await self._db.read_one(_SQL["job_with_events"], (job_id,))
        if row is None:
            raise NotFoundError(f"no job {job_id}")
        job = job_of(row)
        found = msgspec.json.decode(row["events"], type=list[list[Any]])
        names = StoredEvent._fields[:-1]
        stored = [_stored({"job": job_id} | dict(zip(names, values, strict=True))) for values in found]
        return job, history(job, stored)

    async def list(self, filters: dict[str, Any]) -> list[Job]:
        """Jobs, newest first; `filters` has every parameter of the statement `list`; its cursor is a `seq`."""
        statement = _SQL["list_rare"] if filters["state"] in _RARE else _SQL["list"]
        return [job_of(row) for row in await self._db.read(statement, filters)]

    async def waiting(self) -> dict[str, tuple[int, Instant]]:
        """By queue: (how many ready jobs wait, the `run_at` of the oldest)."""
        return {row["queue"]: (row["waiting"], row["oldest"]) for row in await self._db.read(_SQL["waiting"])}

    async def lock_waiters(self) -> dict[str, int]:
        """By lock: how many ready jobs need it."""
        return {row["lock"]: row["waiters"] for row in await self._db.read(_SQL["waiting_for_lock"])}

    async def audit(self, audit: Audit) -> None:
        """Write a row of the audit log."""
        await self._db.write(lambda connection: connection.execute(_SQL["audit"], audit))

    async def prune(self, *, succeeded_before: Instant, others_before: Instant, limit: int) -> int:
        """Delete ended jobs past their retention, up to `limit` in each transaction; returns how many."""
        return await prune_jobs(self._db, succeeded_before=succeeded_before, others_before=others_before, step=limit)

    async def prune_ledger(self, *, before: Instant, keys_before: Instant, limit: int) -> int:
        """Delete ledger rows from before `before` and keys from before `keys_before`; returns how many ledger rows."""
        await prune_keys(self._db, before=keys_before, step=limit)
        return await prune_fires(self._db, before=before, step=limit)

    async def prune_audit(self, *, before: Instant, limit: int) -> int:
        """Delete rows of the audit log from before this instant; returns how many."""
        return await prune_audit(self._db, before=before, step=limit)


def _finish(
    connection: Connection, outcomes: Sequence[Outcome], *, each: bool
) -> tuple[list[Outcome], list[Outcome] | None]:
    """Write verdicts within a transaction: (those that no longer applied, all as written or None if as given).

    `each` writes them one by one, after writing them together raised an error.
    """
    if not each or not outcomes:
        return finish_jobs(connection, outcomes), None
    written, refused = finish_each(connection, outcomes)
    return refused, written


def insert_jobs(connection: Connection, jobs: Sequence[NewJob]) -> list[str]:
    """Insert within a transaction; the ids in order, that of the unfinished job in place of a unique one's."""
    if not any(job.unique_key for job in jobs):
        connection.executemany(_SQL["insert"], [_values(job) for job in jobs])
        return [job.id for job in jobs]
    return [_insert_unique(connection, job) for job in jobs]


def _insert_unique(connection: Connection, job: NewJob) -> str:
    twin = connection.execute(_SQL["twin"], (job.unique_key,)).fetchone()
    if twin is not None:
        return str(twin["id"])
    connection.execute(_SQL["insert"], _values(job))
    return job.id


def cancel_job(connection: Connection, job_id: str, *, how: str, reason: str | None, now: Instant) -> bool:
    """Cancel a queued job or request it of a running one, within a transaction; False if the job has ended."""
    values = {"id": job_id, "how": how, "reason": reason, "now": now}
    if connection.execute(_SQL["cancel_queued"], values).rowcount:
        return True
    note_cancel_request(connection, job_id, how, reason, now)
    return connection.execute(_SQL["request_cancel"], values).rowcount == 1


def _values(job: NewJob) -> tuple[Any, ...]:
    return (
        job.id,
        job.task,
        job.queue,
        job.args,
        job.priority,
        job.max_retries,
        job.schedule,
        job.fire_time,
        job.created_at,
        job.run_at,
        job.expires_at,
        claim_order(job.run_at, job.priority),
        int(job.run_at <= job.created_at and job.waits_for is None),
        job.lock,
        job.unique_key,
        job.waits_for,
        job.counted_from,
    )


def _job(connection: Connection, job_id: str) -> Job:
    row = connection.execute(_SQL["job"], (job_id,)).fetchone()
    if row is None:
        raise NotFoundError(f"no job {job_id}")
    return job_of(row)


def _seqs(connection: Connection, name: str, values: Mapping[str, object]) -> list[int]:
    return [row["seq"] for row in connection.execute(_SQL[name], values)]
