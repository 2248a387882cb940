"""One job for people: its fields, its history, its traceback, and its log lines."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from launchd.cli.context import CommandContext
from launchd.cli.output import columns, format_value, print_json, print_table, seconds
from launchd.values.text import one_line, visible

Job = dict[str, Any]
_ENDED = "finished_at"


def print_job(context: CommandContext, job: Job) -> None:
    """Print one job."""
    if context.json:
        print_json(job)
        return
    lines = [(name, text) for name, text in _lines(job) if text != ""]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        click.echo(f"{name:<{width}}  {text}")
    click.echo()
    print_table(job["history"], {"at": _moment, **columns("event", "detail")})
    trace = (job["error"] or {}).get("traceback")
    if trace:
        click.echo(f"\n{visible(trace.rstrip())}")


def print_log(page: dict[str, Any]) -> None:
    """Print the log lines of a job, each traceback below its line."""
    if page["missing"]:
        click.echo(f"{page['missing']} earlier lines are in the log of the daemon only", err=True)
    for line in page["items"]:
        fields = dict(line["fields"])
        trace = fields.pop("exception", "")
        trace = visible(trace.rstrip("\n")) if isinstance(trace, str) else format_value(trace)
        words = [format_value(line["at"]), f"{format_value(line['level']):<7}", format_value(line["event"])]
        words += [f"{one_line(name)}={format_value(value)}" for name, value in fields.items()]
        click.echo("\n".join([" ".join(words), *([trace] if trace else [])]))


def _lines(job: Job) -> Iterator[tuple[str, str]]:
    """Each field as a name and a text."""
    for name in ("id", "task", "queue", "state", "args", "priority"):
        yield name, format_value(job[name])
    yield "attempt", f"{job['attempt']} of at most {job['max_retries'] + 1}"
    for name in ("schedule", "fire_time", "created_at", "run_at", "started_at", _ENDED):
        yield name, format_value(job[name])
    yield "ran", _ran(job)
    yield "lock", f"{format_value(job['lock'])}, fence {job['fence']}" if job["fence"] else format_value(job["lock"])
    yield "cancel_requested", format_value(job["cancel_requested"])
    yield "enforceable", "" if job[_ENDED] else format_value(job["enforceable"])
    yield "progress", progress_text(job["progress"])
    yield "waiting_on", _waiting(job["waiting_on"])
    yield "reason", format_value(job["reason"])
    yield "result", format_value(job["result"])
    yield "error", error_text(job["error"])
    yield "unreadable", format_value(", ".join(job.get("unreadable", ())))


def progress_text(said: dict[str, Any] | None) -> str:
    """The progress of a job: `3 of 4: nearly`, with the last line of its note."""
    if said is None:
        return ""
    total = f" of {said['total']:g}" if said["total"] else ""
    note = (said["note"] or "").splitlines()[-1:]
    return one_line(": ".join([f"{said['done'] or 0:g}{total}", *note]))


def error_text(error: dict[str, Any] | None) -> str:
    """An error without its traceback."""
    return "" if error is None else one_line(f"{error['type']}: {error['message']}")


def _waiting(why: dict[str, Any] | None) -> str:
    if why is None:
        return ""
    until = f", until {why['until']}" if why["until"] else ""
    return one_line(f"{why['reason']}: {why['detail']}{until}")


def _ran(job: Job) -> str:
    began, ended = _instant(job["started_at"]), _instant(job[_ENDED])
    return seconds((ended - began).total_seconds()) if began and ended else ""


def _moment(line: dict[str, Any]) -> str:
    """The time to the millisecond, since the events of a job are often close together."""
    at = _instant(line["at"])
    return at.isoformat(" ", "milliseconds").removesuffix("+00:00") if at else format_value(line["at"])


def _instant(text: str | None) -> datetime | None:
    """The time in a text; None if there is no text, or it reads "unreadable"."""
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
