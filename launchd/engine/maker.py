"""Makes the jobs that clients and schedules ask for, checked against task and queues. Pure but for the ids."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

import msgspec

from launchd.clock import FIRST_INSTANT, LAST_INSTANT, SECOND, Instant, format_instant
from launchd.errors import InvalidError, NotFoundError, Problem
from launchd.job import NewJob, unique_key
from launchd.schedules.schedule import Fire, Schedule, jitter
from launchd.task import Task

MAX_DELAY_SECONDS = 366 * 86_400
_PRIORITIES = range(10)
MAX_RETRIES = 100
# The shortest time in which a job may expire: an instant is a whole number of microseconds.
_SHORTEST = 1 / SECOND
# How many problems a message names, and how many characters of a value.
_MOST_NAMED, _LONGEST_VALUE = 10, 60


class TriggerRequest(NamedTuple):
    """A request for a job. `delay` and `expires_in` are seconds, `run_at` an Instant; None is the task's default."""

    task: str
    args: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    queue: str | None = None
    priority: int | None = None
    delay: float | None = None
    run_at: Instant | None = None
    expires_in: float | None = None
    max_retries: int | None = None

    def digest(self) -> str:
        """A hash of the whole request: an Idempotency-Key that is used again must come with the same hash."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


class JobMaker:
    """Makes jobs of the known tasks on the known queues."""

    def __init__(self, tasks: Mapping[str, Task], queues: Collection[str], new_id: Callable[[Instant], str]) -> None:
        self.tasks = tasks
        self._queues = queues
        self._new_id = new_id

    def task(self, name: str) -> Task:
        """A task by name; raises NotFoundError that names the known ones."""
        found = self.tasks.get(name)
        if found is None:
            raise NotFoundError(f"no task {name}; known: {', '.join(sorted(self.tasks))}")
        return found

    def requested(self, request: TriggerRequest, now: Instant) -> NewJob:
        """The job of a request; raises NotFoundError, or InvalidError with the path of every wrong value."""
        task = self.task(request.task)
        queue = request.queue or task.queue
        problems = [*_problems(request), *self._queue_problems(queue)]
        try:
            args = task.encode(request.args)
        except InvalidError as error:
            problems += error.errors or [Problem("args", error.detail)]
        if problems:
            raise _invalid(problems)
        run_at = max(now, request.run_at if request.run_at is not None else now + int((request.delay or 0) * SECOND))
        named = request.run_at is not None and request.run_at > now
        expires = None if request.expires_in is None else now + int(request.expires_in * SECOND)
        if expires is not None and request.expires_in and expires <= run_at:
            raise _invalid([_expires_first(request.expires_in, run_at)])
        return NewJob(
            id=self._new_id(now),
            task=task.name,
            queue=queue,
            args=args,
            priority=task.priority if request.priority is None else request.priority,
            max_retries=task.max_retries if request.max_retries is None else request.max_retries,
            created_at=now,
            run_at=run_at,
            expires_at=expires,
            lock=task.lock,
            unique_key=unique_key(task.name, args) if task.unique else None,
            counted_from=None if named else now,
        )

    def all_requested(self, requests: Sequence[TriggerRequest], now: Instant) -> list[NewJob]:
        """The jobs of many requests; raises InvalidError with the path of every wrong value (`jobs[3].task`)."""
        made: list[NewJob] = []
        problems: list[Problem] = []
        for number, request in enumerate(requests):
            where = f"jobs[{number}]"
            try:
                made.append(self.requested(request, now))
            except NotFoundError as error:
                problems.append(Problem(f"{where}.task", error.detail))
            except InvalidError as error:
                problems += [Problem(f"{where}.{one.path}", one.message) for one in error.errors]
        if problems:
            raise _invalid(problems)
        return made

    def fired(self, schedule: Schedule, fire: Fire, now: Instant) -> NewJob:
        """The job of a fire. The schedule was checked when it was loaded. An additional fire has no jitter."""
        task = self.task(schedule.task)
        args = schedule.args if fire.args is None else fire.args
        late = jitter(schedule, fire.fire_time) if fire.args is None else 0
        return NewJob(
            id=self._new_id(now),
            task=task.name,
            queue=task.queue,
            args=args,
            priority=task.priority,
            max_retries=task.max_retries,
            created_at=now,
            run_at=max(now, fire.fire_time + late),
            lock=task.lock,
            schedule=schedule.name,
            fire_time=fire.fire_time,
            unique_key=unique_key(task.name, args) if task.unique else None,
            counted_from=now,
        )

    def _queue_problems(self, queue: str) -> list[Problem]:
        if queue in self._queues:
            return []
        return [Problem("queue", f"no queue {queue}; known: {', '.join(sorted(self._queues))}")]


def _invalid(problems: Sequence[Problem]) -> InvalidError:
    """An error with all of these problems, whose message names the first few."""
    named = "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:_MOST_NAMED])
    more = f"; and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
    return InvalidError(named + more, errors=problems)


def _expires_first(expires_in: float, run_at: Instant) -> Problem:
    detail = f"the job would expire {expires_in:g} s from now and may not run before {format_instant(run_at)}"
    return Problem("expires_in", f"{detail}: let it expire later, or run earlier")


def _problems(request: TriggerRequest) -> list[Problem]:
    """The problems with the numbers of a request; a task or a client may have sent any type."""
    problems = [
        _whole("priority", request.priority, 0, _PRIORITIES.stop - 1),
        _whole("max_retries", request.max_retries, 0, MAX_RETRIES),
        _seconds("delay", request.delay, least=0),
        _seconds("expires_in", request.expires_in, least=_SHORTEST),
    ]
    if request.delay is not None and request.run_at is not None:
        problems.append(Problem("run_at", "expected at most one of delay and run_at"))
    problems.append(_whole("run_at", request.run_at, FIRST_INSTANT, LAST_INSTANT))
    return [problem for problem in problems if problem is not None]


def _whole(name: str, value: object, least: int, most: int) -> Problem | None:
    if value is None or (_is_whole(value) and least <= value <= most):
        return None
    return Problem(name, f"expected {least}..{most}, got {_shown(value)}")


def _seconds(name: str, value: object, *, least: float) -> Problem | None:
    if value is None or ((_is_whole(value) or isinstance(value, float)) and least <= value <= MAX_DELAY_SECONDS):
        return None
    words = f"expected {least:g}..{MAX_DELAY_SECONDS} seconds"
    return Problem(name, f"{words}, got {_shown(value)}")


def _is_whole(value: object) -> TypeGuard[int]:
    """True for an integer; False for True and False, which are integers in Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """A refused value as short, clean text, whatever its type."""
    try:
        text = f"{value:g}" if isinstance(value, float) else ascii(value)
    except Exception:  # noqa: BLE001 - an integer of 5,000 digits, an object of a task's own
        return f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
