"""The parts of the engine that every pool of a daemon uses."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from launchd.clock import Clock, Instant
from launchd.engine.attempts.attempt import Attempt
from launchd.engine.attempts.executor import Executor
from launchd.engine.events.bus import Bus
from launchd.locks.manager import LockManager
from launchd.store.jobs import JobStore
from launchd.task import Port, Task


class Dependencies(NamedTuple):
    """The parts that the pools of a daemon share.

    `started` is called with the attempts that a turn has started, `later` with the instant at which a job is due again.
    """

    clock: Clock
    store: JobStore
    locks: LockManager
    executor: Executor
    tasks: Mapping[str, Task]
    port: Port
    bus: Bus
    started: Callable[[Sequence[Attempt]], None]
    later: Callable[[Instant], None]
