"""The views of launch data. Times are RFC 3339 UTC, durations seconds."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from launchd.admin.api.detail_views import DetailsView, details, summary
from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.http.view import RowView, View, lost, total
from launchd.clock import SECOND, Instant, format_instant
from launchd.launches import canonical
from launchd.launches.dates import TIMED
from launchd.launches.launch import Conflict, FieldSource, HistoryRow, Launch, LaunchStatus, Net, Place, Precision
from launchd.launches.override import Override
from launchd.launches.reconcile import StoredSighting
from launchd.launches.slips import Slips
from launchd.launches.store import Detail, OpenConflict, Record


class LocationView(View):
    """The launch site; degrees, north and east positive."""

    name: str | None
    latitude: float | None
    longitude: float | None


Country = Annotated[str, Meta(description="ISO 3166-1 alpha-2, or SU for the Soviet Union")]


class SlipsView(View):
    """How often the NET slipped, and by how much in total; `earlier` counts moves to an earlier time."""

    count: int
    total: Seconds
    earlier: int
    summary: str


class LaunchView(RowView):
    """A reconciled launch; its NET is the interval from `net` to `net_latest`. `slips` is there on request.

    Names are those of the registry, else the word of the source. `provider_id` is the short name of a provider,
    `country` its country, `time_zone` that of the site; what the registry does not know is null.
    """

    id: str
    name: str
    provider: str | None
    provider_id: str | None
    country: Country | None
    vehicle: str | None
    vehicle_family: str | None
    pad: str | None
    site: str | None
    time_zone: str | None
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
    webcast_url: str | None
    webcast_live: bool | None
    probability: Annotated[int | None, Meta(description="the probability of good weather, in percent")]
    crewed: bool | None
    slips: SlipsView | msgspec.UnsetType = msgspec.UNSET


class NextLaunchView(LaunchView, kw_only=True):
    """The next launch; `countdown_seconds` to its NET is null for a NET of a day, which has no time of day."""

    countdown_seconds: Seconds | None


class LaunchPageView(View):
    """A page of launches, and the attributions of their sources, which are left out where there are none."""

    items: list[LaunchView]
    next: str | None
    attribution: list[str] | msgspec.UnsetType = msgspec.UNSET


class OriginView(View):
    """The source of the value of a field."""

    source: str
    seen_at: Time


class SightingView(RowView):
    """One source's record of a launch, in its own words; fields in `kept` have earlier values."""

    source: str
    source_id: str
    name: str
    former_names: tuple[str, ...]
    provider: str | None
    vehicle: str | None
    pad: str | None
    location: LocationView | None
    mission: str | None
    orbit: str | None
    status: LaunchStatus | None
    status_word: str | None
    net: Time | None
    net_precision: Precision | None
    kept: tuple[str, ...]
    first_seen: Time
    seen_at: Time
    retired_at: Time | None


class HistoryView(View):
    """A change of the value of a field."""

    field: str
    old: str | None
    new: str | None
    source: str
    seen_at: Time


class ConflictView(RowView):
    """A conflict, as its launch shows it."""

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
    """A launch with its details, the source of each field, its history and its open conflicts."""

    details: DetailsView | None
    provenance: dict[str, OriginView]
    sightings: list[SightingView]
    history: list[HistoryView]
    conflicts: list[ConflictView]
    overrides: list[OverrideView]
    slips: SlipsView


class NamedLaunchView(View):
    """The id and the name of a launch."""

    id: str
    name: str | None


class OpenConflictView(RowView):
    """A conflict: the value of each source, or two launches that may be the same."""

    launch: NamedLaunchView
    kind: str
    values: dict[str, str]
    other: NamedLaunchView | None
    since: Time


class ConflictPageView(View):
    """A page of conflicts."""

    items: list[OpenConflictView]
    next: str | None


_NAMES = ("provider_id", "country", "vehicle_family", "site", "time_zone")
_RECORD = (*_NAMES, "location", "net", "net_latest", "net_precision", "updated_at", "unreadable", "slips")
_SUMMARY = ("webcast_url", "webcast_live", "probability", "crewed")
_launch = mapper(LaunchView, Launch, *_RECORD, *_SUMMARY)
_next = mapper(NextLaunchView, Launch, *_RECORD, *_SUMMARY, "countdown_seconds")
_detail = mapper(
    LaunchDetailView,
    Launch,
    *_RECORD,
    *_SUMMARY,
    *("details", "provenance", "sightings", "history", "conflicts", "overrides"),
)
_location = mapper(LocationView, Place)
_origin = mapper(OriginView, FieldSource)
_SAID = ("source", "source_id", "name", "provider", "vehicle", "pad", "mission", "orbit", "status", "status_word")
_sighting = mapper(SightingView, StoredSighting, *_SAID, "location", "former_names", "kept", "net", "net_precision")
_change = mapper(HistoryView, HistoryRow)
_conflict = mapper(ConflictView, Conflict)
_override = mapper(OverrideView, Override, "value", "by")


