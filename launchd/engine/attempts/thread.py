"""A plain function in a thread of its own. It cannot be stopped from outside: it ends when it reads `ctx.stopping`."""

import sys
import threading
import traceback
from typing import Any

from launchd.engine.attempts.attempt import Attempt, Stop


class ThreadRunner:
    """Implements `Runner` for a plain function."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._ident: int | None = None

    def run(self) -> Any:  # noqa: ANN401 - a task returns what it likes
        """Call the function."""
        self._ident = threading.get_ident()
        definition = self._attempt.definition
        return definition.function(self._attempt.context, **definition.decode(self._attempt.job.args))

    def stop(self, _why: Stop) -> None:
        """Set `ctx.stopping`; the function ends when it reads that."""
        self._attempt.context.stopping = True

    def stack(self) -> str | None:
        """The stack of the thread."""
        frame = sys._current_frames().get(self._ident or 0)  # noqa: SLF001 - the documented way to see other threads
        return "".join(traceback.format_stack(frame)) if frame is not None else None
