"""From the sightings of one launch to its record: a source is chosen for each field. Pure.

Rules (in this order): a launch that flew has its lift-off from LIFTOFF_AUTHORITY; an upcoming NET is the most precise
one that agrees with the newest sighting; a final status beats any other; every other value is that of the source with
the highest priority that has one. Frozen archives come after live sources. Names are served as the registry has them
(launches/canonical.py); conflicts are found in the words of the sources.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from launchd.clock import SECOND, Instant, format_instant
from launchd.launches import canonical, reconcile_details
from launchd.launches.launch import (
    FLOWN,
    Change,
    Conflict,
    FieldSource,
    Launch,
    LaunchStatus,
    Net,
    Place,
    Precision,
    Sighting,
)
from launchd.launches.matching import names
from launchd.launches.reconcile_details import SourceDetails

# Lift-offs are taken from the first of these that has one (GCAT is compiled from telemetry and orbital elements).
LIFTOFF_AUTHORITY = ("gcat", "launch_library")
# Lift-offs of one launch that lie further apart are a conflict.
LIFTOFF_TOLERANCE = 60 * SECOND
_FINE = (Precision.SECOND, Precision.MINUTE)
_PLAIN = (
    "name",
    "provider",
    "vehicle",
    "pad",
    "location",
    "mission",
    "orbit",
    "window_start",
    "window_end",
    "designator",
)
# Fields that hold for one date only: a sighting with another date does not count for them.
_OF_THE_DAY = frozenset({"window_start", "window_end"})
# The field whose provenance is that of a row of the history.
_SOURCE_OF = {"net_precision": "net"} | {
    row: reconcile_details.PREFIX + field for row, field in reconcile_details.HISTORY.items()
}
_FINENESS = {precision: rank for rank, precision in enumerate(Precision)}


class StoredSighting(NamedTuple):
    """A stored sighting: its launch, when its key was first seen, and when its present content was.

    `origin` is the launch id that it founded or came with (launches/identity.py). A sighting with a `retired_at` is
    kept for the history alone (launches/retire.py). `unreadable` names the columns of its row that cannot be read.
    `former` holds the names that the source gave the launch before, the newest first.
    """

    launch_id: str
    sighting: Sighting
    first_seen: Instant
    seen_at: Instant
    origin: str
    retired_at: Instant | None = None
    unreadable: tuple[str, ...] = ()
    former: tuple[str, ...] = ()


class Reconciled(NamedTuple):
    """A launch, its changes against the stored record, and the conflicts of its sources."""

    launch: Launch
    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]


def reconcile(
    launch_id: str,
    seen: Sequence[StoredSighting],
    priorities: Mapping[str, int],
    before: Launch | None,
    now: Instant | None = None,
) -> Reconciled:
    """The record of a launch from all of its sightings, in any order; the same sightings again change nothing.

    A value that no sighting has any longer was withdrawn `now` by the source that gave it.
    """
    ranked = sorted(seen, key=lambda one: _rank(one, priorities))
    values: dict[str, Any] = {}
    provenance: dict[str, FieldSource] = {}

    def choose(field: str, best: StoredSighting | None) -> None:
        if best is not None:
            values[field] = getattr(best.sighting, field)
            provenance[field] = FieldSource(best.sighting.source, best.seen_at)

    net = _best_net(ranked)
    current = sorted(ranked, key=lambda one: _stale(one, net))
    for field in _PLAIN:
        among = current if field in _OF_THE_DAY else ranked
        choose(field, next((one for one in among if getattr(one.sighting, field) is not None), None))
    choose("status", _best_status(current))
    choose("net", net)
    linked = next((one for one in ranked if one.sighting.urls), None)
    if linked is not None:
        provenance["urls"] = FieldSource(linked.sighting.source, linked.seen_at)
    details, origins = reconcile_details.reconciled(_details(ranked, net))
    launch = Launch(
        id=launch_id,
        **values,
        urls=tuple(dict.fromkeys(url for one in ranked for url in one.sighting.urls)),
        sources=tuple(sorted({one.sighting.source for one in ranked})),
        provenance=provenance | origins,
        details=details,
    )
    launch = canonical.named(launch, pad_at=_pad_at(ranked))
    return Reconciled(launch, tuple(_changes(before, launch, ranked, now)), tuple(_conflicts(launch_id, ranked)))


def _pad_at(ranked: Sequence[StoredSighting]) -> str | None:
    """The location of the sighting that the pad is taken from."""
    place = next((one.sighting.location for one in ranked if one.sighting.pad is not None), None)
    return None if place is None else place.name


def _rank(one: StoredSighting, priorities: Mapping[str, int]) -> tuple[object, ...]:
    sighting = one.sighting
    return not sighting.live, -priorities.get(sighting.source, 0), sighting.source, sighting.source_id


def _stale(one: StoredSighting, net: StoredSighting | None) -> bool:
    """True if a sighting has another date than the chosen one, as after a slip."""
    if net is None or net.sighting.net is None or one.sighting.net is None or one.sighting.status in FLOWN:
        return False
    return not one.sighting.net.overlaps(net.sighting.net, slack=LIFTOFF_TOLERANCE)


def _details(ranked: Sequence[StoredSighting], net: StoredSighting | None) -> list[SourceDetails]:
    return [
        SourceDetails(one.sighting.details, FieldSource(one.sighting.source, one.seen_at), not _stale(one, net))
        for one in ranked
        if one.sighting.details is not None
    ]


def _best_status(current: Sequence[StoredSighting]) -> StoredSighting | None:
    """A final status, else in flight, else the first status that a sighting has."""
    stated = [one for one in current if one.sighting.status is not None]
    for wanted in (FLOWN, frozenset({LaunchStatus.IN_FLIGHT})):
        found = next((one for one in stated if one.sighting.status in wanted), None)
        if found is not None:
            return found
    return stated[0] if stated else None


def _best_net(ranked: Sequence[StoredSighting]) -> StoredSighting | None:
    dated = [(one, one.sighting.net) for one in ranked if one.sighting.net is not None]
    if not dated:
        return None
    if any(one.sighting.status in FLOWN for one in ranked):
        facts = [net for one, net in dated if one.sighting.status in FLOWN]
        dated = [pair for pair in dated if any(pair[1].overlaps(net) for net in facts)] or dated
        fine = [one for one, net in dated if net.precision in _FINE]
        for source in LIFTOFF_AUTHORITY:
            found = next((one for one in fine if one.sighting.source == source), None)
            if found is not None:
                return found
        return min(dated, key=lambda pair: _FINENESS[pair[1].precision])[0]
    live = [pair for pair in dated if pair[0].sighting.live] or dated
    newest = max(live, key=lambda pair: pair[0].sighting.modified or pair[0].seen_at)[1]
    agreeing = [pair for pair in live if pair[1].overlaps(newest)]
    return min(agreeing, key=lambda pair: _FINENESS[pair[1].precision])[0]


def _changes(
    before: Launch | None, after: Launch, ranked: Sequence[StoredSighting], now: Instant | None
) -> list[Change]:
    """One row for each field whose value changed; a new launch has no history yet.

    A name that an older registry did not know is no change either.
    """
    if before is None:
        return []
    changes, known, same = [], canonical.named(before), canonical.named(after)
    for field in (*_PLAIN, "status", "net", "net_precision", "urls", *reconcile_details.HISTORY):
        old, new = shown(before, field), shown(after, field)
        if old != new and not (field in canonical.FIELDS and shown(known, field) == shown(same, field)):
            name = _SOURCE_OF.get(field, field)
            origin = after.provenance.get(name) or _withdrawn(before.provenance.get(name), ranked, now)
            source, seen_at = origin.source, origin.seen_at
            changes.append(Change(launch_id=after.id, field=field, old=old, new=new, source=source, seen_at=seen_at))
    return changes


def _withdrawn(known: FieldSource | None, ranked: Sequence[StoredSighting], now: Instant | None) -> FieldSource:
    """The source that withdrew a value, and when: the one that gave it; `known` is the origin of the value."""
    source = known.source if known is not None else ranked[0].sighting.source
    newest = max((one.seen_at for one in ranked if one.sighting.source == source), default=ranked[0].seen_at)
    return FieldSource(source, newest if now is None else now)


def shown(launch: Launch, field: str) -> str | None:
    """A field's value as the history shows it."""
    if field in {"net", "net_precision"}:
        net = launch.net
        return None if net is None else format_instant(net.earliest) if field == "net" else net.precision.value
    if field in reconcile_details.HISTORY:
        return reconcile_details.shown(launch, field)
    value = getattr(launch, field)
    if value is None:
        return None
    if field in {"window_start", "window_end"}:
        return format_instant(value)
    if isinstance(value, Place):
        return value.name if value.latitude is None else f"{value.name} ({value.latitude:g}, {value.longitude:g})"
    return "\n".join(value) or None if isinstance(value, tuple) else str(value)


