"""What the command line prints: JSON for programs, tables and plain lines for people."""

from collections.abc import Callable
from typing import Any

import click
import msgspec

from launchd.cli.context import Asking
from launchd.values.text import one_line

Columns = dict[str, Callable[[dict[str, Any]], object]]


def columns(*names: str) -> Columns:
    """Columns that show the fields of these names."""

    def reads(name: str) -> Callable[[dict[str, Any]], object]:
        return lambda one: one.get(name)

    return {name: reads(name) for name in names}


def _oldest_wait(queue: dict[str, Any]) -> str:
    return age(queue["oldest_wait"]) if queue["waiting"] else ""


QUEUES: Columns = {
    **columns("name", "concurrency", "rate", "running", "waiting"),
    "oldest_wait": _oldest_wait,
    **columns("paused", "note"),
}
# How much of an instant a precision lets one say.
_LENGTHS = {"second": 19, "minute": 16, "hour": 13, "day": 10, "week": 10, "month": 7}


def net_text(one: dict[str, Any]) -> str:
    """A NET as finely as it is known: a vague one never looks like a time."""
    net: str | None = one["net"]
    precision: str = one["net_precision"]
    if net is None:
        return ""
    year, month = net[:4], int(net[5:7]) if net[5:7].isdigit() else 1
    if precision in {"year", "decade"}:
        return f"{year}s" if precision == "decade" else str(year)
    if precision in {"quarter", "half"}:
        return f"{year} Q{(month + 2) // 3}" if precision == "quarter" else f"{year} H{(month + 5) // 6}"
    return net[: _LENGTHS.get(precision)].replace("T", " ") + ("h" if precision == "hour" else "")


def print_json(view: object) -> None:
    """Print JSON, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(view), indent=2).decode())


def print_record(asking: Asking, view: dict[str, Any], hide: tuple[str, ...] = ()) -> None:
    """Print one thing, a field a line; those without a value are left out."""
    if asking.json:
        print_json(view)
        return
    width = max(map(len, view))
    for name, value in view.items():
        if name not in hide and value not in (None, []):
            click.echo(f"{name:<{width}}  {shown(value)}")


def shown(value: object) -> str:
    """A value as a person reads it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.1f}"
        case str():
            return one_line(value)
        case list() if all(isinstance(one, str) for one in value):
            return one_line(", ".join(value))
    return one_line(msgspec.json.encode(value).decode())


def age(seconds: float) -> str:
    """A duration in its largest unit: `45 s`, `3 min`, `2 h`, `4 d`."""
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def seconds(value: float | None) -> str:
    """A measured duration, as finely as it matters: `3 ms`, `0.25 s`, `41.2 s`, `12.5 min`."""
    if value is None:
        return ""
    if value < 0.1:  # noqa: PLR2004 - see the examples
        return f"{value * 1000:.3g} ms"
    if value < 60:  # noqa: PLR2004 - a minute
        return f"{value:.3g} s"
    return f"{value / 60:.1f} min" if value < 3600 else f"{value / 3600:.1f} h"  # noqa: PLR2004 - an hour


def size(count: float) -> str:
    """A number of bytes in its largest binary unit."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 - as the units say
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
