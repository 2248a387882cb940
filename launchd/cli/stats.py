"""`launchd stats`: what happened in a window of time, per task, per queue and per lock."""

from collections.abc import Iterator
from typing import Any

import click

from launchd.cli.asking import Asking, at, common
from launchd.cli.printing import columns, print_json, print_table


@click.command()
@click.option("--window", type=click.Choice(["1h", "24h", "7d"]), default="24h", show_default=True)
@common
@click.pass_obj
def stats(asking: Asking, window: str) -> None:
    """Runs, failures, durations and waits of a time.

    Per task, per queue and per lock, from the store: a restart loses nothing of it.
    """
    view = asking.client().ask("GET", at("stats"), window=window)
    if asking.json:
        print_json(view)
        return
    for title, rows in tables(view):
        click.echo(f"{title}:")
        print_table(rows, columns(*dict.fromkeys(name for row in rows for name in row)))


def tables(view: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The lists of an answer by their titles, each row flat: `{"run": {"p50": 1}}` has a column `run p50`."""
    for title, rows in view.items():
        if isinstance(rows, list):
            yield title, [_flat(row) for row in rows]


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        inner = value.items() if isinstance(value, dict) else (("", value),)
        flat |= {f"{name} {part}".strip().replace("_", " "): one for part, one in inner}
    return flat
