"""An attempt: one run of a job, and the requests to end it. Its decisions are pure."""

import asyncio
from collections.abc import Coroutine
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from launchd.job import Progress
from launchd.lock import Lock
from launchd.store.claims import Claimed
from launchd.task import Context, Isolation, Port, Task

# How long an attempt may go on after a stop request before its slot is given to another.
STUCK_SECONDS = 10.0


class Stop(StrEnum):
    """The reason of a stop request, weakest first."""

    DRAIN = "drain"
    TIMEOUT = "timeout"
    CANCEL = "cancel"
    LOCK_LOST = "lock_lost"
    HARD_TIMEOUT = "hard_timeout"
    TERMINATE = "terminate"


_STRENGTH = {stop: index for index, stop in enumerate(Stop)}
# Requested once only: the task may catch it and go on, until its hard timeout.
_SOFT = frozenset({Stop.TIMEOUT, Stop.DRAIN})
# After one of these the stop is the verdict, whatever a thread or a process still returns or raises.
FINAL_STOPS = frozenset(Stop) - _SOFT


class Runner(Protocol):
    """Runs an attempt outside the task loop, in a thread of its own or through a process.

    `run` is called in the attempt's own thread, the others from the control loop's.
    """

    def run(self) -> Any:  # noqa: ANN401 - a task returns what it likes
        """Run the task to its end; returns its value or raises its error."""

    def stop(self, why: Stop) -> None:
        """Ask the task to end, or end it; may be repeated and never waits."""

    def stack(self) -> str | None:
        """The present stack; None if it cannot be known."""


class Attempt:
    """One run of a job.

    `stop`, `reason`, `asked_at` and `stuck` are written by the control loop only, before it cancels `task`; `runner`
    too, before the attempt begins; `task`, `begun`, `coroutine`, `timed_out` and `broken_by` by the task loop only.
    The rest never changes. `definition` is the Task; `deadline` and `hard_deadline` are monotonic seconds, None for no
    time limit. `broken_by` is a SystemExit or KeyboardInterrupt that a callback or a subtask of the attempt has raised.
    """

    __slots__ = (
        "asked_at",
        "begun",
        "broken_by",
        "context",
        "coroutine",
        "deadline",
        "definition",
        "hard_deadline",
        "job",
        "lock",
        "port",
        "reason",
        "runner",
        "started",
        "stop",
        "stuck",
        "task",
        "timed_out",
    )

    def __init__(self, job: Claimed, definition: Task, lock: Lock | None, port: Port, started: float) -> None:
        self.job = job
        self.definition = definition
        self.lock = lock
        self.started = started
        self.deadline = started + definition.timeout if definition.timeout else None
        self.hard_deadline = started + definition.hard_timeout if definition.timeout else None
        self.stop: Stop | None = None
        self.reason: str | None = None
        self.asked_at = 0.0
        self.stuck = False
        self.task: asyncio.Task[None] | None = None
        self.begun = False
        self.coroutine: Coroutine[Any, Any, Any] | None = None
        self.timed_out = False
        self.broken_by: BaseException | None = None
        self.port = port
        self.runner: Runner | None = None
        self.context = Context(
            job_id=job.id,
            task=job.task,
            queue=job.queue,
            attempt=job.attempt,
            schedule=job.schedule,
            fire_time=job.fire_time,
            lock=lock.name if lock else None,
            fence=lock.fence if lock else None,
            port=port,
        )

    @property
    def enforceable(self) -> bool:
        """True if its end can be forced: only a process can be killed."""
        return self.definition.isolation is Isolation.PROCESS

    def latest_progress(self) -> Progress | None:
        """The last progress of the task; None if there is none, or if the task put another type of object there."""
        latest = self.context.latest_progress
        return latest if type(latest) is Progress else None

    def progress(self) -> str | None:
        """The last progress as JSON."""
        latest = self.latest_progress()
        return None if latest is None else msgspec.json.encode(latest).decode()

    def names(self) -> dict[str, Any]:
        """The fields of the attempt for the log, from its job: a task may have changed its Context."""
        said = {"job_id": self.job.id, "task": self.job.task, "queue": self.job.queue, "attempt": self.job.attempt}
        others = {"schedule": self.job.schedule, "lock": self.lock.name if self.lock else None}
        return said | {name: value for name, value in others.items() if value is not None}


def stronger(present: Stop | None, wanted: Stop) -> bool:
    """True if a new stop request replaces the present one: only a stronger one does."""
    return present is None or _STRENGTH[wanted] > _STRENGTH[present]


def next_stop(attempt: Attempt, now: float) -> Stop | None:
    """The stop to request (again) at monotonic `now`; None for no request."""
    if attempt.hard_deadline is not None and now >= attempt.hard_deadline and stronger(attempt.stop, Stop.HARD_TIMEOUT):
        return Stop.HARD_TIMEOUT
    if attempt.stop is None:
        return Stop.TIMEOUT if attempt.deadline is not None and now >= attempt.deadline else None
    return None if attempt.stop in _SOFT else attempt.stop


def is_stuck(attempt: Attempt, now: float) -> bool:
    """True if an attempt goes on long after a stop request: a coroutine or a thread that ignores it."""
    return attempt.stop is not None and attempt.stop not in _SOFT and now - attempt.asked_at >= STUCK_SECONDS


def next_look(attempt: Attempt, now: float, tick: float) -> float | None:
    """When to check an attempt next, in monotonic seconds; None if no time limit or request is open."""
    if attempt.stop is not None and attempt.stop not in _SOFT:
        return None if attempt.stuck else now + tick
    coming = (attempt.deadline if attempt.stop is None else None, attempt.hard_deadline)
    return min((at for at in coming if at is not None), default=None)
