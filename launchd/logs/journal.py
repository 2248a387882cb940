"""journald: the test if standard error is its stream, and a line of the log as fields of its native protocol.

The library sends them (one datagram; a sealed memfd if that is too small, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
Fields: https://www.freedesktop.org/software/systemd/man/systemd.journal-fields.html
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
# Values with a field of their own, for searches such as `journalctl JOB_ID=...`; the message has all values.
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
# By level: the priority of syslog(3).
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_NOT_IN_MESSAGE = {"event", "level", "timestamp", "logger", "exception", "stack"}


def is_journal(descriptor: int, environ: Mapping[str, str] = os.environ) -> bool:
    """True if a descriptor is the stream that systemd connected to the journal (`$JOURNAL_STREAM`, systemd.exec(5)).

    The variable holds device:inode, and both must match: a child inherits it even if its standard error goes elsewhere.
    """
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        stat = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(stat.st_dev), str(stat.st_ino))


def fields(line: Line) -> Iterator[tuple[str, Any]]:
    """The journal's fields of a line: MESSAGE for people, the others for searches."""
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
    """One line, `event key=value ...`, and below it the traceback if there is one."""
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
    """Writes lines to the journal, or to `otherwise` while the journal is down. `finish` masks a line's secrets."""

    def __init__(self, finish: Callable[[Line], Line], otherwise: Sink, path: Path) -> None:
        self._finish = finish
        self._otherwise = otherwise
        self._transport = JournaldTransport(path, connected=False)  # journald may replace its socket at any time

    def __call__(self, batch: list[Line]) -> None:
        """Write a batch of lines; blocks while the journal is slow."""
        for line in batch:
            try:
                self._transport.send(fields(self._finish(line)))
            except OSError:
                self._otherwise([line])

    def close(self) -> None:
        """Close the socket."""
        self._transport.socket.close()


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value) if not value or any(character in value for character in ' ="\n\t') else value
    return str(value)


def _clean(text: str) -> str:
    """A text that can be encoded as UTF-8: lone surrogates are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
