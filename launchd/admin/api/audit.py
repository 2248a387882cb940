"""The endpoint of the audit: the actions of operators."""

from typing import Annotated

from msgspec import Meta

from launchd.admin.api.mapper import Time, mapper
from launchd.admin.http.access import Role
from launchd.admin.http.view import RowView, View, total
from launchd.admin.request import moment_in_query
from launchd.admin.route import Api, Body, Moment, PageQuery, Request, Response, Route
from launchd.store.audit import AuditQuery, AuditRow

Text = Annotated[str, Meta(max_length=500)]


class AuditPageQuery(PageQuery, kw_only=True):
    """`GET /v1/audit`."""

    actor: Text | None = None
    action: Text | None = None
    target: Text | None = None
    since: Moment | None = None
    until: Moment | None = None


class AuditRowView(RowView):
    """An action: its time, its actor, and its target."""

    at: Time
    actor: str
    action: str
    target: str
    detail: str | None


class AuditPageView(View):
    """A page of the audit."""

    items: list[AuditRowView]
    next: str | None


async def audit(api: Api, request: Request[AuditPageQuery, Body]) -> Response:
    """The audit, newest first."""
    given = request.query
    since, until = moment_in_query("since", given.since), moment_in_query("until", given.until)
    wanted = AuditQuery(given.actor, given.action, given.target, since, until, given.limit, given.cursor)
    rows, cursor = await api.audit.list(wanted)
    return Response(AuditPageView(items=[_view(row) for row in rows], next=cursor))


_row = mapper(AuditRowView, AuditRow)


@total(AuditRowView, lambda one: {"target": one.target})
def _view(one: AuditRow) -> AuditRowView:
    return _row(one)


AUDIT_ROUTES = (Route("GET", "/v1/audit", audit, AuditPageView, needs=Role.ADMIN, query=AuditPageQuery),)
