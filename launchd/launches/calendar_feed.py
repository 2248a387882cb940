"""Launches as a calendar to subscribe to: iCalendar (RFC 5545, RFC 7986). Pure: the same records, the same bytes.

The calendar has no METHOD. So DTSTAMP is the time of the last change of an event (RFC 5545 §3.8.7.2), and a calendar
that has not changed has the same bytes and the same ETag.
"""

import math
import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from icalendar import Alarm, Calendar, Event, vDuration, vText

import launchd
from launchd.clock import DAY, FIRST_INSTANT, HOUR, LAST_INSTANT, MINUTE, Instant, to_datetime
from launchd.launches.dates import TIMED
from launchd.launches.feed_parts import Attributions, attribution, links, try_record
from launchd.launches.launch import FLOWN, Launch, LaunchStatus, Net, Precision
from launchd.launches.phrases import instant_phrase, net_phrase, status_phrase
from launchd.launches.store import Record

TITLE = "Space launches"
# The longest time before a launch at which a calendar reminds of it.
MAX_ALARM_MINUTES = 7 * 24 * 60
# Readers of a calendar add a day to a date; dates beyond this range are rows that another program wrote.
_DATED = range(FIRST_INSTANT + DAY, LAST_INSTANT - DAY)
_TENTATIVE = (LaunchStatus.TBD, LaunchStatus.TBC, LaunchStatus.HOLD, None)
# These events are over or are none any more: nobody is reminded of them.
_OVER = FLOWN | {LaunchStatus.IN_FLIGHT, LaunchStatus.CANCELLED}
# The days of these are the whole event; a vaguer NET would hide everything else in the calendar.
_SPANS = (Precision.DAY, Precision.WEEK)
# An event without a usable window: from lift-off to the deployment of its payload, roughly.
_USUAL = HOUR
_LONGEST_WINDOW = DAY
_REFRESH = timedelta(hours=6)
# RFC 5545 §3.1: a value holds no control character but the tab; the library writes "\n" as an escape.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_POLES, _ANTIMERIDIAN, _LEAST_DEGREES = 90.0, 180.0, 1e-4


