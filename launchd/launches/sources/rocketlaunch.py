"""RocketLaunch.Live: the next five launches of anyone, a second opinion on T-0.

`json/launches/next/5` needs no key. `sort_date` is not a time (it differs by seconds for vague launches of one month),
and the vehicle is a family only. Reference: https://www.rocketlaunch.live/api.
"""

import re
from collections.abc import Sequence

import msgspec

from launchd.clock import from_datetime
from launchd.errors import InvalidError
from launchd.launches.dates import net_from, utc_date
from launchd.launches.details import MAX_DESCRIPTION, MAX_NAMES, Details, stated
from launchd.launches.launch import LaunchStatus, Net, Parsed, Place, Precision, Sighting
from launchd.launches.sources import records
from launchd.launches.sources.fields import Fields, decoded
from launchd.launches.sources.source import Client, Payload, Source
from launchd.launches.validate import Report, clean, text_or_none

NAME = "rocketlaunch"
_UNSET = -1
# 3 is an abort in flight.
_RESULTS = {0: LaunchStatus.FAILURE, 1: LaunchStatus.SUCCESS, 2: LaunchStatus.PARTIAL_FAILURE, 3: LaunchStatus.FAILURE}
_COSPAR = re.compile(r"(\d{4}-\d{3})[A-Z]{0,3}")
_SLUG = re.compile(r"[\w-]+", re.ASCII)
_NO_PAD = "pad tbd"


class _Named(msgspec.Struct):
    name: str | None


class _Location(msgspec.Struct):
    name: str | None
    statename: str | None
    country: str | None


class _Pad(msgspec.Struct):
    name: str | None
    location: _Location | None


class _Estimate(msgspec.Struct):
    """The parts of a vague date that are known; all null when there is a time."""

    year: int | None
    month: int | None
    day: int | None
    quarter: int | None


class _Launch(msgspec.Struct):
    id: int
    name: str
    provider: _Named | None
    vehicle: _Named | None
    pad: _Pad | None
    missions: list[_Named]
    win_open: str | None
    t0: str | None
    win_close: str | None
    est_date: _Estimate | None
    result: int | None
    cospar_id: str | None
    slug: str | None
    suborbital: bool | None
    modified: str | None


_Undecoded = msgspec.Raw | msgspec.UnsetType


class _Parts(msgspec.Struct):
    """The fields that hold details; each is read on its own."""

    mission_description: _Undecoded = msgspec.UNSET
    weather_condition: _Undecoded = msgspec.UNSET
    tags: _Undecoded = msgspec.UNSET


async def pull(client: Client) -> list[Payload]:
    """The next five launches; more need a paid key."""
    payload = await client.get("json/launches/next/5")
    return [] if payload is None else [payload]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """One sighting for each launch; the wrapper's counts are not needed."""
    report = Report(NAME)
    raws = [raw for body in payloads for raw in records.split(body, report, wrappers=("result",))]
    read = ((raw, records.read(raw, _Launch, report)) for raw in raws)
    found = (_sighting(raw, launch, report) for raw, launch in read if launch is not None)
    sightings = {one.source_id: one for one in found if one is not None}
    return Parsed(tuple(sightings.values()), tuple(report.rejections), len(raws))


def _details(raw: msgspec.Raw, key: str, report: Report) -> Details | None:
    """The payloads and the weather; the temperature is left out, since it changes all the time."""
    parts = records.read(raw, _Parts, report) or _Parts()

    def field(name: str, part: str) -> Fields:
        return Fields({name: decoded(getattr(parts, name), key, part, report)}, key, part, report)

    tags = (one.text("text") for one in field("tags", "tags").items("tags", MAX_NAMES, "text"))
    return stated(
        Details(
            mission_description=field("mission_description", "mission_description").text(
                "mission_description", longest=MAX_DESCRIPTION
            ),
            weather=field("weather_condition", "weather").text("weather_condition"),
            tags=tuple(dict.fromkeys(one for one in tags if one)),
        )
    )


def _sighting(raw: msgspec.Raw, launch: _Launch, report: Report) -> Sighting | None:
    key = str(launch.id)
    pad = text_or_none(launch.pad.name) if launch.pad else None
    slug = launch.slug if launch.slug and _SLUG.fullmatch(launch.slug) else None
    sighting = Sighting(
        source=NAME,
        source_id=key,
        name=launch.name,
        net=_net(launch, key, report),
        status=_status(launch, key, report),
        provider=text_or_none(launch.provider.name) if launch.provider else None,
        vehicle=text_or_none(launch.vehicle.name) if launch.vehicle else None,
        pad=None if pad is None or pad.lower() == _NO_PAD else pad,
        location=_place(launch.pad.location) if launch.pad and launch.pad.location else None,
        mission=text_or_none(launch.missions[0].name) if launch.missions else None,
        window_start=records.instant(launch.win_open, key, "win_open", report),
        window_end=records.instant(launch.win_close, key, "win_close", report),
        designator=_designator(launch, key, report),
        urls=(f"https://rocketlaunch.live/launch/{slug}",) if slug else (),
        modified=records.instant(launch.modified, key, "modified", report),
        suborbital=launch.suborbital is True,
        details=_details(raw, key, report),
    )
    return clean(sighting, report)


def _net(launch: _Launch, key: str, report: Report) -> Net | None:
    """T-0 or the opening of the window, to the minute; else the finest part of the estimate, a date in UTC."""
    try:
        for field, text in (("t0", launch.t0), ("win_open", launch.win_open)):
            instant = records.instant(text, key, field, report)
            if instant is not None:
                return net_from(instant, Precision.MINUTE)
            if text:  # unreadable, so what follows is only a makeshift
                report.miss(key, "net")
        return _estimated(launch.est_date) if launch.est_date else None
    except InvalidError as error:
        report.reject(key, error.detail, "net")
        return None


def _estimated(date: _Estimate) -> Net | None:
    """The period that an estimate names; None if it has no year."""
    if date.year is None:
        return None
    if date.month is not None:
        precision = Precision.MONTH if date.day is None else Precision.DAY
        return net_from(from_datetime(utc_date(date.year, date.month, date.day or 1)), precision)
    if date.quarter is not None:
        return net_from(from_datetime(utc_date(date.year, 3 * date.quarter - 2)), Precision.QUARTER)
    return net_from(from_datetime(utc_date(date.year)), Precision.YEAR)


def _status(launch: _Launch, key: str, report: Report) -> LaunchStatus | None:
    """The outcome; this source has no status for a launch to come."""
    if launch.result in (None, _UNSET):
        return None
    status = _RESULTS.get(launch.result)
    if status is None:
        report.reject(key, f"unknown result {launch.result}", "status")
    return status


def _designator(launch: _Launch, key: str, report: Report) -> str | None:
    """The COSPAR id of the launch, without the letter of a piece; empty until it has flown."""
    text = text_or_none(launch.cospar_id)
    if text is None:
        return None
    match = _COSPAR.fullmatch(text)
    if match is None:
        report.reject(key, f"{text!r} is not a COSPAR id such as 2022-052", "designator")
    return match[1] if match else None


def _place(location: _Location) -> Place | None:
    parts = (location.name, location.statename, location.country)
    return Place(", ".join(part for part in parts if part) or None)


SOURCE = Source(
    name=NAME,
    title="RocketLaunch.Live",
    attribution="Data by RocketLaunch.Live",
    base_url="https://fdo.rocketlaunch.live/",
    rate="30/h",
    priority=50,
    pull=pull,
    parse=parse,
    revision=2,
)
