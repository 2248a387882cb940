"""A task: a function that can be run as a job. The decorator, the check of arguments, the Context, the exceptions.

A decorated function stays callable, so a user's own test can call it. Nothing is registered anywhere: the daemon
collects the `Task` objects of the modules that the configuration names.
"""

import asyncio
import inspect
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import timedelta
from enum import StrEnum
from functools import partial
from types import ModuleType
from typing import Any, Literal, Protocol, SupportsFloat, SupportsIndex

import msgspec

from launchd.clock import Instant
from launchd.errors import InvalidError, NotFoundError, Problem
from launchd.job import MAX_JSON_BYTES, Progress
from launchd.logger import get_logger
from launchd.parameters import all_finite, parameters_of, schema_of
from launchd.values.plain import plain_text, type_name

DEFAULT_TIMEOUT_SECONDS = 900.0
HARD_TIMEOUT_MARGIN_SECONDS = 30.0
LOCK_WAIT_SECONDS = 10.0
LOCK_TTL_SECONDS = 3600.0
MAX_RETRIES = 3
# The longest delay that a task or a client may ask for.
MAX_DELAY_SECONDS = 366 * 86_400
# The longest reason and the longest note of progress, in bytes of UTF-8; longer ones are cut.
MAX_REASON_BYTES = 2000
MAX_NOTE_BYTES = 500


class Retry(Exception):  # noqa: N818 - a verdict, not an error
    """Raise this in a task: the attempt has failed, and the job runs again later while retries are left.

    `reason` is shown in the job's history, at most 2,000 bytes. `after` is the delay in seconds or as a `timedelta`,
    from 0 to 366 days; None means the usual delay (1, 2, 4 minutes, at most an hour). Raises TypeError if `after` is
    neither, ValueError if it is out of bounds; inside a task either fails the attempt.

    >>> Retry("rate limit", after=timedelta(minutes=5)).after
    300.0
    >>> Retry(after=-1)
    Traceback (most recent call last):
    ValueError: Retry(after=...): expected 0 to 31622400 seconds (366 days), got -1

    In a task:

    >>> @task(max_retries=5)
    ... async def fetch(ctx: Context, *, page: int) -> None:
    ...     if page > 1:
    ...         raise Retry(f"page {page} is not there yet", after=30)
    >>> asyncio.run(fetch(Context(job_id="1", task="fetch"), page=2))
    Traceback (most recent call last):
    launchd.task.Retry: page 2 is not there yet
    """

    def __init__(self, reason: str = "", *, after: SupportsFloat | timedelta | None = None) -> None:
        super().__init__(_reason(reason) or "the task asked for a retry")
        self.after = None if after is None else delay_seconds(after, "Retry(after=...)")

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Retry, after=self.after), self.args


class Snooze(Exception):  # noqa: N818 - a verdict, not an error
    """Raise this in a task: the job is queued again for later, and no attempt is spent.

    `seconds` is the delay as a number or a `timedelta`, from 0 to 366 days; the job comes back after one second at the
    soonest. `reason` is shown in the job's history, at most 2,000 bytes. Raises TypeError if `seconds` is neither,
    ValueError if it is out of bounds; inside a task either fails the attempt.

    >>> str(Snooze(90))
    'snoozed for 90 s'
    >>> Snooze(timedelta(hours=1), "the pad is closed").seconds
    3600.0
    >>> Snooze("soon")
    Traceback (most recent call last):
    TypeError: Snooze(seconds): expected seconds or a timedelta, got str
    """

    def __init__(self, seconds: SupportsFloat | timedelta, reason: str = "") -> None:
        self.seconds = delay_seconds(seconds, "Snooze(seconds)")
        super().__init__(_reason(reason) or f"snoozed for {self.seconds:g} s")

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Snooze, self.seconds), self.args


