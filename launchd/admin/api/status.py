"""The endpoints of the daemon itself: liveness, readiness, status, health, and sign-in."""

from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.api.queues import QueueView, queue
from launchd.admin.http.access import SESSION_SECONDS, Access, Role, Session
from launchd.admin.http.view import View
from launchd.admin.route import Api, Body, Query, Request, Response, Route
from launchd.clock import SECOND, Instant, format_instant
from launchd.engine.snapshots import DaemonStatus
from launchd.errors import ConflictError, ForbiddenError
from launchd.ops.health import HealthReport, Level
from launchd.store.audit import AuditQuery, AuditStore

SIGN_OUT = "sign_out"


class WordView(View):
    """The state of the daemon, in a word."""

    status: str


class ComingView(View):
    """The next fire of a schedule."""

    schedule: str
    at: Time


class StatusView(View):
    """An overview of the daemon. `leader` is true while this daemon fires the schedules."""

    version: str
    instance: str
    pid: int
    started_at: Time
    uptime: Seconds
    leader: bool
    ready: bool
    stopping: bool
    lock_backend: str
    queues: list[QueueView]
    next_fires: list[ComingView]
    memory_bytes: int


class CheckView(View):
    """The result of a check, and the time since when it has had this level."""

    status: Level
    detail: str
    since: Time


class HealthView(View):
    """The overall health, and every check."""

    status: Level
    checks: dict[str, CheckView]


class SignInView(View):
    """A link that signs a browser in, once."""

    url: str
    expires_at: Time


class ReadyView(View, omit_defaults=True):
    """The readiness: `status` is "ready" or the reason in a word, `detail` the reason in a sentence."""

    status: str
    detail: str | None = None


_status = mapper(StatusView, DaemonStatus, "queues", "next_fires")


def status_view(one: DaemonStatus) -> StatusView:
    """An overview of the daemon."""
    fires = [ComingView(schedule=name, at=format_instant(at)) for name, at in one.next_fires]
    return _status(one, queues=[queue(each) for each in one.queues], next_fires=fires)


def health_view(one: HealthReport) -> HealthView:
    """The overall health, and every check."""
    checks = {
        name: CheckView(status=check.level, detail=check.detail, since=format_instant(check.since))
        for name, check in one.checks.items()
    }
    return HealthView(status=one.level, checks=checks)


async def healthz(_api: Api, _request: Request[Query, Body]) -> Response:
    """The process is alive."""
    return Response(WordView(status="alive"))


async def readyz(api: Api, _request: Request[Query, Body]) -> Response:
    """Readiness: 503 with the reason while no work is accepted, such as a database that refuses writes."""
    found = await api.control.ready()
    return Response(ReadyView(status=found.word, detail=found.detail), 200 if found.ready else 503)


async def status(api: Api, _request: Request[Query, Body]) -> Response:
    """An overview of the daemon."""
    return Response(status_view(await api.control.status()))


async def health(api: Api, _request: Request[Query, Body]) -> Response:
    """Every check, run now."""
    report = await api.control.health()
    return Response(health_view(report), 503 if report.level is Level.UNHEALTHY else 200)


async def sign_in(api: Api, request: Request[Query, Body]) -> Response:
    """Create a link that signs a browser in as the caller, once."""
    if not request.local:
        raise ForbiddenError("a sign-in link is made over the Unix socket only: run `launchd dashboard` on the host")
    if api.access.tcp_error is not None:
        raise ConflictError(f"the TCP listener is not available: {api.access.tcp_error}")
    if api.access.address is None:
        raise ConflictError(
            'TCP is off: `systemctl enable launchd-tcp.socket`, or set [admin] tcp = "127.0.0.1:8470", and restart'
        )
    ticket = api.access.ticket(request.caller)
    await api.control.audit(request.by, "sign_in", "dashboard", None)
    url = f"http://{api.access.address}/sign-in?ticket={ticket.text}"
    return Response(SignInView(url=url, expires_at=format_instant(ticket.expires_at)))


async def sign_out(api: Api, request: Request[Query, Body]) -> Response:
    """End the session of the caller, and delete its cookie."""
    session = request.caller.session
    if session is None:
        raise ConflictError("only a browser session can be signed out; a token is valid until its file is replaced")
    await api.control.audit(
        request.by, SIGN_OUT, f"session {session.id}", None
    )  # first, so that a restart knows it too
    api.access.sign_out(session)
    farewell = f'{api.access.cookie}=""; Max-Age=0; Path=/; HttpOnly; SameSite=Strict'
    return Response(WordView(status="signed out"), headers={"Set-Cookie": farewell})


async def remember_signed_out(access: Access, audit: AuditStore, now: Instant) -> None:
    """After a restart, refuse again the sessions that were signed out and have not expired."""
    until, cursor = now + int(SESSION_SECONDS * SECOND), None
    while True:
        query = AuditQuery(action=SIGN_OUT, since=now - int(SESSION_SECONDS * SECOND), limit=1000, cursor=cursor)
        rows, cursor = await audit.list(query)
        for row in rows:
            access.sign_out(Session(row.target.removeprefix("session "), until))
        if cursor is None:
            return


STATUS_ROUTES = (
    Route("GET", "/healthz", healthz, WordView, needs=None),
    Route("GET", "/readyz", readyz, ReadyView, needs=None, also=(503,)),
    Route("GET", "/v1/status", status, StatusView),
    Route("GET", "/v1/health", health, HealthView, also=(503,)),
    Route("POST", "/v1/sign-in", sign_in, SignInView, needs=Role.OPERATOR, errors=(409,)),
    Route("POST", "/v1/sign-out", sign_out, WordView, needs=Role.OPERATOR, errors=(409,)),
)
