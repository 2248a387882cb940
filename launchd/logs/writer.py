"""The log's writer: a bounded queue and a thread, so that no log call waits for a pipe, a disk or the journal.

- `put` may be called from any thread or loop, takes about a microsecond, and never blocks or raises.
- If the queue is full, lines are dropped and counted. Warnings and errors have a reserve of their own, so that a flood
  of other lines cannot displace them. Once there is room again, the log says how many lines are missing.
- If the sink fails (a closed pipe, a full disk, a journal that is down), its lines are counted as dropped, and it is
  tried again after a pause that doubles with each failure. Once it works, the log says how many lines are missing.
- A child of `os.fork()` has no writer thread: after `forked` each line is written in the thread that logs.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

# The most lines that wait for the writer, and the most characters in them; beyond either, lines are dropped.
LIMIT = 10_000
LIMIT_CHARACTERS = 16 * 1024 * 1024
# The additional room for warnings and errors, as a share of both.
RESERVE = 0.1
WARNING = 30
# The most lines that the thread takes at once: they are lost if a blocked pipe holds the thread for ever.
BATCH = 200
# The first and the longest pause after a failure of the sink, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0


class Line(NamedTuple):
    """One line of the log: the level as in `logging`, plain values by name, and their number of characters."""

    level: int
    event: dict[str, Any]
    size: int


Sink = Callable[[list[Line]], None]


class LogWriter:
    """Writes lines to a sink in a thread of its own, which calls `ended` when it ends.

    `dropped` only grows, under the lock; metrics read it. The lock guards `_lines`, `_size` and `_missing`. `_alone` is
    set only in a child of `os.fork()`.
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
        # a reentrant lock: a finalizer may log while its thread is in `put`
        self._ready = threading.Condition(threading.RLock())
        self._lines: deque[Line] = deque()
        self._size = 0
        self._missing = 0  # dropped lines that the log has not reported yet
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def put(self, line: Line) -> None:
        """Queue a line, or count it as dropped."""
        if self._alone is not None:
            with contextlib.suppress(Exception):  # a fork has no counter
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
        """Write the waiting lines, for at most `seconds`; True if all were written."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def forked(self, sink: Sink) -> None:
        """In a child of `os.fork()`: write to this sink from now on, in the thread that logs.

        The lock is new, since a thread of the parent may have held the old one; the waiting lines are the parent's.
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
            except Exception:  # noqa: BLE001 - no failure may end the log; the lines are counted
                with self._ready:
                    self._drop(len(lines))
                    self._missing += missing  # the notice was lost too: keep its count
                pause = min(max(pause * 2, self._pauses[0]), self._pauses[1])
                self._wait(pause)
            else:
                pause = 0.0
        self._ended()

    def _take(self) -> tuple[list[Line], int] | None:
        """The next lines, and how many are missing before them; None once the writer is closed and has no lines."""
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
        """Pause before the sink is tried again; `close` ends the pause."""
        until = time.monotonic() + seconds
        with self._ready:
            while not self._closed and (left := until - time.monotonic()) > 0:
                self._ready.wait(left)

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._missing += count


def _missing_line(count: int) -> Line:
    return Line(WARNING, {"event": "log_lines_dropped", "level": "warning", "logger": "launchd.log", "count": count}, 0)
