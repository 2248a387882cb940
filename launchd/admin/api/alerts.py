"""The endpoints of alerts: the alerts and their delivery, and a test alert."""

from typing import Annotated

from msgspec import Meta

from launchd.admin.api.job_views import JobView
from launchd.admin.api.jobs import fresh, made
from launchd.admin.api.mapper import Time, mapper
from launchd.admin.http.view import RowView, View, total
from launchd.admin.route import ONCE, Api, Body, PageQuery, Query, Request, Response, Route
from launchd.alerts.rules import Rule, Severity
from launchd.alerts.store import AlertRow, AlertState
from launchd.clock import UNREADABLE
from launchd.cursor import parse_cursor


class AlertView(RowView):
    """An alert that was sent, or will be. It stands for `count` occurrences, the last at `last_at`.

    `job_id` is the job that sends it; `summed_up_by` is the summary that replaced it when the hourly limit was reached.
    """

    id: str
    rule: Annotated[str, Meta(extra_json_schema={"enum": [*Rule, UNREADABLE]})]
    key: str
    severity: Annotated[str, Meta(extra_json_schema={"enum": [*Severity, UNREADABLE]})]
    state: AlertState
    title: str
    body: str
    count: int
    created_at: Time
    last_at: Time
    sent_at: Time | None
    job_id: str | None
    summed_up_by: str | None
    error: str | None


class AlertPageView(View):
    """Alerts, newest first."""

    items: list[AlertView]
    next: str | None


async def alerts(api: Api, request: Request[PageQuery, Body]) -> Response:
    """Alerts, newest first."""
    page = await api.alerting.alerts(request.query.limit, parse_cursor(request.query.cursor))
    following = None if page.next is None else str(page.next)
    return Response(AlertPageView(items=[_view(row) for row in page.items], next=following))


async def send_test(api: Api, request: Request[Query, Body]) -> Response:
    """Send a test alert to every service; the response is the job that sends it."""
    key = request.idempotency
    job_id = await api.alerting.test(key)
    if key is None or not key.replayed:
        await api.control.audit(request.by, "test_alert", job_id, None)
    return made(api, await api.control.job(job_id), fresh(key))


_alert = mapper(AlertView, AlertRow)


@total(AlertView, lambda row: {"id": row.id})
def _view(row: AlertRow) -> AlertView:
    return _alert(row)


ALERT_ROUTES = (
    Route("GET", "/v1/alerts", alerts, AlertPageView, query=PageQuery),
    Route("POST", "/v1/alerts/test", send_test, JobView, status=202, also=(200,), errors=(409,), headers=ONCE),
)
