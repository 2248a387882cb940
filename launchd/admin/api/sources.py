"""The endpoints of sources: their health and traffic, and the replay of their last payloads."""

from launchd.admin.api.job_views import JobView
from launchd.admin.api.jobs import fresh, made
from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.api.pages import page_of
from launchd.admin.api.unknown_names import UnknownNamePageView, UnknownNamesQuery, unknown_names
from launchd.admin.http.view import RowView, View, finite, total
from launchd.admin.route import ONCE, Api, Body, PageQuery, Query, Request, Response, Route
from launchd.clock import SECOND, Instant
from launchd.errors import ConflictError, NotFoundError
from launchd.launches.circuit import Circuit, CircuitState
from launchd.launches.source_store import PayloadTotals, SourceState, Traffic
from launchd.launches.sources import SOURCES


class CircuitView(View):
    """The circuit breaker of a source; an open one is retried at `retry_at`."""

    state: CircuitState
    failures: int
    retry_at: Time | None


class TrafficView(View):
    """The requests to a source, the bytes received, and the time they took."""

    requests: int
    bytes: int
    seconds: Seconds


class TrafficsView(View):
    """The traffic in total, and of the last pull."""

    total: TrafficView
    last: TrafficView


class KeptView(View):
    """The payloads that are stored for a replay; sizes in bytes."""

    pages: int
    size: int
    stored: int
    fetched_at: Time


class SourceView(RowView):
    """A source, its health and its traffic; `freshness` is the seconds since its last success.

    A source that is not `enabled` is pulled only when it is named.
    """

    name: str
    title: str
    enabled: bool
    attribution: str
    last_attempt: Time | None
    last_success: Time | None
    freshness: Seconds | None
    etag: str | None
    error: str | None
    records: int
    rejected: int
    circuit: CircuitView
    traffic: TrafficsView
    kept: KeptView | None


class SourcePageView(View):
    """A page of sources."""

    items: list[SourceView]
    next: str | None


_source = mapper(
    SourceView,
    SourceState,
    *("title", "enabled", "attribution", "freshness", "error", "circuit", "traffic", "kept"),
)
_circuit = mapper(CircuitView, Circuit, "state")
_traffic = mapper(TrafficView, Traffic, "seconds")
_kept = mapper(KeptView, PayloadTotals)


async def sources(api: Api, request: Request[PageQuery, Body]) -> Response:
    """The sources with their health and traffic."""
    states, now = await api.sources.states(), api.control.now()
    names, cursor = page_of([(name, name) for name in SOURCES], request.query.limit, request.query.cursor)
    configured = api.reloader.running.sources
    items = [
        source(name, states.get(name), now, enabled=SOURCES[name].is_enabled(configured.get(name))) for name in names
    ]
    return Response(SourcePageView(items=items, next=cursor))


async def replay(api: Api, request: Request[Query, Body]) -> Response:
    """Parse the stored payloads of a source again, without a request to it."""
    name = request.path["source"]
    if name not in SOURCES:
        raise NotFoundError(f"no source {name}; known: {', '.join(SOURCES)}")
    state = (await api.sources.states()).get(name)
    if state is None or state.kept is None:
        raise ConflictError(f"no payloads of {name} are stored yet: refresh it first")
    key = request.idempotency
    job, _ = await api.control.trigger("replay_source", {"source": name}, by=request.by, idempotency=key)
    return made(api, job, fresh(key))


@total(SourceView, lambda name: {"name": name})
def source(name: str, state: SourceState | None, now: Instant, *, enabled: bool) -> SourceView:
    """A source with its health and its traffic."""
    known = SOURCES[name]
    if state is None:
        state = SourceState(name, None, None, None, 0, 0, Circuit(), Traffic(), Traffic(), None, None)
    success, total, last = state.last_success, state.total, state.last
    return _source(
        state,
        title=known.title,
        enabled=enabled,
        attribution=known.attribution,
        freshness=None if success is None else max(now - success, 0) / SECOND,
        error=state.last_error,
        circuit=_circuit(state.circuit, state=state.circuit.state(now)),
        traffic=TrafficsView(
            total=_traffic(total, seconds=finite(total.seconds)), last=_traffic(last, seconds=finite(last.seconds))
        ),
        kept=None if state.kept is None else _kept(state.kept),
    )


SOURCE_ROUTES = (
    Route("GET", "/v1/sources", sources, SourcePageView, query=PageQuery, revalidates=True),
    Route("GET", "/v1/sources/unknown", unknown_names, UnknownNamePageView, query=UnknownNamesQuery, revalidates=True),
    Route("POST", "/v1/sources/{source}/replay", replay, JobView, status=202, also=(200,), errors=(409,), headers=ONCE),
)
