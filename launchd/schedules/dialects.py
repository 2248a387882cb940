"""Schedules in the syntax of other programs: recognized, refused, and answered with launchd's own spelling. Pure.

AWS EventBridge, Quartz, systemd (OnCalendar, systemd.time(7)), Celery, Go, Kubernetes and crontab lines look like cron
expressions. launchd does not guess: each is refused, with the line to write if its meaning is certain.
"""

import ast
import re
from collections.abc import Callable

from launchd.schedules.fields import KINDS, FieldKind, open_step, short_names

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_OTHER_ALIASES = {
    "minutely": "* * * * *",
    "every_minute": "* * * * *",
    "secondly": "* * * * * *",
    "every_second": "* * * * * *",
    "noon": "0 12 * * *",
    "quarterly": "0 0 1 */3 *",
    "semiannually": "0 0 1 */6 *",
    "biannually": "0 0 1 */6 *",
    "weekdays": "0 0 * * 1-5",
    "weekends": "0 0 * * 0,6",
}
_CELERY = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_UNITS = r"(d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)"
_AMOUNTS = re.compile(rf"(?:every\s+)?((?:\d+\s*{_UNITS}\s*)+)")
_AMOUNT = re.compile(rf"(\d+)\s*{_UNITS}")
_ZONE = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)*/[A-Za-z_/+-]+\d*|UTC|GMT|Z")
_YEAR = re.compile(r"\*|\?|(?:19|20)\d\d(?:[-,/]\d+)*")
_HOURS = r"[\d*,/.]+"
_TIME_OF_DAY = re.compile(
    rf"(?:(?P<weekday>[A-Za-z][A-Za-z.,-]*)\s+)?(?:\*-\*-\*\s+)?(?P<hour>{_HOURS}):(?P<minute>{_HOURS})(?::0?0)?"
)
_DATE = re.compile(rf"(?:\d{{4}}|\*)-{_HOURS}-{_HOURS}|\d:\d")
_WEEKDAY_LIKE = re.compile(r"[\d*?][\d*?,/LW#-]*$|[lrh]$|(?:sun|mon|tue|wed|thu|fri|sat)", re.IGNORECASE)
_INTERVAL = 'an interval has a key of its own; use every, such as every = "5m", at most a year, in place of cron'
_LONGEST_INTERVAL = 366 * 86_400
_NO_YEARS = "launchd has no field for years, and counts weekdays from Sunday = 0: leave out the year"
_NO_COMMAND = "leave out the command or comment"
EXAMPLE = "write five fields such as 0 3 * * 1-5: minute hour day month weekday"
_FIVE, _SIX = 5, 6
Check = Callable[[str], bool]


def suggest_line(text: str, valid: Check) -> str | None:
    """The reason and a correction if `text` has the syntax of another program; None if it has not.

    `valid` is True for an expression that launchd accepts; only such expressions are suggested.

    >>> suggest_line("rate(5 minutes)", lambda _: True)
    'an interval has a key of its own; use every = "5m" in place of cron'
    """
    text = text.strip()
    for look in (_quoted, _zoned, _alias, _call, _interval, _calendar, _line):
        found = look(text, valid)
        if found is not None:
            return found
    return None


def _quoted(text: str, valid: Check) -> str | None:
    bare = text.strip("\"'`")
    return _write("leave out the quotes", bare, valid) if bare != text else None


def _zoned(text: str, valid: Check) -> str | None:
    match = re.fullmatch(r"(?:CRON_)?TZ=(\S*)\s*(.*)", text, re.IGNORECASE)
    return _with_zone(match[1], match[2], valid) if match else None


def _with_zone(zone: str, rest: str, valid: Check) -> str:
    return _write(f'the zone has a key of its own: set timezone = "{zone}"', rest, valid, joint=" and ")


def _alias(text: str, valid: Check) -> str | None:
    word = text.lower().removeprefix("@")
    starts = word in {"reboot", "start", "boot", "startup"}
    if text.startswith("@"):
        known = f"expected @startup or one of {', '.join(ALIASES)}"
        if starts:
            return "a job at each start of the daemon; write @startup"
        if re.match(r"every\s", word):
            return _interval(word, valid) or _INTERVAL
        return _write("no such alias", _OTHER_ALIASES[word], valid) if word in _OTHER_ALIASES else known
    if f"@{word}" in ALIASES:
        return f"an alias begins with @; write @{word}"
    return _write("no such word", _OTHER_ALIASES[word], valid) if word in _OTHER_ALIASES else None


def _call(text: str, valid: Check) -> str | None:
    """AWS's `cron(...)` and `rate(...)`, Celery's `crontab(...)`, Python's `timedelta(...)`."""
    match = re.fullmatch(r"([A-Za-z_.]+)\s*\((.*)\)", text, re.DOTALL)
    if match is None:
        return None
    name, inside = match[1].lower().rpartition(".")[2], match[2].strip()
    if name == "cron":
        return _of_aws(inside, valid)
    if name in {"rate", "timedelta", "schedule"}:
        words = re.sub(r"(\w+)\s*=\s*(\d+)", r"\2 \1", inside).replace(",", " ")
        return _interval(words, valid) or _INTERVAL
    if name == "crontab":
        return _of_celery(text, valid)
    return None


