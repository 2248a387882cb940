"""`launchd next`: the next launch whose day is known, and the countdown to it."""

import sys
import time
from contextlib import suppress
from typing import Any

import click

from launchd.cli.context import CommandContext, OptionValue, at, common
from launchd.cli.output import format_value, net_text, print_json

# With --watch the daemon is asked again after so many seconds; between them only the countdown changes.
_ASK_AGAIN = 30


@click.command("next")
@click.option("--provider", help="Only launches of this provider.")
@click.option("--vehicle", help="Only launches of this vehicle.")
@click.option("--place", help="Only launches from this pad or site.")
@click.option("--watch", is_flag=True, help="Draw the countdown again each second; Ctrl-C quits.")
@common
@click.pass_obj
def next_(context: CommandContext, /, watch: bool, **filters: OptionValue) -> None:
    """Show the next launch whose day is known, and the countdown to it."""
    view = _asked(context, filters)
    if context.json:
        print_json(view)
        return
    click.echo(_about(view))
    if not watch or not sys.stdout.isatty():
        click.echo(countdown(view["countdown_seconds"]))
        return
    with suppress(KeyboardInterrupt):
        _watch(context, filters, view)


def countdown(seconds: float | None) -> str:
    """The time to a launch: "T-1 d 02:03:04", "T+00:00:05" after the NET; for a NET of a day, that it has no time."""
    if seconds is None:
        return "no time of day yet"
    whole = abs(int(seconds))
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"T{'-' if seconds > 0 else '+'}{f'{days} d ' if days else ''}{clock}"


def _asked(context: CommandContext, filters: dict[str, OptionValue]) -> dict[str, Any]:
    found: dict[str, Any] = context.client().request("GET", at("launches", "next"), **filters)
    return found


def _about(view: dict[str, Any]) -> str:
    """The launch in one line."""
    words = [net_text(view), view["status"], view["name"], view["provider"], view["pad"]]
    return "  ".join(format_value(one) for one in words if one)


def _watch(context: CommandContext, filters: dict[str, OptionValue], view: dict[str, Any]) -> None:
    """Draw the countdown each second on one line, until Ctrl-C."""
    while True:
        asked, first = time.monotonic(), view["countdown_seconds"]
        while (passed := time.monotonic() - asked) < _ASK_AGAIN:
            click.echo(f"\r{countdown(None if first is None else first - passed)}\x1b[K", nl=False)
            time.sleep(1)
        fresh = _asked(context, filters)
        if _about(fresh) != _about(view):
            click.echo(f"\r{_about(fresh)}\x1b[K")
        view = fresh


COMMANDS = (next_,)
