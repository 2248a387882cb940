"""spacex.com's content API: SpaceX's own list of its next launches. Undocumented; facts and a link are kept, no text.

Each launch is a tile. Its date and time have no zone: in 2025 they were the launch site's, in 2026 US Eastern by one
account, and some were UTC. Unless the tile says which, the NET is the interval of all three readings, to the day.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from launchd.clock import MINUTE, Instant, from_datetime
from launchd.errors import InvalidError
from launchd.launches.dates import net_from, utc_date
from launchd.launches.details import Details, Part, Webcast, stated
from launchd.launches.launch import LaunchStatus, Net, Parsed, Precision, Sighting
from launchd.launches.sources import records
from launchd.launches.sources.fields import Fields, decoded
from launchd.launches.sources.source import Client, Payload, Source
from launchd.launches.validate import Report, clean, text_or_none

NAME = "spacex"
_PACIFIC, _CENTRAL, _EASTERN = (ZoneInfo(f"America/{city}") for city in ("Los_Angeles", "Chicago", "New_York"))
_SITE_ZONES = {"California": _PACIFIC, "Texas": _CENTRAL, "Starbase": _CENTRAL, "Florida": _EASTERN}
_ZONE_WORDS: dict[str, tzinfo] = {
    **dict.fromkeys(("PT", "PST", "PDT"), _PACIFIC),
    **dict.fromkeys(("CT", "CST", "CDT"), _CENTRAL),
    **dict.fromkeys(("ET", "EST", "EDT"), _EASTERN),
    **dict.fromkeys(("UTC", "GMT", "Z"), UTC),
}
_STATE = re.compile(r",\s*(?:California|Florida|Texas)$")
_LINK = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)
_STARLINK = re.compile(r"sl-(\d{1,3})-(\d{1,3})")
_STARSHIP = re.compile(r"starship-flight-(\d{1,3})")
_CLOCK = re.compile(r"\b(\d{1,2}:\d{2})(?::\d{2})?\s+([A-Z]{1,3})\b")
_VIDEO = re.compile(r"[\w-]{6,20}", re.ASCII)
_UPCOMING = "upcoming"


class _Override(msgspec.Struct, rename="camel"):
    """Since 2026; replaces the launch's own date and time. `text` reads like "October 8, 2026 00:54 PT"."""

    window_open_date: str | None
    window_open_time: str | None
    window_close_date: str | None
    window_close_time: str | None
    text: str | None


class _Tile(msgspec.Struct, rename="camel"):
    link: str
    title: str
    mission_status: str
    vehicle: str | None
    launch_site: str | None
    launch_date: str | None
    launch_time: str | None
    override: _Override | None = None
    # details, each read on its own
    is_live: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    youtube_video_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


async def pull(client: Client) -> list[Payload]:
    """The tiles of the next launches; those of past launches have no outcome."""
    payload = await client.get("launches-page-tiles/upcoming")
    return [] if payload is None else [payload]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """One sighting for each link, since links stay and ids change. Tiles repeat."""
    report = Report(NAME)
    raws = [raw for body in payloads for raw in records.split(body, report)]
    tiles = (records.read(raw, _Tile, report) for raw in raws)
    chosen = _distinct((tile for tile in tiles if tile is not None), report)
    sightings = (_sighting(tile, report) for tile in chosen)
    return Parsed(tuple(one for one in sightings if one is not None), tuple(report.rejections), len(raws))


def _distinct(tiles: Iterable[_Tile], report: Report) -> list[_Tile]:
    """The tiles without repeats; of two with one link and different dates, the upcoming one, else the later."""
    chosen: dict[str, _Tile] = {}
    for tile in tiles:
        if not _LINK.fullmatch(tile.link):
            report.reject(tile.link or tile.title, f"{tile.link!r} is not the link of a mission")
            continue
        known = chosen.setdefault(tile.link, tile)
        if known.launch_date == tile.launch_date:
            continue
        first, second = sorted((known, tile), key=lambda one: (one.mission_status == _UPCOMING, one.launch_date or ""))
        chosen[tile.link] = second
        report.reject(tile.link, f"the tile of {first.launch_date} is replaced by that of {second.launch_date}")
    return list(chosen.values())


def _sighting(tile: _Tile, report: Report) -> Sighting | None:
    net, window_end = _times(tile, report)
    vehicle = text_or_none(tile.vehicle)
    mission = _mission(tile)
    is_known = net is not None and net.precision is Precision.MINUTE
    sighting = Sighting(
        source=NAME,
        source_id=tile.link,
        name=f"{vehicle} | {mission}" if vehicle and mission else mission,
        net=net,
        status=LaunchStatus.TBD if net is None and tile.mission_status == _UPCOMING else None,
        status_word=text_or_none(tile.mission_status),
        provider="SpaceX",
        vehicle=vehicle,
        # without the state after the pad, which would hide a real location with coordinates
        pad=_STATE.sub("", text_or_none(tile.launch_site) or "") or None,
        mission=mission or None,
        window_start=net.earliest if net and is_known else None,
        window_end=window_end,
        urls=(f"https://www.spacex.com/launches/{tile.link}",),
        details=_details(tile, report),
    )
    return clean(sighting, report)