class Cancel(Exception):  # noqa: N818 - a verdict, not an error
    """Raise this in a task: the job ends as `cancelled`, and no retry follows.

    `reason` is shown with the job, at most 2,000 bytes.

    >>> str(Cancel("the launch was scrubbed"))
    'the launch was scrubbed'
    >>> str(Cancel())
    'cancelled by the task'
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(_reason(reason) or "cancelled by the task")


def _reason(reason: object) -> str:
    """A reason made plain; empty for None, so that the default is used."""
    return "" if reason is None else plain_text(reason, MAX_REASON_BYTES)


def delay_seconds(value: object, where: str) -> float:
    """A delay in seconds from a number or a `timedelta`.

    Raises TypeError if it is neither, ValueError if it is not finite or not within 0 to 366 days; both name `where`. A
    delay beyond a year is nearly always a point in time, such as an epoch in milliseconds.
    """
    seconds = _number(value)
    if seconds is None:
        raise TypeError(f"{where}: expected seconds or a timedelta, got {type_name(value)}")
    if not 0 <= seconds <= MAX_DELAY_SECONDS:  # false for NaN too
        raise ValueError(f"{where}: expected 0 to {MAX_DELAY_SECONDS} seconds (366 days), got {plain_text(value, 50)}")
    return seconds


def _number(value: object) -> float | None:
    """A number as a float, infinite if it is too large; None for anything else, also for a text of digits."""
    if type(value) is float:
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, SupportsFloat | SupportsIndex):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


class Isolation(StrEnum):
    """Where a task runs: in the daemon (a coroutine on the task loop, a plain function in a thread), or apart."""

    SHARED = "shared"
    PROCESS = "process"


class Port(Protocol):
    """The part of the engine that a Context uses. It may be called from the task's own thread or loop."""

    async def trigger(self, task: str, args: dict[str, Any], *, delay: float, priority: int | None) -> str:
        """Make a job and return its id once it is durable."""


