"""`launchd feeds`: secret addresses at which calendars and bots read launches."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from launchd.cli.commands.write import pair
from launchd.cli.context import CommandContext, OptionValue, at, common
from launchd.cli.output import Columns, columns, format_value, print_json, print_page

F = TypeVar("F", bound=Callable[..., Any])
# The filters of `GET /v1/launches` that have an option of their own, by the name of their parameter; `--filter` takes
# any other.
_FILTERS = (
    click.option("--when", type=click.Choice(["upcoming", "past"]), help="Only launches that have not flown, or have."),
    click.option("--provider", help="Only launches of this provider."),
    click.option("--status", help="Only launches with this status, such as go or hold."),
    click.option("--source", help="Only launches of this source."),
    click.option("--q", "--search", "q", help="Words to find in name, mission, vehicle, provider, pad and location."),
    click.option("--limit", type=click.IntRange(1, 1000), help="The most launches, or changes of a feed of changes."),
)
_BOOLEANS: dict[str, Any] = {"true": True, "false": False}


def _filters(command: F) -> F:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@common
@click.pass_context
def feeds(ctx: click.Context) -> None:
    """List the addresses of feeds, add one, or revoke one.

    Whoever has an address reads launches there without signing in, and can do nothing else.
    """
    if ctx.invoked_subcommand is not None:
        return
    context = ctx.ensure_object(CommandContext)
    chosen: Columns = columns("name", "requests", "last_used_at")
    chosen["formats"] = lambda one: ", ".join(one["formats"])
    chosen["filters"] = lambda one: ", ".join(f"{name}={value}" for name, value in one["filters"].items())
    chosen |= columns("alarm", "created_at", "created_by")
    print_page(context, context.client().request("GET", at("feeds")), chosen)


@feeds.command()
@click.argument("name")
@_filters
@click.option("--filter", "others", metavar="NAME=VALUE", multiple=True, help="Any filter of GET /v1/launches.")
@click.option("--formats", metavar="ics,atom", help="Only these of ics, atom, csv and json; default: all.")
@click.option("--alarm", metavar="MINUTES", type=int, help="Remind so many minutes before each launch that has a time.")
@common
@click.pass_obj
def add(
    context: CommandContext,
    /,
    name: str,
    others: tuple[str, ...],
    formats: str | None,
    alarm: int | None,
    **filters: OptionValue,
) -> None:
    """Add an address, and print it. It is secret and shown this once."""
    wanted = {key: value for key, value in filters.items() if value is not None}
    wanted |= {key: _BOOLEANS.get(value, value) for key, value in map(pair, others)}
    body: dict[str, Any] = {"name": name, "filters": wanted}
    body |= {} if formats is None else {"formats": [one.strip() for one in formats.split(",")]}
    body |= {} if alarm is None else {"alarm": alarm}
    view = context.client().request("POST", at("feeds"), body=body)
    if context.json:
        print_json(view)
        return
    for url in view["urls"].values():
        click.echo(url)
    click.echo(f"secret, and shown this once; `launchd feeds revoke {name}` ends it", err=True)


@feeds.command()
@click.argument("name")
@common
@click.pass_obj
def revoke(context: CommandContext, name: str) -> None:
    """Revoke an address: from now on nobody can read it."""
    view = context.client().request("DELETE", at("feeds", name))
    if context.json:
        print_json(view)
        return
    click.echo(f"{format_value(view['name'])} is revoked; it was read {view['requests']} times")


COMMANDS = (feeds,)
