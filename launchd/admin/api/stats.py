"""The endpoints of statistics: by task, queue and lock, over time, and the timeline of runs."""

from typing import Annotated

from msgspec import Meta

from launchd.admin.api.job_views import StateWord
from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.http.view import RowView, View, total
from launchd.admin.route import MAX_LIMIT, Api, Body, Query, Request, Response, Route
from launchd.clock import SECOND, Instant
from launchd.store.stats import (
    Bucket,
    Contention,
    Percentiles,
    Quantiles,
    Run,
    RunStats,
    Series,
    Span,
    Stats,
    Timeline,
    Window,
)


class StatsQuery(Query):
    """How far back the statistics reach."""

    window: Window = Window.HOUR


class QuantilesView(View):
    """Seconds: the median and the 95th percentile; null without a measurement."""

    p50: Seconds | None
    p95: Seconds | None


class PercentilesView(QuantilesView):
    """Seconds, by nearest rank; null without a measurement."""

    p99: Seconds | None


class TaskStatsView(View):
    """A task. `ended` counts jobs, `runs` the jobs that ran, `retries` all attempts after the first."""

    name: str
    ended: int
    runs: int
    success_rate: float | None
    failures: int
    retries: int
    run: PercentilesView
    wait: PercentilesView


class QueueStatsView(TaskStatsView):
    """A queue; `utilisation` is the share of its slots that was used, null for a queue that no longer exists."""

    utilisation: float | None


class LockStatsView(View):
    """A lock: `skipped` jobs never got it, the others waited for it and for a slot."""

    name: str
    ended: int
    skipped: int
    wait: PercentilesView


class StatsView(View):
    """Jobs that ended since `since`. Jobs created before `counted_since` are not counted; null if all are."""

    window: Window
    since: Time
    counted_since: Time | None
    tasks: list[TaskStatsView]
    queues: list[QueueStatsView]
    locks: list[LockStatsView]


class BucketView(View):
    """Jobs that ended in a step from `at`, and how long they ran and waited."""

    at: Time
    succeeded: int
    failed: int
    other: int
    run: QuantilesView
    wait: QuantilesView


class SeriesView(View):
    """Buckets of `step` seconds, oldest first. Jobs created before `counted_since` are not counted; null if all are."""

    window: Window
    step: Seconds
    counted_since: Time | None
    items: list[BucketView]


class TimelineQuery(Query):
    """How far back the timeline reaches, and how many runs it has."""

    span: Span = Span.QUARTER
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="the most runs")] = 400


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
    """Runs since `since`, the longest first; `found` counts all runs of the newest 50,000 jobs."""

    span: Span
    since: Time
    found: int
    items: list[RunView]


async def stats(api: Api, request: Request[StatsQuery, Body]) -> Response:
    """Counts, durations and waits by task, queue and lock."""
    now = api.control.now()
    found = await api.stats.stats(request.query.window, now)
    slots = {one.name: one.concurrency for one in await api.control.queues()}
    return Response(_stats_view(found, slots, now))


async def series(api: Api, request: Request[StatsQuery, Body]) -> Response:
    """Counts, durations and waits over time, in buckets of one length."""
    return Response(_series_view(await api.stats.series(request.query.window, api.control.now())))


async def timeline(api: Api, request: Request[TimelineQuery, Body]) -> Response:
    """The runs of jobs; the longest, if there are too many."""
    found = await api.stats.timeline(request.query.span, request.query.limit, api.control.now())
    return Response(_timeline(found, items=[_run_view(one) for one in found.runs]))


_run = mapper(RunView, Run)
_series = mapper(SeriesView, Series, "step", "items")
_timeline = mapper(TimelineView, Timeline, "items")
_bucket = mapper(BucketView, Bucket, "run", "wait")
_stats = mapper(StatsView, Stats, "tasks", "queues", "locks")
_task = mapper(TaskStatsView, RunStats, "run", "wait")
_queue = mapper(QueueStatsView, RunStats, "run", "wait", "utilisation")
_lock = mapper(LockStatsView, Contention, "wait")
_percentiles = mapper(PercentilesView, Percentiles)
_quantiles = mapper(QuantilesView, Quantiles)


@total(RunView, lambda one: {"id": one.id})
def _run_view(one: Run) -> RunView:
    return _run(one)


def _series_view(one: Series) -> SeriesView:
    items = [_bucket(each, run=_quantiles(each.run), wait=_quantiles(each.wait)) for each in one.buckets]
    return _series(one, step=one.step / SECOND, items=items)


def _stats_view(found: Stats, slots: dict[str, int], now: Instant) -> StatsView:
    seconds = (now - max(found.since, found.counted_since or found.since)) / SECOND
    queues = [_queue(one, **_measured(one), utilisation=_share(one, slots, seconds)) for one in found.queues]
    return _stats(
        found,
        tasks=[_task(one, **_measured(one)) for one in found.tasks],
        queues=queues,
        locks=[_lock(one, wait=_percentiles(one.wait)) for one in found.locks],
    )


def _measured(one: RunStats) -> dict[str, PercentilesView]:
    return {"run": _percentiles(one.run), "wait": _percentiles(one.wait)}


def _share(one: RunStats, slots: dict[str, int], seconds: float) -> float | None:
    capacity = slots.get(one.name, 0) * seconds
    return min(one.busy / capacity, 1.0) if capacity > 0 else None


STATS_ROUTES = (
    Route("GET", "/v1/stats", stats, StatsView, query=StatsQuery),
    Route("GET", "/v1/stats/series", series, SeriesView, query=StatsQuery),
    Route("GET", "/v1/stats/timeline", timeline, TimelineView, query=TimelineQuery),
)
