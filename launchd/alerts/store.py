"""Alerts in jobs.db. An alert and the job that sends it are written in one transaction."""

from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from launchd import sql
from launchd.alerts.rules import (
    LIMIT_WINDOW,
    LONGEST_REPEAT,
    Alert,
    LastAlert,
    OpenTrouble,
    Rule,
    Severity,
    Trouble,
    admit,
    group_repeats,
    job_alert,
    summary,
    update_troubles,
)
from launchd.clock import DAY, UNREADABLE, Instant
from launchd.db.database import Connection, Database, Row
from launchd.job import JobError, NewJob
from launchd.store.idempotency import Idempotency, recall, remember
from launchd.store.jobs import insert_jobs
from launchd.values.rows import Reader, decoded

_SQL = sql.statements("jobs", "alerts")
KEEP_DAYS = 35
_PRUNE_BATCH = 500


class AlertState(StrEnum):
    """The state of an alert. HELD is beyond the hourly limit, SUMMED_UP was reported in a summary."""

    HELD = "held"
    SUMMED_UP = "summed_up"
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class AlertRow(msgspec.Struct, frozen=True):
    """A stored alert. `job_id` sends it; it stands for `count` occurrences, the last at `last_at`."""

    seq: int
    id: str
    rule: Rule
    key: str
    severity: Severity
    title: str
    body: str
    count: int
    created_at: Instant
    last_at: Instant
    job_id: str | None
    sent_at: Instant | None
    summed_up_by: str | None
    error: str | None
    state: AlertState
    unreadable: tuple[str, ...] = ()


_alert_row = Reader(AlertRow, "alerts", "id")


class Delivery(NamedTuple):
    """The delivery of an alert: the targets that have received it; `sent` is True if all have."""

    alert: Alert
    delivered: frozenset[str]
    sent: bool


class Limits(NamedTuple):
    """The rules that are switched on, and the most alerts in an hour."""

    rules: Collection[Rule]
    limit: int


