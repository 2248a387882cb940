"""How a job and what it logged are shown to a person."""

from typing import Any

import click

from launchd.cli.asking import Asking
from launchd.cli.printing import print_json, print_record, shown, visible


def print_job(asking: Asking, job: dict[str, Any]) -> None:
    """Print a job, a field a line; where its last attempt was raised comes last, as Python shows it."""
    if asking.json:
        print_json(job)
        return
    error, progress, waits = job["error"], job["progress"], job["waiting_on"]
    said = {
        "progress": progress and progress_text(progress),
        "error": error and f"{error['type']}: {error['message']}",
        "waiting_on": waits and f"{waits['reason']}: {waits['detail']}{_until(waits['until'])}",
    }
    print_record(asking, job | said)
    if error and error["traceback"]:
        click.echo(visible(error["traceback"].rstrip("\n")))


def progress_text(progress: dict[str, Any]) -> str:
    """How far a job says it is: `3 of 8: parsed gcat`."""
    total = f" of {progress['total']:g}" if progress["total"] else ""
    note = "; ".join((progress["note"] or "").splitlines())
    return f"{progress['done']:g}{total}{f': {note}' if note else ''}"


def print_log(page: dict[str, Any]) -> None:
    """Print the lines that a job logged, each traceback below its line."""
    if page["missing"]:
        click.echo(f"{page['missing']} earlier lines are in the daemon's log only", err=True)
    for line in page["items"]:
        fields = {name: shown(value) for name, value in line["fields"].items()}
        trace = fields.pop("exception", "").rstrip("\n")
        words = [line["at"], f"{line['level']:<7}", shown(line["event"]), *map("=".join, fields.items())]
        click.echo("\n".join([" ".join(words), *([trace] if trace else [])]))


def _until(instant: str | None) -> str:
    return f" (until {instant})" if instant else ""
