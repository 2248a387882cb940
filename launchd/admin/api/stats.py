"""The endpoints of what ran and ended over time: what the dashboard's charts and its timeline show."""

from typing import Annotated

from msgspec import Meta

from launchd.admin.api.job_views import StateWord
from launchd.admin.api.views import Seconds, Time, instant
from launchd.admin.http.view import RowView, View, lost, total
from launchd.admin.route import MAX_LIMIT, Answer, Api, Ask, Body, Query, Route
from launchd.clock import SECOND, format_instant
from launchd.store.series import Bucket, Quantiles, Run, Series, Span, Window


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


async def series(api: Api, ask: Ask[SeriesQuery, Body]) -> Answer:
    """What ended over time: counts, durations and waits in buckets of one length."""
    return Answer(_view(await api.control.series(ask.query.window)))


async def timeline(api: Api, ask: Ask[TimelineQuery, Body]) -> Answer:
    """What ran, run by run: those that took longest, if there are too many."""
    found = await api.control.timeline(ask.query.span, ask.query.limit)
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


def _view(one: Series) -> SeriesView:
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


SERIES_ROUTES = (
    Route("GET", "/v1/stats/series", series, SeriesView, query=SeriesQuery),
    Route("GET", "/v1/stats/timeline", timeline, TimelineView, query=TimelineQuery),
)
