"""Launch Library 2 of The Space Devs, versions 2.0.0 to 2.3.0, modes list, normal and detailed.

Reference: https://ll.thespacedevs.com/docs. A launch's `id` survives renames, slips, another vehicle or provider. Its
`r_spacex_api_id` (2.2.0, detailed) is not used as identity: Launch Library guessed it by the nearest time.
"""

from collections.abc import Sequence

import msgspec

from launchd.clock import DAY, MINUTE, Instant
from launchd.errors import InvalidError, SourceError
from launchd.launches.dates import TIMED, net_from
from launchd.launches.details import Details
from launchd.launches.launch import FLOWN, LaunchStatus, Net, Parsed, Place, Precision, Sighting
from launchd.launches.reconcile_details import carried
from launchd.launches.sources import launch_library_shape as shape
from launchd.launches.sources import records
from launchd.launches.sources.launch_library_details import EVERYTHING, DetailsReader
from launchd.launches.sources.launch_library_plan import THROTTLE, DetailPlan, near, plan, throttle_in
from launchd.launches.sources.source import Client, Payload, RateLimitedError, Source
from launchd.launches.validate import Report, clean, text_or_none
from launchd.logger import get_logger

_log = get_logger("launchd.scrape")
NAME = "launch_library"
PAGE = 100
MAX_PAGES = 10
# 2.3.0 renamed the path; older versions are served under the old one.
FOLDERS = ("launches/", "launch/")

# https://ll.thespacedevs.com/2.3.0/config/launch_statuses/; 9 is "payload deployed": past lift-off, not yet judged.
_STATUSES = {
    1: LaunchStatus.GO,
    2: LaunchStatus.TBD,
    3: LaunchStatus.SUCCESS,
    4: LaunchStatus.FAILURE,
    5: LaunchStatus.HOLD,
    6: LaunchStatus.IN_FLIGHT,
    7: LaunchStatus.PARTIAL_FAILURE,
    8: LaunchStatus.TBC,
    9: LaunchStatus.IN_FLIGHT,
}
# https://ll.thespacedevs.com/2.3.0/config/net_precisions/; 3 and 4 are a local morning and afternoon, 15 a fiscal
# year, 16 a decade.
_PRECISIONS = {
    0: Precision.SECOND,
    1: Precision.MINUTE,
    2: Precision.HOUR,
    3: Precision.DAY,
    4: Precision.DAY,
    5: Precision.DAY,
    6: Precision.WEEK,
    7: Precision.MONTH,
    8: Precision.QUARTER,
    9: Precision.QUARTER,
    10: Precision.QUARTER,
    11: Precision.QUARTER,
    12: Precision.HALF,
    13: Precision.HALF,
    14: Precision.YEAR,
    15: Precision.YEAR,
    16: Precision.DECADE,
}
_WRAPPERS = ("results", "launches", "array")
_NO_PLACE = frozenset({"unknown pad", "unknown", "unknown location", "tbd"})


async def pull(client: Client) -> list[Payload]:
    """The lists in mode normal, and then the details that the rate leaves room for.

    Raises RateLimitedError if the server says that our requests are used up.
    """
    throttle = throttle_in(await client.ask(THROTTLE))
    if throttle is not None and not throttle.left:
        detail = f"{NAME}: its server allows no request for {throttle.wait:.0f} s"
        raise RateLimitedError(detail, throttle.wait, by_source=False)
    folder, payloads = await _lists(client)
    left = client.left() if throttle is None else min(client.left(), throttle.left - len(payloads))
    around = near([one.body for one in payloads], client.now())
    wanted = plan(budget=left, around=around, known=lambda page: client.known(folder, page), now=client.now())
    if wanted.skipped is not None:
        _log.info("details_skipped", source=NAME, reason=wanted.skipped)
    return payloads + await _details(client, folder, wanted)


async def _lists(client: Client) -> tuple[str, list[Payload]]:
    """All pages of upcoming launches, then the newest page of previous ones (an upcoming launch that flew moves there).

    Pages are asked for by offset; rows move between pages meanwhile, so the parser drops repeated ids.
    """
    folder, first = await _first_page(client)
    payloads = [first]
    while len(payloads) < MAX_PAGES and _has_next(client, folder, payloads):
        payload = await client.get(f"{folder}upcoming/", _page(len(payloads)))
        if payload is None:
            break
        payloads.append(payload)
    previous = await client.get(f"{folder}previous/", {"mode": "normal", "limit": str(PAGE), "ordering": "-net"})
    return folder, payloads if previous is None else [*payloads, previous]