class Context:
    """The first argument of a task's function: its job's ids, a logger, progress, and a way to make other jobs.

    `attempt` counts from 1. `fire_time` is the scheduled time in microseconds since 1970 UTC, None unless a schedule
    made the job. `lock` is the name of the task's lock and `fence` the number of this hold of it; both are None without
    a lock. `stopping` becomes True once the job is asked to end: a plain function, which cannot be interrupted, should
    check it in its loops.

    A test makes one itself:

    >>> ctx = Context(job_id="1", task="report")
    >>> ctx.attempt, ctx.queue, ctx.fire_time, ctx.stopping
    (1, 'default', None, False)
    >>> ctx.progress(3, 10, "page 3")
    >>> ctx.latest_progress
    Progress(done=3.0, total=10.0, note='page 3')

    `latest_progress` is written by the task and read by the control loop: one reference, swapped whole.
    """

    __slots__ = (
        "_log",
        "_port",
        "attempt",
        "fence",
        "fire_time",
        "job_id",
        "latest_progress",
        "lock",
        "queue",
        "schedule",
        "stopping",
        "task",
    )

    def __init__(
        self,
        *,
        job_id: str,
        task: str,
        queue: str = "default",
        attempt: int = 1,
        schedule: str | None = None,
        fire_time: Instant | None = None,
        lock: str | None = None,
        fence: int | None = None,
        port: Port | None = None,
    ) -> None:
        self.job_id = job_id
        self.task = task
        self.queue = queue
        self.attempt = attempt
        self.schedule = schedule
        self.fire_time = fire_time
        self.lock = lock
        self.fence = fence
        self.latest_progress: Progress | None = None
        self.stopping = False
        self._port = port
        self._log: Any = None

    @property
    def log(self) -> Any:  # noqa: ANN401 - structlog's bound loggers have no common static type
        """A structured logger: `ctx.log.info("event", key=value)` writes a line with the job's names."""
        if self._log is None:
            self._log = get_logger("launchd.task").bind(**self.names())
        return self._log

    def names(self) -> dict[str, Any]:
        """The fields of each log line of this attempt: job, task, queue, attempt, and schedule and lock if any."""
        said = {"job_id": self.job_id, "task": self.task, "queue": self.queue, "attempt": self.attempt}
        others = {"schedule": self.schedule, "lock": self.lock}
        return said | {name: value for name, value in others.items() if value is not None}

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Show how far the job is; cheap, call it as often as you like.

        `done` and `total` are in any unit, `total` None where it is unknown. `note` is cut to 500 bytes. Raises
        TypeError if `done` or `total` is not a number, ValueError if it is not finite.
        """
        self.latest_progress = progress_of(done, total, note)

    async def checkpoint(self) -> None:
        """Let other coroutines run; for loops that compute without any other await.

        Raises asyncio.CancelledError here if the job was asked to end.
        """
        await asyncio.sleep(0)

    async def trigger(
        self,
        task: str,
        *,
        args: Mapping[str, Any] | None = None,
        delay: float = 0.0,
        priority: int | None = None,
        **more: Any,  # noqa: ANN401 - a task's arguments are its own
    ) -> str:
        """Make a job of another task; returns its id once it is on disk.

        The task's arguments are keywords, or a mapping as `args`, or both. `delay` is in seconds, `priority` 0 to 9,
        None for the task's own. Raises NotFoundError if there is no such task, or outside of a daemon; InvalidError if
        the arguments do not fit.
        """
        if self._port is None:
            raise NotFoundError("this context runs outside a daemon: there is nothing to trigger")
        given = dict(args or {})
        twice = sorted(given.keys() & more.keys())
        if twice:
            raise InvalidError(f"task {task}: {', '.join(twice)}: given in args and as a keyword; write it once")
        return await self._port.trigger(task, given | more, delay=delay, priority=priority)


# The Context of the job whose code runs here: the log puts its names on the lines of whatever that code calls.
CURRENT: ContextVar[Context | None] = ContextVar("launchd_context", default=None)


def progress_of(done: object, total: object = None, note: object = None) -> Progress:
    """The progress of a task, made plain; raises TypeError if a number is not one, ValueError if it is not finite."""
    return Progress(
        _finite(done, "done"),
        None if total is None else _finite(total, "total"),
        None if note is None else plain_text(note, MAX_NOTE_BYTES),
    )


def _finite(value: object, name: str) -> float:
    number = _number(value)
    if number is None:
        raise TypeError(f"progress: {name}: expected a number, got {type_name(value)}")
    if not math.isfinite(number):
        raise ValueError(f"progress: {name}: expected a finite number, got {plain_text(value, 50)}")
    return number


class Task:
    """A task as the daemon knows it: a function with its name, its defaults and the types of its arguments."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str,
        queue: str = "default",
        lock: str | None = None,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
        lock_ttl_seconds: float = LOCK_TTL_SECONDS,
        max_retries: int = MAX_RETRIES,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        hard_timeout: float | None = None,
        priority: int = 5,
        unique: bool = False,
        isolation: Isolation | str = Isolation.SHARED,
    ) -> None:
        self.function = function
        self.name = name
        self.queue = queue
        self.lock = lock
        self.lock_wait_seconds = lock_wait_seconds
        self.lock_ttl_seconds = lock_ttl_seconds
        self.max_retries = max_retries
        self.timeout = timeout
        self.hard_timeout = hard_timeout if hard_timeout is not None else timeout + HARD_TIMEOUT_MARGIN_SECONDS
        self.priority = priority
        self.unique = unique
        self.isolation = _isolation(function, name, isolation)
        self.is_coroutine = inspect.iscoroutinefunction(function)
        self.on_task_loop = self.is_coroutine and self.isolation is Isolation.SHARED
        self.description = (inspect.getdoc(function) or "").partition("\n")[0]
        self.parameters = parameters_of(function, name)
        self._schema = schema_of(function, name, self.parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the wrapped function's own signature
        """Call the function itself, as a test does."""
        return self.function(*args, **kwargs)

    def validate(self, args: dict[str, Any]) -> dict[str, Any]:
        """The arguments as the function will get them; raises InvalidError with every path that is wrong."""
        if not isinstance(args, dict):
            raise InvalidError.at("args", f"task {self.name}: expected an object, got {type(args).__name__}")
        known = ", ".join(self.parameters) or "none"
        unknown = [name for name in args if name not in self.parameters]
        problems = [Problem(f"args.{name}", f"no such argument; known: {known}") for name in unknown]
        valid: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if name not in args:
                if parameter.required:
                    problems.append(Problem(f"args.{name}", "required"))
                continue
            try:
                valid[name] = msgspec.convert(args[name], parameter.type)
            except msgspec.ValidationError as error:
                problems.append(_problem(name, error))
            except (ValueError, RecursionError) as error:  # a list within itself, a number of 5,000 digits
                problems.append(Problem(f"args.{name}", f"cannot be read: {error}"))
        if problems:
            detail = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
            raise InvalidError(f"task {self.name}: {detail}", errors=problems)
        return valid

    def encode(self, args: dict[str, Any]) -> str:
        """The canonical JSON of the arguments, as the store keeps it; raises InvalidError."""
        valid = self.validate(args)
        try:
            data = msgspec.json.encode(valid, order="deterministic")
        except UnicodeEncodeError:
            raise InvalidError.at("args", f"task {self.name}: remove the lone surrogate: it is not text") from None
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidError.at("args", f"task {self.name}: they cannot be written as JSON: {error}") from None
        if len(data) > MAX_JSON_BYTES:
            raise InvalidError.at(
                "args",
                f"task {self.name}: they are {len(data)} bytes of JSON, at most {MAX_JSON_BYTES}: pass a file's name",
            )
        # msgspec writes nan and infinity as null
        if b"null" in data and not all_finite(msgspec.to_builtins(valid)):
            raise InvalidError.at("args", f"task {self.name}: nan and infinity have no JSON form: use None instead")
        return data.decode()

    def decode(self, text: str) -> dict[str, Any]:
        """The keyword arguments from the canonical JSON; raises InvalidError."""
        if text == "{}":
            return {}
        try:
            given = msgspec.json.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidError.at("args", f"task {self.name}: the stored arguments cannot be read: {error}") from error
        return self.validate(given)

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments; made when the task is, so that one without a schema is refused there."""
        return self._schema


@typing.overload
def task(function: Callable[..., Any], /) -> Task: ...
@typing.overload
def task(
    *,
    name: str | None = None,
    queue: str = "default",
    lock: str | None = None,
    lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    lock_ttl_seconds: float = LOCK_TTL_SECONDS,
    max_retries: int = MAX_RETRIES,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    hard_timeout: float | None = None,
    priority: int = 5,
    unique: bool = False,
    isolation: Literal["shared", "process"] = "shared",
) -> Callable[[Callable[..., Any]], Task]: ...
def task(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any
) -> Task | Callable[[Callable[..., Any]], Task]:
    """Make a task of a function whose first parameter is the Context and whose others are annotated keywords.

    `async def` runs on the task loop, a plain `def` in a thread; with `isolation="process"` either runs in a process of
    its own, which can be killed. `lock` names the lock held for the run; the job waits at most `lock_wait_seconds` for
    it, then is skipped; it may hold it for `lock_ttl_seconds`. `timeout` is seconds of running (0 = none) until a
    TimeoutError is raised inside, which the task may catch; at `hard_timeout` (30 s later by default) it is ended.
    `priority` is 0 to 9, the highest first. With `unique`, at most one job with the same arguments is queued or
    running: a second trigger returns the first job. The result must be JSON, at most 64 KiB.
    Raises InvalidError if the signature cannot be a task's.

    >>> @task(queue="reports", max_retries=1)
    ... async def report(ctx: Context, *, days: int = 7) -> dict[str, int]:
    ...     return {"days": days}
    >>> report.name, report.queue, report.max_retries
    ('report', 'reports', 1)

    A task stays callable, and checks a job's arguments before the job is made:

    >>> asyncio.run(report(Context(job_id="1", task="report"), days=3))
    {'days': 3}
    >>> report.validate({"days": "many"})
    Traceback (most recent call last):
    launchd.errors.InvalidError: task report: args.days: Expected `int`, got `str`
    """

    def decorate(target: Callable[..., Any]) -> Task:
        return Task(target, name=name or target.__name__, **options)

    return decorate if function is None else decorate(function)


def collect(modules: Iterable[ModuleType]) -> dict[str, Task]:
    """The tasks found in modules, by name; two different tasks of one name raise InvalidError."""
    found: dict[str, Task] = {}
    for module in modules:
        for value in vars(module).values():
            if issubclass(type(value), Task) and found.setdefault(value.name, value) is not value:
                raise InvalidError(f"two tasks are named {value.name!r}: give one of them another name, by name=")
    return found


def _isolation(function: Callable[..., Any], name: str, isolation: str) -> Isolation:
    """The checked isolation of a task; a task with its own process must be importable by name."""
    if isolation not in set(Isolation):
        raise InvalidError(f"task {name}: isolation: expected one of {', '.join(Isolation)}, got {isolation!r}")
    if isolation == Isolation.PROCESS and ("<locals>" in function.__qualname__ or function.__module__ == "__main__"):
        raise InvalidError(f"task {name}: a process must be able to import it: define it at the top of a module")
    return Isolation(isolation)


def _problem(name: str, error: msgspec.ValidationError) -> Problem:
    """The problem in an error of msgspec such as "Expected `int`, got `str` - at `$[0]`"."""
    message, _, where = str(error).partition(" - at `$")
    return Problem(f"args.{name}{where.rstrip('`')}", message)
