"""Launches as files that other programs subscribe to: iCalendar, Atom and CSV. Pure: the same records, the same bytes.

Text of a source is data in all of them: the libraries escape it, characters that XML cannot hold are dropped, and text
that a spreadsheet would run as a formula is quoted.
"""

import csv
import io
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from xml.etree import ElementTree as ET

import launchd
from launchd.clock import UNREADABLE, format_instant
from launchd.launches.calendar_feed import TITLE, calendar
from launchd.launches.feed_parts import Attributions, attribution, try_record
from launchd.launches.feed_parts import links as links_of
from launchd.launches.launch import HistoryRow, Launch
from launchd.launches.net_history import net_moves
from launchd.launches.phrases import change_phrases
from launchd.launches.store import ChangedLaunch, Record

__all__ = ["CSV_COLUMNS", "TITLE", "FeedSources", "Links", "atom", "calendar", "cell", "table"]
_ATOM = "http://www.w3.org/2005/Atom"
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
    "attribution",
)


# --- Atom (RFC 4287) ---


class Links(NamedTuple):
    """The title and the addresses of a feed of changes.

    `base` ends without a slash; if it is empty, the links of the feed are relative.
    `path` is that of the feed itself. `launch` is the beginning of the path of a launch, None if the readers of the
    feed may not read it.
    """

    base: str = ""
    path: str = "/v1/launches.atom"
    launch: str | None = "/v1/launches/"
    title: str = TITLE


class FeedSources(NamedTuple):
    """How the sources are named for people, and their lines of attribution, both by the source's name."""

    titles: Mapping[str, str] = MappingProxyType({})
    attributions: Attributions = MappingProxyType({})


_LINKS, _SOURCES = Links(), FeedSources()


def atom(
    changes: Sequence[ChangedLaunch],
    instance: str,
    links: Links = _LINKS,
    sources: FeedSources = _SOURCES,
    *,
    limit: int | None = None,
) -> bytes:
    """A feed of changes, the newest first; `instance` is a UUID that names this feed for ever.

    `limit` is the most changes that the feed has; it says so itself if it has as many.
    """
    ET.register_namespace("", _ATOM)
    feed = ET.Element(f"{{{_ATOM}}}feed")
    _put(feed, "id", f"urn:uuid:{instance}")
    _put(feed, "title", f"{links.title}: what changed")
    if limit is not None and len(changes) >= limit:
        _put(feed, "subtitle", f"The last {limit} changes; earlier ones are left out.")
    _put(feed, "updated", format_instant(max((one.at for one in changes), default=0)))
    _put(_put(feed, "author"), "name", "launchd")
    _put(feed, "generator", "launchd", version=launchd.__version__)
    _put(feed, "link", rel="self", href=f"{links.base}{links.path}", type="application/atom+xml")
    credit = attribution((one.record.launch for one in changes), sources.attributions)
    if credit:
        _put(feed, "rights", f"Data: {'; '.join(credit)}")
    for one in changes:
        entry = try_record(one.record, _entry, one, links, sources)
        if entry is not None:
            feed.append(entry)
    ET.indent(feed)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(feed, encoding="unicode")}\n'.encode()


def _entry(change: ChangedLaunch, links: Links, sources: FeedSources) -> ET.Element:
    launch = change.record.launch
    entry = ET.Element(f"{{{_ATOM}}}entry")
    move = change.move or net_moves(change.rows, launch.net).get(change.at)
    said = list(change_phrases(change.rows, move))
    # derived from the launch's id and the moment, so a change keeps its id for ever
    _put(entry, "id", f"urn:uuid:{uuid.uuid5(_uuid(launch.id), str(change.at))}")
    _put(entry, "title", f"{launch.name} {said[0][1] if said else 'has changed'}{_more(len(said) - 1)}")
    _put(entry, "updated", format_instant(change.at))
    named = dict.fromkeys(sources.titles.get(row.source, row.source) for row in change.rows if row.source)
    _put(_put(entry, "author"), "name", ", ".join(sorted(named)) or "launchd")
    _put_links(entry, launch, links)
    credit = attribution([launch], sources.attributions)
    if credit:
        _put(entry, "rights", f"Data: {'; '.join(credit)}")
    lines = [f"{launch.name} {phrase}{_by(row, sources)}." for row, phrase in said]
    _put(entry, "content", "\n".join(lines), type="text")
    return entry


def _more(count: int) -> str:
    return "" if count <= 0 else f", and {count} more change{'s' if count > 1 else ''}"


def _by(row: HistoryRow, sources: FeedSources) -> str:
    return f" ({sources.titles.get(row.source, row.source)})" if row.source else ""


def _put_links(entry: ET.Element, launch: Launch, links: Links) -> None:
    """The launch itself as `alternate`, and its pages; for readers who may not read the launch, its first page."""
    pages = links_of(launch)
    if links.launch is not None:
        _put(entry, "link", rel="alternate", href=f"{links.base}{links.launch}{launch.id}", type="application/json")
    elif pages:
        _put(entry, "link", rel="alternate", href=pages[0])
    for url in pages:
        _put(entry, "link", rel="related", href=url)


def _uuid(text: str) -> uuid.UUID:
    """A launch's id as a UUID; an id that another program wrote otherwise gives the UUID of its text."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, text)


def _put(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    given = {name: _NOT_XML.sub("", value) for name, value in attributes.items()}
    child = ET.SubElement(parent, f"{{{_ATOM}}}{tag}", given)
    child.text = None if text is None else _NOT_XML.sub("", text)
    return child


# --- CSV (RFC 4180) ---


def table(records: Iterable[Record], attributions: Attributions = _SOURCES.attributions) -> bytes:
    """One row for each launch under CSV_COLUMNS, UTF-8; blanks separate the items of a list. No cell is a formula.

    Attributions are a column: many readers of CSV take a comment for a row.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for record in records:
        row = try_record(record, _row, record, attributions)
        writer.writerow(row or [record.launch.id, UNREADABLE, *[""] * (len(CSV_COLUMNS) - 2)])
    return text.getvalue().encode("utf-8", "replace")


def _row(record: Record, attributions: Attributions) -> list[str]:
    cells = _cells(record) | {"attribution": "; ".join(attribution([record.launch], attributions))}
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