def _of_aws(inside: str, valid: Check) -> str:
    fields = inside.split()
    reason = "AWS counts weekdays from Sunday = 1 and has a year as its sixth field"
    if len(fields) != _SIX or fields[-1] != "*":
        return f"{reason}; launchd has no field for years: {EXAMPLE}"
    weekday = re.sub(r"(?<![#/\d])[1-7](?!\d)", lambda one: str(int(one[0]) - 1), fields[4])
    return _write(reason, " ".join([*fields[:4], weekday]).replace("?", "*"), valid)


def _of_celery(text: str, valid: Check) -> str:
    reason = "Celery's crontab is written as text"
    found = dict.fromkeys(_CELERY, "*")
    try:
        call = ast.parse(text, mode="eval").body
        if isinstance(call, ast.Call):
            given = [*zip(_CELERY[:2], call.args, strict=False), *((one.arg, one.value) for one in call.keywords)]
            found |= {str(key): _celery_value(ast.literal_eval(value)) for key, value in given}
            readable = len(call.args) <= len(_CELERY[:2]) and set(found) == set(_CELERY)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        readable = False
    if not readable:
        return f"{reason}: {EXAMPLE}"
    if found["day_of_month"] != "*" and found["day_of_week"] != "*":
        reason += ' and wants both days to match: set day_match = "and"'
    return _write(reason, " ".join(found[key] for key in _CELERY), valid)


def _celery_value(value: object) -> str:
    if isinstance(value, set | list | tuple):
        return ",".join(str(one) for one in sorted(value))
    return "".join(str(value).split())


def _interval(text: str, _valid: Check) -> str | None:
    """A length of time: `5m`, `1h30m`, `every 5 minutes`, `5 minutes`."""
    match = _AMOUNTS.fullmatch(text.lower())
    if match is None:
        return None
    seconds = sum(int(amount[:9]) * _SECONDS[unit[0]] for amount, unit in _AMOUNT.findall(match[1]))
    if not 0 < seconds <= _LONGEST_INTERVAL:
        return _INTERVAL
    unit, size = next((one, size) for one, size in _SECONDS.items() if seconds % size == 0)
    return f'an interval has a key of its own; use every = "{seconds // size}{unit}" in place of cron'


def _calendar(text: str, valid: Check) -> str | None:
    """OnCalendar= of systemd: `Mon..Fri *-*-* 03:00`, `*:0/15`; or a date and time."""
    text = re.sub(r"^OnCalendar\s*=\s*", "", text)
    daily = _TIME_OF_DAY.fullmatch(text)
    reason = "a time of day or a date is not written so"
    if daily is not None:
        fields = [daily["minute"], daily["hour"], "*", "*", daily["weekday"] or "*"]
        return _write(reason, re.sub(r"\b0+(?=\d)", "", " ".join(fields)).replace("..", "-"), valid)
    return f"{reason}: {EXAMPLE}" if _DATE.search(text) else None


def _line(text: str, valid: Check) -> str | None:
    """Five or six fields and more words: a zone, a year, a user, a command, a comment."""
    fields = text.split()
    five, six, rest = " ".join(fields[:_FIVE]), " ".join(fields[:_SIX]), fields[_FIVE:]
    if not rest:
        return None
    if len(rest) == 1 and _ZONE.fullmatch(rest[0]):
        return _with_zone(rest[0], five, valid)
    if len(rest) > 1 and all(_YEAR.fullmatch(one) for one in rest[1:]):
        return _write(_NO_YEARS, six, valid)
    if len(rest) == 1 and _YEAR.fullmatch(rest[0]) and not valid(_respelled(six)) and valid(_respelled(five)):
        return _write(_NO_YEARS, five, valid)
    command = _WEEKDAY_LIKE.match(rest[0]) is None
    if valid(five) and command:
        return _write(_NO_COMMAND, five, valid)
    return _write(_NO_COMMAND, six, valid) if valid(six) and len(rest) > 1 else None


def _write(reason: str, text: str, valid: Check, *, joint: str = "; ") -> str:
    """The reason with an expression to write: the text itself, or with its spelling corrected if only that is wrong."""
    for written in (text, _respelled(text)):
        if valid(written):
            return f"{reason}{joint}write {written}"
    return f"{reason}: {EXAMPLE}"


def _respelled(text: str) -> str:
    """The expression with `*/5` in place of `0/5`, and names cut to three letters."""
    fields = text.split()
    kinds = KINDS[-len(fields) :] if len(fields) in {_FIVE, _SIX} else ()
    if not kinds:
        return text
    return " ".join(
        ",".join(_part(part, kind) for part in one.split(",")) for one, kind in zip(fields, kinds, strict=True)
    )


def _part(part: str, kind: FieldKind) -> str:
    stepped = re.fullmatch(r"(\d{1,2})/(\d{1,2})", part)
    if stepped is not None and kind.low <= int(stepped[1]) <= kind.high:
        return open_step(int(stepped[1]), int(stepped[2]), kind)
    return short_names(part.lower(), kind) if part.isascii() else part
