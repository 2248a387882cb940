"""Commands that read and correct launch data."""

from typing import Any

import click

from launchd.cli.commands.launch_details import print_details
from launchd.cli.commands.slips import COMMANDS as SLIP_COMMANDS
from launchd.cli.commands.slips import LEDGER
from launchd.cli.commands.write import pair
from launchd.cli.context import CommandContext, OptionValue, at, common
from launchd.cli.output import (
    Columns,
    age,
    columns,
    format_value,
    net_text,
    print_all,
    print_json,
    print_page,
    print_record,
    print_table,
    size,
)

_SHOWN_NAME = 48
_TABLES = ("history", "sightings", "overrides", "conflicts", "details")
_OVERRIDES = ("field", "value", "by", "reason", "at")
_LIMIT = click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The most rows.")


@click.command()
@click.option("--upcoming", is_flag=True, help="Only launches that have not flown, soonest first.")
@click.option("--past", is_flag=True, help="Only launches that have flown, newest first.")
@click.option("--provider", help="Only launches of this provider, by any of its names; ULA, CASC.")
@click.option("--vehicle", help="Only launches of this vehicle or family, by any of its names; CZ-5B, Falcon.")
@click.option("--place", help="Only launches from this site or pad, by any of its names; Kourou, LC-39A.")
@click.option("--country", help="Only launches by or from this country, as a code of two letters; JP.")
@click.option("--status", help="Only launches with this status, such as go or hold.")
@click.option("--source", help="Only launches of this source.")
@click.option("--crewed", is_flag=True, default=None, help="Only launches with a crew.")
@click.option("--webcast", is_flag=True, default=None, help="Only launches with a webcast.")
@click.option("--search", "q", help="Words to find in name, mission, vehicle, provider, pad and location.")
@_LIMIT
@common
@click.pass_obj
def launches(context: CommandContext, /, upcoming: bool, past: bool, **filters: OptionValue) -> None:
    """List launches."""
    if upcoming and past:
        raise click.UsageError("--upcoming and --past exclude each other")
    chosen = columns("net", "net_precision", "status", "name", "provider", "pad")
    chosen["name"] = lambda one: one["name"][:_SHOWN_NAME]
    chosen["net"] = net_text
    chosen["sources"] = lambda one: ", ".join(one["sources"])
    when = "upcoming" if upcoming else "past" if past else None
    print_page(context, context.client().request("GET", at("launches"), when=when, **filters), chosen)


@click.command()
@click.argument("launch_id", metavar="ID")
@common
@click.pass_obj
def launch(context: CommandContext, launch_id: str) -> None:
    """Show one launch, with its details, its slips, its sightings and its history."""
    view = context.client().request("GET", at("launches", launch_id))
    print_record(context, view, hide=(*_TABLES, "provenance", "slips", "probability", "crewed"))
    if context.json:
        return
    print_details(view["details"])
    click.echo(format_value(view["slips"]["summary"]))
    moves = context.client().request("GET", at("launches", launch_id, "slips"))["items"]
    if moves:
        print_table(moves, LEDGER)
    for title, shows in (("conflicts", ("kind", "values", "other_id")), ("overrides", _OVERRIDES)):
        if view[title]:
            print_table(view[title], columns(*shows))
    print_table(view["sightings"], columns("source", "source_id", "name", "status", "net", "net_precision"))
    print_table(view["history"], columns("seen_at", "field", "old", "new", "source"))


@click.command()
@click.option("--unknown", is_flag=True, help="List the words of sources that the registry of names does not have.")
@common
@click.pass_obj
def sources(context: CommandContext, unknown: bool) -> None:
    """List the sources with their health and traffic."""
    if unknown:
        words = context.client().items(at("sources", "unknown"))
        print_page(context, {"items": words, "next": None}, columns("records", "source", "subject", "word"))
        return
    chosen: Columns = columns("name", "enabled")
    chosen["age"] = lambda one: None if one["freshness"] is None else age(one["freshness"])
    chosen |= columns("last_success", "records", "rejected")
    chosen["circuit"] = lambda one: one["circuit"]["state"]
    chosen["retry_at"] = lambda one: one["circuit"]["retry_at"]
    chosen["requests"] = lambda one: one["traffic"]["total"]["requests"]
    chosen["received"] = lambda one: size(one["traffic"]["total"]["bytes"])
    print_all(context, "sources", chosen | columns("error", "attribution"))


@click.command()
@click.option("--kind", help="Only conflicts of this kind, such as net or possible_duplicate.")
@click.option("--source", help="Only conflicts of this source.")
@_LIMIT
@common
@click.pass_obj
def conflicts(context: CommandContext, /, **filters: OptionValue) -> None:
    """List conflicts between sources, and possible duplicates."""
    chosen: Columns = {"launch": lambda one: one["launch"]["name"][:_SHOWN_NAME]}
    chosen |= columns("kind", "since", "values")
    chosen["other"] = lambda one: one["other"] and one["other"]["name"]
    print_page(context, context.client().request("GET", at("conflicts"), **filters), chosen)


@click.command("override")
@click.argument("launch_id", metavar="ID")
@click.argument("pairs", metavar="FIELD=VALUE...", nargs=-1, required=True)
@click.option("--reason", help="The reason, for the audit.")
@common
@click.pass_obj
def override_(context: CommandContext, launch_id: str, pairs: tuple[str, ...], reason: str | None) -> None:
    """Override fields of a launch. Scrapes do not change them; `null` means unknown."""
    fields = {name: None if value == "null" else value for name, value in map(pair, pairs)}
    body = {"fields": fields, "reason": reason}
    _overridden(context, context.client().request("POST", at("launches", launch_id, "override"), body=body))


@click.command("take-back")
@click.argument("launch_id", metavar="ID")
@click.argument("field", required=False)
@click.option("--reason", help="The reason, for the audit.")
@common
@click.pass_obj
def take_back(context: CommandContext, launch_id: str, field: str | None, reason: str | None) -> None:
    """Remove the overrides of a launch, of one field or of all."""
    address = at("launches", launch_id, "override")
    _overridden(context, context.client().request("DELETE", address, field=field, reason=reason))


def _overridden(context: CommandContext, view: dict[str, Any]) -> None:
    if context.json:
        print_json(view)
        return
    click.echo(f"{view['id']}  {format_value(view['name'])}")
    print_table(view["overrides"], columns(*_OVERRIDES))


COMMANDS = (launches, launch, sources, conflicts, override_, take_back, *SLIP_COMMANDS)
