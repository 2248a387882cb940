"""The configuration: TOML to frozen structs, every problem at once, each with its table, its key and what is allowed.

Files are found at `--config`, `$LAUNCHD_CONFIG`, `/etc/launchd/launchd.toml`; none means the defaults. Units are in the
names of the keys. Secrets are never values here, only paths to them.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, inspect

from launchd import rate
from launchd.cron import DstFold, DstGap
from launchd.errors import ConfigError, InvalidError, Problem
from launchd.recurrence import Every, Recurrence, parse_every, parse_recurrence
from launchd.redis_url import Kind, parse_redis_url
from launchd.schedule import Catchup, Overlap
from launchd.tighten import check_rule

T = TypeVar("T", bound=msgspec.Struct)
SYSTEM_CONFIG = Path("/etc/launchd/launchd.toml")
SYSTEM_SOCKET = Path("/run/launchd/admin.sock")
SYSTEM_STATE = Path("/var/lib/launchd")
# sun_path of unix(7) holds 108 bytes with the final NUL.
MAX_SOCKET_PATH = 107
# A secret that systemd hands over (LoadCredential=) is named so; it lies in $CREDENTIALS_DIRECTORY.
CREDENTIAL = "credential:"
# The same of one that lies in a file, where a text is no path by itself.
FILE = "file:"

_PORT = r"(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
_TCP = rf"^(127(\.\d{{1,3}}){{3}}|localhost|\[::1\]):{_PORT}$"
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="a name of a-z, 0-9 and _")]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
RateText = Annotated[str, Meta(pattern=rate.PATTERN, description='a rate such as "2/s", "30/m" or "15/h"')]
SecretPath = Annotated[str, Meta(pattern=r"^(?!credential:.*/)", description='a path, or "credential:NAME"')]
# An apprise URL, or where a secret one is: "file:PATH" or "credential:NAME".
AlertUrl = Annotated[
    str,
    Meta(
        pattern=r"^(file:(?!//).+|credential:[^/]+|(?!file:|credential:)[A-Za-z][A-Za-z0-9+.-]*://.*)$",
        description='an apprise URL such as "ntfys://example-topic", "file:PATH" or "credential:NAME"',
    ),
]
# Who runs the jobs of a queue.
Engine = Annotated[
    Literal["local"], Meta(description='"local" (a queue that Celery runs, engine = "celery", is not there yet)')
]
Days = Annotated[float, Meta(gt=0, le=3_650)]


class DaemonConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[daemon]`: where state lives, how stopping goes, what is logged, how long ended jobs and backups are kept."""

    state_directory: str | None = None
    drain_seconds: Seconds = 30.0
    cancel_seconds: Seconds = 10.0
    stall_kill_seconds: Annotated[float, Meta(ge=5, le=86_400)] = 60.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    keep_succeeded_days: Days = 7.0
    keep_failed_days: Days = 30.0
    keep_ledger_days: Days = 35.0
    minimum_free_mib: Annotated[int, Meta(ge=0, le=1_000_000)] = 256
    backup_directory: str | None = None
    keep_backup_files: Annotated[int, Meta(ge=1, le=1_000)] = 7


class AdminConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[admin]`: the socket that operators talk to, and TCP on loopback for the dashboard (None: off)."""

    socket: str | None = None
    socket_mode: Annotated[str, Meta(pattern=r"^0[0-7]{3}$", description='an octal mode such as "0660"')] = "0660"
    tcp: Annotated[str, Meta(pattern=_TCP, description='a loopback address such as "127.0.0.1:8470"')] | None = None
    token_file: SecretPath | None = None


class LocksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[locks]`: who keeps the locks."""

    backend: Literal["sqlite", "redis"] = "sqlite"
    lease_seconds: Annotated[float, Meta(ge=3, le=3_600)] = 60.0


class RedisConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[redis]`: the server that keeps the locks of several hosts, its password and that of its Sentinels."""

    url: str | None = None
    password_file: SecretPath | None = None
    sentinel_password_file: SecretPath | None = None

    def problems(self) -> list[Problem]:
        """What is wrong with the address, or does not go with it."""
        try:
            address = parse_redis_url(self.url) if self.url is not None else None
        except InvalidError as error:
            return [Problem("redis.url", error.detail)]
        found = []
        if address is not None and address.password and self.password_file:
            found.append(Problem("redis.password_file", "there is a password in the url, too: take that one out"))
        if self.sentinel_password_file and (address is None or address.kind is not Kind.SENTINEL):
            found.append(Problem("redis.sentinel_password_file", "there are no Sentinels: url is no redis+sentinel://"))
        return found


class TasksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[tasks]`: modules whose tasks are loaded beside the built-in ones."""

    modules: list[str] = []


class QueueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[queues.NAME]`: how many jobs of it run at once, how many start in any window of its rate, and who runs them."""

    concurrency: Annotated[int, Meta(ge=1, le=1_000)] = 10
    rate: RateText | None = None
    engine: Engine = "local"


class TightenConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of `tighten`: while a launch is `within` that time, the schedule also fires `every` so often."""

    within: str
    every: str

    def intervals(self) -> tuple[Every, Every]:
        """`within` and `every`; raises InvalidError with the reason."""
        within, every = parse_every(self.within), parse_every(self.every)
        check_rule(within, every)
        return within, every


TightenRules = Annotated[
    list[TightenConfig], Meta(description='a list of rules such as { within = "24h", every = "30m" }')
]


class ScheduleConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[schedules.NAME]`: when jobs of a task are made. Exactly one of `cron` and `every`."""

    task: str | None = None
    cron: str | None = None
    every: str | None = None
    timezone: str = "UTC"
    dst_gap: DstGap = DstGap.SHIFT
    dst_fold: DstFold = DstFold.FIRST
    args: dict[str, Any] = {}
    enabled: bool = True
    catchup: Catchup = Catchup.LATEST
    overlap: Overlap = Overlap.SKIP
    misfire_grace_seconds: Seconds | None = None
    jitter_seconds: Seconds = 0.0
    run_on_first_start: bool = False
    tighten: TightenRules = []

    def recurrence(self) -> Recurrence:
        """When it is due; raises InvalidError with the reason."""
        if (self.cron is None) == (self.every is None):
            raise InvalidError("expected exactly one of cron and every")
        if self.cron is None:
            return parse_every(self.every or "")
        return parse_recurrence(self.cron, self.timezone, gap=self.dst_gap, fold=self.dst_fold)


class FetchConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[fetch]`: how the operators of the sources can reach who runs this."""

    contact: (
        Annotated[str, Meta(pattern=r"^[!-'*-\[\]-~]{3,200}$", description="a URL or an e-mail address")] | None
    ) = None
    from_email: (
        Annotated[str, Meta(pattern=r"^[!-'*-;=?-~]+@[A-Za-z0-9.-]+$", description="an e-mail address")] | None
    ) = None


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[sources.NAME]`: one upstream of launch data; None means the source's own default."""

    enabled: bool | None = None
    base_url: Annotated[str, Meta(pattern=r"^https?://", description="an http(s) URL")] | None = None
    rate: RateText | None = None
    token_file: SecretPath | None = None
    timeout_seconds: Annotated[float, Meta(ge=1, le=600)] = 30.0
    priority: Annotated[int, Meta(ge=0, le=100)] | None = None
    allow_private: bool = False


class AlertRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts.rules]`: what is worth an alert; the names are those of launchd.alert.Rule."""

    job_failed: bool = True
    job_quarantined: bool = True
    health: bool = True
    queue_wait: bool = True
    source_stale: bool = True
    launch_new: bool = False
    launch_slipped: bool = True
    launch_status: bool = True
    launch_approaching: bool = True


class AlertsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts]`: where alerts go (none: there are none), how many, and from when on something is worth one."""

    urls: list[AlertUrl] = []
    max_per_hour: Annotated[int, Meta(ge=1, le=1_000)] = 20
    queue_wait_seconds: Seconds = 900.0
    stale_source_hours: Annotated[float, Meta(gt=0, le=8_760)] = 24.0
    slip_hours: Annotated[float, Meta(ge=0, le=8_760)] = 24.0
    approaching_providers: list[str] = []
    rules: AlertRules = AlertRules()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration. `path` is the file it came from, None for the defaults."""

    daemon: DaemonConfig = DaemonConfig()
    admin: AdminConfig = AdminConfig()
    locks: LocksConfig = LocksConfig()
    redis: RedisConfig = RedisConfig()
    tasks: TasksConfig = TasksConfig()
    queues: dict[str, QueueConfig] = {}
    schedules: dict[str, ScheduleConfig] = {}
    fetch: FetchConfig = FetchConfig()
    sources: dict[str, SourceConfig] = {}
    alerts: AlertsConfig = AlertsConfig()
    path: str | None = None

    @property
    def state_directory(self) -> Path:
        """Where the databases are."""
        return Path(self.daemon.state_directory or default_state_directory()).expanduser()

    @property
    def backup_directory(self) -> Path:
        """Where the task `backup` puts its archives."""
        return Path(self.daemon.backup_directory or self.state_directory / "backups").expanduser()

    @property
    def socket(self) -> Path:
        """The admin socket's path."""
        if self.admin.socket:
            return Path(self.admin.socket).expanduser()
        directory = runtime_directory()
        return (directory or self.state_directory) / "admin.sock"

    @property
    def token_file(self) -> str:
        """Where the token of the TCP listener is, or is made."""
        return self.admin.token_file or str(self.state_directory / "admin.token")


