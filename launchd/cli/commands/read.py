"""Commands that inspect the daemon and change nothing."""

import sys
from typing import Any

import click

from launchd.cli.commands.monitor import monitor
from launchd.cli.commands.stats import stats
from launchd.cli.context import CommandContext, OptionValue, at, common
from launchd.cli.errors import FAILED
from launchd.cli.job import error_text, print_job, print_log
from launchd.cli.output import QUEUES, age, columns, print_all, print_json, print_page, print_table, size
from launchd.cli.wait import follow, outcome_text, succeeded
from launchd.job import JobState
from launchd.values.text import one_line, visible

_MOST_LINES = 1000
_LIMIT = click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The most rows.")


@click.command()
@common
@click.pass_obj
def status(context: CommandContext) -> None:
    """Show an overview of the daemon."""
    view = context.client().request("GET", at("status"))
    if context.json:
        print_json(view)
        return
    state = "" if view["ready"] and not view["stopping"] else f", {'stopping' if view['stopping'] else 'starting'}"
    state += "" if view["leader"] or state else ", fires no schedules"
    words = f"pid {view['pid']}, up {age(view['uptime'])}, {size(view['memory_bytes'])}{state}"
    click.echo(f"launchd {view['version']}, {words}")
    click.echo()
    print_table(view["queues"], QUEUES)
    click.echo()
    print_table(view["next_fires"], columns("schedule", "at"))


@click.command()
@common
@click.pass_obj
def health(context: CommandContext) -> None:
    """Run every health check; exit 1 if the daemon is unhealthy."""
    view = context.client().request("GET", at("health"), accept=(503,))
    if context.json:
        print_json(view)
    else:
        click.echo(view["status"])
        rows = [{"check": name, **check} for name, check in view["checks"].items()]
        print_table(rows, columns("check", "status", "since", "detail"))
    if view["status"] == "unhealthy":
        sys.exit(FAILED)


@click.command()
@common
@click.pass_obj
def tasks(context: CommandContext) -> None:
    """List the tasks and their arguments."""
    chosen = columns("name", "queue", "lock", "isolation")
    chosen["arguments"] = lambda one: ", ".join(one["args"].get("properties", {}))
    print_all(context, "tasks", chosen | columns("description"))


@click.command()
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only this state.")
@click.option("--queue", help="Only jobs of this queue.")
@click.option("--task", help="Only jobs of this task.")
@click.option("--schedule", help="Only jobs of this schedule.")
@click.option("--since", metavar="TIME", help="Created at or after, such as 2026-01-31T06:00:00Z.")
@click.option("--until", metavar="TIME", help="Created before.")
@_LIMIT
@common
@click.pass_obj
def jobs(context: CommandContext, /, **filters: OptionValue) -> None:
    """List jobs, newest first."""
    chosen = columns("id", "task", "queue", "state", "attempt", "created_at")
    chosen["reason"] = _why
    print_page(context, context.client().request("GET", at("jobs"), **filters), chosen, one_line=True)


def _why(one: dict[str, Any]) -> str:
    """The reason of a job's state, in a line."""
    said = (one["waiting_on"] or {}).get("detail") or one["reason"] or error_text(one["error"])
    return str(said).partition("\n")[0]


@click.command()
@click.argument("job_id", metavar="ID")
@click.option("--logs", is_flag=True, help="Show its log lines instead.")
@click.option("--stack", is_flag=True, help="Show its stack instead.")
@click.option("--wait", is_flag=True, help="Wait until it ends; exit 1 unless it succeeded.")
@common
@click.pass_obj
def job(context: CommandContext, /, job_id: str, logs: bool, stack: bool, wait: bool) -> None:
    """Show one job."""
    if logs and stack:
        raise click.UsageError("--logs and --stack exclude each other")
    client = context.client()
    view = client.request("GET", at("jobs", job_id))
    if wait:
        view = follow(context, view)
    if logs:
        found = client.request("GET", at("jobs", view["id"], "logs"), limit=_MOST_LINES)
        print_json(found) if context.json else print_log(found)
    elif stack:
        found = client.request("GET", at("jobs", view["id"], "stack"))
        print_json(found) if context.json else click.echo(visible(found["stack"]))
    else:
        print_job(context, view)
    if wait and not succeeded(view):
        if not context.json:
            click.echo(outcome_text(view), err=True)
        sys.exit(FAILED)


