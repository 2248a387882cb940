"""Makes tasks, schedules and sizes of pools from a configuration; reports every problem at once."""

import contextlib
import importlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from launchd.config import Config, QueueConfig, ScheduleConfig, render
from launchd.errors import ConfigError, InvalidError, Problem
from launchd.rate import Rate, parse_rate
from launchd.schedules.cron import DayMatch
from launchd.schedules.schedule import Schedule, TightenRule
from launchd.system import forks
from launchd.task import Task, collect

# Frames of the import itself: Python's library, and this package.
_NOT_THEIRS = ("<frozen", sysconfig.get_path("stdlib") + os.sep, str(Path(__file__).parents[2]) + os.sep)


class Options(NamedTuple):
    """The options of the command line. `queues` None means all of them."""

    queues: Sequence[str] | None = None
    concurrency: int | None = None
    scheduler: bool = True
    workers: bool = True


def load_tasks(config: Config, given: Iterable[Task]) -> dict[str, Task]:
    """The given tasks and those of `[tasks] modules`, by name.

    Modules are found where Python finds them, and in the folder of the configuration file. Raises ConfigError.
    """
    found = {task.name: task for task in given}
    problems: list[Problem] = []
    modules = [module for name in config.tasks.modules if (module := _import(name, config, problems)) is not None]
    try:
        loaded = collect(modules)
    except InvalidError as error:
        loaded = {}
        problems.append(Problem("tasks.modules", error.detail))
    for name, task in loaded.items():
        if name in found:
            problems.append(Problem("tasks.modules", f"task {name} exists already: give yours another name="))
        found[name] = task
    for task in found.values():
        if task.queue not in config.queues:
            known = ", ".join(sorted(config.queues))
            problems.append(Problem(f"queues.{task.queue}", f"task {task.name} wants this queue; known: {known}"))
    _raise(problems, config)
    return found


def plan_schedules(config: Config, tasks: Mapping[str, Task]) -> dict[str, Schedule]:
    """The enabled schedules, each checked against its task. Raises ConfigError."""
    problems: list[Problem] = []
    planned = {}
    for name, entry in config.schedules.items():
        if not entry.enabled:
            continue
        task = tasks.get(entry.task or "")
        if task is None:
            known = ", ".join(sorted(tasks))
            problems.append(Problem(f"schedules.{name}.task", f"no task {entry.task}; known: {known}"))
            continue
        key = "args"
        try:
            args = task.encode(entry.args)
            key = "tighten"
            rules = _rules(entry, task)
        except InvalidError as error:
            problems.append(Problem(f"schedules.{name}.{key}", error.detail))
            continue
        planned[name] = Schedule(
            name=name,
            task=task.name,
            recurrence=entry.recurrence(),
            spec=_spec(entry),
            args=args,
            catchup=entry.catchup,
            overlap=entry.overlap,
            grace_seconds=entry.misfire_grace_seconds,
            jitter_seconds=entry.jitter_seconds,
            run_on_first_start=entry.run_on_first_start,
            tighten=rules,
        )
    _raise(problems, config)
    return planned


def _rules(entry: ScheduleConfig, task: Task) -> tuple[TightenRule, ...]:
    """The rules of a schedule. An additional fire tells the task how many seconds it is after the one before.

    Raises InvalidError where the task takes no `every_seconds`.
    """
    found = []
    for rule in entry.tighten:
        within, every = rule.intervals()
        args = task.encode({**entry.args, "every_seconds": every.seconds})
        found.append(TightenRule(within.seconds, every, args))
    return tuple(found)


def _spec(entry: ScheduleConfig) -> str:
    """The recurrence of a schedule as text: a schedule whose text changes starts anew from now."""
    if entry.cron is None:
        return f"every {entry.every}"
    # nothing for the default: databases from before day_match do not have it
    days = f" days={entry.day_match}" if entry.day_match is DayMatch.AND else ""
    return f"{entry.cron} {entry.timezone} gap={entry.dst_gap} fold={entry.dst_fold}{days}"


def pool_sizes(config: Config, options: Options) -> dict[str, tuple[int, Rate | None]]:
    """Slots and rate of each queue that this process runs. Raises ConfigError for a queue that is not configured."""
    if not options.workers:
        return {}
    names = list(config.queues) if options.queues is None else list(options.queues)
    unknown = [name for name in names if name not in config.queues]
    if unknown:
        known = ", ".join(sorted(config.queues))
        raise ConfigError(f"--queues: no queue {', '.join(unknown)}; known: {known}")
    return {name: _size(config.queues[name], options) for name in names}


def _size(queue: QueueConfig, options: Options) -> tuple[int, Rate | None]:
    return options.concurrency or queue.concurrency, parse_rate(queue.rate) if queue.rate else None


def _import(name: str, config: Config, problems: list[Problem]) -> ModuleType | None:
    if config.path is not None:
        folder = str(Path(config.path).resolve().parent)
        if folder not in sys.path:
            sys.path.append(folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output carries the answer of `launchd check --json`
            module = importlib.import_module(name)
        forks.end_child()
        has_tasks = any(type(value) is Task for value in vars(module).values())
    except InvalidError as error:  # a task in it is wrong: the detail names it and its place
        problems.append(Problem("tasks.modules", f"{name} cannot be loaded: {error.detail}"))
        return None
    except BaseException as error:  # noqa: BLE001 - a user's module may break in any way, sys.exit() is one
        forks.end_child(error)
        problems.append(Problem("tasks.modules", f"{name} cannot be loaded: {_reason(name, error)}"))
        return None
    if not has_tasks:
        problems.append(Problem("tasks.modules", f"{name} has no tasks{_whose(name, module)}"))
        return None
    return module


def place_of(error: BaseException) -> str:
    """The last file and line of an error that are neither Python's nor launchd's; for a SyntaxError, its own.

    Empty if there are none.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    files = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    files = [(file, line) for file, line in files if not file.startswith(_NOT_THEIRS)]
    own = [(file, line) for file, line in files if "site-packages" not in file] or files
    return f"{own[-1][0]}:{own[-1][1]}" if own else ""


def _reason(name: str, error: BaseException) -> str:
    """An import error in one line: its type, its message, and the line that raised it."""
    try:
        words = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:  # noqa: BLE001 - its __str__ may raise, too
        words = "(its message cannot be read)"
    said = f"{type(error).__name__}: {words}" if words else type(error).__name__
    if isinstance(error, SystemExit):
        said = f"it calls sys.exit({error.code!r}) when it is imported"
    elif isinstance(error, EOFError):
        said += " (it reads standard input, which is empty)"
    elif isinstance(error, ModuleNotFoundError) and error.name and _is_in(error.name, name):
        return f"there is no module {error.name}; put it beside the configuration file, or install it"
    place = place_of(error)
    return f"{said}, at {place}" if place else said


def _is_in(missing: str, name: str) -> bool:
    return f"{name}.".startswith(f"{missing}.")


def _whose(name: str, module: ModuleType) -> str:
    """The file of a module without tasks, and what to do about it."""
    path = getattr(module, "__file__", None) or "built in"
    if name.partition(".")[0] in sys.stdlib_module_names:
        return f": it is Python's own ({path}); give your module another name"
    return f" ({path}): put @task on its functions, or take it out of the list"


def _raise(problems: list[Problem], config: Config) -> None:
    if problems:
        raise ConfigError(render(problems, config.path), errors=problems)
