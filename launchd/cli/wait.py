"""Waiting for a job: its progress while it runs, and its outcome.

The note of a task's progress has a line for each thing it has done; each line is printed once, as it comes.
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
Show = Callable[[Job], None]
# How long one request waits for the end of the job, and how long a restart of the daemon may take, in seconds.
_POLL_SECONDS = 0.5
_RESTART_SECONDS = 60.0


def follow(context: CommandContext, made: Job) -> Job:
    """Show the progress of a job until it, or its present attempt, has ended; returns the job.

    Raises UnreachableError if the daemon does not come back.
    """
    client = context.client()
    try:
        with _progress(context) as show:
            now = made
            show(now)
            while not _over(made, now):
                now = _poll(client, made["id"])
                show(now)
    except KeyboardInterrupt:
        job_id = made["id"]
        hint = f"`launchd job {job_id} --wait` waits for it, `launchd cancel-task {job_id}` cancels it"
        click.echo(f"the job goes on: {hint}", err=True)
        raise
    return now


def succeeded(job: Job) -> bool:
    """True if the job succeeded, so that the exit code is 0."""
    return bool(job["state"] == "succeeded")


def outcome_text(job: Job) -> str:
    """The outcome of a job, in a line."""
    why = job["reason"] or (job["error"] or {}).get("message")
    again = f" (again at {job['run_at']})" if job["state"] == "queued" else ""
    return f"{job['id']}: {job['state']}{again}{f': {one_line(why)}' if why else ''}"


def _over(made: Job, now: Job) -> bool:
    if now["state"] == "queued":
        return bool(now["attempt"] > made["attempt"] or (made["state"] == "running" and now["attempt"] > 0))
    return bool(now["state"] != "running")


def _poll(client: AdminClient, job_id: str) -> Job:
    """The job, when it has ended or after a moment; waits for a daemon that restarts."""
    deadline = time.monotonic() + _RESTART_SECONDS
    while True:
        try:
            answer: Job = client.request("GET", at("jobs", job_id), wait=_POLL_SECONDS)
        except UnreachableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return answer


@contextmanager
def _progress(context: CommandContext) -> Iterator[Show]:
    """A function that shows progress: a bar on a terminal, else plain lines, nothing with --json."""
    if sys.stderr.isatty() and (context.json or sys.stdout.isatty()):
        with _bar() as show:
            yield show
    elif context.json:
        yield lambda _job: None
    else:
        printed: list[str] = []
        yield lambda job: _print_new(job, printed, click.echo)


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console  # noqa: PLC0415 - needed at a terminal only
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    shows = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    printed: list[str] = []
    with Progress(*shows, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task("", total=None)

        def show(job: Job) -> None:
            progressed = job["progress"] or {}
            waits = job["waiting_on"]
            what = f"{job['task']}: waits for {waits['reason']}, {waits['detail']}" if waits else job["task"]
            progress.update(
                line, description=one_line(what), completed=progressed.get("done", 0), total=progressed.get("total")
            )
            _print_new(job, printed, lambda text: progress.console.print(text, markup=False, highlight=False))

        yield show


def _print_new(job: Job, printed: list[str], write: Callable[[str], None]) -> None:
    note = (job["progress"] or {}).get("note") or ""
    for text in note.splitlines():
        if text not in printed:
            printed.append(text)
            write(one_line(text))
