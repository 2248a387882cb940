"""The log's writer: a bounded queue and a thread, so that no log line ever waits for a pipe, a disk or the journal.

- `put` is called from any thread or loop, takes about a microsecond, and never blocks or raises.
- When the queue is full, lines are dropped and counted. Warnings and errors have a reserve of their own: a flood of
  chatter cannot push them out. Once there is room again the log itself says how many lines are missing.
- A sink that fails (a closed pipe, a full disk, a journal that is away) loses its lines, counted as dropped, and is
  tried again after a pause that doubles with each failure. Once it works again the log says how many lines it lost.
- In a child of `os.fork()` there is no writer thread: `forked` makes it write each line itself.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

# Lines that wait for the writer, and the characters in them; beyond either, lines are dropped.
LIMIT = 10_000
LIMIT_CHARACTERS = 16 * 1024 * 1024
# Room above both that only warnings and errors may take, as a share.
RESERVE = 0.1
WARNING = 30
# Lines taken at once: bounds what is lost with a thread that a blocked pipe holds for ever.
BATCH = 200
# The pauses after a sink has failed, in seconds: the first, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0


class Line(NamedTuple):
    """One line of the log: the level as in `logging`, plain values by name, and how many characters they have."""

    level: int
    event: dict[str, Any]
    size: int


Sink = Callable[[list[Line]], None]


class Writer:
    """Writes lines to a sink in a thread of its own, which calls `ended` last.

    `dropped` only grows, under the lock; metrics read it. `_lines`, `_size` and `_missing` belong to the lock.
    `_alone` is set in a child of `os.fork()` only. `pause` waits between two attempts to write.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        limit: int = LIMIT,
        limit_characters: int = LIMIT_CHARACTERS,
        ended: Callable[[], None] = lambda: None,
        pauses: tuple[float, float] = (FIRST_PAUSE, LONGEST_PAUSE),
    ) -> None:
        self.dropped = 0
        self._sink = sink
        self._ended = ended
        self._limits = (limit, limit_characters)
        self._pauses = pauses
        self._alone: Sink | None = None
        # a lock that the same thread may take twice: a finalizer may log while its thread is in `put`
        self._ready = threading.Condition(threading.RLock())
        self._lines: deque[Line] = deque()
        self._size = 0
        self._missing = 0  # dropped, and not yet told in the log
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def put(self, line: Line) -> None:
        """Take a line, or count it as dropped."""
        if self._alone is not None:
            with contextlib.suppress(Exception):  # nobody is left who could count it
                self._alone([line])
            return
        share = 1 + RESERVE if line.level >= WARNING else 1.0
        limit, characters = self._limits
        with self._ready:
            full = len(self._lines) >= limit * share or self._size + line.size > characters * share
            if full or self._closed:
                self._drop(1)
                return
            self._lines.append(line)
            self._size += line.size
            self._ready.notify()

    def close(self, seconds: float = 2.0) -> bool:
        """Write what waits, for at most so many seconds; whether all of it was written."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def forked(self, sink: Sink) -> None:
        """In a child of `os.fork()`: write to this sink from now on, in the thread that logs.

        The lock is another one, since a thread of the parent may have held the old one; what waits is the parent's.
        """
        self._ready = threading.Condition(threading.RLock())
        self._lines, self._size, self._missing, self._closed = deque(), 0, 0, True
        self._alone = sink

    # --- the writer thread ---

    def _work(self) -> None:
        pause = 0.0
        while batch := self._take():
            lines, missing = batch
            try:
                self._sink([*lines, _missing_line(missing)] if missing else lines)
            except Exception:  # noqa: BLE001 - whatever breaks the log must not end it; the lines are counted
                with self._ready:
                    self._drop(len(lines))
                    self._missing += missing  # the notice is lost, the count is not
                pause = min(max(pause * 2, self._pauses[0]), self._pauses[1])
                self._wait(pause)
            else:
                pause = 0.0
        self._ended()

    def _take(self) -> tuple[list[Line], int] | None:
        """The next lines and how many are missing before them; None when the writer is closed and has written all."""
        with self._ready:
            while not self._lines and not self._missing and not self._closed:
                self._ready.wait()
            if self._closed and not self._lines:
                return None
            lines = [self._lines.popleft() for _ in range(min(BATCH, len(self._lines)))]
            self._size -= sum(line.size for line in lines)
            missing, self._missing = self._missing, 0
        return lines, missing

    def _wait(self, seconds: float) -> None:
        """Let the sink recover; the end of the writer cuts it short."""
        until = time.monotonic() + seconds
        with self._ready:
            while not self._closed and (left := until - time.monotonic()) > 0:
                self._ready.wait(left)

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._missing += count


def _missing_line(count: int) -> Line:
    return Line(WARNING, {"event": "log_lines_dropped", "level": "warning", "logger": "launchd.log", "count": count}, 0)
