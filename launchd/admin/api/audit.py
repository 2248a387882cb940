"""The endpoints of what was: statistics, the audit, a job's log lines; and of what the daemon was told to be."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from launchd.admin.api.views import Seconds, Time
from launchd.admin.http.access import Role
from launchd.admin.http.view import RowView, View, lost, total
from launchd.admin.route import Answer, Api, Ask, Body, Moment, PageQuery, Query, Route, moment_in_query
from launchd.clock import SECOND, Instant, format_instant
from launchd.config import Config
from launchd.cursor import number_of
from launchd.logs.redact import Redactor
from launchd.ops.reload import compare, flat
from launchd.store.audit import AuditQuery, AuditRow
from launchd.store.series import Window
from launchd.store.stats import Contention, Fared, Percentiles, Stats

Text = Annotated[str, Meta(max_length=500)]


class StatsQuery(Query):
    """How far to look back."""

    window: Window = Window.HOUR


class PercentilesView(View):
    """Seconds, by nearest rank; null where nothing was measured."""

    p50: Seconds | None
    p95: Seconds | None
    p99: Seconds | None


class TaskStatsView(View):
    """How a task fared. `ended` counts jobs, `runs` those of them that ran, `retries` their attempts but the first."""

    name: str
    ended: int
    runs: int
    success_rate: float | None
    failures: int
    retries: int
    run: PercentilesView
    wait: PercentilesView


class QueueStatsView(TaskStatsView):
    """How a queue fared; `utilisation` is the share of its slots that ended jobs took, null for one that is gone."""

    utilisation: float | None


class LockStatsView(View):
    """How contended a lock was: `skipped` jobs never got it, the others waited for it and for a slot."""

    name: str
    ended: int
    skipped: int
    wait: PercentilesView


class StatsView(View):
    """What ended from `since` on. Jobs made before `counted_since` are not in it; null when all are."""

    window: Window
    since: Time
    counted_since: Time | None
    tasks: list[TaskStatsView]
    queues: list[QueueStatsView]
    locks: list[LockStatsView]


class AuditPageQuery(PageQuery, kw_only=True):
    """`GET /v1/audit`."""

    actor: Text | None = None
    action: Text | None = None
    target: Text | None = None
    since: Moment | None = None
    until: Moment | None = None


class AuditRowView(RowView):
    """One thing that somebody did."""

    at: Time
    actor: str
    action: str
    target: str
    detail: str | None


class AuditPageView(View):
    """A page of the audit."""

    items: list[AuditRowView]
    next: str | None


class JobLineView(View):
    """A line of a job's log."""

    at: str
    level: str
    logger: str
    event: str
    fields: dict[str, Any]


class JobLinesView(View):
    """A page of a job's last log lines, oldest first; `missing` earlier ones are in the log only."""

    items: list[JobLineView]
    next: str | None
    missing: int


class ConfigView(View):
    """The configuration in force, secrets masked; the keys that have other values in the file await a restart."""

    path: str | None
    config: dict[str, Any]
    needs_restart: list[str]


class ChangeView(View):
    """A key that has another value; null where it has none."""

    key: str
    old: Any
    new: Any
    applied: bool


class ReloadView(View):
    """What a reload has changed, and what a restart will."""

    applied: list[str]
    needs_restart: list[str]
    changes: list[ChangeView]


async def stats(api: Api, ask: Ask[StatsQuery, Body]) -> Answer:
    """How tasks, queues and locks fared."""
    now = api.control.now()
    found = await api.kept.stats.stats(ask.query.window, now)
    slots = {one.name: one.concurrency for one in await api.control.queues()}
    return Answer(_stats(found, slots, now))


async def audit(api: Api, ask: Ask[AuditPageQuery, Body]) -> Answer:
    """Who did what, the newest first."""
    given = ask.query
    since, until = moment_in_query("since", given.since), moment_in_query("until", given.until)
    wanted = AuditQuery(given.actor, given.action, given.target, since, until, given.limit, given.cursor)
    rows, cursor = await api.kept.audit.list(wanted)
    return Answer(AuditPageView(items=[_audit_row(row) for row in rows], next=cursor))


