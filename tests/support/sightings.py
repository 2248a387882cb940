"""Gives tests of matching and reconciling sightings: facts of real launches, in the wording of each source."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from launchd.clock import DAY, HOUR, MINUTE, parse_instant
from launchd.launches.dates import net_from
from launchd.launches.launch import LaunchStatus, Net, Place, Precision, Sighting

LL2, GCAT, SPACEX_API, ROCKETLAUNCH, WIKIPEDIA = (
    "launch_library",
    "gcat",
    "spacex_api",
    "rocketlaunch",
    "wikipedia",
)


def at(time: str, precision: Precision = Precision.SECOND) -> Net:
    """The interval of a time: a timed one starts there, any other is the whole period around it."""
    return net_from(parse_instant(time), precision)


def sight(source: str, name: str, net: Net | str | None, *, key: str = "", place: str = "", **more: Any) -> Sighting:  # noqa: ANN401 - fields of a sighting
    """A sighting, flown unless its status says otherwise; its vehicle is the part of the name before the bar."""
    if "|" in name:
        more.setdefault("vehicle", name.partition(" | ")[0])
    more.setdefault("status", LaunchStatus.SUCCESS)
    net = at(net) if isinstance(net, str) else net
    return Sighting(
        source=source, source_id=key or name, name=name, net=net, location=Place(place) if place else None, **more
    )


SOURCES = (LL2, GCAT, SPACEX_API, ROCKETLAUNCH)


VEHICLES = {LL2: ("Falcon 9 Block 5", "Long March 2D"), GCAT: ("Falcon 9", "Chang Zheng 2D")}


MISSIONS = ("Starlink Group 6-1", "Starlink Group 6-2", "Unknown Payload", "Crew-7", "Starlink", "Yaogan 40")


@st.composite
def worlds(draw: st.DrawFn) -> list[Sighting]:
    """Sightings of a few launches close to each other, each source with its own words, errors and gaps."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, 40)) * HOUR
        vehicle = draw(st.integers(0, 1))
        for source in draw(st.sets(st.sampled_from(SOURCES))):
            precision = draw(st.sampled_from([Precision.SECOND, Precision.HOUR, Precision.DAY, Precision.MONTH]))
            shift = draw(st.sampled_from([0, MINUTE, 9 * MINUTE, HOUR, DAY]))
            begin = start + shift
            length = {Precision.SECOND: 1, Precision.HOUR: HOUR, Precision.DAY: DAY}.get(precision, 30 * DAY)
            names = VEHICLES.get(source, VEHICLES[GCAT])
            found.append(
                sight(
                    source,
                    draw(st.sampled_from(MISSIONS)),
                    Net(begin, begin + length - 1, precision),
                    key=str(number),
                    vehicle=draw(st.sampled_from([names[vehicle], None])),
                    status=draw(st.sampled_from([LaunchStatus.SUCCESS, LaunchStatus.GO])),
                )
            )
    return found


PRIORITIES = {LL2: 70, GCAT: 60, ROCKETLAUNCH: 40, SPACEX_API: 10}


def by_source(sightings: Iterable[Sighting]) -> list[list[Sighting]]:
    found: dict[str, list[Sighting]] = {}
    for one in sightings:
        found.setdefault(one.source, []).append(one)
    return list(found.values())


UPCOMING = {"status": LaunchStatus.GO, "vehicle": "Falcon 9"}


NOON = at("2026-05-01T12:00:00Z", Precision.MINUTE)


LIBRARY = sight(
    LL2, "Falcon 9 | Starlink Group 10-5", NOON, key="uuid", pad="Space Launch Complex 40", status=LaunchStatus.GO
)


VAGUE = sight(ROCKETLAUNCH, "Starlink", at("2026-05-02T18:00:00Z", Precision.MINUTE), key="r1", **UPCOMING)


AGREEING = sight(ROCKETLAUNCH, "Starlink (10-5)", NOON, key="r1", **UPCOMING)


CONTRADICTING = sight(ROCKETLAUNCH, "Starlink (10-7)", NOON, key="r1", **UPCOMING)
