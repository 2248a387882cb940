"""The tables of the configuration as frozen structs, with their defaults. Units are in the names of the keys."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from launchd import rate
from launchd.config.places import default_state_directory, runtime_directory
from launchd.errors import InvalidError, Problem
from launchd.locks.redis_url import Kind, parse_redis_url
from launchd.schedules.cron import DayMatch, DstFold, DstGap
from launchd.schedules.recurrence import Every, Recurrence, parse_every, parse_recurrence
from launchd.schedules.schedule import Catchup, Overlap
from launchd.schedules.tighten import check_rule

_PORT = r"(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
# What a client puts before "/feeds/...": a host, perhaps a port and a path; no user, no query, no fragment.
_PUBLIC = (
    r"^https?://([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?|\[[0-9A-Fa-f:.]+\])"
    rf"(:{_PORT})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?$"
)
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
# The engine that runs the jobs of a queue.
Engine = Annotated[
    Literal["local"], Meta(description='"local" (a queue that Celery runs, engine = "celery", does not exist yet)')
]
Days = Annotated[float, Meta(gt=0, le=3_650)]


class DaemonConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[daemon]`: the state directory, stopping, logging, and how long things are kept."""

    state_directory: str | None = None
    drain_seconds: Seconds = 30.0
    cancel_seconds: Seconds = 10.0
    stall_kill_seconds: Annotated[float, Meta(ge=5, le=86_400)] = 60.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    keep_succeeded_days: Days = 7.0
    keep_failed_days: Days = 30.0
    keep_ledger_days: Days = 35.0
    keep_audit_days: Days = 90.0
    minimum_free_mib: Annotated[int, Meta(ge=0, le=1_000_000)] = 256
    backup_directory: str | None = None
    keep_backup_files: Annotated[int, Meta(ge=1, le=1_000)] = 7


class AdminConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[admin]`: the socket that operators talk to, TCP on loopback (None: off), its address for others."""

    socket: str | None = None
    socket_mode: Annotated[str, Meta(pattern=r"^0[0-7]{3}$", description='an octal mode such as "0660"')] = "0660"
    tcp: Annotated[str, Meta(pattern=_TCP, description='a loopback address such as "127.0.0.1:8470"')] | None = None
    token_file: SecretPath | None = None
    public_url: (
        Annotated[str, Meta(pattern=_PUBLIC, description='an address such as "https://launches.example.org"')] | None
    ) = None


class LocksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[locks]`: the backend of the locks."""

    backend: Literal["sqlite", "redis"] = "sqlite"
    lease_seconds: Annotated[float, Meta(ge=3, le=3_600)] = 60.0


class RedisConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[redis]`: the server of the locks of several hosts, its password and that of its Sentinels."""

    url: str | None = None
    password_file: SecretPath | None = None
    sentinel_password_file: SecretPath | None = None

    def problems(self) -> list[Problem]:
        """The problems of the address, and of keys that do not fit it."""
        try:
            address = parse_redis_url(self.url) if self.url is not None else None
        except InvalidError as error:
            return [Problem("redis.url", error.detail)]
        found = []
        if address is not None and address.password and self.password_file:
            found.append(Problem("redis.password_file", "the url has a password, too: remove one of them"))
        if self.sentinel_password_file and (address is None or address.kind is not Kind.SENTINEL):
            found.append(Problem("redis.sentinel_password_file", "needs a url that begins with redis+sentinel://"))
        return found


class TasksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[tasks]`: modules whose tasks are loaded in addition to the built-in ones."""

    modules: list[str] = []


class QueueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[queues.NAME]`: how many of its jobs run at once, how many start in a window of its rate, and their engine."""

    concurrency: Annotated[int, Meta(ge=1, le=1_000)] = 10
    rate: RateText | None = None
    engine: Engine = "local"


class TightenConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule of `tighten`: while a launch is less than `within` away, the schedule also fires `every` so often."""

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
    """`[schedules.NAME]`: when jobs of a task are created. Exactly one of `cron` and `every`."""

    task: str | None = None
    cron: str | None = None
    every: str | None = None
    timezone: str = "UTC"
    dst_gap: DstGap = DstGap.SHIFT
    dst_fold: DstFold = DstFold.FIRST
    day_match: DayMatch = DayMatch.OR
    args: dict[str, Any] = {}
    enabled: bool = True
    catchup: Catchup = Catchup.LATEST
    overlap: Overlap = Overlap.SKIP
    misfire_grace_seconds: Seconds | None = None
    jitter_seconds: Seconds = 0.0
    run_on_first_start: bool = False
    tighten: TightenRules = []

    def recurrence(self) -> Recurrence:
        """The recurrence of the schedule; raises InvalidError with the reason."""
        if (self.cron is None) == (self.every is None):
            raise InvalidError("expected exactly one of cron and every")
        if self.cron is None:
            if self.day_match is DayMatch.AND:
                raise InvalidError('day_match = "and" needs cron, not every')
            return parse_every(self.every or "")
        return parse_recurrence(
            self.cron, self.timezone, gap=self.dst_gap, fold=self.dst_fold, day_match=self.day_match
        )


class FetchConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[fetch]`: how the operators of the sources can reach the operator of this daemon."""

    contact: (
        Annotated[str, Meta(pattern=r"^[!-'*-\[\]-~]{3,200}$", description="a URL or an e-mail address")] | None
    ) = None
    from_email: (
        Annotated[str, Meta(pattern=r"^[!-'*-;=?-~]+@[A-Za-z0-9.-]+$", description="an e-mail address")] | None
    ) = None


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[sources.NAME]`: a source of launch data; None means the source's own default."""

    enabled: bool | None = None
    base_url: Annotated[str, Meta(pattern=r"^https?://", description="an http(s) URL")] | None = None
    rate: RateText | None = None
    token_file: SecretPath | None = None
    timeout_seconds: Annotated[float, Meta(ge=1, le=600)] = 30.0
    priority: Annotated[int, Meta(ge=0, le=100)] | None = None
    allow_private: bool = False


class AlertRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts.rules]`: the rules that are switched on; the names are those of launchd.alerts.rules.Rule."""

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
    """`[alerts]`: the targets (without them alerts are off), the hourly limit, and the thresholds of the rules."""

    urls: list[AlertUrl] = []
    max_per_hour: Annotated[int, Meta(ge=1, le=1_000)] = 20
    queue_wait_seconds: Seconds = 900.0
    stale_source_hours: Annotated[float, Meta(gt=0, le=8_760)] = 24.0
    slip_hours: Annotated[float, Meta(ge=0, le=8_760)] = 24.0
    approaching_providers: list[str] = []
    rules: AlertRules = AlertRules()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration. `path` is its file, None for the defaults."""

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
        """The directory of the databases."""
        return Path(self.daemon.state_directory or default_state_directory()).expanduser()

    @property
    def backup_directory(self) -> Path:
        """The directory of the archives of the task `backup`."""
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
        """The file of the token of the TCP listener; it is created if it is missing."""
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
