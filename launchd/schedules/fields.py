"""One field of a cron expression: each part of its list is read, or refused with a correction. Pure.

A part that croniter reads as crontab(5) says becomes plain text with numbers in place of names. The extensions of
Quartz (`L`, `L-3`, `15W`, `5L`, `5#3`, also in a list), which croniter 6.2.4 to 7.0 refuses, drops or reads
differently, are read here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from launchd.schedules.wall import LAST

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_NAME_LENGTH = 3
_PART = re.compile(r"(?P<low>\*|\?|[a-z]+|\d+)(?:-(?P<high>[a-z]+|\d+))?(?:/(?P<step>\d+))?")
_LAST_DAY = re.compile(r"l(?:-(\d+))?")
_NEAREST = re.compile(r"(\d+|l)w")
_LAST_WEEKDAY = re.compile(r"l(?P<after>\d+|[a-z]{3})|(?P<before>\d+|[a-z]{3})l")
_NTH = re.compile(r"(?P<day>\d+|[a-z]+)#(?P<nth>\d+|l)")
_HASHED = re.compile(r"[hr](?![a-z])")
_END_OF_MONTH = re.compile(r"[lw]-?\d*|\d+[lw]|[a-z]{3}[lw]|lw|wl")
_FULL_NAMES = {"weekday": _WEEKDAYS, "month": _MONTHS}
_MOST_IN_MONTH = 5
_MOST_BEFORE_LAST = 30


class FieldKind(NamedTuple):
    """One of the six fields: its name, bounds, and names of values; Sunday is both weekday 0 and 7."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = {}

    @property
    def top(self) -> int:
        """The highest value without repetitions: 6 for weekdays."""
        return 6 if self.name == "weekday" else self.high

    @property
    def has_days(self) -> bool:
        """True for the day of the month and the weekday."""
        return self.name in {"day", "weekday"}


SECOND = FieldKind("second", 0, 59)
MINUTE = FieldKind("minute", 0, 59)
HOUR = FieldKind("hour", 0, 23)
DAY = FieldKind("day", 1, 31)
MONTH = FieldKind("month", 1, 12, {name[:_NAME_LENGTH]: index for index, name in enumerate(_MONTHS, 1)})
WEEKDAY = FieldKind("weekday", 0, 7, {name[:_NAME_LENGTH]: index for index, name in enumerate(_WEEKDAYS)})
KINDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)


class Field(NamedTuple):
    """A field that was read: `plain` is the part for croniter, "" if there is none.

    `starred` is True if a part begins with `*`. The sets are those of launchd.schedules.wall.DayRule.
    """

    text: str
    plain: str
    starred: bool = False
    before_last: frozenset[int] = frozenset()
    nearest: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()

    @property
    def special(self) -> bool:
        """True if a part counts from the end of the month (`L`, `W`) or numbers a weekday (`#`)."""
        return bool(self.before_last or self.nearest or self.nth)

    def opened(self) -> "Field":
        """The same field with every value."""
        return Field(self.text, "*", self.starred)

    @property
    def restricts(self) -> bool:
        """True unless the field is `*` or `?`."""
        return self.text not in {"*", "?"}


def read_field(text: str, kind: FieldKind) -> Field:
    """Read a list of parts; raises ValueError with the reason and a correction."""
    plain: list[str] = []
    days: list[int] = []
    nearest: list[int] = []
    nth: list[tuple[int, int]] = []
    for part in text.lower().split(","):
        try:
            if kind is DAY and (last := _LAST_DAY.fullmatch(part)):
                days.append(_before_last(last[1]))
            elif kind is DAY and (near := _NEAREST.fullmatch(part)):
                nearest.append(LAST if near[1] == "l" else _value(near[1], kind))
            elif kind is WEEKDAY and (counted := _counted_weekday(part)) is not None:
                nth.append(counted)
            else:
                plain.append(_plain(part, kind))
        except ValueError as error:
            raise ValueError(f"{kind.name} {text!r}: {error}") from error
    starred = any(part.startswith("*") for part in plain)
    found = Field(text, ",".join(plain), starred, frozenset(days), frozenset(nearest), frozenset(nth))
    return found.opened() if "*" in plain else found


