"""The lines of JSON that the daemon and a task's process send each other through pipes of their own. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from launchd.job import JobError, Progress

# A longer line is no message of launchd: the largest message carries a result, arguments or a log line.
MAX_LINE_BYTES = 1024 * 1024


class AttemptRequest(msgspec.Struct, frozen=True):
    """The line that starts the work: module and name of the function, its arguments, the fields of its Context.

    `log_level` is the level of the daemon's standard library loggers, `timeout` the soft time limit in seconds.
    """

    module: str
    qualname: str
    arguments: dict[str, Any]
    context: dict[str, Any]
    path: list[str]
    timeout: float
    log_level: int


class FromChild(msgspec.Struct, frozen=True, kw_only=True):
    """One line from the process; `kind` is ready, progress, log, trigger, returned, raised, cancel, snooze or retry.

    `number` identifies a trigger, for its answer; `error` belongs to raised, and to a log line about an exception.
    """

    kind: str
    progress: Progress | None = None
    level: str = "info"
    event: str = ""
    logger: str = ""
    fields: dict[str, Any] = {}
    task: str = ""
    number: int = 0
    delay: float = 0.0
    priority: int | None = None
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: JobError | None = None
    seconds: float | None = None
    reason: str = ""


class ToChild(msgspec.Struct, frozen=True):
    """The answer to a trigger by its number: the id of the job, or the error and its code."""

    number: int
    job_id: str | None = None
    error: str | None = None
    code: str = "internal"


class Lines:
    """Splits the bytes of a pipe into lines, reading each byte once; drops lines that are too long."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that end in this chunk."""
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            if self._size + len(end) <= MAX_LINE_BYTES:
                yield b"".join([*self._parts, end])
            self._parts, self._size = [], 0
        self._size += len(rest)
        if self._size <= MAX_LINE_BYTES:
            self._parts.append(rest)
        else:
            self._parts = []
