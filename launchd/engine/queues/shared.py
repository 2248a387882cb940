"""The parts of the engine that all pools of a daemon use together."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from launchd.clock import Clock, Instant
from launchd.engine.attempts.attempt import Attempt
from launchd.engine.attempts.executor import Executor
from launchd.engine.events.bus import Bus
from launchd.locks.manager import LockManager
from launchd.store.jobs import JobStore
from launchd.task import Port, Task


class Watch(NamedTuple):
    """Callbacks for those who watch the time: attempts have begun, or a job waits until an instant."""

    started: Callable[[Sequence[Attempt]], None]
    later: Callable[[Instant], None]


class Shared(NamedTuple):
    """The parts that all pools of a daemon share."""

    clock: Clock
    store: JobStore
    locks: LockManager
    executor: Executor
    tasks: Mapping[str, Task]
    port: Port
    bus: Bus
    watch: Watch