@click.command()
@common
@click.pass_obj
def queues(context: CommandContext) -> None:
    """List the queues."""
    print_all(context, "queues", QUEUES)


@click.command()
@common
@click.pass_obj
def schedules(context: CommandContext) -> None:
    """List the schedules and their next fires."""
    chosen = columns("name", "task", "description", "paused", "note")
    chosen["next"] = lambda one: one["next"][0] if one["next"] else None
    chosen["last"] = lambda one: one["last"] and f"{one['last']['outcome']} {one['last']['fire_time']}"
    print_all(context, "schedules", chosen)


@click.command()
@click.argument("schedule")
@_LIMIT
@common
@click.pass_obj
def fires(context: CommandContext, schedule: str, limit: int) -> None:
    """List the fires of a schedule, newest first."""
    view = context.client().request("GET", at("schedules", schedule, "fires"), limit=limit)
    print_page(context, view, columns("fire_time", "outcome", "count", "until", "job_id", "reason"))


@click.command()
@click.argument("expression", metavar="EXPR")
@click.option("--timezone", default="UTC", show_default=True, help="An IANA name such as Europe/Berlin.")
@click.option("--after", metavar="TIME", help="Start here instead of now.")
@click.option("--count", type=click.IntRange(1, 1000), default=10, show_default=True, help="The number of times.")
@click.option("--dst-gap", type=click.Choice(["shift", "skip"]), help="Times that the clock skips.")
@click.option("--dst-fold", type=click.Choice(["first", "last", "both"]), help="Times that occur twice.")
@click.option("--day-match", type=click.Choice(["or", "and"]), help="If a day of the month and a weekday are set.")
@common
@click.pass_obj
def preview(context: CommandContext, /, **query: OptionValue) -> None:
    """Explain a cron expression and list its next times."""
    view = context.client().request("GET", at("cron", "preview"), **query)
    if context.json:
        print_json(view)
        return
    click.echo(one_line(view["description"]))
    for warning in view["warnings"]:
        click.echo(f"warning: {one_line(warning)}", err=True)
    print_table(view["fires"], columns("utc", "local"))


@click.command()
@common
@click.pass_obj
def locks(context: CommandContext) -> None:
    """List the locks that are held."""
    shows = columns("name", "job_id", "since", "expires_at", "fence", "waiters")
    print_all(context, "locks", shows)


@click.command()
@click.option("--open", "show", is_flag=True, help="Open the link in a browser.")
@common
@click.pass_obj
def dashboard(context: CommandContext, /, show: bool) -> None:
    """Print a link that signs a browser in to the dashboard. It works once, within two minutes."""
    view = context.client().request("POST", at("sign-in"))
    if show:
        click.launch(view["url"])
    if context.json:
        print_json(view)
    else:
        click.echo(view["url"])


@click.command()
@click.option("--test", is_flag=True, help="Send a test alert to every service, and wait for its outcome.")
@_LIMIT
@common
@click.pass_obj
def alerts(context: CommandContext, /, test: bool, limit: int) -> None:
    """List the alerts, newest first."""
    if not test:
        shows = columns("created_at", "rule", "severity", "state", "count", "title", "error")
        print_page(context, context.client().request("GET", at("alerts"), limit=limit), shows)
        return
    view = follow(context, context.client().request("POST", at("alerts", "test")))
    if context.json:
        print_json(view)
    else:
        click.echo(outcome_text(view))
    if not succeeded(view):
        sys.exit(FAILED)


COMMANDS = (
    *(monitor, status, health, stats, jobs, job, tasks, queues, schedules, fires, preview, locks, dashboard),
    alerts,
)