# --- days by the end of the month, weekdays by number ---


def _before_last(text: str | None) -> int:
    number = 0 if text is None else int(text)
    if text is not None and number == 0:
        raise ValueError("no days before the last day is the last day; write L")
    if number > _MOST_BEFORE_LAST:
        raise ValueError(f"no month has a day {number} days before its last; expected L-1 to L-{_MOST_BEFORE_LAST}")
    return number


def _counted_weekday(part: str) -> tuple[int, int] | None:
    last, number = _LAST_WEEKDAY.fullmatch(part), _NTH.fullmatch(part)
    if last is not None:
        return _value(last["after"] or last["before"], WEEKDAY) % 7, LAST
    if number is None:
        return None
    weekday = _value(number["day"], WEEKDAY) % 7
    if number["nth"] == "l":
        return weekday, LAST
    nth = int(number["nth"])
    if not 1 <= nth <= _MOST_IN_MONTH:
        raise ValueError(f"a month has at most five of a weekday; expected #1 to #5, or {number['day']}L for the last")
    return weekday, nth


# --- the parts that croniter reads ---


def _plain(part: str, kind: FieldKind) -> str:
    """The part with numbers in place of names, without leading zeros; raises ValueError."""
    if "~" in part or _HASHED.match(part):
        raise ValueError(_random(part, kind))
    short = short_names(part, kind)
    if short != part:
        _plain(short, kind)
        raise ValueError(f"names have three letters; write {short}")
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(_unreadable(part, kind))
    if match["low"] == "?" and not kind.has_days:
        raise ValueError(f"? is known for days only; write {part.replace('?', '*')}")
    wild = match["low"] in {"*", "?"}
    low = None if wild else _value(match["low"], kind)
    high = None if match["high"] is None else _value(match["high"], kind)
    step = None if match["step"] is None else int(match["step"])
    if high is not None:
        _check_range(low, high, step or 1, kind, names=match["low"].isalpha())
    if step is not None:
        _check_step(step, low, high, kind)
    if low is None:
        return "*" if step in {None, 1} else f"*/{step}"
    return str(low) + ("" if high is None else f"-{high}") + ("" if step in {None, 1} else f"/{step}")


def short_names(part: str, kind: FieldKind) -> str:
    """The part with full names cut to three letters."""
    full: Sequence[str] = _FULL_NAMES.get(kind.name, ())

    def short(name: re.Match[str]) -> str:
        known = any(one.startswith(name[0]) or name[0] == f"{one}s" for one in full)
        return name[0][:_NAME_LENGTH] if known and len(name[0]) > _NAME_LENGTH else name[0]

    return re.sub("[a-z]+", short, part)


def open_step(low: int, step: int, kind: FieldKind) -> str:
    """The range from `low` to the end of the field by a step, in a form that every cron reads alike."""
    low = low if low <= kind.top else kind.low
    if low + step > kind.top or step == 0:
        return str(low)
    if low == kind.low:
        return "*" if step == 1 else f"*/{step}"
    return f"{low}-{kind.top}/{step}"


def _value(text: str, kind: FieldKind) -> int:
    """A number or a name of a value; raises ValueError."""
    if not text.isdigit():
        if text in kind.names:
            return kind.names[text]
        raise ValueError(_unknown_name(text, kind))
    value = int(text)
    if not kind.low <= value <= kind.high:
        raise ValueError(f"expected {kind.low}..{kind.high}, got {value}")
    return value


def _check_range(low: int | None, high: int, step: int, kind: FieldKind, *, names: bool) -> None:
    if low is None:
        raise ValueError(f"a range needs two values; write * or {kind.low}-{high}")
    if low == high:
        raise ValueError(f"the range has one value; write {low}")
    if low > high:
        raise ValueError(f"the range runs backwards; write {_forwards(low, high, step, kind, names=names)}")


