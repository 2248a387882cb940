"""How the command line tells what went wrong, with the exit code that says which kind."""

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
# What to do about a refusal, where its words leave that open: by its code, or by how its words begin.
_HINTS = {"forbidden": "ask as root or as the daemon's own user: sudo launchd ..."}
_NEXT = {
    "no job ": "`launchd jobs` lists them",
    "no launch ": "`launchd launches` lists them",
    "nobody holds a lock ": "`launchd locks` lists those that are held",
    "the job has ended": "`launchd retry ID` queues it again",
    "the job has not ended": "`launchd cancel-task ID` ends it",
    "the job does not run here": "`launchd job ID` says where it stands",
}


class CommandError(click.ClickException):
    """An error of launchd's own, told on standard error: in words, or as an object where JSON was asked for."""

    exit_code = FAILED

    def __init__(self, error: LaunchdError, *, as_json: bool) -> None:
        super().__init__(error.detail)
        self._code = error.code
        self._hint: str | None = None
        if isinstance(error, RefusedError):
            self._code = str(error.problem.get("code", error.code))
            said = [hint for beginning, hint in _NEXT.items() if error.detail.startswith(beginning)]
            self._hint = _HINTS.get(self._code, said[0] if said else None)
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
    """Nobody answers."""

    exit_code = UNREACHABLE


def _severity() -> str:
    """What makes a line an error where standard error leads to the journal (sd-daemon(3)); nothing elsewhere."""
    if "JOURNAL_STREAM" not in os.environ:
        return ""
    from launchd.logs.journal import is_journal  # noqa: PLC0415 - who asks at a terminal does without

    return "<3>" if is_journal(2) else ""


def command_error(error: LaunchdError, *, as_json: bool) -> CommandError:
    """The error as click ends with it."""
    kind = UnreachableDaemonError if isinstance(error, UnreachableError) else CommandError
    return kind(error, as_json=as_json)


def suggestion(name: str, known: Iterable[str]) -> str:
    """What to try instead of a name that is not known, as the end of a sentence."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names) or 'none'}"
