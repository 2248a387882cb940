"""The events of a scrape: sources read or failed; launches that are new, slipped or changed their status. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from launchd.clock import SECOND, Instant, format_instant
from launchd.event import Event
from launchd.launches.ingest import IngestPlan
from launchd.launches.launch import Launch
from launchd.launches.slips import moved

# More new launches than this come from a source's whole past: they are one event.
MAX_MADE = 100
_NUMBERS = ("requests", "bytes", "seconds", "fetched", "parsed", "rejected", "created", "updated", "conflicts")


def source_event(name: str, statistics: Mapping[str, Any], now: Instant) -> Event:
    """The event of a source that was read or failed, from its statistics."""
    if "error" in statistics:
        return Event(type="source.failed", at=now, data={"source": name, "error": statistics["error"]})
    numbers = {key: statistics[key] for key in _NUMBERS if key in statistics}
    return Event(type="source.read", at=now, data={"source": name, **numbers})


def launch_events(before: Mapping[str, Launch], plan: IngestPlan, now: Instant) -> list[Event]:
    """The events of the launches that a plan changes."""
    new = [launch for launch in plan.launches if launch.id not in before and launch.id not in plan.revived]
    events = [Event(type="launch.made", at=now, data=_shown(launch) | _by(launch, "name")) for launch in new]
    if len(new) > MAX_MADE:
        events = [Event(type="launch.imported", at=now, data={"count": len(new)})]
    for launch in plan.launches:
        known = before.get(launch.id)
        if known is not None:
            events += _changes(known, launch, now)
    events += [Event(type="launch.merged", at=now, data={"id": young, "into": old}) for young, old in plan.merged]
    return events


def approaching_event(launch: Launch, hours: int, now: Instant) -> Event:
    """The event of a launch that is at most `hours` away."""
    seconds = (launch.net.earliest - now) / SECOND if launch.net else None
    return Event(type="launch.approaching", at=now, data=_shown(launch) | {"hours": hours, "seconds": seconds})


def _changes(before: Launch, after: Launch, now: Instant) -> Iterator[Event]:
    by = moved(before.net, after.net) if before.net is not None and after.net is not None else 0
    if by and before.net is not None:
        data = _shown(after) | {"before": format_instant(before.net.earliest), "seconds": abs(by) / SECOND}
        yield Event(type="launch.slipped" if by > 0 else "launch.moved_forward", at=now, data=data | _by(after, "net"))
    if before.status is not after.status:
        yield Event(
            type="launch.status_changed", at=now, data=_shown(after) | {"before": before.status} | _by(after, "status")
        )


def _by(launch: Launch, field: str) -> dict[str, str | None]:
    """The source of a field's value."""
    origin = launch.provenance.get(field)
    return {"source": origin.source if origin else None}


def _shown(launch: Launch) -> dict[str, Any]:
    net = launch.net
    return {
        "id": launch.id,
        "name": launch.name,
        "status": launch.status,
        "net": None if net is None else format_instant(net.earliest),
        "net_precision": None if net is None else net.precision,
    }
