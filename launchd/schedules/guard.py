"""A whole cron expression: reads its fields, and refuses what implementations of cron read differently. Pure.

croniter reads the plain parts. Expressions that it accepts but reads in a surprising way never reach it: `R` is random
at each start, `H` needs an id, a backward range wraps round, `5-5` means every value, a step beyond the range is one
value, `*,5` is read as 5, `5,L5` loses the 5 (launchd/schedules/fields.py).
"""

from collections.abc import Sequence
from typing import NamedTuple

from croniter import croniter

from launchd.schedules.fields import DAY, HOUR, KINDS, MINUTE, MONTH, SECOND, WEEKDAY, Field, FieldKind, read_field
from launchd.schedules.wall import DayRule, WallPattern

FIELD_COUNTS = (5, 6)
_SIX = 6


class CronReading(NamedTuple):
    """An expression that was read. `values` are the numbers of each field by its name; an empty tuple means all.

    `interval` is True if a part of the minute or hour begins with `*`: then it follows real time at clock changes.
    """

    fields: dict[str, Field]
    values: dict[str, tuple[int, ...]]
    pattern: WallPattern
    interval: bool

    @property
    def both_days(self) -> bool:
        """True if both days of the month and weekdays are restricted."""
        return self.pattern.rule.by_day and self.pattern.rule.by_weekday


def read_expression(expression: str, *, both: bool) -> CronReading:
    """Read five fields, or six with the seconds first, separated by single spaces; raises ValueError with the reason.

    With `both`, a day must match day of month and weekday if both are restricted; else one of them is enough.
    """
    texts = expression.split(" ")
    kinds = KINDS[-len(texts) :]
    fields = {kind.name: read_field(text, kind) for kind, text in zip(kinds, texts, strict=True)}
    # croniter wants every field, and the seconds last
    order = (MINUTE, HOUR, DAY, MONTH, WEEKDAY, SECOND)[: len(texts)]
    expanded = croniter.expand(" ".join(fields[kind.name].plain or "*" for kind in order))[0]
    values = {kind.name: _numbers(found, kind) for kind, found in zip(order, expanded, strict=True)}
    # a list whose plain parts are every value needs no other part: `0-6,5#3` is `*`
    fields |= {name: field.opened() for name, field in fields.items() if field.plain and not values[name]}
    if not both:
        _refuse_mixed_days(fields[DAY.name], fields[WEEKDAY.name])
    interval = fields[MINUTE.name].starred or fields[HOUR.name].starred
    return CronReading(fields, values, _pattern(fields, values, both=both, seconds=len(texts) == _SIX), interval)


def _numbers(found: Sequence[int | str], kind: FieldKind) -> tuple[int, ...]:
    numbers = {kind.low if one > kind.top else one for one in found if isinstance(one, int)}
    return () if len(numbers) == kind.top - kind.low + 1 else tuple(sorted(numbers))


def _pattern(fields: dict[str, Field], values: dict[str, tuple[int, ...]], *, both: bool, seconds: bool) -> WallPattern:
    day, weekday = fields[DAY.name], fields[WEEKDAY.name]
    rule = DayRule(
        days=frozenset(values[DAY.name]),
        before_last=day.before_last,
        nearest=day.nearest,
        months=frozenset(values[MONTH.name]),
        weekdays=frozenset(values[WEEKDAY.name]),
        nth=weekday.nth,
        both=both,
    )
    second = values[SECOND.name] or tuple(range(60)) if seconds else (0,)
    return WallPattern(values[HOUR.name] or tuple(range(24)), values[MINUTE.name] or tuple(range(60)), second, rule)


def _refuse_mixed_days(day: Field, weekday: Field) -> None:
    """Refuse two restricted day fields if one begins with `*` or names every value: implementations differ on them."""
    for kind, field, other in ((DAY, day, weekday), (WEEKDAY, weekday, day)):
        if not (field.restricts and other.restricts):
            continue
        if field.plain == "*":
            raise ValueError(f"{kind.name} {field.text!r} with {other.text!r}: write * for every {kind.name}")
        if field.starred:
            listed = _listed(field, kind)
            raise ValueError(
                f"{kind.name} {field.text!r} with {other.text!r}: some crons want both days to match, others either; "
                f'for either, list them or write {listed} instead; for both, set day_match = "and"'
            )


def _listed(field: Field, kind: FieldKind) -> str:
    """The field with `a-b/n` in place of each `*/n`: every cron reads that as a list."""
    parts = field.text.replace("?", "*").split(",")
    return ",".join(f"{kind.low}-{kind.top}{part[1:]}" if part.startswith("*/") else part for part in parts)
