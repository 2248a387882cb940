"""The process around the daemon: its sockets, its supervisor, its log."""

import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple

from launchd.config import Config
from launchd.logs.joblines import JobLines


class HostProcess(NamedTuple):
    """The process that hosts a daemon: listening sockets by name, and how often its supervisor expects a report.

    `dedicated` is True if the process is the daemon's own: its children may be killed when the daemon ends.
    `load` reads the configuration for a reload (None: from the file it came from); `reloaded` is called after one.
    """

    listeners: Mapping[str, socket.socket] = {}
    supervised: bool = False
    watchdog_seconds: float | None = None
    dedicated: bool = False
    log_lines_dropped: Callable[[], int] = lambda: 0
    job_lines: JobLines | None = None
    load: Callable[[], Config] | None = None
    reloaded: Callable[[Config], None] = lambda _config: None
