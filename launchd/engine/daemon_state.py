"""The daemon as a process: its identity, its state, its memory."""

import os
from pathlib import Path

from launchd.clock import Clock


class DaemonState:
    """The identity and the state of this daemon. Written by launchd/daemon only.

    `leader` is True while it fires schedules.
    """

    __slots__ = ("instance", "leader", "ready", "started_at", "started_monotonic", "stopping", "version")

    def __init__(self, instance: str, version: str, clock: Clock) -> None:
        self.instance = instance
        self.version = version
        self.started_at = clock.now()
        self.started_monotonic = clock.monotonic()
        self.ready = False
        self.leader = False
        self.stopping = False


def resident_bytes() -> int:
    """Resident memory of this process, from /proc."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE")
