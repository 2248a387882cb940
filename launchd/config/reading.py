"""TOML becomes structs; all errors are reported at once, each with its table, its key and the allowed values."""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from launchd.config.tables import (
    DEFAULT_QUEUES,
    DEFAULT_SCHEDULES,
    AdminConfig,
    AlertRules,
    AlertsConfig,
    Config,
    DaemonConfig,
    FetchConfig,
    LocksConfig,
    Name,
    QueueConfig,
    RedisConfig,
    ScheduleConfig,
    SourceConfig,
    TasksConfig,
)
from launchd.errors import ConfigError, InvalidError, Problem

T = TypeVar("T", bound=msgspec.Struct)
# The most characters of a wrong value that a message repeats.
_LONGEST_VALUE = 80
_TABLES = ("daemon", "admin", "locks", "redis", "tasks", "queues", "schedules", "fetch", "sources", "alerts")


def load(path: Path | None, *, sources: Iterable[str] = ()) -> Config:
    """Read and check a file; `sources` are the names that `[sources.*]` may have.

    Raises ConfigError with all problems.
    """
    if path is None:
        return parse("", sources=sources)
    try:
        text = path.read_text("utf-8-sig")  # editors on Windows write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return parse(text, sources=sources, path=str(path))


def parse(text: str, *, sources: Iterable[str] = (), path: str | None = None) -> Config:
    """The configuration in a TOML text, over the defaults."""
    return decode(document(text, path), sources=sources, path=path)


