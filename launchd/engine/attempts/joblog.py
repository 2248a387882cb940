"""The log lines of attempts: their ends, and at level debug their starts.

Failures and retries are always logged, with their traceback. At full speed thousands of jobs succeed within a second:
beyond `SUCCESSES_PER_SECOND` of a queue they are counted, and logged as one line after that second.
"""

import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from launchd.clock import format_instant
from launchd.engine.attempts.attempt import Attempt
from launchd.job import JobError, Outcome, Verb
from launchd.logger import get_logger

_log = get_logger("launchd.pool")
SUCCESSES_PER_SECOND = 50


class JobLog:
    """Logs one queue's attempts. Owned by the control loop; `now` is in monotonic seconds."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._since = 0.0  # the start of the second that is counted
        self._logged = 0
        self._unlogged = 0

    def started(self, attempts: Iterable[Attempt]) -> None:
        """Log the start of attempts, if the level is debug."""
        if _log.is_enabled_for(logging.DEBUG):
            for attempt in attempts:
                _log.debug("job_started", **attempt.names())

    def ended(self, attempt: Attempt, outcome: Outcome, seconds: float, now: float) -> None:
        """Log the end of an attempt after so many seconds."""
        if outcome.verb is Verb.SUCCEED and not self._has_room(now):
            self._unlogged += 1
            return
        said = attempt.names() | {"seconds": round(seconds, 3)}
        match outcome.verb:
            case Verb.FAIL:
                _log.error("job_failed", **said, **_error(outcome))
            case Verb.RETRY:
                _log.warning("job_retries", **said, retry_at=format_instant(outcome.run_at or 0), **_error(outcome))
            case verb:
                _log.info("job_ended", **said, verb=verb.value)

    def sum_up(self, now: float) -> None:
        """Log how many more succeeded, once their second is over."""
        if self._unlogged and now >= self._since + 1:
            _log.info("jobs_succeeded", queue=self._queue, count=self._unlogged)
            self._unlogged = 0

    def due(self, now: float) -> float | None:
        """In how many seconds `sum_up` has something to log; None if it has not."""
        return max(self._since + 1 - now, 0.0) if self._unlogged else None

    def _has_room(self, now: float) -> bool:
        if now >= self._since + 1:
            self.sum_up(now)
            self._since, self._logged = now, 0
        self._logged += 1
        return self._logged <= SUCCESSES_PER_SECOND


def _error(outcome: Outcome) -> dict[str, Any]:
    """The error in one line, and its traceback if there is one."""
    if outcome.error is None:
        return {"error": None}
    error = msgspec.json.decode(outcome.error, type=JobError)
    said = {"error": f"{error.type}: {error.message}"}
    return said | {"exception": error.traceback} if error.traceback else said
