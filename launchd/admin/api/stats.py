"""The endpoints of statistics: how tasks, queues and locks fared, what ended over time, which jobs ran when."""

from typing import Annotated, Any

from msgspec import Meta

from launchd.admin.api.job_views import StateWord
from launchd.admin.api.views import Seconds, Time, instant
from launchd.admin.http.view import RowView, View, lost, total
from launchd.admin.route import MAX_LIMIT, Answer, Api, Ask, Body, Query, Route
from launchd.clock import SECOND, Instant, format_instant
from launchd.store.stats import Bucket, Contention, Percentiles, Quantiles, Run, RunStats, Series, Span, Stats, Window


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


class SeriesQuery(Query):
    """How far to look back."""

    window: Window = Window.HOUR


class QuantilesView(View):
    """Seconds: the median and the 95th percentile; null where nothing was measured."""

    p50: Seconds | None
    p95: Seconds | None


class BucketView(View):
    """What ended from `at` on for a step, and how long that had run and waited."""

    at: Time
    succeeded: int
    failed: int
    other: int
    run: QuantilesView
    wait: QuantilesView


class SeriesView(View):
    """Buckets of `step` seconds, oldest first. Jobs made before `counted_since` are not in it; null when all are."""

    window: Window
    step: Seconds
    counted_since: Time | None
    items: list[BucketView]


class TimelineQuery(Query):
    """How far to look back, and how many runs to tell of."""

    span: Span = Span.QUARTER
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="at most so many runs")] = 400


class RunView(RowView):
    """The last attempt of a job; `finished_at` is null while it runs."""

    id: str
    task: str
    queue: str
    state: StateWord
    attempt: int
    started_at: Time
    finished_at: Time | None


class TimelineView(View):
    """What ran from `since` on, what took longest first; `found` counts all runs of the newest 50,000 jobs."""

    span: Span
    since: Time
    found: int
    items: list[RunView]


async def stats(api: Api, ask: Ask[StatsQuery, Body]) -> Answer:
    """How tasks, queues and locks fared."""
    now = api.control.now()
    found = await api.kept.stats.stats(ask.query.window, now)
    slots = {one.name: one.concurrency for one in await api.control.queues()}
    return Answer(_stats(found, slots, now))


async def series(api: Api, ask: Ask[SeriesQuery, Body]) -> Answer:
    """What ended over time: counts, durations and waits in buckets of one length."""
    return Answer(_series(await api.kept.stats.series(ask.query.window, api.control.now())))


async def timeline(api: Api, ask: Ask[TimelineQuery, Body]) -> Answer:
    """What ran, run by run: those that took longest, if there are too many."""
    found = await api.kept.stats.timeline(ask.query.span, ask.query.limit, api.control.now())
    items = [_run(one) for one in found.runs]
    return Answer(TimelineView(span=found.span, since=format_instant(found.since), found=found.found, items=items))


@total(RunView, lambda one: {"id": one.id})
def _run(one: Run) -> RunView:
    return RunView(
        **one._asdict()
        | {
            "started_at": format_instant(one.started_at),
            "finished_at": instant(one.finished_at),
            "unreadable": lost(one.unreadable),
        }
    )


def _series(one: Series) -> SeriesView:
    since = None if one.counted_since is None else format_instant(one.counted_since)
    items = [_bucket(bucket) for bucket in one.buckets]
    return SeriesView(window=one.window, step=one.step / SECOND, counted_since=since, items=items)


def _bucket(one: Bucket) -> BucketView:
    return BucketView(
        at=format_instant(one.at),
        succeeded=one.succeeded,
        failed=one.failed,
        other=one.other,
        run=_quantiles(one.run),
        wait=_quantiles(one.wait),
    )


def _quantiles(one: Quantiles) -> QuantilesView:
    return QuantilesView(p50=one.p50, p95=one.p95)


def _stats(found: Stats, slots: dict[str, int], now: Instant) -> StatsView:
    seconds = (now - max(found.since, found.counted_since or found.since)) / SECOND
    return StatsView(
        window=found.window,
        since=format_instant(found.since),
        counted_since=None if found.counted_since is None else format_instant(found.counted_since),
        tasks=[TaskStatsView(**_run_stats(one)) for one in found.tasks],
        queues=[QueueStatsView(**_run_stats(one), utilisation=_share(one, slots, seconds)) for one in found.queues],
        locks=[_contention(one) for one in found.locks],
    )


def _share(one: RunStats, slots: dict[str, int], seconds: float) -> float | None:
    capacity = slots.get(one.name, 0) * seconds
    return min(one.busy / capacity, 1.0) if capacity > 0 else None


def _run_stats(one: RunStats) -> dict[str, Any]:
    plain = ("name", "ended", "runs", "success_rate", "failures", "retries")
    found = {name: getattr(one, name) for name in plain}
    return found | {"run": _percentiles(one.run), "wait": _percentiles(one.wait)}


def _contention(one: Contention) -> LockStatsView:
    return LockStatsView(name=one.name, ended=one.ended, skipped=one.skipped, wait=_percentiles(one.wait))


def _percentiles(one: Percentiles) -> PercentilesView:
    return PercentilesView(p50=one.p50, p95=one.p95, p99=one.p99)


STATS_ROUTES = (
    Route("GET", "/v1/stats", stats, StatsView, query=StatsQuery),
    Route("GET", "/v1/stats/series", series, SeriesView, query=SeriesQuery),
    Route("GET", "/v1/stats/timeline", timeline, TimelineView, query=TimelineQuery),
)