def _conflicts(launch_id: str, ranked: Sequence[StoredSighting]) -> list[Conflict]:
    found = []
    flown = any(one.sighting.status in FLOWN for one in ranked)
    facts = [one for one in ranked if not flown or one.sighting.status in FLOWN]  # an old plan contradicts no flight
    nets = {one.sighting.source: one.sighting.net for one in facts if one.sighting.net is not None}
    if _disagree(list(nets.values()), flown=flown):
        times = {source: f"{format_instant(net.earliest)} ({net.precision})" for source, net in nets.items()}
        found.append(Conflict(launch_id=launch_id, kind="net", values=times))
    finals = {one.sighting.source: one.sighting.status for one in ranked if one.sighting.status in FLOWN}
    if len({status is LaunchStatus.FAILURE for status in finals.values()}) > 1:
        words = {source: str(status) for source, status in finals.items()}
        found.append(Conflict(launch_id=launch_id, kind="status", values=words))
    vehicles = {one.sighting.source: one.sighting.vehicle for one in ranked if one.sighting.vehicle is not None}
    if len({names.vehicle_family(vehicle) for vehicle in vehicles.values()}) > 1:
        found.append(Conflict(launch_id=launch_id, kind="vehicle", values=vehicles))
    pads = {one.sighting.source: _pad(one.sighting) for one in ranked}
    if _differ([pad for pad in pads.values() if pad is not None]):
        words = {
            one.sighting.source: _place_words(one.sighting) for one in ranked if pads[one.sighting.source] is not None
        }
        found.append(Conflict(launch_id=launch_id, kind="pad", values=words))
    return found


def _pad(sighting: Sighting) -> names.Pad | None:
    return names.pad_of(sighting.pad, sighting.location.name if sighting.location else None)


def _place_words(sighting: Sighting) -> str:
    place = sighting.location.name if sighting.location else None
    return ", ".join(dict.fromkeys(word for word in (sighting.pad, place) if word))


def _differ(pads: Sequence[names.Pad]) -> bool:
    """True if the pads are of different sites, or different pads of one site; a site alone agrees with its pads."""
    known = {one.pad for one in pads if one.pad is not None}
    return len({one.site for one in pads}) > 1 or len(known) > 1


def _disagree(nets: Sequence[Net], *, flown: bool) -> bool:
    """True if two intervals lie further apart than the tolerance: LIFTOFF_TOLERANCE for what has flown, else none."""
    slack = LIFTOFF_TOLERANCE if flown else 0
    return any(not a.overlaps(b, slack=slack) for index, a in enumerate(nets) for b in nets[index + 1 :])