DEFAULT_QUEUES = {
    "default": QueueConfig(concurrency=10),
    "scraping": QueueConfig(concurrency=2),
    "monitoring": QueueConfig(concurrency=2),
}
DEFAULT_SCHEDULES = {
    "scrape_launch_data": ScheduleConfig(task="scrape_launch_data", cron="0 */6 * * *", run_on_first_start=True),
    "health_check": ScheduleConfig(task="health_check", cron="*/15 * * * *"),
    "prune": ScheduleConfig(task="prune", cron="17 3 * * *"),
    "backup": ScheduleConfig(task="backup", cron="43 2 * * *"),
}

# The most characters of a wrong value that a message repeats.
_SHOWN = 80
_TABLES = ("daemon", "admin", "locks", "redis", "tasks", "queues", "schedules", "fetch", "sources", "alerts")


def find(explicit: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read, or None for the defaults. A file named explicitly must exist (ConfigError)."""
    named = explicit or environ.get("LAUNCHD_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise ConfigError(f"{path}: no such file; name another with --config, or leave it out for the defaults")
        return path
    return SYSTEM_CONFIG if SYSTEM_CONFIG.is_file() else None


def load(path: Path | None, *, sources: Iterable[str] = ()) -> Config:
    """Read and check a file; `sources` are the names that `[sources.*]` may have.

    Raises ConfigError with all problems.
    """
    if path is None:
        return parse("", sources=sources)
    try:
        text = path.read_text("utf-8")
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
    """The problems as an operator reads them, one a line: `[queues.scraping] concurrency: expected 1..1000, got 0`."""
    lines = [f"{path}:"] if path else []
    for problem in problems:
        table, _, key = problem.path.rpartition(".")
        lines.append(f"[{table}] {key}: {problem.message}" if table else f"[{key}]: {problem.message}")
    return "\n".join(lines)


def default_state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """`$STATE_DIRECTORY` of systemd (its first entry), else the XDG state home."""
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "launchd"


def secret_path(named: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The file that holds a secret: a path, or "credential:NAME" for one that systemd handed over.

    Raises ConfigError for a credential that systemd has not handed over.
    """
    if not named.startswith(CREDENTIAL):
        return Path(named).expanduser()
    name, directory = named.removeprefix(CREDENTIAL), environ.get("CREDENTIALS_DIRECTORY")
    if not directory or not (Path(directory) / name).exists():
        raise ConfigError(
            f"{named}: systemd has not handed it over; put it into /etc/credstore/{name}, see that the unit has "
            f"LoadCredential={name}, and restart"
        )
    return Path(directory) / name


def read_secret(named: str) -> str:
    """The secret in a file, without the white space around it; raises ConfigError."""
    try:
        return secret_path(named).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{named} cannot be read: {error}") from error


def alert_url(named: str) -> str:
    """The URL behind an entry of `[alerts] urls`; raises ConfigError when the secret cannot be read."""
    if named.startswith(CREDENTIAL):
        return read_secret(named)
    return read_secret(named.removeprefix(FILE)) if named.startswith(FILE) else named


def secrets(config: Config) -> list[str]:
    """What the log must mask: secrets that the configuration names, and all that systemd handed over.

    One that cannot be read is nobody's to leak.
    """
    found = _handed_over()
    own = [config.redis.password_file, config.redis.sentinel_password_file]
    own += [config.token_file] if config.admin.tcp else []
    for named in (*own, *(source.token_file for source in config.sources.values())):
        if named is not None:
            with suppress(ConfigError):
                found.append(read_secret(named))
    for named in config.alerts.urls:
        with suppress(ConfigError):
            found.append(alert_url(named))
    return found


def _handed_over(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The lines of every credential; one that is no text is none that a log could show."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    lines: list[str] = []
    for file in sorted(Path(directory).iterdir()) if directory else ():
        with suppress(OSError, UnicodeDecodeError):
            lines += map(str.strip, file.read_text("utf-8").splitlines())
    return lines


def runtime_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """`$RUNTIME_DIRECTORY` of systemd, else the XDG runtime directory; None where there is neither."""
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    xdg = environ.get("XDG_RUNTIME_DIR")
    return Path(xdg) / "launchd" if xdg else None


# --- tables to structs ---


def _struct(table: object, kind: type[T], where: str, problems: list[Problem]) -> T:
    """The struct of a table, its problems added to the list; defaults where a value was refused."""
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
            problems.append(Problem(f"{where}.{key}", f"expected {expected}, got {_shown(value)}"))
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
    """The shipped schedules with what the file says of them, and the file's own; each checked as a whole."""
    merged = dict(DEFAULT_SCHEDULES)
    for name, entry in given.items():
        shipped = DEFAULT_SCHEDULES.get(name)
        said = {key: getattr(entry, key) for key in tables[name] if hasattr(entry, key)}
        if shipped is not None and said.get("every") is not None:
            said.setdefault("cron", None)
        merged[name] = msgspec.structs.replace(shipped, **said) if shipped else entry
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


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _expected(info: inspect.Type) -> str:  # noqa: PLR0911 - a table of types, one line each
    """What a type allows, in words."""
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
