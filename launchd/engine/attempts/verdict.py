"""The verdict on one attempt, decided by the value or error of its task, or by the stop request.

`verdict` is the one boundary between task code and the engine, for coroutines, threads and processes alike. It is
total: every value or error of a task becomes a plain, bounded `Outcome` that can be written to disk, and it never
raises. It runs where the attempt ran, never on the control loop, since it may call a foreign `__str__`.
"""

import asyncio
from typing import Any

import msgspec

from launchd.clock import SECOND, Instant
from launchd.engine.attempts.attempt import Attempt, Stop
from launchd.job import JobError, Outcome, Verb, encode_result, retry_delay
from launchd.task import MAX_REASON_BYTES, Cancel, Retry, Snooze, delay_seconds
from launchd.values.failure import describe
from launchd.values.plain import bounded, plain_text, type_name

# A task that snoozes for no time at all would be claimed again and again without end.
MIN_SNOOZE_SECONDS = 1.0
_RETRY_REASON_BYTES = 500
# Requests to end the job itself, not only this attempt.
_WANTED = frozenset({Stop.CANCEL, Stop.TERMINATE})


class LockLostError(Exception):
    """The job's lock was lost while it ran."""


class UnknownTaskError(Exception):
    """The code of the job's task is not loaded."""


def verdict(attempt: Attempt, now: Instant, value: object = None, error: BaseException | None = None) -> Outcome:
    """The outcome of an attempt that returned `value`, or ended by `error`. Never raises."""
    try:
        if error is None:
            return succeeded(attempt, value, now)
        if issubclass(type(error), asyncio.CancelledError):  # the type: an object may lie about its `__class__`
            return stopped(attempt, error, now)
        return raised(attempt, error, now)
    except BaseException as broken:  # noqa: BLE001 - the boundary: foreign code may raise anything while it is read
        return _unreadable(attempt, now, type_name(broken))


def succeeded(attempt: Attempt, value: object, now: Instant) -> Outcome:
    """The task returned; its value is stored as JSON of at most 64 KiB."""
    if value is None:
        return _outcome(attempt, Verb.SUCCEED, now)
    try:
        result = encode_result(value)
    except BaseException as error:  # noqa: BLE001 - an object's own properties are read, and they may raise anything
        return failed(attempt, error, now, note="the task's result cannot be written as JSON")
    return _outcome(attempt, Verb.SUCCEED, now, result=result)


def stopped(attempt: Attempt, error: BaseException, now: Instant) -> Outcome:
    """The attempt was cancelled: the verdict depends on the stop request."""
    match attempt.stop:
        case Stop.CANCEL | Stop.TERMINATE:
            return _outcome(attempt, Verb.CANCEL, now, reason=attempt.reason)
        case Stop.DRAIN:
            return _outcome(attempt, Verb.INTERRUPT, now, run_at=now, reason="interrupted: the daemon stopped")
        case Stop.TIMEOUT | Stop.HARD_TIMEOUT:
            return failed(attempt, TimeoutError(f"ran longer than its {attempt.definition.timeout:g} s"), now)
        case Stop.LOCK_LOST:
            return lock_lost(attempt, now)
        case _:
            return failed(attempt, error, now, note="the task was cancelled from within")


def raised(attempt: Attempt, error: BaseException, now: Instant) -> Outcome:
    """The task raised Cancel, Snooze, Retry or an error."""
    kind = type(error)
    if issubclass(kind, Cancel):
        return _outcome(attempt, Verb.CANCEL, now, reason=plain_text(error, MAX_REASON_BYTES))
    if issubclass(kind, Snooze) and attempt.stop not in _WANTED:
        try:
            seconds = max(_asked(error, "seconds") or 0.0, MIN_SNOOZE_SECONDS)
        except (TypeError, ValueError) as refused:
            return failed(attempt, refused, now)
        reason = plain_text(error, MAX_REASON_BYTES)
        return _outcome(attempt, Verb.SNOOZE, now, run_at=now + int(seconds * SECOND), reason=reason)
    return failed(attempt, error, now)


def lock_lost(attempt: Attempt, now: Instant) -> Outcome:
    """The lock was lost: the job runs again under a new fence."""
    name = attempt.lock.name if attempt.lock else "?"
    return failed(attempt, LockLostError(f"lock {name} was lost while the job ran; its result is refused"), now)


def failed(attempt: Attempt, error: BaseException, now: Instant, *, note: str | None = None) -> Outcome:
    """Retry if attempts remain, else fail. A failure while the job was being cancelled counts as cancelled."""
    asked = None
    is_retry = issubclass(type(error), Retry)
    if is_retry:
        try:
            asked = _asked(error, "after")
        except (TypeError, ValueError) as refused:  # an attribute that was set later
            error, is_retry = refused, False
    return _failed(attempt, describe(error, note, with_traceback=not is_retry), now, asked)


def _failed(attempt: Attempt, error: JobError, now: Instant, asked: float | None = None) -> Outcome:
    """Retry, fail or cancel by an error that is plain already; `asked` is the delay in seconds of a Retry."""
    job = attempt.job
    text = msgspec.json.encode(error).decode()
    if attempt.stop in _WANTED:
        return _outcome(attempt, Verb.CANCEL, now, error=text, reason=attempt.reason)
    if job.attempt > job.max_retries:
        return _outcome(attempt, Verb.FAIL, now, error=text)
    delay = asked if asked is not None else retry_delay(job.id, job.attempt)
    said = bounded(error.message, _RETRY_REASON_BYTES)
    reason = f"attempt {job.attempt} of {job.max_retries + 1} failed: {said}"
    return _outcome(attempt, Verb.RETRY, now, error=text, run_at=now + int(delay * SECOND), reason=reason)


def _asked(error: BaseException, name: str) -> float | None:
    """The delay of a Retry or a Snooze, checked again: the attribute may have been set later.

    Raises TypeError or ValueError that names the class, the attribute and the value.
    """
    where = f"{type_name(error)}.{name}"
    try:
        value = getattr(error, name)
    except BaseException as unreadable:  # noqa: BLE001 - a subclass may have made it a property that fails
        raise TypeError(f"{where} cannot be read: {type_name(unreadable)}") from None
    return None if value is None else delay_seconds(value, where)


def _unreadable(attempt: Attempt, now: Instant, why: str) -> Outcome:
    """The outcome if reading the real one failed; no object of the task is read again."""
    return _failed(attempt, JobError("UnreadableError", f"the task's outcome cannot be read: {why}"), now)


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


def returned(value: Any, error: BaseException | None) -> tuple[Any, BaseException | None]:  # noqa: ANN401 - as above
    """The end of a plain function, with StopIteration as an error, as in a coroutine."""
    if error is None or not issubclass(type(error), StopIteration):
        return value, error
    wrapped = RuntimeError("the task raised StopIteration")
    wrapped.__cause__ = error
    wrapped.__traceback__ = error.__traceback__
    return value, wrapped
