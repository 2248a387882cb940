"""The configuration: TOML to frozen structs, every problem at once, each with its table, its key and what is allowed.

Files are found at `--config`, `$LAUNCHD_CONFIG`, `/etc/launchd/launchd.toml`; none means the defaults. Units are in the
names of the keys. Secrets are never values here, only paths to them.
"""

from launchd.config.places import (
    MAX_SOCKET_PATH,
    SYSTEM_CONFIG,
    SYSTEM_SOCKET,
    SYSTEM_STATE,
    default_state_directory,
    find,
    runtime_directory,
)
from launchd.config.reading import decode, document, load, parse, render
from launchd.config.secret import CREDENTIAL, alert_url, open_secret, read_secret, secret_in, secret_path, secrets
from launchd.config.tables import (
    DEFAULT_QUEUES,
    DEFAULT_SCHEDULES,
    AlertsConfig,
    Config,
    DaemonConfig,
    QueueConfig,
    ScheduleConfig,
    SourceConfig,
)

__all__ = [
    "CREDENTIAL",
    "DEFAULT_QUEUES",
    "DEFAULT_SCHEDULES",
    "MAX_SOCKET_PATH",
    "SYSTEM_CONFIG",
    "SYSTEM_SOCKET",
    "SYSTEM_STATE",
    "AlertsConfig",
    "Config",
    "DaemonConfig",
    "QueueConfig",
    "ScheduleConfig",
    "SourceConfig",
    "alert_url",
    "decode",
    "default_state_directory",
    "document",
    "find",
    "load",
    "open_secret",
    "parse",
    "read_secret",
    "render",
    "runtime_directory",
    "secret_in",
    "secret_path",
    "secrets",
]
