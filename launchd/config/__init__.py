"""The configuration: TOML becomes frozen structs; all errors are reported at once, with table, key and allowed values.

The file is `--config`, `$LAUNCHD_CONFIG` or `/etc/launchd/launchd.toml`; without a file the defaults are used. Units
are in the names of the keys. The configuration holds no secrets, only paths to them.
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
