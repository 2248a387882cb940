"""The last log lines of each job in memory, for the job's page and API. The log itself keeps all lines.

Lines come from any thread and are plain already. Three bounds apply: lines of a job, number of jobs, characters of all;
the job whose last line is the oldest is dropped first. Secrets are masked when lines are read.
"""

import logging
import threading
from collections import OrderedDict, deque
from typing import Any, NamedTuple

from launchd.logs.redact import Redactor
from launchd.logs.writer import Line

MAX_LINES, MAX_JOBS, MAX_CHARACTERS = 500, 1000, 8 * 1024 * 1024
_OWN = frozenset({"timestamp", "level", "logger", "event", "job_id"})


class JobLine(NamedTuple):
    """A line of a job's log; `number` only grows, `at` is RFC 3339."""

    number: int
    at: str
    level: str
    logger: str
    event: str
    fields: dict[str, Any]


class _Kept:
    """The lines of one job as (number, line); `missing` counts those that were dropped."""

    __slots__ = ("lines", "missing", "size")

    def __init__(self) -> None:
        self.lines: deque[tuple[int, Line]] = deque()
        self.missing = 0
        self.size = 0


class JobLines:
    """Keeps lines that carry a `job_id`. The lock guards all fields."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor()
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        self._count = 0

    def keep(self, line: Line) -> None:
        """Keep a line if it carries a `job_id`; called in the thread that logs."""
        job_id = line.event.get("job_id")
        if type(job_id) is not str:
            return
        with self._lock:
            self._count += 1
            kept = self._jobs.setdefault(job_id, _Kept())
            self._jobs.move_to_end(job_id)
            kept.lines.append((self._count, line))
            kept.size += line.size
            self._size += line.size
            if len(kept.lines) > MAX_LINES:
                self._drop_first(kept)
            while len(self._jobs) > 1 and (len(self._jobs) > MAX_JOBS or self._size > MAX_CHARACTERS):
                _, gone = self._jobs.popitem(last=False)
                self._size -= gone.size
            while len(kept.lines) > 1 and self._size > MAX_CHARACTERS:
                self._drop_first(kept)

    def of(self, job_id: str, after: int, limit: int) -> tuple[list[JobLine], int]:
        """Up to `limit` lines of a job with numbers above `after`, oldest first; and how many lines were dropped."""
        with self._lock:
            kept = self._jobs.get(job_id)
            found = [] if kept is None else [one for one in kept.lines if one[0] > after][:limit]
            missing = 0 if kept is None else kept.missing
        return [self._shown(number, line) for number, line in found], missing

    def forked(self) -> None:
        """In a child of `os.fork()`: drop all lines; the lock is new, since a thread of the parent may have held it."""
        self._lock = threading.Lock()
        self._jobs.clear()
        self._size = 0

    def _drop_first(self, kept: _Kept) -> None:
        _, gone = kept.lines.popleft()
        kept.missing += 1
        kept.size -= gone.size
        self._size -= gone.size

    def _shown(self, number: int, line: Line) -> JobLine:
        event = self._redactor.value(line.event)
        fields = {key: value for key, value in event.items() if key not in _OWN}
        level = logging.getLevelName(line.level).lower()
        at, logger, text = (str(event.get(name, "")) for name in ("timestamp", "logger", "event"))  # plain values
        return JobLine(number, at, level, logger, text, fields)
