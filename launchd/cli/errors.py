"""Errors of the command line: their text, their JSON, their hints and their exit codes."""

import difflib
import os
from collections.abc import Iterable, Iterator
from typing import IO, Any

import click
import msgspec

from launchd.admin.client import RefusedError
from launchd.errors import LaunchdError, UnreachableError
from launchd.values.text import visible

FAILED, UNREACHABLE = 1, 3
# Hints on what to do next: by the code of a refusal, or by the beginning of its text.
_HINTS = {"forbidden": "run the command as root or as the daemon's own user: sudo launchd ..."}
_HINTS_BY_TEXT = {
    "no job ": "`launchd jobs` lists them",
    "no launch ": "`launchd launches` lists them",
    "nobody holds a lock ": "`launchd locks` lists those that are held",
    "the job has ended": "`launchd retry ID` queues it again",
    "the job has not ended": "`launchd cancel-task ID` ends it",
    "the job is not running": "`launchd job ID` shows its state",
}


class CommandError(click.ClickException):
    """An error of launchd on standard error: as text, or as an object with --json."""

    exit_code = FAILED

    def __init__(self, error: LaunchdError, *, as_json: bool) -> None:
        super().__init__(error.detail)
        self._code = error.code
        self._hint: str | None = None
        if isinstance(error, RefusedError):
            self._code = str(error.problem.get("code", error.code))
            hints = [hint for beginning, hint in _HINTS_BY_TEXT.items() if error.detail.startswith(beginning)]
            self._hint = _HINTS.get(self._code, hints[0] if hints else None)
        self._error = error
        self._as_json = as_json

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        error = self._error
        if self._as_json:
            errors = [{"path": problem.path, "message": problem.message} for problem in error.errors]
            problem = {"code": self._code, "detail": error.detail, "errors": errors}
            click.echo(msgspec.json.encode(problem).decode(), file=file, err=True)
            return
        severity = _severity()
        for line in self._lines():
            click.echo(f"{severity}{line}", file=file, err=True)

    def _lines(self) -> Iterator[str]:
        error = self._error
        yield from f"launchd: {visible(error.detail)}".splitlines()
        if self._hint is not None:
            yield f"  {self._hint}"
        for one in error.errors:
            line = f"{one.path}: {one.message}"
            if line not in error.detail and one.message not in error.detail:
                yield f"  {visible(line)}"


class UnreachableDaemonError(CommandError):
    """The daemon cannot be reached."""

    exit_code = UNREACHABLE


def _severity() -> str:
    """The prefix of an error line if standard error is the journal (sd-daemon(3)); else nothing."""
    if "JOURNAL_STREAM" not in os.environ:
        return ""
    from launchd.logs.journal import is_journal  # noqa: PLC0415 - not needed at a terminal

    return "<3>" if is_journal(2) else ""


def command_error(error: LaunchdError, *, as_json: bool) -> CommandError:
    """The error with which click ends."""
    kind = UnreachableDaemonError if isinstance(error, UnreachableError) else CommandError
    return kind(error, as_json=as_json)


def suggestion(name: str, known: Iterable[str]) -> str:
    """The nearest known name, or all of them, as the end of an error message."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names) or 'none'}"
