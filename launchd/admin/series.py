"""The endpoint of what ended over time: the figures behind the dashboard's charts."""

from launchd.admin.route import Answer, Api, Ask, Body, Query, Route
from launchd.admin.views import Seconds, Time, View
from launchd.clock import SECOND, format_instant
from launchd.store.series import Bucket, Quantiles, Series, Window


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


async def series(api: Api, ask: Ask[SeriesQuery, Body]) -> Answer:
    """What ended over time: counts, durations and waits in buckets of one length."""
    return Answer(_view(await api.control.series(ask.query.window)))


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


SERIES_ROUTES = (Route("GET", "/v1/stats/series", series, SeriesView, query=SeriesQuery),)
