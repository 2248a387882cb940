"""Launch data to JSON: the shapes of the wire contract, as types. Times are RFC 3339 UTC, durations seconds."""

from typing import Any

import msgspec

from launchd.admin.api.views import Seconds, Time, instant
from launchd.admin.http.view import RowView, View, finite, lost, total
from launchd.clock import SECOND, Instant, format_instant
from launchd.launches.circuit import Circuit, CircuitState
from launchd.launches.launch import LaunchStatus, Net, Place, Precision
from launchd.launches.override import Override
from launchd.launches.reconcile import StoredSighting
from launchd.launches.slips import Slips
from launchd.launches.source_store import PayloadTotals, SourceState, Traffic
from launchd.launches.sources import SOURCES
from launchd.launches.store import Detail, OpenConflict, Record


class LocationView(View):
    """Where a launch leaves from; degrees, north and east positive."""

    name: str | None
    latitude: float | None
    longitude: float | None


class SlipsView(View):
    """How often the NET slipped and by how much in all; `earlier` is how often it was moved forward."""

    count: int
    total: Seconds
    earlier: int
    summary: str


class LaunchView(RowView):
    """A reconciled launch; its NET is the interval from `net` to `net_latest`. `slips` are told where asked for."""

    id: str
    name: str
    provider: str | None
    vehicle: str | None
    pad: str | None
    mission: str | None
    orbit: str | None
    status: LaunchStatus | None
    designator: str | None
    urls: tuple[str, ...]
    sources: tuple[str, ...]
    location: LocationView | None
    net: Time | None
    net_latest: Time | None
    net_precision: Precision | None
    window_start: Time | None
    window_end: Time | None
    updated_at: Time
    slips: SlipsView | msgspec.UnsetType = msgspec.UNSET


class LaunchPageView(View):
    """A page of launches."""

    items: list[LaunchView]
    next: str | None


class OriginView(View):
    """Where the value of a field comes from."""

    source: str
    seen_at: Time


class SightingView(RowView):
    """One source's record of a launch."""

    source: str
    source_id: str
    name: str
    status: LaunchStatus | None
    status_word: str | None
    net: Time | None
    net_precision: Precision | None
    first_seen: Time
    seen_at: Time
    retired_at: Time | None


class HistoryView(View):
    """One field that got another value."""

    field: str
    old: str | None
    new: str | None
    source: str
    seen_at: Time


class ConflictView(RowView):
    """A disagreement, as its launch shows it."""

    kind: str
    values: dict[str, str]
    other_id: str | None


class OverrideView(RowView):
    """A field that was set by hand."""

    field: str
    value: Any
    by: str
    reason: str | None
    at: Time


class LaunchDetailView(LaunchView):
    """A launch with where each field comes from, its history and its open disagreements."""

    provenance: dict[str, OriginView]
    sightings: list[SightingView]
    history: list[HistoryView]
    conflicts: list[ConflictView]
    overrides: list[OverrideView]
    slips: SlipsView


class NamedLaunchView(View):
    """A launch by name."""

    id: str
    name: str | None


class OpenConflictView(RowView):
    """What each source says, or the two launches that may be one."""

    launch: NamedLaunchView
    kind: str
    values: dict[str, str]
    other: NamedLaunchView | None
    since: Time


class ConflictPageView(View):
    """A page of disagreements."""

    items: list[OpenConflictView]
    next: str | None


class CircuitView(View):
    """Whether a source is asked, and when again."""

    state: CircuitState
    failures: int
    retry_at: Time | None


class TrafficView(View):
    """What was asked of a source."""

    requests: int
    bytes: int
    seconds: Seconds


class TrafficsView(View):
    """Since the beginning, and at the last pull."""

    total: TrafficView
    last: TrafficView


class KeptView(View):
    """What is kept for a replay; sizes in bytes."""

    pages: int
    size: int
    stored: int
    fetched_at: Time


