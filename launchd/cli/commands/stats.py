"""`launchd stats`: statistics of tasks, queues and locks in a window of time."""

from typing import Any

import click

from launchd.cli.context import CommandContext, at, common
from launchd.cli.output import Columns, columns, print_json, print_table, seconds


@click.command()
@click.option(
    "--window", type=click.Choice(["1h", "24h", "7d"]), default="24h", show_default=True, help="How far back."
)
@common
@click.pass_obj
def stats(context: CommandContext, window: str) -> None:
    """Show statistics of tasks, queues and locks.

    Runs, failures, durations and waits in a window of time. They are read from the database, so they survive a
    restart. Durations are the 50th, 95th and 99th percentile.
    """
    view = context.client().request("GET", at("stats"), window=window)
    if context.json:
        print_json(view)
        return
    click.echo(f"since {view['since']}")
    if view["counted_since"] is not None:
        click.echo(f"only jobs created since {view['counted_since']} are counted", err=True)
    for title, name, shows in (("tasks", "task", _TASKS), ("queues", "queue", _QUEUES), ("locks", "lock", _LOCKS)):
        click.echo()
        print_table(view[title], {name: lambda one: one["name"], **shows})


def _percentiles(field: str) -> Columns:
    def of(name: str) -> Any:  # noqa: ANN401 - a column
        return lambda one: seconds(one[field][name])

    return {f"{field} {name}": of(name) for name in ("p50", "p95", "p99")}


def _share(field: str) -> Any:  # noqa: ANN401 - a column
    return lambda one: None if one[field] is None else f"{one[field]:.1%}"


_TASKS: Columns = {
    **columns("ended", "runs"),
    "success": _share("success_rate"),
    **columns("failures", "retries"),
    **_percentiles("run"),
    **_percentiles("wait"),
}
_QUEUES: Columns = {**_TASKS, "in use": _share("utilisation")}
_LOCKS: Columns = {**columns("ended", "skipped"), **_percentiles("wait")}
