"""A cron expression in plain English, and its warnings. Pure.

The library cron-descriptor describes times, and simple day fields. Lists are passed to it as plain numbers, because it
fails on lists with steps. Other days are described here, because it omits "or" and the number of a weekday in lists.
"""

from collections.abc import Callable, Sequence

from cron_descriptor import ExpressionDescriptor, Options

from launchd.schedules.fields import DAY, HOUR, KINDS, MINUTE, WEEKDAY
from launchd.schedules.guard import CronReading
from launchd.schedules.wall import LAST

# Fixed here; by default the library uses the language and the clock of the process's locale.
_ENGLISH = Options(locale_code="en_US", use_24hour_time_format=True)
_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_NUMBERS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
_SHORTEST_RUN = 3


def describe(reading: CronReading) -> str:
    """The times and days of an expression in words, without its zone."""
    fields = {name: _spelled(reading, name) for name in reading.fields}
    simple = not (reading.both_days or reading.fields[DAY.name].special or reading.fields[WEEKDAY.name].special)
    if not simple:
        fields |= {DAY.name: "*", WEEKDAY.name: "*"}
    text = " ".join(fields[kind.name] for kind in KINDS if kind.name in fields)
    described = str(ExpressionDescriptor(text, _ENGLISH).get_full_description())
    return described if simple else f"{described}, {_days(reading)}"


def warnings(reading: CronReading, *, both: bool) -> list[str]:
    """Warnings about an expression that is valid but may have another meaning than intended."""
    day, weekday = reading.fields[DAY.name], reading.fields[WEEKDAY.name]
    found = []
    if reading.both_days and not both:
        found.append("with both a day of the month and a weekday, either is enough")
    if both and not reading.both_days:
        found.append('day_match = "and" changes nothing: it needs a day of the month and a weekday')
    if day.text == "?" and any(one.isdigit() for one in weekday.text):
        found.append("weekdays count from Sunday = 0 here; where ? is customary they often count from 1: write names")
    for kind, size, name in ((MINUTE, 60, "hour"), (HOUR, 24, "day")):
        for part in reading.fields[kind.name].text.split(","):
            step = part.removeprefix("*/")
            if step != part and size % int(step):
                found.append(f"{part} starts anew each {name}: the last step of the {name} is shorter")
    return found


# --- for the library ---


def _spelled(reading: CronReading, name: str) -> str:
    """The field in a form that the library describes correctly."""
    field, values = reading.fields[name], reading.values[name]
    if not values:
        return "*"
    return _runs(values, "{}-{}", ",".join) if "," in field.plain else field.plain


def _runs(values: Sequence[int], pattern: str, join: Callable[[list[str]], str]) -> str:
    """Numbers as a list; three or more in a row become a range."""
    found: list[str] = []
    start = 0
    for index, value in enumerate(values):
        if index + 1 < len(values) and values[index + 1] == value + 1:
            continue
        run = [str(one) for one in values[start : index + 1]]
        found += [pattern.format(run[0], run[-1])] if len(run) >= _SHORTEST_RUN else run
        start = index + 1
    return join(found)


# --- days in words ---


def _days(reading: CronReading) -> str:
    """The days in words, such as "on day 13 of the month, but only on Friday"."""
    rule = reading.pattern.rule
    days = _or(_days_of_month(reading))
    weekdays = _or(_weekdays(reading))
    if not (days and weekdays):
        return days or weekdays
    return f"{days}, but only {weekdays}" if rule.both else f"{days}, or {weekdays}"


def _days_of_month(reading: CronReading) -> list[str]:
    rule = reading.pattern.rule
    found = []
    if rule.days:
        several = "days" if len(rule.days) > 1 else "day"
        found.append(f"on {several} {_runs(sorted(rule.days), '{} through {}', _and)} of the month")
    found += [f"on the weekday nearest day {day} of the month" for day in sorted(rule.nearest) if day != LAST]
    found += ["on the last weekday (Monday to Friday) of the month"] if LAST in rule.nearest else []
    for before in sorted(rule.before_last, reverse=True):
        days = f"{before} day{'s' if before > 1 else ''} before "
        found.append(f"{days if before else 'on '}the last day of the month")
    return found


def _weekdays(reading: CronReading) -> list[str]:
    rule = reading.pattern.rule
    found = []
    if rule.weekdays:
        named = _runs(sorted(rule.weekdays), "{} through {}", _and)
        found.append("on " + "".join(_NAMES[int(one)] if one.isdigit() else one for one in named))
    for weekday, number in sorted(rule.nth, key=lambda one: (one[1] == LAST, one[1], one[0])):
        found.append(f"on the {_NUMBERS[number]} {_NAMES[weekday]} of the month")
    return found


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _or(words: list[str]) -> str:
    return ", or ".join(words)
