"""The r/SpaceX API, versions 5, 4 and 3: an archive of SpaceX's launches, frozen in October 2022.

Reference: https://github.com/r-spacex/SpaceX-API. Its sightings are not `live`: they never overrule another source.
Its identifiers are not used: `flight_number` repeats, and `launch_library_id` was guessed by the nearest time. The
NORAD ids of some payloads are those of another launch.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from launchd.errors import InvalidError
from launchd.launches.dates import net_from
from launchd.launches.details import Details
from launchd.launches.launch import LaunchStatus, Net, Parsed, Place, Precision, Sighting
from launchd.launches.sources import records, spacex_api_details
from launchd.launches.sources.source import Client, Payload, Source
from launchd.launches.validate import Report, clean, text_or_none

NAME = "spacex_api"
_TABLES = ("v4/rockets", "v4/launchpads", "v4/payloads")
# The pad of launches whose pad was not known yet.
_DEFAULT_PAD = "SLC 40"
_SUBORBITAL = "SO"


class _Links(msgspec.Struct):
    webcast: str | None
    article: str | None
    wikipedia: str | None


class _Launch(msgspec.Struct):
    """A launch of versions 4 and 5, which differ in the crew only."""

    id: str
    name: str
    date_utc: str
    date_precision: Precision
    upcoming: bool
    success: bool | None
    rocket: str | None
    launchpad: str | None
    payloads: list[str]
    links: _Links
    tbd: bool


class _OldLinks(msgspec.Struct):
    video_link: str | None
    article_link: str | None
    wikipedia: str | None


class _OldPayload(msgspec.Struct):
    orbit: str | None


class _OldStage(msgspec.Struct):
    payloads: list[_OldPayload]


class _OldRocket(msgspec.Struct):
    rocket_name: str
    second_stage: _OldStage


class _OldSite(msgspec.Struct):
    site_name: str | None
    site_name_long: str | None


class _OldLaunch(msgspec.Struct):
    """A launch of version 3, which holds the objects to which later versions refer."""

    flight_number: int
    mission_name: str
    launch_date_utc: str
    tentative_max_precision: Precision
    is_tentative: bool
    launch_success: bool | None
    rocket: _OldRocket
    launch_site: _OldSite | None
    links: _OldLinks
    upcoming: bool
    tbd: bool


class _Marks(msgspec.Struct):
    """Fields that only one kind of record has; a record without any of them is a launch."""

    engines: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    locality: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    customers: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    mission_name: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Entry(msgspec.Struct):
    """A rocket, a pad or a payload."""

    id: str
    name: str | None
    orbit: str | msgspec.UnsetType | None = msgspec.UNSET
    locality: str | None = None
    region: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class _Facts(NamedTuple):
    """A launch of any version with its references resolved."""

    key: str
    name: str
    date: str
    precision: Precision
    is_upcoming: bool
    success: bool | None
    vehicle: str | None
    pad: str | None
    place: Place | None
    orbits: set[str]
    links: tuple[str | None, ...]
    details: Details | None


async def pull(client: Client) -> list[Payload]:
    """The launches of the newest version that is served, and the tables to which they refer; version 3 has none."""
    for path in ("v5/launches", "v4/launches"):
        launches = await client.get(path, optional=True)
        if launches is not None:
            tables = [await client.get(table) for table in _TABLES]
            return [launches, *(table for table in tables if table is not None)]
    old = await client.get("v3/launches")
    return [] if old is None else [old]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """One sighting for each launch, whatever the order of the payloads; `rows` counts launches only."""
    report = Report(NAME)
    launches: list[tuple[msgspec.Raw, bool]] = []
    entries: dict[str, _Entry] = {}
    bodies: dict[str, msgspec.Raw] = {}
    for body in payloads:
        for raw in records.split(body, report, wrappers=("docs",)):
            marks = records.read(raw, _Marks, report)
            if marks is None:
                continue
            if all(one is msgspec.UNSET for one in (marks.engines, marks.locality, marks.customers)):
                launches.append((raw, marks.mission_name is not msgspec.UNSET))
            elif entry := records.read(raw, _Entry, report):
                entries[entry.id] = entry
                bodies[entry.id] = raw
    found = (_old_facts(raw, report) if is_old else _facts(raw, entries, bodies, report) for raw, is_old in launches)
    read = (_sighting(facts, report) for facts in found if facts is not None)
    sightings = {one.source_id: one for one in read if one is not None}
    return Parsed(tuple(sightings.values()), tuple(report.rejections), len(launches))


def _facts(
    raw: msgspec.Raw, entries: Mapping[str, _Entry], bodies: Mapping[str, msgspec.Raw], report: Report
) -> _Facts | None:
    launch = records.read(raw, _Launch, report)
    if launch is None:
        return None
    rocket = _resolve(launch.rocket, entries, launch.id, "vehicle", report)
    pad = _resolve(launch.launchpad, entries, launch.id, "pad", report)
    precision = Precision.DAY if launch.tbd and launch.date_precision is Precision.HOUR else launch.date_precision
    if launch.upcoming and precision is not Precision.HOUR and pad and (pad.name or "").endswith(_DEFAULT_PAD):
        pad = None
    if launch.launchpad and pad is None:
        report.miss(launch.id, "location")
    carried = [_resolve(one, entries, launch.id, "orbit", report) for one in launch.payloads]
    if any(one is not None and one.orbit is msgspec.UNSET for one in carried):
        report.miss(launch.id, "orbit")
    links = launch.links
    return _Facts(
        key=launch.id,
        name=launch.name,
        date=launch.date_utc,
        precision=precision,
        is_upcoming=launch.upcoming,
        success=launch.success,
        vehicle=rocket.name if rocket else None,
        pad=pad.name if pad else None,
        place=_place(pad) if pad else None,
        orbits={one.orbit for one in carried if one and isinstance(one.orbit, str) and one.orbit},
        links=(links.webcast, links.article, links.wikipedia),
        details=spacex_api_details.read(
            raw, [bodies[one] for one in launch.payloads if one in bodies], launch.id, report
        ),
    )


def _old_facts(raw: msgspec.Raw, report: Report) -> _Facts | None:
    launch = records.read(raw, _OldLaunch, report)
    if launch is None:
        return None
    precision = launch.tentative_max_precision
    is_tentative = launch.tbd or launch.is_tentative
    site, links = launch.launch_site, launch.links
    return _Facts(
        key=f"v3-{launch.flight_number}",
        name=launch.mission_name,
        date=launch.launch_date_utc,
        precision=Precision.DAY if is_tentative and precision is Precision.HOUR else precision,
        is_upcoming=launch.upcoming,
        success=launch.launch_success,
        vehicle=launch.rocket.rocket_name,
        pad=site.site_name if site else None,
        place=Place(site.site_name_long) if site and site.site_name_long else None,
        orbits={one.orbit for one in launch.rocket.second_stage.payloads if one.orbit},
        links=(links.video_link, links.article_link, links.wikipedia),
        details=spacex_api_details.read_old(raw, f"v3-{launch.flight_number}", report),
    )


def _resolve(
    reference: str | None, entries: Mapping[str, _Entry], key: str, field: str, report: Report
) -> _Entry | None:
    """The entry to which a launch refers; None, and reported, when the payloads lack it."""
    if reference is None:
        return None
    entry = entries.get(reference)
    if entry is None:
        report.reject(key, f"it refers to {reference!r}, which the payloads lack", field)
    return entry


def _sighting(facts: _Facts, report: Report) -> Sighting | None:
    sighting = Sighting(
        source=NAME,
        source_id=facts.key,
        name=facts.name,
        net=_net(facts, report),
        status=_status(facts),
        provider="SpaceX",
        vehicle=text_or_none(facts.vehicle),
        pad=text_or_none(facts.pad),
        location=facts.place,
        mission=facts.name,
        orbit=text_or_none(", ".join(sorted(facts.orbits))),
        urls=tuple(url for url in facts.links if url),
        suborbital=facts.orbits == {_SUBORBITAL},
        live=False,
        details=facts.details,
    )
    return clean(sighting, report)


def _net(facts: _Facts, report: Report) -> Net | None:
    """The NET as an interval. Vague dates are put at the first day of the period; an hour is the finest precision.

    Flown launches often keep the planned T-0.
    """
    instant = records.instant(facts.date, facts.key, "net", report)
    try:
        return None if instant is None else net_from(instant, facts.precision)
    except InvalidError as error:
        report.reject(facts.key, error.detail, "net")
        return None


def _status(facts: _Facts) -> LaunchStatus | None:
    """The outcome; None for a flown launch without one. A launch that is still `upcoming` was so in 2022."""
    if facts.is_upcoming:
        return LaunchStatus.TBC if facts.precision is Precision.HOUR else LaunchStatus.TBD
    if facts.success is None:
        return None
    return LaunchStatus.SUCCESS if facts.success else LaunchStatus.FAILURE


def _place(pad: _Entry) -> Place | None:
    name = ", ".join(part for part in (pad.locality, pad.region) if part)
    return Place(name or None, pad.latitude, pad.longitude)


SOURCE = Source(
    name=NAME,
    title="r/SpaceX API (archive)",
    attribution="r/SpaceX API (github.com/r-spacex/SpaceX-API)",
    base_url="https://api.spacexdata.com/",
    rate="20/h",
    priority=10,
    pull=pull,
    parse=parse,
    revision=2,
    enabled=False,
)
