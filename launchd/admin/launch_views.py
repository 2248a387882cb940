"""Launch data to JSON: the shapes of the wire contract. Times are RFC 3339 UTC, durations seconds."""

import msgspec

from launchd.admin.views import View, instant
from launchd.clock import SECOND, Instant
from launchd.launches.circuit import Circuit
from launchd.launches.launch import Launch, Net
from launchd.launches.override import Override
from launchd.launches.source_store import SourceState, Traffic
from launchd.launches.sources import SOURCES
from launchd.launches.store import Detail, OpenConflict, Record


def launch(one: Record) -> View:
    """A reconciled launch."""
    record = one.launch
    plain = ("id", "name", "provider", "vehicle", "pad", "mission", "orbit", "status", "designator", "urls", "sources")
    view: View = {name: getattr(record, name) for name in plain}
    place = record.location
    view["location"] = None if place is None else msgspec.structs.asdict(place)
    view |= _net(record)
    view |= {"window_start": instant(record.window_start), "window_end": instant(record.window_end)}
    return view | {"updated_at": instant(one.updated_at)}


def launch_detail(one: Detail) -> View:
    """A launch with where each field comes from, its history and its open disagreements."""
    record = one.record.launch
    return launch(one.record) | {
        "provenance": {
            field: {"source": origin.source, "seen_at": instant(origin.seen_at)}
            for field, origin in record.provenance.items()
        },
        "sightings": [
            {
                "source": seen.sighting.source,
                "source_id": seen.sighting.source_id,
                "name": seen.sighting.name,
                "status": seen.sighting.status,
                "status_word": seen.sighting.status_word,
                "net": instant(seen.sighting.net.earliest) if seen.sighting.net else None,
                "net_precision": seen.sighting.net.precision if seen.sighting.net else None,
                "first_seen": instant(seen.first_seen),
                "seen_at": instant(seen.seen_at),
            }
            for seen in one.sightings
        ],
        "history": [row._asdict() | {"seen_at": instant(row.seen_at)} for row in one.history],
        "conflicts": [{"kind": each.kind, "values": each.values, "other_id": each.other_id} for each in one.conflicts],
        "overrides": [_override(each) for each in one.overrides],
        "slips": {
            "count": one.slips.later,
            "total": one.slips.total / SECOND,
            "earlier": one.slips.earlier,
            "summary": one.slips.sentence(),
        },
    }


def conflict(one: OpenConflict) -> View:
    """A disagreement that is open: what each source says, or the two launches that may be one."""
    told = one.conflict
    other = None if told.other_id is None else {"id": told.other_id, "name": one.other_name}
    return {
        "launch": {"id": told.launch_id, "name": one.name},
        "kind": told.kind,
        "values": told.values,
        "other": other,
        "since": instant(one.since),
    }


def source(name: str, state: SourceState | None, now: Instant) -> View:
    """A source and how it fares; `freshness` is the seconds since it last answered."""
    known = SOURCES[name]
    view: View = {"name": name, "title": known.title, "attribution": known.attribution}
    if state is None:
        state = SourceState(name, None, None, None, 0, 0, Circuit(), Traffic(), Traffic(), None, None)
    seen, kept, circuit = state.last_success, state.kept, state.circuit
    view |= {"last_attempt": instant(state.last_attempt), "last_success": instant(seen)}
    view |= {"freshness": None if seen is None else max(now - seen, 0) / SECOND, "etag": state.etag}
    view |= {"error": state.last_error, "records": state.records, "rejected": state.rejected}
    view["circuit"] = {
        "state": circuit.state(now),
        "failures": circuit.failures,
        "retry_at": instant(circuit.retry_at),
    }
    view["traffic"] = {"total": state.total._asdict(), "last": state.last._asdict()}
    view["kept"] = None if kept is None else kept._asdict() | {"fetched_at": instant(kept.fetched_at)}
    return view


def _net(record: Launch) -> View:
    net = record.net
    if net is None:
        return {"net": None, "net_latest": None, "net_precision": None}
    return {"net": instant(net.earliest), "net_latest": instant(net.latest), "net_precision": net.precision}


def _override(one: Override) -> View:
    value = one.value
    if isinstance(value, Net):
        value = {"net": instant(value.earliest), "net_precision": value.precision}
    elif isinstance(value, int):
        value = instant(value)
    return {"field": one.field, "value": value, "by": one.actor, "reason": one.reason, "at": instant(one.at)}
