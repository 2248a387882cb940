"""Commands that make, end and steer jobs, queues, schedules and locks."""

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
_WAIT = click.option("--wait", is_flag=True, help="Wait for the end; exit 1 unless it succeeded.")
_GIVEN = ("source", "fetched", "parsed", "rejected", "created", "updated", "seconds", "error")


@click.command()
@click.option("--sources", "names", metavar="a,b", help="Only these.")
@click.option("--force", is_flag=True, help="Read unchanged payloads again, and ask sources that are left alone.")
@_WAIT
@common
@click.pass_obj
def refresh(context: CommandContext, /, names: str | None, force: bool, wait: bool) -> None:
    """Scrape now, whatever the schedule. --wait tells of each source as it ends."""
    body = {"sources": names.split(",") if names else None, "force": force}
    ended = _scraped(context, context.client().request("POST", at("refresh"), body=body), wait=wait)
    if not context.json and not force and _LEFT_ALONE in str((ended or {}).get("reason")):
        click.echo("`launchd refresh --force` asks them all the same", err=True)
    _exit_by(ended)


@click.command()
@click.argument("source")
@_WAIT
@common
@click.pass_obj
def replay(context: CommandContext, /, source: str, wait: bool) -> None:
    """Read a source's last payloads again, without the network."""
    _exit_by(_scraped(context, context.client().request("POST", at("sources", source, "replay")), wait=wait))


@click.command()
@click.argument("task")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--queue")
@click.option("--priority", type=click.IntRange(0, 9), help="9 goes first; default: the task's.")
@click.option("--delay", type=click.FloatRange(min=0), help="Seconds until it may run.")
@click.option("--run-at", metavar="TIME", help="When it may run, such as 2026-01-31T06:00:00Z.")
@click.option("--expires-in", type=click.FloatRange(min=0), help="Seconds after which it is not worth running.")
@click.option("--max-retries", type=click.IntRange(min=0))
@_WAIT
@common
@click.pass_obj
def trigger(context: CommandContext, /, task: str, pairs: tuple[str, ...], wait: bool, **options: OptionValue) -> None:
    """Make a job of a task. Values are JSON, or text where they are not."""
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
@click.option("--terminate", is_flag=True, help="Do not ask, end it.")
@click.option("--reason")
@common
@click.pass_obj
def cancel_task(context: CommandContext, /, job_id: str, terminate: bool, reason: str | None) -> None:
    """Cancel a job. A queued one ends at once, a running one is asked to."""
    body = {"terminate": terminate, "reason": reason}
    view = context.client().request("POST", at("jobs", job_id, "cancel"), body=body)
    _made(context, view)
    if view["state"] == "running" and not view["enforceable"] and not context.json:
        click.echo("it was asked to end; it runs in no process of its own, so it cannot be forced to", err=True)


@click.command()
@click.argument("job_id", metavar="ID")
@common
@click.pass_obj
def retry(context: CommandContext, job_id: str) -> None:
    """Queue an ended job again."""
    _made(context, context.client().request("POST", at("jobs", job_id, "retry")))


@click.command()
@click.argument("name", metavar="QUEUE|SCHEDULE")
@click.option("--note", help="Why, for whoever looks.")
@common
@click.pass_obj
def pause(context: CommandContext, name: str, note: str | None) -> None:
    """Pause a queue or a schedule."""
    _steer(context, name, "pause", {"note": note})


@click.command()
@click.argument("name", metavar="QUEUE|SCHEDULE")
@common
@click.pass_obj
def resume(context: CommandContext, name: str) -> None:
    """Resume a queue or a schedule."""
    _steer(context, name, "resume", None)


@click.command()
@click.argument("queue")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Jobs at once.")
@click.option("--rate", metavar="N/UNIT", help='Starts in any such window, such as "30/m"; "none" for no limit.')
@common
@click.pass_obj
def resize(context: CommandContext, /, queue: str, **sizes: OptionValue) -> None:
    """Change slots or rate of a queue. The next start takes the configuration's again."""
    body = {name: value for name, value in sizes.items() if value is not None}
    if not body:
        raise click.UsageError("say --concurrency, --rate or both")
    client = context.client()
    with _nearest(client, queue, "queues"):
        view = client.request("PATCH", at("queues", queue), body=body)
    if context.json:
        print_json(view)
    else:
        print_table([view], QUEUES)


@click.command()
@click.argument("schedule")
@click.option("--from", "first", metavar="TIME", required=True, help="The first fire to make up for, included.")
@click.option("--to", "last", metavar="TIME", required=True, help="The last one, included.")
@common
@click.pass_obj
def backfill(context: CommandContext, /, schedule: str, first: str, last: str) -> None:
    """Make up for past fires of a schedule. Each that has no job gets one."""
    client = context.client()
    with _nearest(client, schedule, "schedules"):
        view = client.request("POST", at("schedules", schedule, "backfill"), body={"from": first, "to": last})
    if context.json:
        print_json(view)
        return
    for job_id in view["ids"]:
        click.echo(job_id)
    click.echo(f"{len(view['ids'])} jobs made; `launchd fires {schedule}` shows the ledger", err=True)


@click.command("release-lock")
@click.argument("name")
@click.option("--reason", help="Why, for the audit.")
@common
@click.pass_obj
def release_lock(context: CommandContext, name: str, reason: str | None) -> None:
    """Take a lock from its holder. The job is stopped and retried."""
    print_record(context, context.client().request("DELETE", at("locks", name), reason=reason))


def _made(context: CommandContext, view: dict[str, Any]) -> None:
    if context.json:
        print_json(view)
    else:
        click.echo(f"{view['id']}  {view['task']}  {view['state']}")


def _scraped(context: CommandContext, made: dict[str, Any], *, wait: bool) -> dict[str, Any] | None:
    """Print the job that was made, or what each source gave once it has ended; the ended job."""
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
            print_table(rows, columns(*_GIVEN))
    return ended


def _exit_by(ended: dict[str, Any] | None) -> None:
    if ended is not None and not succeeded(ended):
        sys.exit(FAILED)


def _steer(context: CommandContext, name: str, verb: str, body: object) -> None:
    """A name is looked for among the queues first, then among the schedules."""
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
    """Tells the nearest name of a kind where there is no such one."""
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
    """KEY=VALUE in two; raises click.UsageError."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{text!r}: expected KEY=VALUE")
    return key, value


COMMANDS = (refresh, replay, trigger, cancel_task, retry, pause, resume, resize, backfill, release_lock)
