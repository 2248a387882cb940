"""Commands that show how launches slipped, and how well their dates were foretold."""

from typing import Any

import click

from launchd.cli.context import CommandContext, OptionValue, at, common
from launchd.cli.output import Columns, columns, net_text, print_json, print_table, signed_age

# A row of the ledger, as `launchd launch ID` shows it.
LEDGER: Columns = {
    **columns("seen_at", "kind"),
    "by": lambda one: signed_age(one["size"]) if one["size"] else "",
    "from": lambda one: _interval(one["old"]),
    "to": lambda one: _interval(one["new"]),
    **columns("counts", "late", "source"),
}


@click.command()
@click.option(
    "--of", type=click.Choice(["providers", "vehicles"]), default="providers", show_default=True, help="Group by these."
)
@common
@click.pass_obj
def slips(context: CommandContext, of: str) -> None:
    """Show the slips of each provider or vehicle."""
    view = context.client().request("GET", at("slips"), of=of)
    if context.json:
        print_json(view)
        return
    shown = {**columns("name", "launches", "slipped", "slips"), "in all": lambda one: signed_age(one["total"])}
    print_table(view["items"], shown | columns("scrubs", "earlier", "late"))


@click.command()
@click.option(
    "--of",
    type=click.Choice(["sources", "providers", "vehicles"]),
    default="sources",
    show_default=True,
    help="A card for each of these.",
)
@click.option("--source", help="Score the dates of this source; launchd is what was served.")
@common
@click.pass_obj
def scorecards(context: CommandContext, /, **filters: OptionValue) -> None:
    """Show how well stated dates agreed with the lift-offs.

    At 30 days, 7 days, 1 day and 1 hour before the lift-off: the median error, the 10th and the 90th percentile, and
    the share of launches that lifted off within the stated date. A positive error is a later lift-off.
    """
    view = context.client().request("GET", at("scorecards"), **filters)
    if context.json:
        print_json(view)
        return
    rows = [{"name": card["name"], **score} for card in view["items"] for score in card["scores"]]
    print_table(rows, _SCORES)


def _interval(net: dict[str, Any] | None) -> str:
    return "" if net is None else net_text(net)


def _error(name: str) -> Any:  # noqa: ANN401 - a column
    return lambda one: "" if one[name] is None else signed_age(one[name])


_SCORES: Columns = {
    **columns("name", "horizon", "n"),
    **{name: _error(name) for name in ("median", "low", "high")},
    "within": lambda one: "" if one["within"] is None else f"{one['within']:.1%}",
    **columns("reason"),
}

COMMANDS = (slips, scorecards)