def calendar(
    records: Iterable[Record],
    attributions: Attributions,
    *,
    title: str = TITLE,
    alarm: int | None = None,
    total: int | None = None,
) -> bytes:
    """One event for each launch that has a date; `attributions` are the sources' lines, by name.

    A NET of a second, minute or hour becomes a time, a day or a week an all-day event over all of it. A vaguer NET
    becomes an all-day event on the last day of its period, with the period in its summary. `alarm` reminds so many
    minutes before each launch that has a time. `total` is the number of launches if `records` are only the first ones.
    """
    records = list(records)
    made = Calendar()
    made.add("prodid", f"-//launchd//{launchd.__version__}//EN")
    made.add("version", "2.0")
    _put_text(made, ("name", "x-wr-calname"), title)
    about = _about(records, attributions, total)
    if about:
        _put_text(made, ("description", "x-wr-caldesc"), about)
    made.add("refresh-interval", vDuration(_REFRESH), parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", vDuration(_REFRESH))
    for record in records:
        net = record.launch.net
        if net is not None and _DATED.start <= net.earliest <= net.latest < _DATED.stop:
            event = try_record(record, _event, record, net, attributions, alarm)
            if event is not None:
                made.add_component(event)
    return bytes(made.to_ical())


def _put_text(made: Calendar, names: Iterable[str], text: str) -> None:
    for name in names:
        made.add(name, vText(_text(text)))  # the library knows no type of X-... and would not escape it


def _about(records: list[Record], attributions: Attributions, total: int | None) -> str:
    lines = list(attribution((one.launch for one in records), attributions))
    said = [f"Data: {'; '.join(lines)}."] if lines else []
    if total is not None and total > len(records):
        said.insert(0, f"This calendar has the first {len(records)} of {total} launches: a narrower filter has all.")
    return "\n".join(said)


def _event(record: Record, net: Net, attributions: Attributions, alarm: int | None) -> Event:
    launch, event = record.launch, Event()
    changed = to_datetime(record.updated_at)
    event.add("uid", _text(f"{launch.id}@launchd"))
    event.add("sequence", max(record.revision, 0))
    event.add("dtstamp", changed)
    event.add("last-modified", changed)
    event.add("summary", _summary(launch, net))
    start, end = _span(launch, net)
    event.add("dtstart", start)
    event.add("dtend", end)
    event.add("status", _ical_status(launch, net))
    event.add("transp", "TRANSPARENT")
    event.add("categories", [_text(text) for text in ("Space launch", launch.provider, launch.vehicle) if text])
    _add_place(event, launch)
    pages = links(launch)
    if pages:
        event.add("url", pages[0])
    event.add("description", _description(launch, net, attributions))
    if alarm is not None and net.precision in TIMED and launch.status not in _OVER:
        event.add_component(_reminder(launch, alarm))
    event.to_ical()  # fails here for a launch that cannot be written, before it is part of the calendar
    return event


def _add_place(event: Event, launch: Launch) -> None:
    place = launch.location
    where = ", ".join(text for text in (launch.pad, place.name if place else None) if text)
    if where:
        event.add("location", _text(where))
    if place is None or place.latitude is None or place.longitude is None:
        return
    if _within(place.latitude, _POLES) and _within(place.longitude, _ANTIMERIDIAN):
        event.add("geo", (_degrees(place.latitude), _degrees(place.longitude)))


def _degrees(value: float) -> float:
    """Six places; the library would write a smaller number than these with an exponent, which GEO does not allow."""
    return round(value, 6) if abs(value) >= _LEAST_DEGREES else 0.0


def _within(degrees: float, limit: float) -> bool:
    return math.isfinite(degrees) and abs(degrees) <= limit


def _reminder(launch: Launch, minutes: int) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", _text(launch.name))
    alarm.add("trigger", -timedelta(minutes=minutes))
    return alarm


def _span(launch: Launch, net: Net) -> tuple[Any, Any]:
    """DTSTART and DTEND (exclusive): dates where no time is known, UTC times otherwise."""
    if net.precision not in TIMED:
        last = _day(net.latest)
        return _day(net.earliest) if net.precision in _SPANS else last, last + timedelta(days=1)
    return to_datetime(net.earliest), to_datetime(_end(launch, net.earliest))


def _end(launch: Launch, start: Instant) -> Instant:
    """The end of the window; without a window, or with one of no length or of days, the usual time later."""
    window_end = launch.window_end
    usable = window_end is not None and start + MINUTE <= window_end <= start + _LONGEST_WINDOW
    return window_end if usable and window_end is not None else start + _USUAL


def _ical_status(launch: Launch, net: Net) -> str:
    if launch.status is LaunchStatus.CANCELLED:
        return "CANCELLED"
    if launch.status in _OVER:
        return "CONFIRMED"
    return "TENTATIVE" if launch.status in _TENTATIVE or net.precision not in TIMED else "CONFIRMED"


def _summary(launch: Launch, net: Net) -> str:
    vague = net.precision not in {*TIMED, Precision.DAY}
    return _text(f"{launch.name} ({net_phrase(net)})" if vague else launch.name)


def _description(launch: Launch, net: Net, attributions: Attributions) -> str:
    lines = {
        "Status": status_phrase(launch.status) if launch.status in set(LaunchStatus) and launch.status else None,
        "Date": _date_line(launch, net),
        "Window": _window_line(launch, net),
        "Provider": launch.provider,
        "Vehicle": launch.vehicle,
        "Mission": launch.mission,
        "Orbit": launch.orbit,
        "Designator": launch.designator,
        "Data": "; ".join(attribution([launch], attributions)),
    }
    return _text("\n".join(f"{title}: {text}" for title, text in lines.items() if text))


def _date_line(launch: Launch, net: Net) -> str:
    said = net_phrase(net)
    if launch.status in _OVER:
        return said
    dated = net.precision in {*TIMED, Precision.DAY}
    return f"no earlier than {said}" if dated else f"{said}; the day is not known yet"


def _window_line(launch: Launch, net: Net) -> str | None:
    start, end = launch.window_start, launch.window_end
    if start is None or end is None or net.precision not in TIMED or not MINUTE <= end - start <= _LONGEST_WINDOW:
        return None
    return f"{instant_phrase(start)} to {instant_phrase(end)}"


def _text(text: str) -> str:
    """The text without the control characters that iCalendar cannot hold; line breaks stay."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _day(instant: Instant) -> date:
    return to_datetime(instant).date()