def _details(tile: _Tile, report: Report) -> Details | None:
    """The webcast: its address on YouTube, if it is there, and True if it is live."""
    live = Fields(
        {"isLive": decoded(tile.is_live, tile.link, "webcast_live", report)}, tile.link, "webcast_live", report
    )
    video = Fields(
        {"youtubeVideoId": decoded(tile.youtube_video_id, tile.link, "webcasts", report)}, tile.link, "webcasts", report
    )
    key = video.text("youtubeVideoId")
    if key is not None and not _VIDEO.fullmatch(key):
        video.refuse(f"youtubeVideoId: {key[:50]!r} is not the id of a video")
        key = None
    webcasts = (Webcast(url=f"https://www.youtube.com/watch?v={key}", publisher="SpaceX"),) if key else ()
    fields = ((Part.WEBCAST_LIVE, tile.is_live), (Part.WEBCASTS, tile.youtube_video_id))
    unsaid = tuple(part for part, value in fields if value is msgspec.UNSET)
    return stated(Details(webcast_live=live.flag("isLive"), webcasts=webcasts, unsaid=unsaid))


def _mission(tile: _Tile) -> str:
    """The mission as other sources name it; only the link has the number of a Starlink or Starship flight."""
    if starlink := _STARLINK.fullmatch(tile.link):
        return f"Starlink Group {int(starlink[1])}-{int(starlink[2])}"
    if starship := _STARSHIP.fullmatch(tile.link):
        return f"Flight {int(starship[1])}"
    return (text_or_none(tile.title) or "").removesuffix(" Mission")


def _times(tile: _Tile, report: Report) -> tuple[Net | None, Instant | None]:
    """The NET, and the end of the window if the zone is known."""
    override = tile.override
    day_text, clock_text = tile.launch_date, tile.launch_time
    if override and override.window_open_date:
        day_text, clock_text = override.window_open_date, override.window_open_time
    if not day_text:
        return None, None
    try:
        day, clock = _day(day_text), _clock(clock_text)
        zone = _stated_zone(override.text if override else None, clock)
        if zone is None or clock is None:
            return _net_of_any(day, clock, _zones(tile.launch_site)), None
        net = net_from(_instant(day, clock, zone) // MINUTE * MINUTE, Precision.MINUTE)
        return net, _window_end(override, zone) if override else None
    except InvalidError as error:
        report.reject(tile.link, error.detail, "net")
        return None, None


def _window_end(override: _Override, zone: tzinfo) -> Instant | None:
    clock = _clock(override.window_close_time)
    if override.window_close_date is None or clock is None:
        return None
    return _instant(_day(override.window_close_date), clock, zone)


def _net_of_any(day: date, clock: time | None, zones: Iterable[tzinfo]) -> Net:
    """All instants that a local time may mean; without a time (midnight is a placeholder), those of the local day."""
    if clock is None or clock == time():
        starts = [_instant(day, time(), zone) for zone in zones]
        ends = [_instant(day + timedelta(days=1), time(), zone) - 1 for zone in zones]
    else:
        starts = [_instant(day, clock, zone) for zone in zones]
        ends = [start + MINUTE - 1 for start in starts]
    return Net(min(starts), max(ends), Precision.DAY)


def _zones(site: str | None) -> list[tzinfo]:
    """The zones of a tile's time: the site's (all, if the site is unknown), US Eastern and UTC."""
    own = [zone for word, zone in _SITE_ZONES.items() if site and word in site]
    return [*(own or _SITE_ZONES.values()), _EASTERN, UTC]


def _stated_zone(text: str | None, clock: time | None) -> tzinfo | None:
    """The zone of the time itself, or of the same time of day in the text."""
    if clock is not None and clock.tzinfo is not None:
        return clock.tzinfo
    for written, word in _CLOCK.findall(text or ""):
        if clock is not None and f"{written:0>5}" == f"{clock:%H:%M}":
            return _ZONE_WORDS.get(word)
    return None


def _instant(day: date, clock: time, zone: tzinfo) -> Instant:
    return from_datetime(datetime.combine(day, clock, zone))


def _day(text: str) -> date:
    """A date of a plausible year; raises InvalidError."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(f"{text!r} is not a date such as 2025-08-26") from error
    return utc_date(day.year, day.month, day.day).date()


def _clock(text: str | None) -> time | None:
    """A time of day, with its zone if it has one; None without a text; raises InvalidError."""
    if not text:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(f"{text!r} is not a time of day such as 18:30:00") from error


SOURCE = Source(
    name=NAME,
    title="SpaceX",
    attribution="SpaceX (spacex.com)",
    base_url="https://content.spacex.com/api/spacex-website/",
    rate="30/h",
    priority=80,
    pull=pull,
    parse=parse,
    revision=2,
)