def document(text: str, path: str | None = None) -> dict[str, Any]:
    """The tables of a TOML text, not yet checked; raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path or 'configuration'} is not TOML: {error}") from error


def decode(document: dict[str, Any], *, sources: Iterable[str] = (), path: str | None = None) -> Config:
    """The configuration in the tables of a document, over the defaults; raises ConfigError with all problems."""
    problems: list[Problem] = []
    problems += [Problem(key, _unknown(key, _TABLES, "table")) for key in document if key not in _TABLES]
    daemon = _struct(document.get("daemon", {}), DaemonConfig, "daemon", problems)
    admin = _struct(document.get("admin", {}), AdminConfig, "admin", problems)
    locks = _struct(document.get("locks", {}), LocksConfig, "locks", problems)
    redis = _struct(document.get("redis", {}), RedisConfig, "redis", problems)
    if locks.backend == "redis" and redis.url is None:
        problems.append(Problem("redis.url", 'required where [locks] backend is "redis"'))
    problems += redis.problems()
    tasks = _struct(document.get("tasks", {}), TasksConfig, "tasks", problems)
    queues = _named(document.get("queues", {}), QueueConfig, "queues", problems)
    schedules = _named(document.get("schedules", {}), ScheduleConfig, "schedules", problems)
    fetch = _struct(document.get("fetch", {}), FetchConfig, "fetch", problems)
    upstreams = _named(document.get("sources", {}), SourceConfig, "sources", problems)
    alerts = _alerts(document.get("alerts", {}), problems)
    source_names = list(sources)
    problems += [
        Problem(f"sources.{name}", _unknown(name, source_names, "source"))
        for name in upstreams
        if source_names and name not in source_names
    ]
    merged = _with_defaults(document.get("schedules", {}), schedules, problems)
    if problems:
        raise ConfigError(render(problems, path), errors=problems)
    return Config(
        daemon=daemon,
        admin=admin,
        locks=locks,
        redis=redis,
        tasks=tasks,
        queues=DEFAULT_QUEUES | queues,
        schedules=merged,
        fetch=fetch,
        sources=upstreams,
        alerts=alerts,
        path=path,
    )


def render(problems: Iterable[Problem], path: str | None = None) -> str:
    """The problems for an operator, one a line: `[queues.scraping] concurrency: expected 1..1000, got 0`."""
    lines = [f"{path}:"] if path else []
    for problem in problems:
        table, _, key = problem.path.rpartition(".")
        lines.append(f"[{table}] {key}: {problem.message}" if table else f"[{key}]: {problem.message}")
    return "\n".join(lines)


def _struct(table: object, kind: type[T], where: str, problems: list[Problem]) -> T:
    """The struct of a table; problems are added to the list, and a wrong value becomes the default."""
    if not isinstance(table, dict):
        problems.append(Problem(where, f"expected a table, got {table!r}"))
        return kind()
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values = {}
    for key, value in table.items():
        if key not in fields:
            problems.append(Problem(f"{where}.{key}", _unknown(key, fields, "key")))
            continue
        try:
            values[key] = msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError:
            expected = _expected(inspect.type_info(fields[key].type))
            problems.append(Problem(f"{where}.{key}", f"expected {expected}, got {_quoted(value)}"))
    return kind(**values)


def _alerts(table: object, problems: list[Problem]) -> AlertsConfig:
    """`[alerts]` with its table of rules."""
    if not isinstance(table, dict):
        return _struct(table, AlertsConfig, "alerts", problems)
    own = {key: value for key, value in table.items() if key != "rules"}
    rules = _struct(table.get("rules", {}), AlertRules, "alerts.rules", problems)
    return msgspec.structs.replace(_struct(own, AlertsConfig, "alerts", problems), rules=rules)


def _named(table: object, kind: type[T], where: str, problems: list[Problem]) -> dict[str, T]:
    if not isinstance(table, dict):
        problems.append(Problem(where, f"expected tables named [{where}.NAME], got {table!r}"))
        return {}
    found = {}
    for name, entry in table.items():
        try:
            msgspec.convert(name, Name)
        except msgspec.ValidationError:
            problems.append(Problem(f"{where}.{name}", "expected a name of a-z, 0-9 and _, starting with a letter"))
        found[name] = _struct(entry, kind, f"{where}.{name}", problems)
    return found


def _with_defaults(
    tables: dict[str, dict[str, object]], given: dict[str, ScheduleConfig], problems: list[Problem]
) -> dict[str, ScheduleConfig]:
    """The built-in schedules with the changes of the file, and the schedules of the file; each checked as a whole."""
    merged = dict(DEFAULT_SCHEDULES)
    for name, entry in given.items():
        built_in = DEFAULT_SCHEDULES.get(name)
        changes = {key: getattr(entry, key) for key in tables[name] if hasattr(entry, key)}
        if built_in is not None and changes.get("every") is not None:
            changes.setdefault("cron", None)
        merged[name] = msgspec.structs.replace(built_in, **changes) if built_in else entry
        if merged[name].task is None:
            problems.append(Problem(f"schedules.{name}.task", "required: the name of the task to run"))
        try:
            merged[name].recurrence()
        except InvalidError as error:
            key = "every" if entry.every is not None else "timezone" if "no such zone" in error.detail else "cron"
            problems.append(Problem(f"schedules.{name}.{key}", error.detail))
        try:
            for rule in merged[name].tighten:
                rule.intervals()
        except InvalidError as error:
            problems.append(Problem(f"schedules.{name}.tighten", error.detail))
    return merged


def _unknown(key: str, known: Iterable[str], what: str) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    return f"no such {what}; did you mean {close[0]}?" if close else f"no such {what}; known: {', '.join(names)}"


def _quoted(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _expected(info: inspect.Type) -> str:  # noqa: PLR0911 - a table of types, one line each
    """The values that a type allows, in words."""
    match info:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return (extra or {}).get("description") or _expected(inner)
        case inspect.UnionType(types=types):
            return " or ".join(_expected(one) for one in types if not isinstance(one, inspect.NoneType))
        case inspect.IntType() | inspect.FloatType():
            return _range(info)
        case inspect.StrType():
            return "text"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(f'"{value}"' for value in values)
        case inspect.EnumType(cls=cls):
            return "one of " + ", ".join(f'"{member.value}"' for member in cls)
        case inspect.ListType(item_type=item):
            return f"a list of {_expected(item)}"
        case _:
            return "a table"


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    low = info.ge if info.ge is not None else info.gt
    if low is None or info.le is None:
        return "a number"
    if info.gt is not None:
        return f"over {low:g}, up to {info.le:g}"
    return f"{low:g}..{info.le:.0f}"