class AlertStore:
    """Reads and writes alerts, within the present `limits`.

    `new_id` makes the id of an alert, `send_job` the job that sends it; these and `limits` are called on the writer
    thread.
    """

    def __init__(self, db: Database, limits: Callable[[], Limits], new_id: Callable[[Instant], str]) -> None:
        self._db = db
        self._limits = limits
        self._new_id = new_id

    async def switch(self, *, on: bool) -> None:
        """Note failed jobs from now on; or note none, and forget the inbox and the open troubles."""

        def act(connection: Connection) -> None:
            connection.execute(_SQL["switch"], (int(on),))
            if not on:
                connection.execute(_SQL["forget_inbox"])
                connection.execute(_SQL["forget_troubles"])

        await self._db.write(act)

    async def due(self) -> bool:
        """True if `record` has work without new alerts: an inbox, open troubles or held alerts."""
        row = await self._db.read_one(_SQL["due"])
        return row is not None and bool(row["due"])

    async def record(
        self,
        alerts: Sequence[Alert],
        troubles: Sequence[Trouble] | None,
        now: Instant,
        send_job: Callable[[str, Instant], NewJob],
    ) -> list[NewJob]:
        """Store these alerts, those of failed jobs, and those of the present troubles (None: not checked).

        Returns the new jobs that send them.
        """

        def act(connection: Connection) -> list[NewJob]:
            connection.execute(_SQL["prune"], {"before": now - KEEP_DAYS * DAY, "limit": _PRUNE_BATCH})
            rules = self._limits().rules
            wanted = [one for one in [*alerts, *_inbox(connection)] if one.rule in rules]
            if troubles is not None:
                wanted += self._watch(connection, troubles, now)
            last = {one.key: _last_alert(connection, one.key, now) for one in wanted}
            new, more = group_repeats(wanted, {key: one for key, one in last.items() if one is not None}, now)
            for key, count in more.items():
                connection.execute(_SQL["repeat"], {"key": key, "count": count, "now": now})
            return self._put(connection, new, now, send_job)

        return await self._db.write(act)

    async def put(
        self,
        alert: Alert,
        now: Instant,
        send_job: Callable[[str, Instant], NewJob],
        idempotency: Idempotency | None = None,
    ) -> NewJob | None:
        """Store an alert and the job that sends it, whatever the limit; the job, or None if the key was used before."""

        def act(connection: Connection) -> NewJob | None:
            if recall(connection, idempotency, now):
                return None
            _, job = _insert(connection, self._new_id(now), alert, now, send_job)
            remember(connection, idempotency, [job.id], now)
            return job

        return await self._db.write(act)

    async def delivery(self, alert_id: str) -> Delivery | None:
        """The delivery of an alert; None if it does not exist. May be called from any loop."""

        def act(connection: Connection) -> Delivery | None:
            row = connection.execute(_SQL["alert"], (alert_id,)).fetchone()
            if row is None:
                return None
            alert = msgspec.convert({name: row[name] for name in Alert.__struct_fields__}, Alert)
            delivered = connection.execute(_SQL["delivered_to"], (alert_id,)).fetchall()
            return Delivery(alert, frozenset(one["target"] for one in delivered), row["sent_at"] is not None)

        return await self._db.write(act)

    async def delivered(self, alert_id: str, target: str, now: Instant) -> None:
        """Record that a target has received the alert."""
        await self._db.write(lambda connection: connection.execute(_SQL["delivered"], (alert_id, target, now)))

    async def sent(self, alert_id: str, now: Instant) -> None:
        """Record that all targets have received the alert."""
        await self._db.write(lambda connection: connection.execute(_SQL["sent"], (now, alert_id)))

    async def not_sent(self, alert_id: str, error: str) -> None:
        """Record why the alert has not reached all targets yet."""
        await self._db.write(lambda connection: connection.execute(_SQL["not_sent"], (error, alert_id)))

    async def last_error(self) -> str | None:
        """The error of the last alert that was sent; None if it was delivered, or no alert was sent."""
        row = await self._db.read_one(_SQL["last_tried"])
        return None if row is None else row["error"]

    async def page(self, limit: int, before: int | None) -> list[AlertRow]:
        """Alerts, newest first, with a `seq` less than `before`."""
        params = {"limit": limit, "before": before if before is not None else 2**63 - 1}
        return [_alert_row(row) for row in await self._db.read(_SQL["list"], params)]

    def _watch(self, connection: Connection, troubles: Sequence[Trouble], now: Instant) -> list[Alert]:
        rules = self._limits().rules
        found = [_open_trouble(row) for row in connection.execute(_SQL["troubles"])]
        known = [one for one in found if one is not None and one.rule in rules]
        alerts, still = update_troubles(known, troubles, now)
        connection.execute(_SQL["forget_troubles"])
        connection.executemany(_SQL["put_trouble"], still)
        return alerts

    def _put(
        self, connection: Connection, new: Sequence[Alert], now: Instant, send_job: Callable[[str, Instant], NewJob]
    ) -> list[NewJob]:
        """Insert new alerts, and the summary of held ones, within the limit."""
        limit = self._limits().limit
        held = connection.execute(_SQL["held"]).fetchall()
        sent = connection.execute(_SQL["admitted"], (now - LIMIT_WINDOW,)).fetchone()["sent"]
        admission = admit(len(new), len(held), sent, limit)
        jobs = []
        if admission.sum_up:
            titles, since = [row["title"] for row in held], held[0]["created_at"]
            made, job = _insert(connection, self._new_id(now), summary(titles, since, limit), now, send_job)
            connection.execute(_SQL["sum_up"], {"id": made, "last": held[-1]["seq"]})
            jobs.append(job)
        jobs += [_insert(connection, self._new_id(now), one, now, send_job)[1] for one in new[: admission.send]]
        for alert in new[admission.send :]:
            _row(connection, self._new_id(now), alert, now, None)
        return jobs


def _open_trouble(row: Row) -> OpenTrouble | None:
    """A trouble that was reported; None if its row is unreadable: if the trouble lasts, it is reported again."""
    try:
        return msgspec.convert(tuple(row), OpenTrouble)
    except msgspec.ValidationError:
        return None


def _inbox(connection: Connection) -> list[Alert]:
    """The alerts of failed jobs; empties the inbox."""
    rows = connection.execute(_SQL["inbox"]).fetchall()
    connection.execute(_SQL["forget_inbox"])
    return [
        job_alert(row["task"], row["state"], row["count"], row["job_id"], _reason(row["error"], row["reason"]))
        for row in rows
    ]


def _reason(error: str | None, reason: str | None) -> str | None:
    if error is None:
        return reason
    found = decoded(error, JobError)
    return UNREADABLE if found is None else f"{found.type}: {found.message}"


def _last_alert(connection: Connection, key: str, now: Instant) -> LastAlert | None:
    """The newest alert of a key; None if it is too old to have repeats."""
    row = connection.execute(_SQL["newest_of_key"], (key,)).fetchone()
    if row is None or row["created_at"] < now - 2 * LONGEST_REPEAT:
        return None
    return LastAlert(row["created_at"], row["repeats"])


def _insert(
    connection: Connection, made: str, alert: Alert, now: Instant, send_job: Callable[[str, Instant], NewJob]
) -> tuple[str, NewJob]:
    job = send_job(made, now)
    insert_jobs(connection, [job])
    _row(connection, made, alert, now, job.id)
    return made, job


def _row(connection: Connection, made: str, alert: Alert, now: Instant, job_id: str | None) -> None:
    values = msgspec.to_builtins(alert) | {"id": made, "now": now, "job_id": job_id}
    connection.execute(_SQL["insert"], values | {"admitted_at": None if job_id is None else now})
