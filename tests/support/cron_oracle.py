"""Gives tests of cron an oracle: it walks every minute of real time and compares each, without launchd's arithmetic.

`minutes` uses zoneinfo alone. The grammar draws an expression together with its meaning, so that no parser takes part
in the answer.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from launchd.clock import DAY, SECOND, Instant, from_datetime
from launchd.schedules.cron import DayMatch, DstFold, DstGap
from launchd.schedules.zones import pieces

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Havana",
    "Africa/Cairo",
    "America/Santiago",
    "Pacific/Chatham",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Asia/Kathmandu",
)
Matches = Callable[[datetime], bool]


class Shown(NamedTuple):
    """A minute of real time: its local time, the copy if that is repeated, and the times left out before it."""

    at: Instant
    wall: datetime
    copy: int
    last_copy: bool
    left_out: tuple[datetime, ...]


@cache
def minutes(zone: str, start: datetime, days: int) -> tuple[Shown, ...]:
    """Every minute of `days` days from `start`, in a zone."""
    tz = ZoneInfo(zone)
    found: list[Shown] = []
    before = (start - timedelta(minutes=1)).astimezone(tz).replace(tzinfo=None)
    for index in range(days * 1440):
        instant = start + timedelta(minutes=index)
        local = instant.astimezone(tz)
        wall = local.replace(tzinfo=None, fold=0)
        other = wall.replace(tzinfo=tz, fold=1 - local.fold)
        twice = (
            other.astimezone(UTC) != instant
            and other.astimezone(UTC).astimezone(tz).replace(tzinfo=None, fold=0) == wall
        )
        left_out = []
        missing = before + timedelta(minutes=1)
        while missing < wall:
            left_out.append(missing)
            missing += timedelta(minutes=1)
        found.append(Shown(from_datetime(instant), wall, local.fold, not twice or local.fold == 1, tuple(left_out)))
        before = wall
    return tuple(found)


def due(walk: Iterable[Shown], matches: Matches, *, interval: bool, gap: DstGap, fold: DstFold) -> list[Instant]:
    """The instants of a walk at which an expression is due, by the rules of Debian's cron."""
    fires = []
    for shown in walk:
        here = matches(shown.wall)
        if not interval:
            copies = {DstFold.FIRST: shown.copy == 0, DstFold.LAST: shown.last_copy, DstFold.BOTH: True}
            here = here and copies[fold]
            if gap is DstGap.SHIFT and any(matches(wall) for wall in shown.left_out):
                here = True
        if here:
            fires.append(shown.at)
    return fires


def changes(zone: str) -> list[datetime]:
    """The clock changes of a zone in three years; a date in 2026 for a zone without any."""
    found = []
    for year in (2011, 2024, 2026):
        start = from_datetime(datetime(year, 1, 1, tzinfo=UTC))
        for piece in pieces(zone, start):
            if piece.start >= start + 366 * DAY:
                break
            if piece.before != piece.offset:
                found.append(datetime.fromtimestamp(piece.start / SECOND, UTC))
    return found or [datetime(2026, 3, 29, tzinfo=UTC)]


# --- the grammar: every part is drawn with its spelling and its meaning ---


class Part(NamedTuple):
    """A part of a list: its text, the numbers or dates that it matches, and True if it begins with `*`."""

    text: str
    holds: Callable[[int], bool] | None
    on: Callable[[date], bool] | None = None
    starred: bool = False


class Drawn(NamedTuple):
    """An expression and its meaning."""

    text: str
    at_time: Callable[[datetime], bool]
    on_day: Callable[[date, DayMatch], bool]
    interval: bool

    def matches(self, wall: datetime, day_match: DayMatch) -> bool:
        return self.at_time(wall) and self.on_day(wall.date(), day_match)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_NAMES = {name: number for number, name in enumerate(_MONTHS, 1)}
DAY_NAMES = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}


def spelled(value: int, names: dict[str, int]) -> st.SearchStrategy[str]:
    """A number, with or without leading zeros, or its name in any case."""
    spellings = [str(value), f"{value:02}", f"{value:03}"]
    for name, number in names.items():
        if number == value:
            spellings += [name, name.upper(), name.title()]
    return st.sampled_from(spellings)


@st.composite
def plain_parts(draw: st.DrawFn, low: int, high: int, names: dict[str, int]) -> Part:
    """Mostly valid parts; some have a step beyond the range or a range of one value, which may be refused."""
    size = 7 if names is DAY_NAMES else 10**6
    kind = draw(st.sampled_from(["star", "step", "value", "value", "range", "stepped"]))
    if kind == "star":
        return Part("*", lambda _: True, starred=True)
    if kind == "step":
        step = draw(st.integers(1, (high - low) + 1))
        return Part(f"*/{step}", lambda value: (value - low) % step == 0, starred=True)
    first = draw(st.integers(low, high))
    if kind == "value":
        return Part(draw(spelled(first, names)), lambda value: value == first % size)
    last = draw(st.integers(first, high))
    step = draw(st.integers(1, max(last - first, 1))) if kind == "stepped" else 1
    chosen = {value % size for value in range(first, last + 1, step)}
    text = f"{draw(spelled(first, names))}-{draw(spelled(last, names))}"
    return Part(text + (f"/{step}" if kind == "stepped" else ""), chosen.__contains__)


