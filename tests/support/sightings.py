"""Sightings for tests of matching and reconciling: facts of real launches, in the words of each source."""

from typing import Any

from launchd.clock import parse_instant
from launchd.launches.dates import net_from
from launchd.launches.launch import Net, Place, Precision, Sighting, Status

LL2, GCAT, SPACEX_API, ROCKETLAUNCH, WIKIPEDIA = (
    "launch_library",
    "gcat",
    "spacex_api",
    "rocketlaunch",
    "wikipedia",
)


def at(time: str, precision: Precision = Precision.SECOND) -> Net:
    """The interval of a time: from it on where it is timed, else the whole period around it."""
    return net_from(parse_instant(time), precision)


def sight(source: str, name: str, net: Net | str | None, *, key: str = "", place: str = "", **more: Any) -> Sighting:  # noqa: ANN401 - fields of a sighting
    """A sighting; a flown one unless its status says otherwise, its vehicle before the bar of its name."""
    if "|" in name:
        more.setdefault("vehicle", name.partition(" | ")[0])
    more.setdefault("status", Status.SUCCESS)
    net = at(net) if isinstance(net, str) else net
    return Sighting(
        source=source, source_id=key or name, name=name, net=net, location=Place(place) if place else None, **more
    )