async def _details(client: Client, folder: str, wanted: DetailPlan) -> list[Payload]:
    """The detailed pages; one that cannot be read costs nothing but itself, as the lists say the most."""
    found = [client.leave(folder, page) for page in wanted.left]
    for page in wanted.asked:
        try:
            payload = await client.get(folder, page, optional=True)
        except SourceError as error:
            _log.warning("details_failed", source=NAME, error=error.detail)
            rest = wanted.asked[wanted.asked.index(page) :]
            return found + [client.leave(folder, one) for one in rest if client.known(folder, one)]
        if payload is None:  # this server has no such pages
            return found
        found.append(payload)
    return found


async def _first_page(client: Client) -> tuple[str, Payload]:
    """The folder of this server's version, and its first page; the folder that answered last time is asked first."""
    folders = sorted(FOLDERS, key=lambda one: not client.known(f"{one}upcoming/", _page(0)))
    for folder in folders:
        payload = await client.get(f"{folder}upcoming/", _page(0), optional=folder is not folders[-1])
        if payload is not None:
            return folder, payload
    raise SourceError(f"{NAME}: neither {' nor '.join(FOLDERS)} exists under base_url")


def _has_next(client: Client, folder: str, payloads: Sequence[Payload]) -> bool:
    """True if another page follows the last one; of an unchanged page, if another followed it last time."""
    body = payloads[-1].body
    if body is None:
        return client.known(f"{folder}upcoming/", _page(len(payloads)))
    try:
        return bool(msgspec.json.decode(body, type=_Wrapper).next)
    except records.UNREADABLE:
        return False


class _Wrapper(msgspec.Struct):
    next: str | None = None


def _page(number: int) -> dict[str, str]:
    page = {"mode": "normal", "limit": str(PAGE), "ordering": "net"}
    return page | {"offset": str(number * PAGE)} if number else page


def parse(payloads: Sequence[bytes]) -> Parsed:
    """The launches of all pages; of a repeated id the record that was updated last, else the one in the fuller form.

    What the form of that record lacks is taken from the other.
    """
    report = Report(NAME)
    newest: dict[str, Sighting] = {}
    rows, blank = 0, False
    for body in payloads:
        before = rows + len(report.rejections)
        for raw in records.split(body, report, wrappers=_WRAPPERS):
            rows += 1
            sighting = _sighting(raw, report)
            if sighting is None:
                continue
            known = newest.get(sighting.source_id)
            if known is None:
                newest[sighting.source_id] = sighting
            elif _order(sighting) > _order(known):
                newest[sighting.source_id] = carried(known, sighting)
            else:
                newest[sighting.source_id] = carried(sighting, known)
        blank = blank or before == rows + len(report.rejections)
    return Parsed(tuple(newest.values()), tuple(report.rejections), rows, blank=blank)


def _order(one: Sighting) -> tuple[Instant, int]:
    return one.modified or 0, -len(one.details.unsaid) if one.details else 0


def _sighting(raw: msgspec.Raw, report: Report) -> Sighting | None:
    mode = records.read(raw, shape.Mode, report)
    if mode is None:
        return None
    if mode.is_list():
        short = records.read(raw, shape.ListLaunch, report)
        return clean(_from_list(_common(short, report), short), report) if short else None
    full, more = records.read(raw, shape.Launch, report), records.read(raw, shape.Details, report)
    if full is None or more is None:
        return None
    return clean(_from_full(_common(full, report), full, DetailsReader(more, full.id, report), report), report)


def _common(record: shape.Common, report: Report) -> Sighting:
    """The fields that every mode has."""
    key = record.id
    status = _STATUSES.get(record.status.id)
    if status is None:
        report.reject(key, f"unknown status {record.status.id} {record.status.name!r}", "status")
    net, stated = _net(record, status, report)
    timed = net is not None and net.precision in TIMED
    if record.launch_designator is msgspec.UNSET:
        report.miss(key, "designator")
    return Sighting(
        source=NAME,
        source_id=key,
        name=record.name,
        net=net,
        status=status,
        status_word=text_or_none(record.status.name),
        # the window of a vague date is 00:00, which means nothing
        window_start=records.instant(record.window_start, key, "window_start", report) if timed else None,
        window_end=records.instant(record.window_end, key, "window_end", report) if timed else None,
        designator=text_or_none(record.launch_designator),
        stated=stated,
        modified=records.instant(record.last_updated, key, "last_updated", report),
    )


def _from_list(sighting: Sighting, record: shape.ListLaunch) -> Sighting:
    place = _known(record.location)
    return msgspec.structs.replace(
        sighting,
        provider=text_or_none(record.lsp_name),
        vehicle=_vehicle_in(record.name),
        pad=_known(record.pad),
        location=Place(place) if place else None,
        mission=text_or_none(record.mission) or _mission_in(record.name),
        details=Details(unsaid=EVERYTHING),
    )


