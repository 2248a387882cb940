"""Dates as people write them in tables and prose, as intervals: "17 June 2021 16:09-16:24", "Late 2022". Pure.

Words such as "early" or "summer" are read widely: an interval that is too wide loses precision, one that is too narrow
contradicts sources that are right.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from launchd.clock import DAY, HOUR, MINUTE, SECOND, Instant, from_datetime
from launchd.errors import InvalidError
from launchd.launches.dates import FIRST_YEAR, LAST_YEAR, net_at
from launchd.launches.launch import Net, Precision

MAX_CHARS = 200
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-") | {"\u2248": "~", "\u223c": "~"})
_REFERENCE = re.compile(r"\[[^\[\]]{1,40}\]")
_LEAD = re.compile(
    r"^(?:no earlier than|not earlier than|net|planned|likely|tbd|tba|later in|later|sometime in|in)\b\W*"
)
_REMARK = re.compile(r"\((?:planned|expected|estimated|tentative|scheduled|net)\)")
_UNKNOWN = frozenset({"", "-", "tbd", "tba", "tbc", "n/a", "unknown", "to be determined", "to be announced"})

_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905 - reads best as one line
# First and last month. Thirds of a year; seasons reach from the meteorological start to the astronomical end. Winter
# lies at both ends of a year, so it is the whole year.
_PARTS_OF_YEAR = {
    "early": (1, 4),
    "mid": (5, 8),
    "late": (9, 12),
    "spring": (3, 6),
    "summer": (6, 9),
    "fall": (9, 12),
    "autumn": (9, 12),
    "winter": (1, 12),
}
# First and last day; the last is cut to the length of the month.
_PARTS_OF_MONTH = {"early": (1, 10), "mid": (11, 20), "late": (21, 31)}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_ZONES = {
    **dict.fromkeys(["utc", "gmt", "z"], "UTC"),
    **dict.fromkeys(["et", "est", "edt"], "America/New_York"),
    **dict.fromkeys(["ct", "cst", "cdt"], "America/Chicago"),
    **dict.fromkeys(["pt", "pst", "pdt"], "America/Los_Angeles"),
}
_LENGTHS = (
    (SECOND, Precision.SECOND),
    (MINUTE, Precision.MINUTE),
    (HOUR, Precision.HOUR),
    (DAY, Precision.DAY),
    (7 * DAY, Precision.WEEK),
    (31 * DAY, Precision.MONTH),
    (92 * DAY, Precision.QUARTER),
    (184 * DAY, Precision.HALF),
    (366 * DAY, Precision.YEAR),
    (3653 * DAY, Precision.DECADE),
)
_CLOCK = re.compile(
    r"(?P<date>.+?)(?:\s*\bat)?\s*(?P<about>~|\bca?\.|\babout\b)?\s*(?P<start>\d{1,2}:\d{2}(?::\d{2})?)"
    r"(?:\s*-\s*(?P<end>\d{1,2}:\d{2}(?::\d{2})?))?\s*(?P<half>[ap]\.?m\.?)?\s*\(?(?P<zone>[a-z]{1,3})?\)?",
    re.ASCII,
)
_WORDS = "|".join(_PARTS_OF_YEAR)
_PERIOD = re.compile(
    rf"(?:(?P<part>{_WORDS})\s+|q(?P<quarter>[1-4])\s+|(?P<quarter2>[1-4])q\s+|h(?P<half>[12])\s+"
    r"|(?P<nth>first|second|third|fourth)\s+(?P<unit>quarter|half)\s+(?:of\s+)?)?"
    r"(?:(?P<day>\d{1,2})\s*(?=[a-z]))?(?:(?P<month>[a-z]{3,9})\.?(?:\s+(?P<day2>\d{1,2}))?)?"
    r"(?:(?:^|\s*(?<=[a-z])|\s+|(?<=\s))(?P<year>\d{4}))?",
    re.ASCII,
)


class Written(NamedTuple):
    """A written date: the interval it allows, and the launch window (start, end) if it gives one."""

    net: Net
    window: tuple[Instant, Instant] | None = None


class _Reading(NamedTuple):
    """The defaults for what the words leave out."""

    zone: tzinfo
    year: int | None
    midnight: bool


def parse_prose(
    text: str, *, zone: tzinfo = UTC, year: int | None = None, midnight_is_a_time: bool = False
) -> Written | None:
    """A written date; None if it says that the date is unknown ("TBD").

    Days and times are of `zone` unless the text names another; `year` is for texts without one. 00:00 stands for an
    unknown time unless `midnight_is_a_time`. Raises InvalidError for text that is no date.
    """
    words = _normal(text)
    if words in _UNKNOWN:
        return None
    reading = _Reading(zone, year, midnight_is_a_time)
    try:
        return _read(words, reading)
    except (ValueError, OverflowError) as error:  # a 31 June, a minute 61
        raise InvalidError(f"{text[:MAX_CHARS]!r}: {error}") from error


def _normal(text: str) -> str:
    """Lower case, one kind of dash and of space, without references, commas and words that only say "planned"."""
    if len(text) > MAX_CHARS:
        raise InvalidError(f"{text[:50]!r}... is longer than a date can be")
    bare = _REMARK.sub(" ", _REFERENCE.sub(" ", text.lower().translate(_DASHES)))
    words = " ".join(bare.replace(",", " ").split())
    shorter = words if words in _UNKNOWN else _LEAD.sub("", words)
    return re.sub(rf"\b({_WORDS})-(?=\w)", r"\1 ", shorter)


def _read(words: str, reading: _Reading) -> Written:
    if words.endswith(" or later"):
        net = _read(words.removesuffix(" or later"), reading).net
        return Written(Net(net.earliest, net.earliest + 3652 * DAY - 1, Precision.DECADE))
    clock = _CLOCK.fullmatch(words)
    if clock is not None:
        return _timed(clock, reading)
    for split in (r"\s+(?:to|or|and)\s+", r"\s+-\s+", r"\s*[-/]\s*"):
        start, *ends = re.split(split, words, maxsplit=1)
        if ends:
            return Written(_range(start, ends[0], reading))
    return Written(_period(words, reading)[0])


def _timed(clock: re.Match[str], reading: _Reading) -> Written:
    """A day with a time, or with a window of two times."""
    zone = ZoneInfo(_ZONES[clock["zone"]]) if clock["zone"] in _ZONES else reading.zone
    if clock["zone"] and clock["zone"] not in _ZONES:
        raise InvalidError(f"{clock['zone']!r} is no known time zone")
    day, found = _period(clock["date"].removesuffix(" -"), reading._replace(zone=zone))
    if found["day"] is None and found["day2"] is None:
        raise InvalidError(f"{clock.group()!r} has a time but no day")
    start = _at(day, clock["start"], clock["half"], zone)
    if clock["end"]:
        end = _at(day, clock["end"], clock["half"], zone)
        end += DAY if end < start else 0
        return Written(_spanning(start, end + _unit(clock["end"]) - 1), (start, end))
    if clock["about"]:
        return Written(Net(start - HOUR // 2, start + HOUR // 2 - 1, Precision.HOUR))
    if not reading.midnight and clock["start"] in {"00:00", "0:00"}:
        return Written(day)
    return Written(_spanning(start, start + _unit(clock["start"]) - 1))


def _at(day: Net, clock: str, half: str | None, zone: tzinfo) -> Instant:
    """The instant of a local time on a local day; `half` is "am" or "pm"."""
    hour, minute, *second = (int(part) for part in clock.split(":"))
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - a clock's face
            raise InvalidError(f"{clock} {half} is not a time")
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    local = datetime.fromtimestamp(day.earliest // SECOND, zone)
    return from_datetime(local.replace(hour=hour, minute=minute, second=second[0] if second else 0).astimezone(UTC))


def _unit(clock: str) -> int:
    return SECOND if clock.count(":") > 1 else MINUTE


def _range(start: str, end: str, reading: _Reading) -> Net:
    """From the start of one period to the end of another; the first takes year and month from the second."""
    last, found = _period(end, reading)
    if re.fullmatch(r"\d{1,2}", start) and found["month"]:
        start = f"{start} {found['month']}"
    year = int(found["year"]) if found["year"] else reading.year
    first, _ = _period(start, reading._replace(year=year))
    if first.earliest > last.latest:
        raise InvalidError(f"{start!r} is later than {end!r}")
    return _spanning(first.earliest, last.latest)


def _period(words: str, reading: _Reading) -> tuple[Net, re.Match[str]]:
    found = _PERIOD.fullmatch(words.strip())
    if found is None or not found.group():
        raise InvalidError(f"{words!r} is not a date")
    year = int(found["year"]) if found["year"] else reading.year
    if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
        raise InvalidError(f"{words!r} has no year from {FIRST_YEAR} to {LAST_YEAR}")
    day = found["day"] or found["day2"]
    if found["month"]:
        return _in_month(_month(found["month"]), year, day, found["part"], reading.zone), found
    if day:
        raise InvalidError(f"{words!r} has a day but no month")
    return _in_year(found, year), found


def _month(word: str) -> int:
    for number, name in enumerate(_MONTHS, 1):
        if name.startswith(word) or word == "sept" == name[:4]:
            return number
    raise InvalidError(f"{word!r} is not a month")


def _in_month(month: int, year: int, day: str | None, part: str | None, zone: tzinfo) -> Net:
    if day:
        start = datetime(year, month, int(day), tzinfo=zone)
        end = start + timedelta(days=1)  # of the wall clock: a day of 23 or 25 hours is one
        return Net(from_datetime(start.astimezone(UTC)), from_datetime(end.astimezone(UTC)) - 1, Precision.DAY)
    whole = net_at(from_datetime(datetime(year, month, 1, tzinfo=UTC)), Precision.MONTH)
    if part is None:
        return whole
    if part not in _PARTS_OF_MONTH:
        raise InvalidError(f"a month has no {part!r}")
    first, last = _PARTS_OF_MONTH[part]
    return _spanning(whole.earliest + (first - 1) * DAY, min(whole.earliest + last * DAY - 1, whole.latest))


def _in_year(found: re.Match[str], year: int) -> Net:
    number = _ORDINALS.get(found["nth"] or "", 0)
    quarter = int(found["quarter"] or found["quarter2"] or 0) or (number if found["unit"] == "quarter" else 0)
    half = int(found["half"] or 0) or (number if found["unit"] == "half" else 0)
    if half > 2:  # noqa: PLR2004 - halves
        raise InvalidError(f"{found.group()!r}: there are two halves")
    if quarter or half:
        month = 3 * quarter - 2 if quarter else 6 * half - 5
        precision = Precision.QUARTER if quarter else Precision.HALF
        return net_at(from_datetime(datetime(year, month, 1, tzinfo=UTC)), precision)
    first, last = _PARTS_OF_YEAR[found["part"]] if found["part"] else (1, 12)
    ends = (net_at(from_datetime(datetime(year, month, 1, tzinfo=UTC)), Precision.MONTH) for month in (first, last))
    start, end = ends
    return _spanning(start.earliest, end.latest)


def _spanning(earliest: Instant, latest: Instant) -> Net:
    """The interval with the finest precision whose period is as long."""
    for length, precision in _LENGTHS:
        if latest - earliest < length:
            return Net(earliest, latest, precision)
    raise InvalidError("it spans more than ten years")