def _identity(one: Record) -> dict[str, Any]:
    return {"id": one.launch.id, "name": one.launch.name}


@total(LaunchView, _identity)
def launch(one: Record, slips: Slips | None = None) -> LaunchView:
    """A reconciled launch."""
    return _launch(one.launch, **_record(one), slips=msgspec.UNSET if slips is None else slips_view(slips))


@total(NextLaunchView, _identity)
def next_launch(one: Record, now: Instant) -> NextLaunchView:
    """The next launch, with the seconds from now to its NET."""
    net = one.launch.net
    left = None if net is None or net.precision not in TIMED else (net.earliest - now) / SECOND
    return _next(one.launch, **_record(one), slips=msgspec.UNSET, countdown_seconds=left)


@total(LaunchDetailView, lambda one: _identity(one.record))
def launch_detail(one: Detail) -> LaunchDetailView:
    """A launch with the source of each field, its history and its open conflicts."""
    record = one.record.launch
    return _detail(
        record,
        **_record(one.record),
        details=details(record.details),
        provenance={field: _origin(origin) for field, origin in record.provenance.items()},
        sightings=[_seen(each) for each in one.sightings],
        history=[_change(row) for row in one.history],
        conflicts=[_conflict(each) for each in one.conflicts],
        overrides=[_override(each, value=_value(each.value), by=each.actor) for each in one.overrides],
        slips=slips_view(one.slips),
    )


@total(OpenConflictView, lambda one: {"launch": NamedLaunchView(id=one.conflict.launch_id, name=one.name)})
def conflict(one: OpenConflict) -> OpenConflictView:
    """An open conflict."""
    found = one.conflict
    return OpenConflictView(
        launch=NamedLaunchView(id=found.launch_id, name=one.name),
        kind=found.kind,
        values=found.values,
        other=None if found.other_id is None else NamedLaunchView(id=found.other_id, name=one.other_name),
        since=format_instant(one.since),
        unreadable=lost(found.unreadable),
    )


def _record(one: Record) -> dict[str, Any]:
    """The fields of a launch that are computed: its place, its NET, and the columns of its row."""
    place, net = one.launch.location, one.launch.net
    return {
        **_known(one.launch),
        "location": None if place is None else _location(place),
        "net": None if net is None else format_instant(net.earliest),
        "net_latest": None if net is None else format_instant(net.latest),
        "net_precision": None if net is None else net.precision,
        "updated_at": format_instant(one.updated_at),
        "unreadable": lost(one.unreadable),
    } | summary(one.launch.details)


def _known(launch: Launch) -> dict[str, Any]:
    """The facts that the registry has for the names of a launch."""
    found = canonical.entries(launch)
    provider, site = found.provider, found.site
    return {
        "provider_id": None if provider is None else provider.short,
        "country": None if provider is None else provider.country,
        "vehicle_family": None if found.vehicle is None else found.vehicle.family,
        "site": None if site is None else site.name,
        "time_zone": None if site is None else site.zone,
    }


def _net(net: Net | None) -> dict[str, Any]:
    if net is None:
        return {"net": None, "net_precision": None}
    return {"net": format_instant(net.earliest), "net_precision": net.precision}


def slips_view(one: Slips) -> SlipsView:
    """How often a NET slipped."""
    return SlipsView(count=one.later, total=one.total / SECOND, earlier=one.earlier, summary=one.sentence())


def _seen(one: StoredSighting) -> SightingView:
    sighting = one.sighting
    return _sighting(
        one,
        **{name: getattr(sighting, name) for name in _SAID},
        location=None if sighting.location is None else _location(sighting.location),
        former_names=one.former,
        kept=sighting.kept,
        **_net(sighting.net),
    )


def _value(value: object) -> object:
    """The value of an override as JSON: a NET and other times as text."""
    if isinstance(value, Net):
        return _net(value)
    return format_instant(value) if isinstance(value, int) else value
