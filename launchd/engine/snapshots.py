"""The state of the daemon at one moment, as plain values that the admin socket encodes.

Instants are microseconds UTC, durations seconds.
"""

from typing import NamedTuple

import msgspec

from launchd.clock import Instant
from launchd.job import Job
from launchd.lock import Lock
from launchd.schedules.schedule import FireOutcome, Schedule
from launchd.schedules.tighten import Tightening


class QueueSnapshot(NamedTuple):
    """A queue now. `oldest_wait` is how long the oldest due job has waited, 0 if none waits.

    `slots` is how many jobs may run at once now: the concurrency, plus one for each stuck job that lost its slot.
    """

    name: str
    concurrency: int
    slots: int
    engine: str
    paused: bool
    note: str | None
    waiting: int
    running: int
    oldest_wait: float
    rate: str | None = None


class LedgerRow(msgspec.Struct, frozen=True):
    """The outcome of one occurrence, or of `count` of them up to `until`."""

    schedule: str
    fire_time: Instant
    outcome: FireOutcome
    reason: str | None
    job_id: str | None
    count: int
    until: Instant | None
    unreadable: tuple[str, ...] = ()


class ScheduleSnapshot(NamedTuple):
    """A schedule now, with its next fires, its last ledger row, and the rule that makes it fire more often."""

    schedule: Schedule
    description: str
    paused: bool
    note: str | None
    next: tuple[Instant, ...]
    last: LedgerRow | None
    tightening: Tightening | None = None


class Preview(NamedTuple):
    """The meaning of an expression, warnings about it, and when it is due."""

    description: str
    warnings: tuple[str, ...]
    timezone: str
    fires: tuple[Instant, ...]


class LockSnapshot(NamedTuple):
    """A lock that is held, and how many queued jobs wait for it here."""

    lock: Lock
    waiters: int


class WaitingOn(NamedTuple):
    """Why a queued job does not run: run_at, retry, overlap, lock, rate_limit, queue_paused or slots."""

    reason: str
    detail: str
    until: Instant | None


class Readiness(NamedTuple):
    """Can the daemon take work? `word` is "ready", or why not; `detail` is one sentence for the operator."""

    ready: bool
    word: str
    detail: str | None = None


class DaemonStatus(NamedTuple):
    """The state of the daemon. `leader` is True if it fires the schedules now.

    `memory_bytes` is resident memory; `next_fires` are (schedule, instant), soonest first.
    """

    version: str
    instance: str
    pid: int
    started_at: Instant
    uptime: float
    leader: bool
    ready: bool
    stopping: bool
    lock_backend: str
    queues: tuple[QueueSnapshot, ...]
    next_fires: tuple[tuple[str, Instant], ...]
    memory_bytes: int


class JobQuery(NamedTuple):
    """The filters of a list of jobs, newest first. `cursor` is the `next` of the page before."""

    state: str | None = None
    queue: str | None = None
    task: str | None = None
    schedule: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: int = 50
    cursor: str | None = None


class JobPage(NamedTuple):
    """One page of jobs and the cursor of the next (None at the end)."""

    items: tuple[Job, ...]
    next: str | None
