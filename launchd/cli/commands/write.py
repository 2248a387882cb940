"""Commands that control jobs, queues, schedules and locks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from launchd.admin.client import AdminClient, RefusedError
from launchd.cli.context import CommandContext, OptionValue, at, common
from launchd.cli.errors import FAILED, suggestion
from launchd.cli.job import print_job
from launchd.cli.output import QUEUES, columns, print_json, print_record, print_table
from launchd.cli.wait import follow, outcome_text, succeeded
from launchd.errors import NotFoundError

_NOT_FOUND = 404
_LEFT_ALONE = "left alone until"
_WAIT = click.option("--wait", is_flag=True, help="Wait until it ends; exit 1 unless it succeeded.")
_SOURCE_COLUMNS = ("source", "fetched", "parsed", "rejected", "created", "updated", "seconds", "error")


@click.command()
@click.option("--sources", "names", metavar="a,b", help="Only these sources.")
@click.option("--force", is_flag=True, help="Parse unchanged payloads again, and pull sources that are left alone.")
@_WAIT
@common
@click.pass_obj
def refresh(context: CommandContext, /, names: str | None, force: bool, wait: bool) -> None:
    """Refresh launch data now. --wait reports each source as it ends."""
    body = {"sources": names.split(",") if names else None, "force": force}
    ended = _scraped(context, context.client().request("POST", at("refresh"), body=body), wait=wait)
    if not context.json and not force and _LEFT_ALONE in str((ended or {}).get("reason")):
        click.echo("`launchd refresh --force` pulls them anyway", err=True)
    _exit_by(ended)


@click.command()
@click.argument("source")
@_WAIT
@common
@click.pass_obj
def replay(context: CommandContext, /, source: str, wait: bool) -> None:
    """Parse the stored payloads of a source again.

    No request is sent to the source.
    """
    _exit_by(_scraped(context, context.client().request("POST", at("sources", source, "replay")), wait=wait))


@click.command()
@click.argument("task")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--queue", help="The queue; default: the task's.")
@click.option("--priority", type=click.IntRange(0, 9), help="9 runs first; default: the task's.")
@click.option("--delay", type=click.FloatRange(min=0), help="Seconds until the job may run.")
@click.option("--run-at", metavar="TIME", help="When the job may run, such as 2026-01-31T06:00:00Z.")
@click.option(
    "--expires-in", type=click.FloatRange(min=0), help="Seconds after which the job expires if it has not started."
)
@click.option("--max-retries", type=click.IntRange(min=0), help="Default: the task's.")
@_WAIT
@common
@click.pass_obj
def trigger(context: CommandContext, /, task: str, pairs: tuple[str, ...], wait: bool, **options: OptionValue) -> None:
    """Create a job of a task. A VALUE that is not JSON is text."""
    body = {name: value for name, value in options.items() if value is not None} | {"args": _arguments(pairs)}
    client = context.client()
    with _nearest(client, task, "tasks"):
        made = client.request("POST", at("tasks", task, "trigger"), body=body)
    if not wait:
        _made(context, made)
        return
    ended = follow(context, made)
    print_job(context, ended)
    _exit_by(ended)


@click.command("cancel-task")
@click.argument("job_id", metavar="ID")
@click.option("--terminate", is_flag=True, help="Force the job to end.")
@click.option("--reason", help="The reason, for the audit.")
@common
@click.pass_obj
def cancel_task(context: CommandContext, /, job_id: str, terminate: bool, reason: str | None) -> None:
    """Cancel a job. A queued job ends at once, a running job is asked to end."""
    body = {"terminate": terminate, "reason": reason}
    view = context.client().request("POST", at("jobs", job_id, "cancel"), body=body)
    _made(context, view)
    if view["state"] == "running" and not view["enforceable"] and not context.json:
        click.echo("the job was asked to end; it has no process of its own, so it cannot be forced", err=True)


@click.command()
@click.argument("job_id", metavar="ID")
@common
@click.pass_obj
def retry(context: CommandContext, job_id: str) -> None:
    """Queue an ended job again."""
    _made(context, context.client().request("POST", at("jobs", job_id, "retry")))


@click.command()
@click.argument("name", metavar="QUEUE|SCHEDULE")
@click.option("--note", help="The reason, shown with the queue or the schedule.")
@common
@click.pass_obj
def pause(context: CommandContext, name: str, note: str | None) -> None:
    """Pause a queue or a schedule."""
    _pause_or_resume(context, name, "pause", {"note": note})


@click.command()
@click.argument("name", metavar="QUEUE|SCHEDULE")
@common
@click.pass_obj
def resume(context: CommandContext, name: str) -> None:
    """Resume a queue or a schedule."""
    _pause_or_resume(context, name, "resume", None)


@click.command()
@click.argument("queue")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="The number of jobs that run at once.")
@click.option("--rate", metavar="N/UNIT", help='Starts in any such window, such as "30/m"; "none" for no limit.')
@common
@click.pass_obj
def resize(context: CommandContext, /, queue: str, **sizes: OptionValue) -> None:
    """Change the concurrency or the rate of a queue. A restart of the daemon undoes it."""
    body = {name: value for name, value in sizes.items() if value is not None}
    if not body:
        raise click.UsageError("give --concurrency, --rate or both")
    client = context.client()
    with _nearest(client, queue, "queues"):
        view = client.request("PATCH", at("queues", queue), body=body)
    if context.json:
        print_json(view)
    else:
        print_table([view], QUEUES)


@click.command()
@click.argument("schedule")
@click.option("--from", "first", metavar="TIME", required=True, help="The first fire, included.")
@click.option("--to", "last", metavar="TIME", required=True, help="The last fire, included.")
@common
@click.pass_obj
def backfill(context: CommandContext, /, schedule: str, first: str, last: str) -> None:
    """Create the jobs of past fires of a schedule that have none."""
    client = context.client()
    with _nearest(client, schedule, "schedules"):
        view = client.request("POST", at("schedules", schedule, "backfill"), body={"from": first, "to": last})
    if context.json:
        print_json(view)
        return
    for job_id in view["ids"]:
        click.echo(job_id)
    click.echo(f"{len(view['ids'])} jobs created; `launchd fires {schedule}` shows the ledger", err=True)


@click.command("release-lock")
@click.argument("name")
@click.option("--reason", help="The reason, for the audit.")
@common
@click.pass_obj
def release_lock(context: CommandContext, name: str, reason: str | None) -> None:
    """Release a lock. The job that holds it is stopped and retried."""
    print_record(context, context.client().request("DELETE", at("locks", name), reason=reason))


def _made(context: CommandContext, view: dict[str, Any]) -> None:
    if context.json:
        print_json(view)
    else:
        click.echo(f"{view['id']}  {view['task']}  {view['state']}")


def _scraped(context: CommandContext, made: dict[str, Any], *, wait: bool) -> dict[str, Any] | None:
    """Print the new job, or with `wait` the result of each source; returns the job that has ended."""
    if not wait:
        _made(context, made)
        return None
    ended = follow(context, made)
    if context.json:
        print_json(ended)
    else:
        click.echo(outcome_text(ended))
        rows = [{"source": name, **numbers} for name, numbers in ((ended["result"] or {}).get("sources") or {}).items()]
        if rows:
            print_table(rows, columns(*_SOURCE_COLUMNS))
    return ended


def _exit_by(ended: dict[str, Any] | None) -> None:
    if ended is not None and not succeeded(ended):
        sys.exit(FAILED)


def _pause_or_resume(context: CommandContext, name: str, verb: str, body: object) -> None:
    """Act on the queue of this name, else on the schedule of this name."""
    client, kinds = context.client(), ("queues", "schedules")
    for kind in kinds:
        try:
            view = client.request("POST", at(kind, name, verb), body=body)
        except RefusedError as refused:
            if refused.status != _NOT_FOUND:
                raise
            continue
        print_json(view) if context.json else click.echo(f"{kind[:-1]} {name}: {verb}d")
        return
    raise _unknown(client, name, *kinds)


@contextmanager
def _nearest(client: AdminClient, name: str, kind: str) -> Iterator[None]:
    """Replace the error for an unknown name by one with the nearest name."""
    try:
        yield
    except RefusedError as refused:
        if refused.status != _NOT_FOUND:
            raise
        raise _unknown(client, name, kind) from refused


def _unknown(client: AdminClient, name: str, *kinds: str) -> NotFoundError:
    known = {str(one["name"]) for kind in kinds for one in client.items(at(kind))}
    what = " or ".join(kind[:-1] for kind in kinds)
    return NotFoundError(f"no {what} {name}; {suggestion(name, known)}")


def _arguments(pairs: tuple[str, ...]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for key, value in map(pair, pairs):
        try:
            arguments[key] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            arguments[key] = value
    return arguments


def pair(text: str) -> tuple[str, str]:
    """The key and the value of KEY=VALUE; raises click.UsageError."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{text!r}: expected KEY=VALUE")
    return key, value


COMMANDS = (refresh, replay, trigger, cancel_task, retry, pause, resume, resize, backfill, release_lock)
