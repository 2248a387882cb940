"""When a schedule is due: cron expressions read by croniter, and plain intervals. Pure, in UTC.

An occurrence is an Instant. croniter is fed naive wall time only; a cron expression has minute resolution with five
fields and second resolution with six (seconds first).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cron_descriptor import ExpressionDescriptor
from croniter import CroniterBadDateError, CroniterError, croniter

from launchd.clock import SECOND, Instant, from_datetime, to_datetime
from launchd.errors import InvalidError

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FIELDS = (5, 6)


class Cron(NamedTuple):
    """A cron expression that was checked; `expression` has five fields, or six with the seconds first."""

    expression: str


class Every(NamedTuple):
    """A fixed interval, counted from the epoch so that restarts do not shift it."""

    seconds: int


Recurrence = Cron | Every


def parse_cron(text: str) -> Cron:
    """Read an expression; raises InvalidError with the reason for what croniter refuses or would misread."""
    expression = _ALIASES.get(text.strip().lower(), " ".join(text.split()))
    fields = expression.split(" ")
    if len(fields) not in _FIELDS:
        raise InvalidError(f"cron {text!r}: expected 5 fields (or 6 with seconds first), got {len(fields)}")
    _refuse_surprises(text, fields)
    try:
        croniter(expression, second_at_beginning=len(fields) == max(_FIELDS))
        next(occurrences(Cron(expression), 0))
    except (CroniterError, ValueError) as error:
        raise InvalidError(f"cron {text!r}: {error}") from error
    except StopIteration:
        raise InvalidError(f"cron {text!r}: no such date ever comes") from None
    return Cron(expression)


def parse_every(text: str) -> Every:
    """Read an interval such as "90s", "5m", "6h" or "1d"; raises InvalidError."""
    amount, unit = text.strip()[:-1], text.strip()[-1:]
    if unit not in _UNITS or not amount.isascii() or not amount.isdigit() or int(amount) == 0:
        raise InvalidError(f"every {text!r}: expected a whole number and a unit, such as 90s, 5m, 6h or 1d")
    seconds = int(amount) * _UNITS[unit]
    if seconds > 366 * _UNITS["d"]:
        raise InvalidError(f"every {text!r}: at most a year")
    return Every(seconds)


def occurrences(recurrence: Recurrence, after: Instant) -> Iterator[Instant]:
    """The instants strictly after `after`, ascending; ends where the calendar does."""
    if isinstance(recurrence, Every):
        step = recurrence.seconds * SECOND
        instant = (after // step + 1) * step
        while True:
            yield instant
            instant += step
    start = to_datetime(after).replace(tzinfo=None)
    six = recurrence.expression.count(" ") == max(_FIELDS) - 1
    iterator = croniter(recurrence.expression, start, second_at_beginning=six)
    while True:
        try:
            wall = iterator.get_next(datetime)
        except (CroniterBadDateError, OverflowError):
            return
        yield from_datetime(wall.replace(tzinfo=UTC))


def period_seconds(recurrence: Recurrence, after: Instant) -> float:
    """The distance of the next two occurrences; a day where there is only one left."""
    if isinstance(recurrence, Every):
        return float(recurrence.seconds)
    found = occurrences(recurrence, after)
    first, second = next(found, None), next(found, None)
    if first is None or second is None:
        return timedelta(days=1).total_seconds()
    return (second - first) / SECOND


def describe(recurrence: Recurrence) -> str:
    """The recurrence in plain English."""
    if isinstance(recurrence, Every):
        return f"Every {recurrence.seconds} seconds"
    return str(ExpressionDescriptor(recurrence.expression).get_full_description())


def _refuse_surprises(text: str, fields: list[str]) -> None:
    """Refuse what croniter accepts but reads otherwise than the writer meant."""
    for field in fields:
        if not field.isascii():
            raise InvalidError(f"cron {text!r}: {field!r} has characters that are not ASCII")
        if "R" in field.upper().replace("MAR", "").replace("APR", "").replace("FRI", ""):
            raise InvalidError(f"cron {text!r}: random times ({field!r}) would differ at every restart")
        for part in field.split(","):
            low, dash, high = part.partition("/")[0].partition("-")
            if dash and low.isdigit() and high.isdigit() and int(low) > int(high):
                raise InvalidError(f"cron {text!r}: the range {part!r} runs backwards; write it as two ranges")