def _from_full(sighting: Sighting, record: shape.Launch, reader: DetailsReader, report: Report) -> Sighting:
    configuration = record.rocket.configuration if record.rocket else None
    orbit = _name(record.mission.orbit) if record.mission else None
    mission = _name(record.mission) or _mission_in(record.name)
    vehicle = text_or_none(configuration.full_name if configuration else None) or _vehicle_in(record.name)
    if "|" not in record.name:  # it says neither of them
        report.miss(record.id, *[field for field, value in (("mission", mission), ("vehicle", vehicle)) if not value])
    return msgspec.structs.replace(
        sighting,
        provider=_name(record.launch_service_provider),
        vehicle=vehicle,
        pad=_known(_name(record.pad)),
        location=_place(record.pad) if record.pad else None,
        mission=mission,
        orbit=orbit,
        urls=reader.urls(),
        details=reader.details(),
        suborbital=orbit == "Suborbital",
    )


def _net(record: shape.Common, status: LaunchStatus | None, report: Report) -> tuple[Net | None, Instant | None]:
    """The NET as an interval, and its instant if the precision is not stated.

    LL2 puts vague dates at the last day of the period, 00:00Z.
    """
    instant = records.instant(record.net, record.id, "net", report)
    if instant is None:
        return None, None
    stated = _stated_precision(record, report)
    if stated is None:
        report.miss(record.id, "net")
    try:
        return net_from(instant, stated or _precision(record, status, instant)), None if stated else instant
    except InvalidError as error:
        report.reject(record.id, error.detail, "net")
        return None, None


def _stated_precision(record: shape.Common, report: Report) -> Precision | None:
    """The stated precision; None if there is none, or an unknown one, which is reported."""
    if record.net_precision is None:
        return None
    stated = _PRECISIONS.get(record.net_precision.id)
    if stated is None:
        report.reject(record.id, f"unknown precision {record.net_precision.id}", "net_precision")
    return stated


def _precision(record: shape.Common, status: LaunchStatus | None, instant: Instant) -> Precision:
    """The precision of a NET that states none: the one that flags, status and a placeholder's midnight allow.

    An unknown precision may be any: it is read as the coarsest, and as the day for a launch that has lifted off.
    """
    lifted = status in FLOWN or status is LaunchStatus.IN_FLIGHT
    if record.net_precision is not None:
        return Precision.DAY if lifted else Precision.DECADE
    if lifted:
        return Precision.SECOND if instant % MINUTE else Precision.MINUTE
    if status is LaunchStatus.TBD and instant % DAY == 0:
        return Precision.DAY if record.tbdtime and not record.tbddate else Precision.MONTH
    unsure = (
        status in {LaunchStatus.TBD, LaunchStatus.TBC} if record.tbddate is None else record.tbddate or record.tbdtime
    )
    return Precision.DAY if unsure else Precision.MINUTE


def _vehicle_in(name: str) -> str | None:
    """The vehicle of "<vehicle> | <mission>"."""
    vehicle, bar, _ = name.partition("|")
    return text_or_none(vehicle) if bar else None


def _mission_in(name: str) -> str | None:
    """The mission of "<vehicle> | <mission>", unless it is "Unknown Payload"."""
    mission = text_or_none(name.partition("|")[2])
    return None if mission is None or mission.lower().startswith("unknown") else mission


def _place(pad: shape.Pad) -> Place | None:
    name = _known(_name(pad.location))
    latitude, longitude = _degrees(pad.latitude), _degrees(pad.longitude)
    if latitude == 0 and longitude == 0:  # LL2 sends zeros for a pad that it does not know
        latitude = longitude = None
    return Place(name, latitude, longitude) if name or latitude is not None else None


def _degrees(value: float | str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _name(named: shape.Named | shape.Pad | shape.Mission | None) -> str | None:
    return None if named is None else text_or_none(named.name)


def _known(value: str | None) -> str | None:
    text = text_or_none(value)
    return None if text is None or text.lower() in _NO_PLACE else text


SOURCE = Source(
    name=NAME,
    title="Launch Library 2",
    attribution="Launch Library 2, The Space Devs (thespacedevs.com)",
    base_url="https://ll.thespacedevs.com/2.3.0/",
    rate="15/h",
    priority=70,
    pull=pull,
    parse=parse,
    revision=3,
    token_header="Authorization",  # noqa: S106 - the header's name, not a secret
)