async def logs(api: Api, ask: Ask[PageQuery, Body]) -> Answer:
    """The last log lines of a job; the log itself keeps them for good."""
    given, after = ask.query, number_of(ask.query.cursor)
    job = await api.control.job(ask.path["id"])
    lines, missing = api.kept.job_lines.of(job.id, after or 0, given.limit + 1)
    items = [
        JobLineView(at=one.at, level=one.level, logger=one.logger, event=one.event, fields=one.fields)
        for one in lines[: given.limit]
    ]
    following = str(lines[given.limit - 1].number) if len(lines) > given.limit else None
    return Answer(JobLinesView(items=items, next=following, missing=missing))


async def config(api: Api, _ask: Ask[Query, Body]) -> Answer:
    """The configuration in force, secrets masked."""
    running = api.reloader.running
    shown = Redactor().value(msgspec.to_builtins(running))
    path = shown.pop("path")
    waiting = compare(running, api.reloader.read).restart
    return Answer(ConfigView(path=path, config=shown, needs_restart=list(waiting)))


async def reload(api: Api, ask: Ask[Query, Body]) -> Answer:
    """Take up the configuration again, as SIGHUP does; all of it is checked first."""
    before = api.reloader.running
    changes = await api.reloader.reload()
    changed = _differences(before, api.reloader.read)
    said = (
        f"applied: {', '.join(changes.live) or 'nothing'}; needs a restart: {', '.join(changes.restart) or 'nothing'}"
    )
    await api.control.audit(ask.by, "reload", "configuration", said)
    views = [ChangeView(key=key, old=old, new=new, applied=key in changes.live) for key, (old, new) in changed.items()]
    return Answer(ReloadView(applied=list(changes.live), needs_restart=list(changes.restart), changes=views))


def _differences(before: Config, after: Config) -> dict[str, tuple[Any, Any]]:
    """The old and the new value of each dotted key that differs, secrets masked."""
    old, new = flat(before), flat(after)
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return {key: (_masked(key, old.get(key)), _masked(key, new.get(key))) for key in keys}


def _masked(key: str, value: object) -> Any:  # noqa: ANN401 - any value of a configuration
    name = key.rpartition(".")[2]
    return Redactor().value({name: value})[name]


def _stats(found: Stats, slots: dict[str, int], now: Instant) -> StatsView:
    seconds = (now - max(found.since, found.counted_since or found.since)) / SECOND
    return StatsView(
        window=found.window,
        since=format_instant(found.since),
        counted_since=None if found.counted_since is None else format_instant(found.counted_since),
        tasks=[TaskStatsView(**_fared(one)) for one in found.tasks],
        queues=[QueueStatsView(**_fared(one), utilisation=_share(one, slots, seconds)) for one in found.queues],
        locks=[_contention(one) for one in found.locks],
    )


def _share(one: Fared, slots: dict[str, int], seconds: float) -> float | None:
    capacity = slots.get(one.name, 0) * seconds
    return min(one.busy / capacity, 1.0) if capacity > 0 else None


def _fared(one: Fared) -> dict[str, Any]:
    plain = ("name", "ended", "runs", "success_rate", "failures", "retries")
    found = {name: getattr(one, name) for name in plain}
    return found | {"run": _percentiles(one.run), "wait": _percentiles(one.wait)}


def _contention(one: Contention) -> LockStatsView:
    return LockStatsView(name=one.name, ended=one.ended, skipped=one.skipped, wait=_percentiles(one.wait))


def _percentiles(one: Percentiles) -> PercentilesView:
    return PercentilesView(p50=one.p50, p95=one.p95, p99=one.p99)


@total(AuditRowView, lambda one: {"target": one.target})
def _audit_row(one: AuditRow) -> AuditRowView:
    return AuditRowView(
        at=format_instant(one.at),
        actor=one.actor,
        action=one.action,
        target=one.target,
        detail=one.detail,
        unreadable=lost(one.unreadable),
    )


PAST_ROUTES = (
    Route("GET", "/v1/stats", stats, StatsView, query=StatsQuery),
    Route("GET", "/v1/audit", audit, AuditPageView, needs=Role.ADMIN, query=AuditPageQuery),
    Route("GET", "/v1/jobs/{id}/logs", logs, JobLinesView, query=PageQuery),
    Route("GET", "/v1/config", config, ConfigView, needs=Role.ADMIN),
    Route("POST", "/v1/config/reload", reload, ReloadView, needs=Role.ADMIN),
)
