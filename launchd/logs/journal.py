"""journald: whether standard error goes there, and a line of the log as fields of its native protocol.

The protocol itself (one datagram, a sealed memfd for what is too large for one) is the library's. Fields:
https://www.freedesktop.org/software/systemd/man/systemd.journal-fields.html
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from logging_journald import JournaldTransport

from launchd.logs.writer import Line, Sink

SOCKET = Path("/run/systemd/journal/socket")
IDENTIFIER = "launchd"
# What an operator searches by: journalctl JOB_ID=... ; everything else stands in the message.
FIELDS = {
    "job_id": "JOB_ID",
    "task": "TASK",
    "queue": "QUEUE",
    "schedule": "SCHEDULE",
    "attempt": "ATTEMPT",
    "lock": "LOCK",
    "source": "SOURCE",
    "logger": "LOGGER",
}
# syslog(3)
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_NOT_IN_MESSAGE = {"event", "level", "timestamp", "logger", "exception", "stack"}


def is_journal(descriptor: int, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a descriptor is the stream that systemd connected to the journal (`$JOURNAL_STREAM`, device:inode).

    Only a match counts: children inherit the variable, also where their standard error goes elsewhere.
    """
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        stat = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(stat.st_dev), str(stat.st_ino))


def fields(line: Line) -> Iterator[tuple[str, Any]]:
    """The journal's fields of a line: MESSAGE reads by itself, the rest is for searching."""
    event = line.event
    yield "MESSAGE", message(event)
    yield "PRIORITY", _PRIORITIES.get(line.level, 6)
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    yield "SYSLOG_PID", os.getpid()
    for name, field in FIELDS.items():
        if event.get(name) is not None:
            yield field, _clean(str(event[name]))
    exception = event.get("exception")
    if isinstance(exception, dict):
        yield "EXCEPTION_TYPE", _clean(str(exception["type"]))
        yield "EXCEPTION_MESSAGE", _clean(str(exception["message"]))


def message(event: Mapping[str, Any]) -> str:
    """One line, `event key=value ...`, and below it the traceback where there is one."""
    words = [str(event.get("event", ""))]
    words += [f"{key}={_shown(value)}" for key, value in event.items() if key not in _NOT_IN_MESSAGE]
    lines = [" ".join(words)]
    if event.get("stack"):
        lines.append(str(event["stack"]))
    exception = event.get("exception")
    if exception:
        lines.append(exception["traceback"] if isinstance(exception, dict) else str(exception))
    return _clean("\n".join(lines).rstrip("\n"))


class JournalSink:
    """Writes lines to the journal; while it is away, to `otherwise`. `finish` makes each line fit to be shown."""

    def __init__(self, finish: Callable[[Line], Line], otherwise: Sink, path: Path) -> None:
        self._finish = finish
        self._otherwise = otherwise
        self._transport = JournaldTransport(path, connected=False)  # the journal's socket may be replaced at any time

    def __call__(self, batch: list[Line]) -> None:
        """Write them; waits where the journal is slow."""
        for line in batch:
            try:
                self._transport.send(fields(self._finish(line)))
            except OSError:
                self._otherwise([line])

    def close(self) -> None:
        """Give the socket back."""
        self._transport.socket.close()


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value) if not value or any(character in value for character in ' ="\n\t') else value
    return str(value)


def _clean(text: str) -> str:
    """A text that UTF-8 can carry."""
    return text.encode("utf-8", "backslashreplace").decode()