class SourceView(RowView):
    """A source and how it fares; `freshness` is the seconds since it last answered.

    One that is not `enabled` is asked only when it is named.
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


def _identity(one: Record) -> dict[str, Any]:
    return {"id": one.launch.id, "name": one.launch.name}


@total(LaunchView, _identity)
def launch(one: Record, slips: Slips | None = None) -> LaunchView:
    """A reconciled launch."""
    return LaunchView(**_launch(one), slips=msgspec.UNSET if slips is None else _slips(slips))


@total(LaunchDetailView, lambda one: _identity(one.record))
def launch_detail(one: Detail) -> LaunchDetailView:
    """A launch with where each field comes from, its history and its open disagreements."""
    record = one.record.launch
    conflicts = [
        ConflictView(kind=each.kind, values=each.values, other_id=each.other_id, unreadable=lost(each.unreadable))
        for each in one.conflicts
    ]
    return LaunchDetailView(
        **_launch(one.record),
        provenance={
            field: OriginView(source=origin.source, seen_at=format_instant(origin.seen_at))
            for field, origin in record.provenance.items()
        },
        sightings=[_sighting(seen) for seen in one.sightings],
        history=[HistoryView(**row._asdict() | {"seen_at": format_instant(row.seen_at)}) for row in one.history],
        conflicts=conflicts,
        overrides=[_override(each) for each in one.overrides],
        slips=_slips(one.slips),
    )


@total(OpenConflictView, lambda one: {"launch": NamedLaunchView(id=one.conflict.launch_id, name=one.name)})
def conflict(one: OpenConflict) -> OpenConflictView:
    """A disagreement that is open: what each source says, or the two launches that may be one."""
    told = one.conflict
    return OpenConflictView(
        launch=NamedLaunchView(id=told.launch_id, name=one.name),
        kind=told.kind,
        values=told.values,
        other=None if told.other_id is None else NamedLaunchView(id=told.other_id, name=one.other_name),
        since=format_instant(one.since),
        unreadable=lost(told.unreadable),
    )


@total(SourceView, lambda name: {"name": name})
def source(name: str, state: SourceState | None, now: Instant, *, enabled: bool) -> SourceView:
    """A source and how it fares."""
    known = SOURCES[name]
    if state is None:
        state = SourceState(name, None, None, None, 0, 0, Circuit(), Traffic(), Traffic(), None, None)
    seen, circuit = state.last_success, state.circuit
    return SourceView(
        name=name,
        title=known.title,
        enabled=enabled,
        attribution=known.attribution,
        last_attempt=instant(state.last_attempt),
        last_success=instant(seen),
        freshness=None if seen is None else max(now - seen, 0) / SECOND,
        etag=state.etag,
        error=state.last_error,
        records=state.records,
        rejected=state.rejected,
        circuit=CircuitView(state=circuit.state(now), failures=circuit.failures, retry_at=instant(circuit.retry_at)),
        traffic=TrafficsView(total=_traffic(state.total), last=_traffic(state.last)),
        kept=None if state.kept is None else _kept(state.kept),
    )


def _launch(one: Record) -> dict[str, Any]:
    record, net = one.launch, one.launch.net
    return {
        "id": record.id,
        "name": record.name,
        "provider": record.provider,
        "vehicle": record.vehicle,
        "pad": record.pad,
        "mission": record.mission,
        "orbit": record.orbit,
        "status": record.status,
        "designator": record.designator,
        "urls": record.urls,
        "sources": record.sources,
        "location": None if record.location is None else _location(record.location),
        "net": None if net is None else format_instant(net.earliest),
        "net_latest": None if net is None else format_instant(net.latest),
        "net_precision": None if net is None else net.precision,
        "window_start": instant(record.window_start),
        "window_end": instant(record.window_end),
        "updated_at": format_instant(one.updated_at),
        "unreadable": lost(one.unreadable),
    }


def _location(place: Place) -> LocationView:
    return LocationView(name=place.name, latitude=place.latitude, longitude=place.longitude)


def _slips(one: Slips) -> SlipsView:
    return SlipsView(count=one.later, total=one.total / SECOND, earlier=one.earlier, summary=one.sentence())


def _sighting(seen: StoredSighting) -> SightingView:
    sighting = seen.sighting
    return SightingView(
        source=sighting.source,
        source_id=sighting.source_id,
        name=sighting.name,
        status=sighting.status,
        status_word=sighting.status_word,
        net=instant(sighting.net.earliest) if sighting.net else None,
        net_precision=sighting.net.precision if sighting.net else None,
        first_seen=format_instant(seen.first_seen),
        seen_at=format_instant(seen.seen_at),
        retired_at=instant(seen.retired_at),
        unreadable=lost(seen.unreadable),
    )


def _override(one: Override) -> OverrideView:
    value = one.value
    if isinstance(value, Net):
        value = {"net": instant(value.earliest), "net_precision": value.precision}
    elif isinstance(value, int):
        value = instant(value)
    return OverrideView(
        field=one.field,
        value=value,
        by=one.actor,
        reason=one.reason,
        at=format_instant(one.at),
        unreadable=lost(one.unreadable),
    )


def _traffic(one: Traffic) -> TrafficView:
    return TrafficView(requests=one.requests, bytes=one.bytes, seconds=finite(one.seconds))


def _kept(one: PayloadTotals) -> KeptView:
    return KeptView(pages=one.pages, size=one.size, stored=one.stored, fetched_at=format_instant(one.fetched_at))
