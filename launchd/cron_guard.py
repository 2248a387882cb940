"""What croniter accepts in a cron expression but reads otherwise than its writer may have meant: refused. Pure.

The cases are those of croniter 7.0.0: `R` is random at each start, `H` needs an id, a range that runs backwards wraps
round, `5-5` means every value, a step that is too long is silently one value, and `N/step` changed its meaning between
6.2.4 and 7.0.0.
"""

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# The fields from the right; each with its name, lowest and highest value, names, and the value of the first name.
_FIELDS = (
    ("weekday", 0, 7, _WEEKDAYS, 0),
    ("month", 1, 12, _MONTHS, 1),
    ("day", 1, 31, (), 0),
    ("hour", 0, 23, (), 0),
    ("minute", 0, 59, (), 0),
    ("second", 0, 59, (), 0),
)
_PART = re.compile(r"(?P<low>\*|\?|[a-z]+|\d+)(?:-(?P<high>[a-z]+|\d+))?(?:/(?P<step>\d+))?")
_LAST = re.compile(r"l|l[0-7]|[0-7]l")
_NTH = re.compile(r"([0-7]|[a-z]{3})#([1-5]|l)")


def refuse_surprises(fields: list[str]) -> None:
    """Raise ValueError with the reason for the first field that would surprise its writer."""
    if not all(field.isascii() for field in fields):
        raise ValueError("only ASCII is allowed")
    for field, (name, low, high, names, first) in zip(reversed(fields), _FIELDS, strict=False):
        values = {text: index + first for index, text in enumerate(names)}
        for part in field.lower().split(","):
            reason = _surprise(part, name, (low, high), values)
            if reason is not None:
                raise ValueError(f"{name} {field!r}: {reason}")
    _refuse_mixed_days(fields[-3].lower(), fields[-1].lower())


def _surprise(part: str, name: str, bounds: tuple[int, int], names: dict[str, int]) -> str | None:
    if name in {"day", "weekday"} and (_LAST.fullmatch(part) or _NTH.fullmatch(part)):
        return None
    if part[:1] in {"r", "h"}:
        return "random and hashed times would differ between daemons; use jitter_seconds"
    match = _PART.fullmatch(part)
    if match is None:
        return f"cannot be read; expected such as *, 5, 1-5, */10 or 1-30/5 within {bounds[0]}..{bounds[1]}"
    low, high = _number(match["low"], names), _number(match["high"], names)
    if match["low"] not in {"*", "?"} and low is None:
        return f"no such {name}"
    for value in (low, high):
        if value is not None and not bounds[0] <= value <= bounds[1]:
            return f"expected {bounds[0]}..{bounds[1]}, got {value}"
    return _range_surprise(low, high, match["high"] is not None) or _step_surprise(match["step"], low, high, bounds)


def _range_surprise(low: int | None, high: int | None, is_range: bool) -> str | None:  # noqa: FBT001 - private, one caller
    if not is_range:
        return None
    if low is None or high is None:
        return "a range needs two values"
    if low == high:
        return f"the range has one value; write {low}"
    if low > high:
        return "the range runs backwards; write it as two ranges"
    return None


def _step_surprise(text: str | None, low: int | None, high: int | None, bounds: tuple[int, int]) -> str | None:
    if text is None:
        return None
    if low == bounds[1] and high is None:
        return f"a step needs a range; write {low}"
    if low is not None and high is None:
        return f"a step needs a range; write {low}-{bounds[1]}/{text}"
    first, last = (low, high) if low is not None and high is not None else bounds
    if not 1 <= int(text) <= last - first:
        return f"a step of {text} leaves the range {first}-{last}"
    return None


def _refuse_mixed_days(day: str, weekday: str) -> None:
    """A restriction of both days means "either" for some crons and "both" for others when one begins with `*`."""
    for field, other in ((day, weekday), (weekday, day)):
        if field.startswith(("*/", "?/")) and other not in {"*", "?"}:
            raise ValueError(f"{field!r} with {other!r}: some crons want both days to match, others either; list them")
    if day in {"1-31", "1-31/1"} and weekday not in {"*", "?"}:
        raise ValueError(f"day {day!r} with weekday {weekday!r}: write * for every day")
    if weekday in {"0-6", "0-7", "1-7"} and day not in {"*", "?"}:
        raise ValueError(f"weekday {weekday!r} with day {day!r}: write * for every weekday")


def _number(text: str | None, names: dict[str, int]) -> int | None:
    if text is None or text in {"*", "?"}:
        return None
    return int(text) if text.isdigit() else names.get(text)
