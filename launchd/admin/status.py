"""The endpoints of the daemon itself: is it alive, is it ready, is it well, and who may look."""

from launchd.admin import views
from launchd.admin.access import Role
from launchd.admin.route import Answer, Api, Ask, Body, Query, Route
from launchd.clock import format_instant
from launchd.errors import ConflictError, ForbiddenError
from launchd.ops.health import Level


class ReadyView(views.View, omit_defaults=True):
    """Is the daemon ready? `status` is "ready" or why not; `detail` says more where there is more."""

    status: str
    detail: str | None = None


async def healthz(_api: Api, _ask: Ask[Query, Body]) -> Answer:
    """The process is alive."""
    return Answer(views.WordView(status="alive"))


async def readyz(api: Api, _ask: Ask[Query, Body]) -> Answer:
    """Can work be taken? 503 with the reason while it cannot, such as a database that refuses writes."""
    found = await api.control.ready()
    return Answer(ReadyView(status=found.word, detail=found.detail), 200 if found.ready else 503)


async def status(api: Api, _ask: Ask[Query, Body]) -> Answer:
    """The daemon in one look."""
    return Answer(views.status(await api.control.status()))


async def health(api: Api, _ask: Ask[Query, Body]) -> Answer:
    """Every check, run now."""
    report = await api.control.health()
    return Answer(views.health(report), 503 if report.level is Level.UNHEALTHY else 200)


async def sign_in(api: Api, ask: Ask[Query, Body]) -> Answer:
    """Make a link that signs a browser in, once, as whoever asks."""
    if not ask.local:
        raise ForbiddenError("a sign-in link is made over the Unix socket: run `launchd dashboard` on the host")
    if api.access.address is None:
        raise ConflictError('TCP is off: set [admin] tcp = "127.0.0.1:8470" and restart')
    ticket = api.access.ticket(ask.caller)
    await api.control.audit(ask.by, "sign_in", "dashboard", None)
    url = f"http://{api.access.address}/sign-in?ticket={ticket.text}"
    return Answer(views.SignInView(url=url, expires_at=format_instant(ticket.expires_at)))


STATUS_ROUTES = (
    Route("GET", "/healthz", healthz, views.WordView, needs=None),
    Route("GET", "/readyz", readyz, ReadyView, needs=None, also=(503,)),
    Route("GET", "/v1/status", status, views.StatusView),
    Route("GET", "/v1/health", health, views.HealthView, also=(503,)),
    Route("POST", "/v1/sign-in", sign_in, views.SignInView, needs=Role.OPERATOR, errors=(409,)),
)
