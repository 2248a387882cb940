"""Launches as files that other programs subscribe to: iCalendar, Atom and CSV. Pure: the same records, the same bytes.

Text of a source is data in all of them: the libraries escape it, characters that XML cannot hold are dropped, and text
that a spreadsheet would run as a formula is quoted.
"""

import csv
import io
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ParamSpec, TypeVar
from xml.etree import ElementTree as ET

from icalendar import Calendar, Event, vDuration

import launchd
from launchd.clock import DAY, FIRST_INSTANT, LAST_INSTANT, UNREADABLE, Instant, format_instant, to_datetime
from launchd.launches.launch import HistoryRow, Launch, LaunchStatus, Net, Precision
from launchd.launches.store import ChangedLaunch, Record
from launchd.values.rows import log_unreadable

T = TypeVar("T")
P = ParamSpec("P")
_ATOM = "http://www.w3.org/2005/Atom"
# Readers of a calendar add a day to a date; dates beyond this range are rows that another program wrote.
_DATED = range(FIRST_INSTANT + DAY, LAST_INSTANT - DAY)
_TIMED = (Precision.SECOND, Precision.MINUTE, Precision.HOUR)
_TENTATIVE = (LaunchStatus.TBD, LaunchStatus.TBC, LaunchStatus.HOLD, None)
# XML 1.0 §2.2: characters that no document may hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# https://owasp.org/www-community/attacks/CSV_Injection: a cell that begins so is run by spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_PLAIN = ("id", "name", "provider", "vehicle", "pad")
CSV_COLUMNS = (
    *_PLAIN,
    "location",
    "latitude",
    "longitude",
    "mission",
    "orbit",
    "net",
    "net_latest",
    "net_precision",
    "window_start",
    "window_end",
    "status",
    "designator",
    "urls",
    "sources",
    "updated_at",
)