def night_hours() -> st.SearchStrategy[Part]:
    """Hours from 0 to 4, in which clocks change."""
    return plain_parts(0, 4, {}).filter(lambda part: not part.starred)


@st.composite
def month_end_parts(draw: st.DrawFn) -> Part:
    """`L`, `L-3`, `15W`, `LW`."""
    number = draw(st.integers(1, 31))
    kind = draw(st.sampled_from(["L", "L-n", "W", "LW"]))
    case = draw(st.sampled_from([str.upper, str.lower]))
    if kind == "L":
        return Part(case("L"), None, lambda day: from_end(day) == 0)
    if kind == "L-n":
        before = min(number, 30)
        return Part(case(f"L-{before}"), None, lambda day: from_end(day) == before)
    if kind == "W":
        return Part(case(f"{number}W"), None, lambda day: nearest(day, number) == day)
    return Part(case("LW"), None, lambda day: nearest(day, day.day + from_end(day)) == day)


@st.composite
def counted_parts(draw: st.DrawFn) -> Part:
    """`5#3`, `fri#3`, `5#L`, `5L`, `L5`, `friL`."""
    value = draw(st.integers(0, 7))
    number = draw(st.integers(1, 5))
    name = draw(spelled(value, DAY_NAMES))
    if draw(st.booleans()):
        ordinal: Callable[[date], bool] = lambda day: (day.day + 6) // 7 == number  # noqa: E731 - its meaning, in place
        return Part(f"{name}#{number}", None, lambda day: day.isoweekday() % 7 == value % 7 and ordinal(day))
    text = draw(st.sampled_from([f"{name}#L", f"{name}l", f"L{name}"]))
    return Part(text, None, lambda day: day.isoweekday() % 7 == value % 7 and from_end(day) < 7)


def from_end(day: date) -> int:
    """The number of days of its month after a day."""
    return sum((day + timedelta(days=ahead)).month == day.month for ahead in range(1, 32))


def nearest(day: date, number: int) -> date | None:
    """The weekday (Monday to Friday) of the month of `day` that is nearest to the day `number`."""
    first = day.replace(day=1)
    target = first + timedelta(days=number - 1)
    if target.month != first.month:
        return None
    around = [target + timedelta(days=delta) for delta in (0, -1, 1, -2, 2)]
    return next(one for one in around if one.month == first.month and one.isoweekday() <= 5)


def lists(parts: st.SearchStrategy[Part]) -> st.SearchStrategy[list[Part]]:
    return st.lists(parts, min_size=1, max_size=3)


STAR = st.just([Part("*", lambda _: True, starred=True)])
OPEN = st.just([Part("?", lambda _: True)])


@st.composite
def expressions(draw: st.DrawFn, *, days: bool = True) -> Drawn:
    """Expressions; without `days`, the day fields are mostly open, and the hours mostly from 0 to 4."""
    minute = draw(lists(plain_parts(0, 59, {})))
    hour = draw(lists(plain_parts(0, 23, {}) if days else st.one_of(night_hours(), plain_parts(0, 23, {}))))
    open_days = () if days else (STAR, STAR, STAR)
    day = draw(st.one_of(STAR, OPEN, *open_days, lists(st.one_of(plain_parts(1, 31, {}), month_end_parts()))))
    month = draw(st.one_of(STAR, STAR, lists(plain_parts(1, 12, MONTH_NAMES))))
    weekday = draw(st.one_of(STAR, OPEN, *open_days, lists(st.one_of(plain_parts(0, 7, DAY_NAMES), counted_parts()))))
    text = " ".join(",".join(part.text for part in field) for field in (minute, hour, day, month, weekday))
    interval = any(part.starred for part in (*minute, *hour))

    def at_time(wall: datetime) -> bool:
        return held(minute, wall.minute) and held(hour, wall.hour)

    def on_day(at: date, day_match: DayMatch) -> bool:
        by_day, by_weekday = held(day, at.day, at), held(weekday, at.isoweekday() % 7, at)
        both = day_match is DayMatch.AND or is_open(day) or is_open(weekday)
        return held(month, at.month) and (by_day and by_weekday if both else by_day or by_weekday)

    return Drawn(text, at_time, on_day, interval)


def held(field: list[Part], value: int, day: date | None = None) -> bool:
    return any(
        part.holds(value) if part.holds is not None else part.on is not None and day is not None and part.on(day)
        for part in field
    )


def is_open(field: list[Part]) -> bool:
    return [part.text for part in field] in (["*"], ["?"])
