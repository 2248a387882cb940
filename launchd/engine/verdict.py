"""The verdict on one attempt: from what the task returned or raised, or from why it was stopped. Pure."""

import traceback
from typing import Any

import msgspec

from launchd.clock import SECOND, Instant
from launchd.engine.attempt import Attempt, Stop
from launchd.job import MAX_RESULT_BYTES, MAX_TRACEBACK_BYTES, JobError, Outcome, Verb, bounded, retry_delay
from launchd.task import Cancel, Retry, Snooze

_MESSAGE_BYTES = 4096
_REASON_BYTES = 500
_HEAD = 1000
# Somebody asked for the end of the job itself, not only of this attempt.
_WANTED = frozenset({Stop.CANCEL, Stop.TERMINATE})


class LockLostError(Exception):
    """The job's lock was lost while it ran."""


class UnknownTaskError(Exception):
    """The code of the job's task is not loaded."""


class RemoteError(Exception):
    """What a task raised in a process of its own, as that process told it."""

    def __init__(self, error: JobError) -> None:
        super().__init__(error.message)
        self.error = error


def succeeded(attempt: Attempt, value: Any, now: Instant) -> Outcome:  # noqa: ANN401 - a task returns what it likes
    """The task returned; what it returned is kept as JSON, at most 64 KiB of it."""
    if value is None:
        return _outcome(attempt, Verb.SUCCEED, now)
    try:
        result = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        return failed(attempt, error, now, note="the task's result cannot be written as JSON")
    return _outcome(attempt, Verb.SUCCEED, now, result=_bounded_result(result))


def stopped(attempt: Attempt, error: BaseException, now: Instant) -> Outcome:
    """The attempt was cancelled: the verdict depends on who asked."""
    match attempt.stop:
        case Stop.CANCEL | Stop.TERMINATE:
            return _outcome(attempt, Verb.CANCEL, now, reason=attempt.reason)
        case Stop.DRAIN:
            return _outcome(attempt, Verb.INTERRUPT, now, run_at=now, reason="interrupted: the daemon stopped")
        case Stop.TIMEOUT | Stop.HARD_TIMEOUT:
            return failed(attempt, TimeoutError(f"ran longer than its {attempt.what.timeout:g} s"), now)
        case Stop.LOCK_LOST:
            return lock_lost(attempt, now)
        case _:
            return failed(attempt, error, now, note="the task was cancelled from within")


def raised(attempt: Attempt, error: BaseException, now: Instant) -> Outcome:
    """The task raised: a wish (Cancel, Snooze, Retry) or a failure."""
    if isinstance(error, Cancel):
        return _outcome(attempt, Verb.CANCEL, now, reason=str(error))
    if isinstance(error, Snooze) and attempt.stop not in _WANTED:
        run_at = now + int(error.seconds * SECOND)
        return _outcome(attempt, Verb.SNOOZE, now, run_at=run_at, reason=str(error))
    return failed(attempt, error, now)


def lock_lost(attempt: Attempt, now: Instant) -> Outcome:
    """The lock went to another: whatever was done is done again under a new fence."""
    name = attempt.lock.name if attempt.lock else "?"
    return failed(attempt, LockLostError(f"lock {name} was lost while the job ran; its result is refused"), now)


def failed(attempt: Attempt, error: BaseException, now: Instant, *, note: str | None = None) -> Outcome:
    """Another attempt where one is left, else the end. What fails while its end is wanted has ended as it was to."""
    job = attempt.job
    text = msgspec.json.encode(describe(error, note)).decode()
    if attempt.stop in _WANTED:
        return _outcome(attempt, Verb.CANCEL, now, error=text, reason=attempt.reason)
    if job.attempt > job.max_retries:
        return _outcome(attempt, Verb.FAIL, now, error=text)
    asked = error.after if isinstance(error, Retry) else None
    delay = asked if asked is not None else retry_delay(job.id, job.attempt)
    reason = f"attempt {job.attempt} of {job.max_retries + 1} failed: {bounded(str(error), _REASON_BYTES)}"
    return _outcome(attempt, Verb.RETRY, now, error=text, run_at=now + int(delay * SECOND), reason=reason)


def describe(error: BaseException, note: str | None = None) -> JobError:
    """An error as it is kept: its type, its message and the end of its traceback."""
    if isinstance(error, RemoteError):
        return error.error
    message = f"{note}: {error}" if note else str(error)
    trace = None
    if not isinstance(error, Retry) and error.__traceback__ is not None:
        trace = bounded("".join(traceback.format_exception(error)), MAX_TRACEBACK_BYTES, keep="end")
    return JobError(type(error).__name__, bounded(message, _MESSAGE_BYTES), trace)


def _bounded_result(result: str) -> str:
    if len(result) <= MAX_RESULT_BYTES:
        return result
    return msgspec.json.encode({"cut": True, "bytes": len(result), "head": result[:_HEAD]}).decode()


def _outcome(
    attempt: Attempt,
    verb: Verb,
    now: Instant,
    *,
    result: str | None = None,
    error: str | None = None,
    run_at: Instant | None = None,
    reason: str | None = None,
) -> Outcome:
    job = attempt.job
    return Outcome(job.seq, job.attempt, verb, now, result, error, run_at, reason, attempt.progress())
