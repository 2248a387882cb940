"""Waiting for a job: what it says of its progress while it runs, and how it ended.

A task says by its note what it has done so far, a line for each thing; each line is told once, as it comes.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from launchd.admin.client import AdminClient
from launchd.cli.context import CommandContext, at
from launchd.errors import UnreachableError
from launchd.values.text import one_line

Job = dict[str, Any]
Tell = Callable[[Job], None]
# How long one question waits for the end, and for how long a daemon that is being restarted is waited for, in seconds.
_QUESTION_SECONDS = 0.5
_RESTART_SECONDS = 60.0


def follow(context: CommandContext, made: Job) -> Job:
    """The job once it, or its present attempt, has ended; its progress is shown meanwhile.

    Raises UnreachableError when the daemon stays away.
    """
    client = context.client()
    try:
        with _telling(context) as tell:
            now = made
            tell(now)
            while not _over(made, now):
                now = _ask(client, made["id"])
                tell(now)
    except KeyboardInterrupt:
        click.echo(f"the job goes on: `launchd job {made['id']} --wait` waits for it, `cancel-task` ends it", err=True)
        raise
    return now


def succeeded(job: Job) -> bool:
    """Whether the exit code is 0."""
    return bool(job["state"] == "succeeded")


def outcome_text(job: Job) -> str:
    """One line on a job that was followed."""
    why = job["reason"] or (job["error"] or {}).get("message")
    again = f" (again at {job['run_at']})" if job["state"] == "queued" else ""
    return f"{job['id']}: {job['state']}{again}{f': {one_line(why)}' if why else ''}"


def _over(made: Job, now: Job) -> bool:
    if now["state"] == "queued":
        return bool(now["attempt"] > made["attempt"] or (made["state"] == "running" and now["attempt"] > 0))
    return bool(now["state"] != "running")


def _ask(client: AdminClient, job_id: str) -> Job:
    """The job, once it has ended or after a moment; a restart of the daemon is waited for."""
    deadline = time.monotonic() + _RESTART_SECONDS
    while True:
        try:
            answer: Job = client.request("GET", at("jobs", job_id), wait=_QUESTION_SECONDS)
        except UnreachableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_QUESTION_SECONDS)
        else:
            return answer


@contextmanager
def _telling(context: CommandContext) -> Iterator[Tell]:
    """What shows progress: a bar on a terminal, else plain lines; nothing where a program reads."""
    if sys.stderr.isatty() and (context.json or sys.stdout.isatty()):
        with _bar() as tell:
            yield tell
    elif context.json:
        yield lambda _job: None
    else:
        told: list[str] = []
        yield lambda job: _print_new(job, told, click.echo)


@contextmanager
def _bar() -> Iterator[Tell]:
    from rich.console import Console  # noqa: PLC0415 - only who waits at a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    shows = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    told: list[str] = []
    with Progress(*shows, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task("", total=None)

        def tell(job: Job) -> None:
            said = job["progress"] or {}
            waits = job["waiting_on"]
            what = f"{job['task']}: waits for {waits['reason']}, {waits['detail']}" if waits else job["task"]
            progress.update(line, description=one_line(what), completed=said.get("done", 0), total=said.get("total"))
            _print_new(job, told, lambda text: progress.console.print(text, markup=False, highlight=False))

        yield tell


def _print_new(job: Job, told: list[str], write: Callable[[str], None]) -> None:
    note = (job["progress"] or {}).get("note") or ""
    for text in note.splitlines():
        if text not in told:
            told.append(text)
            write(one_line(text))
