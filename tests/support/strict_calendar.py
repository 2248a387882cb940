"""A strict reader of iCalendar, for tests: the grammar of RFC 5545 that launchd's calendars must keep.

It knows no library. It refuses what most readers forgive: long lines, bare line feeds, repeated properties, unknown
escapes, dates without VALUE=DATE, an end that is not after its start.
"""

import re
from typing import NamedTuple

_NAME = r"[A-Za-z0-9-]+"
_PARAMETER = rf'{_NAME}=(?:"[^"\x00-\x08\x0a-\x1f\x7f]*"|[^";:,\x00-\x08\x0a-\x1f\x7f]*)'
_LINE = re.compile(rf"(?P<name>{_NAME})(?P<parameters>(?:;{_PARAMETER})*):(?P<value>[^\x00-\x08\x0a-\x1f\x7f]*)")
_TEXT = re.compile(r"(?:[^\\;,\x00-\x08\x0a-\x1f\x7f]|\\[\\;,nN])*")
_TEXTS = re.compile(rf"{_TEXT.pattern}(?:,{_TEXT.pattern})*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_DATE, _UTC = r"\d{8}", r"\d{8}T\d{6}Z"
_VALUES = {
    **dict.fromkeys(("UID", "SUMMARY", "DESCRIPTION", "LOCATION", "PRODID", "NAME"), _TEXT),
    **dict.fromkeys(("X-WR-CALNAME", "X-WR-CALDESC"), _TEXT),
    **dict.fromkeys(("DTSTAMP", "LAST-MODIFIED"), re.compile(_UTC)),
    **dict.fromkeys(("DTSTART", "DTEND"), re.compile(rf"{_DATE}|{_UTC}")),
    **dict.fromkeys(("REFRESH-INTERVAL", "X-PUBLISHED-TTL"), re.compile(r"PT\d+[HM]")),
    "CATEGORIES": _TEXTS,
    "GEO": re.compile(r"-?\d{1,2}(?:\.\d+)?;-?\d{1,3}(?:\.\d+)?"),
    "SEQUENCE": re.compile(r"\d+"),
    "STATUS": re.compile("TENTATIVE|CONFIRMED|CANCELLED"),
    "TRANSP": re.compile("OPAQUE|TRANSPARENT"),
    "URL": _URI,
    "VERSION": re.compile(r"2\.0"),
    "ACTION": re.compile("DISPLAY"),
    "TRIGGER": re.compile(r"-?P(?:\d+W|(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)"),
}
_REQUIRED = {
    "VCALENDAR": {"PRODID", "VERSION"},
    "VEVENT": {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "SEQUENCE", "LAST-MODIFIED"},
    "VALARM": {"ACTION", "TRIGGER", "DESCRIPTION"},
}
_INSIDE = {"VCALENDAR": None, "VEVENT": "VCALENDAR", "VALARM": "VEVENT"}


class Property(NamedTuple):
    """A content line: its value as it stands, and its parameters in capitals."""

    value: str
    parameters: str


class Component(NamedTuple):
    """A component with its properties by name, each of them once."""

    kind: str
    properties: dict[str, Property]


def components(calendar: bytes) -> list[Component]:
    """Every component of a calendar in the order in which they end; fails an assertion at the first fault."""
    lines = unfolded(calendar)
    assert lines[0] == "BEGIN:VCALENDAR", lines[0]
    opened: list[Component] = []
    found: list[Component] = []
    for line in lines:
        match = _LINE.fullmatch(line)
        assert match is not None, f"no content line: {line!r}"
        name, parameters, value = match["name"].upper(), match["parameters"].upper(), match["value"]
        if name == "BEGIN":
            assert _INSIDE[value] == (opened[-1].kind if opened else None), line
            opened.append(Component(value, {}))
        elif name == "END":
            assert opened, line
            assert value == opened[-1].kind, line
            _check(opened[-1])
            found.append(opened.pop())
        else:
            assert name not in opened[-1].properties, f"{name} stands twice in a {opened[-1].kind}"
            assert _VALUES[name].fullmatch(value), line
            opened[-1].properties[name] = Property(value, parameters)
    assert not opened, "a component does not end"
    assert found[-1].kind == "VCALENDAR", "something follows the calendar"
    return found


def unfolded(calendar: bytes) -> list[str]:
    """The content lines (RFC 5545 §3.1): CRLF, at most 75 octets, no character in two lines."""
    assert calendar.endswith(b"\r\n")
    raw = calendar[:-2].split(b"\r\n")
    for line in raw:
        assert b"\n" not in line, f"a bare line feed: {line!r}"
        assert b"\r" not in line, f"a bare carriage return: {line!r}"
        assert 0 < len(line) <= 75, f"{len(line)} octets: {line!r}"
        line.decode("utf-8")  # raises where a character was cut in two
    return re.sub(r"\r\n[ \t]", "", "\r\n".join(line.decode() for line in raw)).split("\r\n")


def _check(component: Component) -> None:
    missing = _REQUIRED[component.kind] - component.properties.keys()
    assert not missing, f"a {component.kind} lacks {missing}"
    if component.kind != "VEVENT":
        return
    start, end = component.properties["DTSTART"], component.properties["DTEND"]
    for one in (start, end):
        is_date = re.fullmatch(_DATE, one.value) is not None
        assert is_date == (";VALUE=DATE" in one.parameters.replace(";VALUE=DATE-TIME", "")), one
    assert len(start.value) == len(end.value), "DTSTART and DTEND have different types"
    assert start.value < end.value, "DTEND is exclusive: it is after DTSTART"
    assert component.properties["LAST-MODIFIED"].value == component.properties["DTSTAMP"].value