def _forwards(low: int, high: int, step: int, kind: FieldKind, *, names: bool) -> str:
    """A range that wraps past the end of its field, as a list that does not."""
    size = kind.top - kind.low + 1
    low, high = (value if value <= kind.top else kind.low for value in (low, high))
    values = [(low - kind.low + ahead) % size + kind.low for ahead in range(0, (high - low) % size + 1, step)]
    shown = {value: name for name, value in kind.names.items()} if names else {}
    if step > 1:
        return ",".join(str(shown.get(value, value)) for value in values)
    split = values.index(kind.low) if kind.low in values else len(values)
    runs = [run for run in (values[:split], values[split:]) if run]
    return ",".join(_run(shown.get(run[0], run[0]), shown.get(run[-1], run[-1])) for run in runs)


def _run(first: str | int, last: str | int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _check_step(step: int, low: int | None, high: int | None, kind: FieldKind) -> None:
    if low is not None and high is None:
        raise ValueError(f"a step needs a range; write {open_step(low, step, kind)}")
    first, last = (kind.low, kind.top) if low is None or high is None else (low, high)
    if step == 0:
        written = "*" if low is None else _run(first, last)
        raise ValueError(f"a step of 0 leaves the range {first}-{last}; write {written}")
    if step > last - first:
        other = f' (or every = "{step}m" in place of cron)' if kind is MINUTE and low is None else ""
        raise ValueError(f"a step of {step} leaves the range {first}-{last}; write {first}{other}")


# --- refusals ---


def _unreadable(part: str, kind: FieldKind) -> str:
    """The reason why a part is refused, with a correction if its dialect is known."""
    inside = f"within {kind.low}..{kind.high}"
    if not part:
        return "an empty part of a list cannot be read; leave out the comma"
    if re.fullmatch(r"/\d+", part):
        return f"a step needs a range; write *{part}"
    if re.fullmatch(r"\w+\.\.\w+", part):
        return f"a range is written with -; write {part.replace('..', '-')}"
    if "#" in part and kind is not WEEKDAY:
        return f"# counts weekdays, such as 5#3 in the last field; expected a number {inside} here"
    if _END_OF_MONTH.fullmatch(part):
        return _misplaced(kind)
    return f"{part!r} cannot be read; expected such as *, 5, 1-5, */10 or 1-30/5 {inside}"


def _misplaced(kind: FieldKind) -> str:
    """The reason for an `L` or `W` in a field or form that does not allow it."""
    if kind is DAY:
        return "L and W of a day are L, L-3, 15W or LW; the last of a weekday, such as 5L, belongs into the last field"
    if kind is WEEKDAY:
        return (
            "L and W of the month belong into the field of the day; write 6 for Saturday, or 6L for the last Saturday"
        )
    return f"L and W belong into the fields of the days; write {kind.top} for the last {kind.name}"


def _random(part: str, kind: FieldKind) -> str:
    inside, step = re.search(r"(\d+)[-~](\d+)", part), re.search(r"/(\d+)", part)
    first, last = (int(inside[1]), int(inside[2])) if inside else (kind.low, kind.top)
    if step is None:
        written = str(first)
    else:
        written = f"{first}-{last}/{step[1]}" if inside else open_step(first, int(step[1]), kind)
    return f"random and hashed times would differ between daemons; use jitter_seconds and write {written}"


def _unknown_name(text: str, kind: FieldKind) -> str:
    if text in {"l", "w", "lw", "wl"}:
        return _misplaced(kind)
    expected = f"{kind.low}..{kind.high}"
    if not kind.names:
        return f"no such {kind.name} as {text!r}; expected a number {expected}"
    return f"no such {kind.name} as {text!r}; expected {expected} or one of {', '.join(kind.names)}"
