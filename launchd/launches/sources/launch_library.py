"""Launch Library 2 of The Space Devs, versions 2.0.0 to 2.3.0, modes list, normal and detailed.

Reference: https://ll.thespacedevs.com/docs. A launch's `id` survives renames, slips, another vehicle or provider.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from launchd.clock import SECOND, Instant, parse_instant
from launchd.errors import InvalidError
from launchd.launches.dates import net_at
from launchd.launches.launch import FLOWN, Net, Parsed, Place, Precision, Sighting, Status
from launchd.launches.sources.source import Client, Payload, Source
from launchd.launches.validate import Report, clean, text_or_none

NAME = "launch_library"
PAGE = 100
MAX_PAGES = 10
_UNITS = {Precision.SECOND: SECOND, Precision.MINUTE: 60 * SECOND, Precision.HOUR: 3600 * SECOND}

# https://ll.thespacedevs.com/2.3.0/config/launch_statuses/; 9 is "payload deployed": past lift-off, not yet judged.
_STATUSES = {
    1: Status.GO,
    2: Status.TBD,
    3: Status.SUCCESS,
    4: Status.FAILURE,
    5: Status.HOLD,
    6: Status.IN_FLIGHT,
    7: Status.PARTIAL_FAILURE,
    8: Status.TBC,
    9: Status.IN_FLIGHT,
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
# JSON nested too deeply is a RecursionError.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Record = Mapping[str, Any]


async def pull(client: Client) -> list[Payload]:
    """All pages of upcoming launches, then the newest page of previous ones (an upcoming launch that flew moves there).

    Pages are asked for by offset; rows move between pages meanwhile, so the parser drops repeated ids.
    """
    payloads = []
    for number in range(MAX_PAGES):
        params = _page(number)
        payload = await client.get("launches/upcoming/", params)
        if payload is None:
            break
        payloads.append(payload)
        if payload.body is None:
            more = client.known("launches/upcoming/", _page(number + 1))
        else:
            more = _has_next(payload.body)
        if not more:
            break
    previous = await client.get("launches/previous/", {"mode": "normal", "limit": str(PAGE), "ordering": "-net"})
    return payloads if previous is None else [*payloads, previous]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """The launches of some pages; of a repeated id the record updated last is kept."""
    report = Report(NAME)
    newest: dict[str, Sighting] = {}
    rows = 0
    for body in payloads:
        for raw in _records(body, report):
            rows += 1
            sighting = _sighting(raw, report)
            if sighting is None:
                continue
            known = newest.get(sighting.source_id)
            if known is None or (sighting.modified or 0) > (known.modified or 0):
                newest[sighting.source_id] = sighting
    return Parsed(tuple(newest.values()), tuple(report.rejections), rows)


def _page(number: int) -> dict[str, str]:
    page = {"mode": "normal", "limit": str(PAGE), "ordering": "net"}
    return page | {"offset": str(number * PAGE)} if number else page


def _has_next(body: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(body, type=_Wrapper).next)
    except _UNREADABLE:
        return False


class _Wrapper(msgspec.Struct):
    next: str | None = None


def _records(body: bytes, report: Report) -> Iterator[msgspec.Raw]:
    """The records of a page, a bare list, or a single launch, undecoded: one bad record costs only itself."""
    try:
        start = body.lstrip()[:1]
        if start == b"[":
            yield from msgspec.json.decode(body, type=list[msgspec.Raw])
            return
        document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        wrapper = next((name for name in _WRAPPERS if name in document), None)
        if wrapper is not None:
            yield from msgspec.json.decode(document[wrapper], type=list[msgspec.Raw])
        elif "id" in document:
            yield msgspec.Raw(body)
        else:
            report.reject("page", f"it holds no launches; its keys are {', '.join(document)[:200]}")
    except _UNREADABLE as error:
        report.reject("page", f"it is not the JSON of a page of launches: {error}")


def _sighting(raw: msgspec.Raw, report: Report) -> Sighting | None:
    try:
        record = msgspec.json.decode(raw)
    except _UNREADABLE as error:
        report.reject("?", f"not readable: {error}")
        return None
    if not isinstance(record, dict):
        report.reject("?", "not an object")
        return None
    source_id = text_or_none(record.get("id"))
    if source_id is None:
        report.reject(text_or_none(record.get("name")) or "?", "it has no id")
        return None
    name = text_or_none(record.get("name")) or ""
    status = _STATUSES.get(_number(record, "status", "id"))
    if status is None:
        report.reject(source_id, f"unknown status {_text(record, 'status', 'name')!r}", "status")
    orbit = _text(record, "mission", "orbit", "name")
    cross = _text(record, "r_spacex_api_id")
    sighting = Sighting(
        source=NAME,
        source_id=source_id,
        name=name,
        net=_net(record, status, source_id, report),
        status=status,
        status_word=_text(record, "status", "name"),
        provider=_text(record, "launch_service_provider", "name") or _text(record, "lsp_name"),
        vehicle=_vehicle(record, name),
        pad=_known(_text(record, "pad", "name") or _text(record, "pad")),
        location=_place(record),
        mission=_mission(record, name),
        orbit=orbit,
        window_start=_instant(record, "window_start", source_id, report),
        window_end=_instant(record, "window_end", source_id, report),
        designator=_text(record, "launch_designator"),
        cross_ids={"spacex_api": cross} if cross else {},
        urls=_urls(record),
        modified=_instant(record, "last_updated", source_id, report),
        suborbital=orbit == "Suborbital",
    )
    return clean(sighting, report)


def _net(record: Record, status: Status | None, source_id: str, report: Report) -> Net | None:
    """The NET as an interval.

    Timed precisions start at the time as given. LL2 puts vague ones at the last day of the period, 00:00Z: the period
    around that day is meant.
    """
    instant = _instant(record, "net", source_id, report)
    if instant is None:
        return None
    precision = _precision(record, status)
    try:
        period = net_at(instant, precision)
    except InvalidError as error:
        report.reject(source_id, error.detail, "net")
        return None
    if precision in _UNITS:
        return Net(instant, instant + _UNITS[precision] - 1, precision)
    return period


def _precision(record: Record, status: Status | None) -> Precision:
    """The stated precision; before LL2 had one, what the flags and the status allow."""
    stated = _PRECISIONS.get(_number(record, "net_precision", "id"))
    if stated is not None:
        return stated
    if status in FLOWN or status is Status.IN_FLIGHT:
        return Precision.SECOND
    if record.get("tbddate") is True or (status is Status.TBD and "tbddate" not in record):
        return Precision.MONTH
    if record.get("tbdtime") is True or (status is Status.TBC and "tbdtime" not in record):
        return Precision.DAY
    return Precision.MINUTE


def _vehicle(record: Record, name: str) -> str | None:
    named = _text(record, "rocket", "configuration", "full_name") or _text(record, "rocket", "configuration", "name")
    return named or text_or_none(name.partition("|")[0] if "|" in name else None)


def _mission(record: Record, name: str) -> str | None:
    stated = _text(record, "mission", "name") or _text(record, "mission")
    said = text_or_none(name.partition("|")[2])
    return stated or (None if said is None or said.lower().startswith("unknown") else said)


def _place(record: Record) -> Place | None:
    """Latitude and longitude are text before 2.3.0."""
    name = _known(_text(record, "pad", "location", "name") or _text(record, "location"))
    latitude, longitude = _degrees(record, "latitude"), _degrees(record, "longitude")
    if latitude == 0 and longitude == 0:  # what LL2 sends for a pad it does not know
        latitude = longitude = None
    return Place(name, latitude, longitude) if name or latitude is not None else None


def _degrees(record: Record, key: str) -> float | None:
    value = _dig(record, "pad", key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _urls(record: Record) -> tuple[str, ...]:
    """Web casts and pages, those of the lowest `priority` number first; only detailed mode sends them."""
    found: list[tuple[float, str]] = []
    for key in ("vid_urls", "vidURLs", "info_urls", "infoURLs"):
        entries = record.get(key)
        for entry in entries if isinstance(entries, list) else []:
            url = entry.get("url") if isinstance(entry, dict) else None
            rank = entry.get("priority") if isinstance(entry, dict) else None
            if isinstance(url, str):
                found.append((rank if isinstance(rank, int | float) else 100, url))
    return tuple(dict.fromkeys(url for _, url in sorted(found, key=lambda one: one[0])))


def _instant(record: Record, key: str, source_id: str, report: Report) -> Instant | None:
    value = record.get(key)
    if value in (None, ""):
        return None
    try:
        return parse_instant(value) if isinstance(value, str) else _not_a_time(value)
    except InvalidError as error:
        report.reject(source_id, error.detail, key)
        return None


def _not_a_time(value: object) -> Instant:
    raise InvalidError(f"{value!r} is not a time")


def _known(value: str | None) -> str | None:
    return None if value is None or value.lower() in _NO_PLACE else value


def _dig(record: Record, *path: str) -> object:
    value: object = record
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(record: Record, *path: str) -> str | None:
    return text_or_none(_dig(record, *path))


def _number(record: Record, *path: str) -> int:
    """An identifying number, -1 when there is none."""
    value = _dig(record, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


SOURCE = Source(
    name=NAME,
    title="Launch Library 2",
    attribution="Launch Library 2, The Space Devs (thespacedevs.com)",
    base_url="https://ll.thespacedevs.com/2.3.0/",
    rate="15/h",
    priority=70,
    pull=pull,
    parse=parse,
    token_header="Authorization",  # noqa: S106 - the header's name, not a secret
)
