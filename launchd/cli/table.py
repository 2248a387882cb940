"""Tables of the command line: what is short stays whole, free text takes the room that is left.

A terminal too narrow for what is short gets lines longer than itself: half an id is of no use. A pipe gets a line for
each row, as long as it needs to be.
"""

import io
import re
import shutil
import sys
from typing import Any

import click

from launchd.cli.context import Asking, at
from launchd.cli.output import Columns, print_json, shown

# What people wrote, or a program wrote for people: it may be wrapped.
_TEXTS = frozenset(
    {
        *("reason", "error", "detail", "description", "note", "attribution", "arguments", "values", "title", "launch"),
        *("other", "old", "new", "value"),
    }
)
# How much of a text is always shown.
_LEAST_TEXT = 24
# The longest page of a list.
MOST_ROWS = 1000
_GAP = 2
_FRACTION = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z")


def print_page(asking: Asking, view: dict[str, Any], shows: Columns, *, one_line: bool = False) -> None:
    """Print a page of a list."""
    if asking.json:
        print_json(view)
        return
    print_table(view["items"], shows, one_line=one_line)
    if view["next"] is not None:
        click.echo(f"and more: --limit takes up to {MOST_ROWS}", err=True)


def print_all(asking: Asking, kind: str, shows: Columns) -> None:
    """Print a whole list, such as the queues."""
    print_page(asking, {"items": asking.client().items(at(kind)), "next": None}, shows)


def print_table(rows: list[dict[str, Any]], shows: Columns, *, one_line: bool = False) -> None:
    """Print rows under their headings; `one_line` cuts texts that find no room instead of wrapping them."""
    if not rows:
        click.echo("(none)")
        return
    on_terminal = sys.stdout.isatty()
    heading, *lines = table(rows, shows, shutil.get_terminal_size().columns if on_terminal else None, one_line=one_line)
    click.echo(click.style(heading, bold=True) if on_terminal else heading)
    for line in lines:
        click.echo(line)


def table(rows: list[dict[str, Any]], shows: Columns, room: int | None, *, one_line: bool = False) -> list[str]:
    """The lines of a table, its headings first, for a terminal of so many columns; None has room for everything."""
    from rich.console import Console  # noqa: PLC0415 - JSON does without
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
    """A value in a table; of instants the seconds are enough to tell rows apart."""
    text = shown(value.replace("\n", " ") if one_line and isinstance(value, str) else value)
    found = _FRACTION.fullmatch(text)
    return f"{found[1]}Z" if found is not None else text


def _width(text: str) -> int:
    from rich.cells import cell_len  # noqa: PLC0415 - see print_table

    return max(map(cell_len, text.splitlines() or [""]))