def _try(record: Record, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """The part of one launch; None if it cannot be written, so that the others still are."""
    try:
        return make(*args, **kwargs)
    except Exception:  # noqa: BLE001 - a row may hold anything, and the libraries raise anything for it
        log_unreadable("launches", record.launch.id, (make.__name__.strip("_"),))
        return None


# --- iCalendar (RFC 5545) ---


def calendar(records: Iterable[Record], attributions: Mapping[str, str]) -> bytes:
    """One event for each launch that has a date; `attributions` are the sources' lines, by name.

    A NET of a second, minute or hour becomes a time, a day or a week an all-day event over all of it. A vaguer NET
    becomes an all-day event on its first day, with the period in its summary: a bar of months would hide everything
    else.
    """
    made = Calendar()
    made.add("prodid", f"-//launchd//{launchd.__version__}//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", "Space launches")
    made.add("refresh-interval", vDuration(timedelta(hours=6)), parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", vDuration(timedelta(hours=6)))
    for record in records:
        net = record.launch.net
        if net is not None and _DATED.start <= net.earliest <= net.latest < _DATED.stop:
            event = _try(record, _event, record, net, attributions)
            if event is not None:
                made.add_component(event)
    return bytes(made.to_ical())


def _event(record: Record, net: Net, attributions: Mapping[str, str]) -> Event:
    launch, event = record.launch, Event()
    changed = to_datetime(record.updated_at)
    event.add("uid", f"{launch.id}@launchd")
    event.add("sequence", record.revision)
    event.add("dtstamp", changed)
    event.add("last-modified", changed)
    event.add("summary", _summary(launch, net))
    start, end = _span(launch, net)
    event.add("dtstart", start)
    if end is not None:
        event.add("dtend", end)
    event.add("status", _ical_status(launch, net))
    event.add("transp", "TRANSPARENT")
    place = launch.location
    where = ", ".join(text for text in (launch.pad, place.name if place else None) if text)
    if where:
        event.add("location", where)
    if place is not None and place.latitude is not None and place.longitude is not None:
        event.add("geo", (place.latitude, place.longitude))
    if launch.urls:
        event.add("url", launch.urls[0])
    event.add("description", _description(launch, net, attributions))
    event.to_ical()  # fails here for a launch that cannot be written, before it is part of the calendar
    return event


def _span(launch: Launch, net: Net) -> tuple[Any, Any]:
    """DTSTART and DTEND (exclusive; None: it ends as it starts): dates for a tentative day, UTC times otherwise."""
    if net.precision not in _TIMED:
        first = _day(net.earliest)
        last = _day(net.latest) if net.precision in {Precision.DAY, Precision.WEEK} else first
        return first, last + timedelta(days=1)
    start = to_datetime(net.earliest)
    if net.precision is Precision.HOUR:
        return start, start + timedelta(hours=1)
    window_end = launch.window_end
    return start, to_datetime(window_end) if window_end is not None and window_end > net.earliest else None


def _ical_status(launch: Launch, net: Net) -> str:
    if launch.status is LaunchStatus.CANCELLED:
        return "CANCELLED"
    return "TENTATIVE" if launch.status in _TENTATIVE or net.precision not in _TIMED else "CONFIRMED"


def _summary(launch: Launch, net: Net) -> str:
    vague = net.precision not in (*_TIMED, Precision.DAY)
    return f"{launch.name} (NET {_period(net)})" if vague else launch.name


def _description(launch: Launch, net: Net, attributions: Mapping[str, str]) -> str:
    lines = {
        "Status": launch.status.value if launch.status else None,
        "NET": f"{_period(net)} ({net.precision})",
        "Provider": launch.provider,
        "Vehicle": launch.vehicle,
        "Mission": launch.mission,
        "Orbit": launch.orbit,
        "Designator": launch.designator,
        "Data": "; ".join(attributions.get(source, source) for source in launch.sources),
    }
    return "\n".join(f"{title}: {text}" for title, text in lines.items() if text)


def _period(net: Net) -> str:
    if net.precision in _TIMED:
        return format_instant(net.earliest)
    first, last = _day(net.earliest), _day(net.latest)
    return first.isoformat() if first == last else f"{first} to {last}"


def _day(instant: Instant) -> date:
    return to_datetime(instant).date()


# --- Atom (RFC 4287) ---


def atom(changes: Sequence[ChangedLaunch], instance: str) -> bytes:
    """A feed of changes, the newest first; `instance` is a UUID that names this feed for ever."""
    ET.register_namespace("", _ATOM)
    feed = ET.Element(f"{{{_ATOM}}}feed")
    _put(feed, "id", f"urn:uuid:{instance}")
    _put(feed, "title", "Space launches: what changed")
    _put(feed, "updated", format_instant(max((one.at for one in changes), default=0)))
    _put(_put(feed, "author"), "name", "launchd")
    _put(feed, "generator", "launchd", version=launchd.__version__)
    _put(feed, "link", rel="self", href="/v1/launches.atom")
    for one in changes:
        entry = _try(one.record, _entry, one)
        if entry is not None:
            feed.append(entry)
    ET.indent(feed)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(feed, encoding="unicode")}\n'.encode()


def _entry(change: ChangedLaunch) -> ET.Element:
    launch = change.record.launch
    entry = ET.Element(f"{{{_ATOM}}}entry")
    # derived from the launch's id and the moment, so a change keeps its id for ever
    _put(entry, "id", f"urn:uuid:{uuid.uuid5(_uuid(launch.id), str(change.at))}")
    _put(entry, "title", f"{launch.name}: {', '.join(dict.fromkeys(_field(row) for row in change.rows))}")
    _put(entry, "updated", format_instant(change.at))
    _put(_put(entry, "author"), "name", ", ".join(sorted({row.source for row in change.rows})) or "launchd")
    _put(entry, "link", rel="alternate", href=f"/v1/launches/{launch.id}", type="application/json")
    for url in launch.urls:
        _put(entry, "link", rel="related", href=url)
    lines = [f"{row.field}: {row.old or 'unknown'} -> {row.new or 'unknown'} ({row.source})" for row in change.rows]
    _put(entry, "content", "\n".join(lines), type="text")
    return entry


def _uuid(text: str) -> uuid.UUID:
    """A launch's id as a UUID; an id that another program wrote otherwise gives the UUID of its text."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, text)


def _field(row: HistoryRow) -> str:
    return "net" if row.field == "net_precision" else row.field


def _put(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    given = {name: _NOT_XML.sub("", value) for name, value in attributes.items()}
    child = ET.SubElement(parent, f"{{{_ATOM}}}{tag}", given)
    child.text = None if text is None else _NOT_XML.sub("", text)
    return child


# --- CSV (RFC 4180) ---


def table(records: Iterable[Record]) -> bytes:
    """One row for each launch under CSV_COLUMNS, UTF-8; blanks separate the items of a list. No cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for record in records:
        row = _try(record, _row, record)
        writer.writerow(row or [record.launch.id, UNREADABLE, *[""] * (len(CSV_COLUMNS) - 2)])
    return text.getvalue().encode("utf-8", "replace")


def _row(record: Record) -> list[str]:
    cells = _cells(record)
    return [cell(cells[name]) for name in CSV_COLUMNS]


def cell(value: object) -> str:
    """A value as a cell; an apostrophe precedes text that a spreadsheet would run, numbers are written as they are."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value)
    # spreadsheets skip leading white space before a formula
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _cells(record: Record) -> dict[str, object]:
    launch, net, place = record.launch, record.launch.net, record.launch.location
    cells: dict[str, object] = {name: getattr(launch, name) for name in (*_PLAIN, "mission", "orbit", "designator")}
    cells |= {"location": None, "latitude": None, "longitude": None}
    if place is not None:
        cells |= {"location": place.name, "latitude": place.latitude, "longitude": place.longitude}
    cells |= {"net": None, "net_latest": None, "net_precision": None}
    if net is not None:
        cells |= {"net": format_instant(net.earliest), "net_latest": format_instant(net.latest)}
        cells["net_precision"] = net.precision.value
    for name in ("window_start", "window_end"):
        value = getattr(launch, name)
        cells[name] = None if value is None else format_instant(value)
    cells |= {"status": launch.status.value if launch.status else None, "updated_at": format_instant(record.updated_at)}
    return cells | {"urls": " ".join(launch.urls), "sources": " ".join(launch.sources)}
