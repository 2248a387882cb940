"""NASA's launch schedule, as the RSS 2.0 feed of its WordPress site. Experimental, and off unless it is enabled.

Written after the documentation of such feeds (https://developer.wordpress.org/advanced-administration/wordpress/feeds/):
the items are events in the order of their publication. An event has its date in the text, as "No Earlier Than <Month D,
YYYY h:mm am/pm>" or "<Month YYYY>", in the time of Washington.
"""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, ParseError
from zoneinfo import ZoneInfo

from defusedxml import ElementTree

from launchd.errors import InvalidError
from launchd.launches.launch import Parsed, Sighting
from launchd.launches.sources.markup import text_lines
from launchd.launches.sources.prose_dates import Written, parse_prose
from launchd.launches.sources.source import Client, Payload, Source
from launchd.launches.validate import Report, clean, plain

NAME = "nasa"
MAX_BYTES = 8 * 1024 * 1024
MAX_ITEMS = 1_000
_WASHINGTON = ZoneInfo("America/New_York")
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
_CLOCK = r"(?:,?\s*(?:at\s+)?\d{1,2}:\d{2}\s*(?:[ap]\.?m\b\.?)?(?:\s*(?:e[sd]?t|utc|gmt)\b)?)?"
_DATE = (
    rf"(?:{_MONTH}\s+\d{{1,2}},?\s+\d{{4}}\b{_CLOCK}"
    rf"|\d{{1,2}}\s+{_MONTH}\s+\d{{4}}\b{_CLOCK}"
    rf"|(?:(?:early|mid|late)[\s-]+)?{_MONTH}\s+\d{{4}}\b"
    r"|(?:early|mid|late|spring|summer|fall|autumn|winter)[\s-]+\d{4}\b"
    r"|q[1-4]\s+\d{4}\b|(?:first|second|third|fourth)\s+(?:quarter|half)\s+(?:of\s+)?\d{4}\b|\d{4}\b)"
)
# An event's text may hold other dates: that of the launch follows a label or opens a line.
_LABELLED = re.compile(
    rf"\b(?:no earlier than|net|launch(?: date| time| window)?|date|when|targeting)\s*:?\s*(?P<date>{_DATE})",
    re.IGNORECASE | re.ASCII,
)
_OPENING = re.compile(rf"(?P<date>{_DATE})", re.IGNORECASE | re.ASCII)
# ParseError is malformed XML; a ValueError is a declaration of entities (defusedxml) or an encoding that expat cannot
# read; a LookupError is an unknown encoding.
_UNREADABLE = (ParseError, ValueError, LookupError)


async def pull(client: Client) -> list[Payload]:
    """The newest page of the feed."""
    payload = await client.get("event-type/launch-schedule/feed/")
    return [] if payload is None else [payload]


def parse(payloads: Sequence[bytes]) -> Parsed:
    """The launches of a feed, one for each item that links to an event; of a repeated item the first is kept."""
    report = Report(NAME)
    found: dict[str, Sighting] = {}
    rows = 0
    for body in payloads:
        for item in _items(body, report):
            rows += 1
            sighting = _sighting(item, report)
            if sighting is not None:
                found.setdefault(sighting.source_id, sighting)
    return Parsed(tuple(found.values()), tuple(report.rejections), rows)


def _items(body: bytes, report: Report) -> list[Element]:
    """The items of a feed. A feed that declares entities is rejected; none is expanded."""
    if len(body) > MAX_BYTES:
        report.reject("feed", f"it has {len(body)} bytes; {MAX_BYTES} are read at most")
        return []
    try:
        root = ElementTree.fromstring(body, forbid_dtd=True)
    except _UNREADABLE as error:
        report.reject("feed", f"it is not the XML of a feed: {plain(str(error))[:200]}")
        return []
    items = root.findall("channel/item") if root.tag == "rss" else []
    if not items:
        report.reject("feed", f"it is not an RSS 2.0 feed with items; its root is {root.tag[:100]!r}")
    if len(items) > MAX_ITEMS:
        report.reject("feed", f"it has {len(items)} items; the first {MAX_ITEMS} are read")
    return items[:MAX_ITEMS]


def _sighting(item: Element, report: Report) -> Sighting | None:
    title, link = _text(item, "title"), _text(item, "link")
    if not title:
        report.reject(link or "?", "it has no title")
        return None
    if "/event/" not in link:
        report.reject(title, f"it does not link to an event: {link[:100]!r}")
        return None
    try:
        name = " ".join(text_lines(title))
        when = _when([name, *text_lines(_raw(item, "description")), *text_lines(_raw(item, _CONTENT))])
    except InvalidError as error:
        report.reject(title, error.detail)
        return None
    start, end = when.window or (None, None) if when else (None, None)
    sighting = Sighting(
        source=NAME,
        source_id=_text(item, "guid") or link,
        name=name,
        net=when.net if when else None,
        window_start=start,
        window_end=end,
        urls=(link,),
    )
    if when is None:
        report.reject(title, "its text has no date", "net")
    return clean(sighting, report)


def _when(lines: Sequence[str]) -> Written | None:
    """The first labelled date, else the first that opens a line. Raises InvalidError for one that does not exist."""
    labelled = (_LABELLED.search(line) for line in lines)
    opening = (_OPENING.match(line) for line in lines)
    found = next((match for match in (*labelled, *opening) if match), None)
    return parse_prose(found["date"], zone=_WASHINGTON) if found else None


def _text(item: Element, tag: str) -> str:
    return plain(_raw(item, tag))


def _raw(item: Element, tag: str) -> str:
    return item.findtext(tag) or ""


SOURCE = Source(
    name=NAME,
    title="NASA launch schedule (experimental)",
    attribution="NASA, www.nasa.gov/event-type/launch-schedule",
    base_url="https://www.nasa.gov/",
    rate="12/h",
    priority=20,
    pull=pull,
    parse=parse,
    enabled=False,
)
