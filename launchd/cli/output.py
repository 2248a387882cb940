"""Output of the command line: JSON for programs, tables and plain lines for people.

In tables, short values are never cut, and free text gets the room that is left. If a terminal is too narrow for the
short values, lines are longer than the terminal: half an id is useless. A pipe gets one line for each row.
"""

import io
import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

import click
import msgspec

from launchd.cli.context import CommandContext, at
from launchd.values.text import one_line

Columns = dict[str, Callable[[dict[str, Any]], object]]

# Columns of free text, which may be wrapped.
_TEXTS = frozenset(
    {
        *("reason", "error", "detail", "description", "note", "attribution", "arguments", "values", "title", "launch"),
        *("other", "old", "new", "value"),
    }
)
# The least width of a text column.
_LEAST_TEXT = 24
# The longest page of a list.
MOST_ROWS = 1000
_GAP = 2
_FRACTION = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z")


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
# The characters of a time that a precision allows.
_LENGTHS = {"second": 19, "minute": 16, "hour": 13, "day": 10, "week": 10, "month": 7}


def net_text(one: dict[str, Any]) -> str:
    """A NET to its precision: a vague one never looks like an exact time."""
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


def print_record(context: CommandContext, view: dict[str, Any], hide: tuple[str, ...] = ()) -> None:
    """Print one record, a field a line; fields without a value are left out."""
    if context.json:
        print_json(view)
        return
    width = max(map(len, view))
    for name, value in view.items():
        if name not in hide and value not in (None, []):
            click.echo(f"{name:<{width}}  {format_value(value)}")


def format_value(value: object) -> str:
    """A value as text for people."""
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


def signed_age(value: float) -> str:
    """A distance in time with its sign: `+2 d`, `-3 min`, and `0` for none."""
    return "0" if value == 0 else f"{'+' if value > 0 else '-'}{age(abs(value))}"


def seconds(value: float | None) -> str:
    """A measured duration in three digits: `3 ms`, `0.25 s`, `41.2 s`, `12.5 min`."""
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


def print_page(context: CommandContext, view: dict[str, Any], shows: Columns, *, one_line: bool = False) -> None:
    """Print a page of a list."""
    if context.json:
        print_json(view)
        return
    print_table(view["items"], shows, one_line=one_line)
    if view["next"] is not None:
        click.echo(f"there are more: --limit takes up to {MOST_ROWS}", err=True)


def print_all(context: CommandContext, kind: str, shows: Columns) -> None:
    """Print a whole list, such as the queues."""
    print_page(context, {"items": context.client().items(at(kind)), "next": None}, shows)


def print_table(rows: list[dict[str, Any]], shows: Columns, *, one_line: bool = False) -> None:
    """Print rows under their headings; `one_line` cuts long texts instead of wrapping them."""
    if not rows:
        click.echo("(none)")
        return
    on_terminal = sys.stdout.isatty()
    heading, *lines = table(rows, shows, shutil.get_terminal_size().columns if on_terminal else None, one_line=one_line)
    click.echo(click.style(heading, bold=True) if on_terminal else heading)
    for line in lines:
        click.echo(line)


def table(rows: list[dict[str, Any]], shows: Columns, room: int | None, *, one_line: bool = False) -> list[str]:
    """The lines of a table, its headings first, for a terminal of `room` columns; None means any width."""
    from rich.console import Console  # noqa: PLC0415 - not needed for JSON
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    cells = [[_cell(read(row), one_line=one_line or room is None) for read in shows.values()] for row in rows]
    widths = [max(map(_width, column)) for column in zip(shows, *cells, strict=True)]
    least = [min(width, _LEAST_TEXT) if name in _TEXTS else width for name, width in zip(shows, widths, strict=True)]
    drawn = Table(box=None, pad_edge=False)
    for name, width in zip(shows, least, strict=True):
        drawn.add_column(name, no_wrap=name not in _TEXTS, min_width=width)
    for row in cells:
        drawn.add_row(*(Text(cell, no_wrap=one_line, overflow="ellipsis" if one_line else "fold") for cell in row))
    gaps = _GAP * (len(widths) - 1)
    width = sum(widths) if room is None else max(room - gaps, sum(least))
    console = Console(width=width + gaps, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(drawn)
    return [line.rstrip() for line in captured.get().splitlines()]


def _cell(value: object, *, one_line: bool) -> str:
    """A value in a table; fractions of seconds are left out."""
    text = format_value(value.replace("\n", " ") if one_line and isinstance(value, str) else value)
    found = _FRACTION.fullmatch(text)
    return f"{found[1]}Z" if found is not None else text


def _width(text: str) -> int:
    from rich.cells import cell_len  # noqa: PLC0415 - see print_table

    return max(map(cell_len, text.splitlines() or [""]))
