"""A job: one run of a task, with its states, the verbs that change them, and the verdict on an attempt. Pure.

`TRANSITIONS` is the whole state machine. SQL repeats each guard (`state` and `attempt`), CHECK constraints tie the
final states to `finished_at`, and one test walks every pair of state and verb against table, SQL and the diagram of
etc/docs/jobs.md.
"""

import hashlib
import os
import threading
from enum import StrEnum
from typing import NamedTuple

import msgspec

from launchd.clock import SECOND, Instant

# The limit for one JSON text of a job, in bytes of UTF-8: longer arguments are refused, a longer result is cut.
MAX_JSON_BYTES = 64 * 1024
MAX_TRACEBACK_BYTES = 32 * 1024
# The part of a longer result that is kept.
_HEAD_BYTES = 1000
# The number of consecutive restarts that may interrupt a job without spending an attempt.
MAX_INTERRUPTIONS = 5
# A job is quarantined after this many consecutive crashes of the daemon while it ran.
MAX_CRASHES = 2
RETRY_BASE_SECONDS = 60.0
RETRY_CAP_SECONDS = 3600.0
RETRY_JITTER = 0.1
# One step of priority is worth this many seconds of waiting, so that no job starves.
AGING_SECONDS = 60


class JobState(StrEnum):
    """The state of a job. A job that waits for a retry or a later time is QUEUED with a later `run_at`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    QUARANTINED = "quarantined"


class Verb(StrEnum):
    """The verbs that change the state of a job."""

    CLAIM = "claim"  # a pool starts it
    SUCCEED = "succeed"
    FAIL = "fail"  # no attempts are left
    RETRY = "retry"  # this attempt failed, another one follows
    SNOOZE = "snooze"  # the task asked to run later, no attempt is spent
    CANCEL = "cancel"
    SKIP = "skip"  # its lock was not free in time
    EXPIRE = "expire"  # it was not started before `expires_at`
    INTERRUPT = "interrupt"  # the daemon stopped in good order, no attempt is spent
    RESCUE = "rescue"  # the daemon died while it ran
    QUARANTINE = "quarantine"  # it was running in two crashes in a row
    REQUEUE = "requeue"  # an operator runs it again


FINAL = frozenset(JobState) - {JobState.QUEUED, JobState.RUNNING}

_Q, _R = JobState.QUEUED, JobState.RUNNING
TRANSITIONS: dict[tuple[JobState, Verb], JobState] = {
    (_Q, Verb.CLAIM): _R,
    (_Q, Verb.CANCEL): JobState.CANCELLED,
    (_Q, Verb.SKIP): JobState.SKIPPED,
    (_Q, Verb.EXPIRE): JobState.EXPIRED,
    (_R, Verb.SUCCEED): JobState.SUCCEEDED,
    (_R, Verb.FAIL): JobState.FAILED,
    (_R, Verb.RETRY): _Q,
    (_R, Verb.SNOOZE): _Q,
    (_R, Verb.CANCEL): JobState.CANCELLED,
    (_R, Verb.INTERRUPT): _Q,
    (_R, Verb.RESCUE): _Q,
    (_R, Verb.QUARANTINE): JobState.QUARANTINED,
} | {(state, Verb.REQUEUE): _Q for state in FINAL}


class JobError(msgspec.Struct, frozen=True):
    """The error of an attempt. `traceback` is cut to its last 32 KiB and then says so."""

    type: str
    message: str
    traceback: str | None = None


class Progress(msgspec.Struct, frozen=True):
    """The progress that a running job reports: `done` of `total`, in units of its own choice."""

    done: float
    total: float | None = None
    note: str | None = None


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be created; `args` is canonical JSON. Instants are microseconds UTC.

    `unique_key` is set if only one such job may be queued or running; `waits_for` is the id of a job that must end
    before this one is ready. `counted_from` is the moment from which a delay counts, None if the client gave `run_at`
    as an instant: when the wall clock is set, a delay keeps its length, and an instant stays as it is.
    """

    id: str
    task: str
    queue: str
    args: str
    priority: int
    max_retries: int
    created_at: Instant
    run_at: Instant
    expires_at: Instant | None = None
    lock: str | None = None
    schedule: str | None = None
    fire_time: Instant | None = None
    unique_key: str | None = None
    waits_for: str | None = None
    counted_from: Instant | None = None


class Job(msgspec.Struct, kw_only=True):
    """A job as it is stored. `seq` is the row's number; `fence` is that of the lock it ran under, if any.

    `unreadable` names the columns whose values this version cannot read (`values.rows`).
    """

    seq: int
    id: str
    task: str
    queue: str
    state: JobState
    args: str
    priority: int
    attempt: int
    max_retries: int
    crashes: int
    interruptions: int
    schedule: str | None
    fire_time: Instant | None
    created_at: Instant
    run_at: Instant
    expires_at: Instant | None
    started_at: Instant | None
    finished_at: Instant | None
    lock: str | None
    fence: int | None
    cancel_requested: str | None
    reason: str | None
    result: str | None
    error: str | None
    progress: str | None
    instance: str | None
    unique_key: str | None
    waits_for: str | None
    unreadable: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """The verdict on one attempt of a running job, ready to be written.

    `result`, `error` and `progress` are JSON texts. `run_at` is set for the verbs that put the job back into the queue.
    """

    seq: int
    attempt: int
    verb: Verb
    finished_at: Instant
    result: str | None = None
    error: str | None = None
    run_at: Instant | None = None
    reason: str | None = None
    progress: str | None = None


def unique_key(task: str, args: str) -> str:
    """The key of a unique job: a SHA-256 of the task's name and its canonical arguments."""
    return hashlib.sha256(f"{task}\0{args}".encode()).hexdigest()


def claim_order(run_at: Instant, priority: int) -> int:
    """`run_at` less 60 s for each step of priority, in microseconds: due jobs are claimed in this order.

    Every waiting job gains one step of priority a minute, so the order of two jobs never changes while they wait.

    >>> claim_order(120_000_000, 2)
    0
    """
    return run_at - priority * AGING_SECONDS * SECOND


def retry_delay(job_id: str, attempt: int) -> float:
    """Seconds between the failure of `attempt` (1 = the first) and the next: min(60 * 2 ** (attempt - 1), 3600) ± 10 %.

    The jitter is a hash of (job, attempt): the same after a restart, different for jobs that fail at the same time.
    """
    delay = min(RETRY_BASE_SECONDS * 2.0 ** min(attempt - 1, 30), RETRY_CAP_SECONDS)
    digest = hashlib.blake2b(f"{job_id}:{attempt}".encode(), digest_size=4).digest()
    return delay * (1 + RETRY_JITTER * (int.from_bytes(digest) / 0x7FFFFFFF - 1))


class IdMaker:
    """Makes UUIDs of version 7 (RFC 9562 §5.7, counter by §6.2 method 1), from any thread.

    Ids of one maker sort in the order in which they were made.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0
        self._counter = 0

    def __call__(self, now: Instant) -> str:
        """The next id at wall time `now`."""
        ms = max(now, 0) // 1000
        with self._lock:
            if ms > self._last_ms:
                self._last_ms = ms
                self._counter = int.from_bytes(os.urandom(4)) >> 1
            else:  # same millisecond, or the clock went back: count on from the last id
                self._counter += 1
                if self._counter >> 42:
                    self._last_ms, self._counter = self._last_ms + 1, 0
            ms, counter = self._last_ms, self._counter
        # 48 bits of time, 42 bits of counter (12 + 30 around the variant), 32 random bits
        high = (ms << 16) | 0x7000 | (counter >> 30)
        low = (0b10 << 62) | ((counter & 0x3FFFFFFF) << 32) | int.from_bytes(os.urandom(4))
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def bounded_json(data: bytes) -> str:
    """JSON of at most MAX_JSON_BYTES: `data` itself, or `{"cut": true, "bytes": its length, "head": its beginning}`.

    >>> bounded_json(b'[1, 2]')
    '[1, 2]'
    """
    if len(data) <= MAX_JSON_BYTES:
        return data.decode()
    head = data[:_HEAD_BYTES].decode("utf-8", "ignore")
    return msgspec.json.encode({"cut": True, "bytes": len(data), "head": head}).decode()


def encode_result(value: object) -> str:
    """The JSON of a task's result, cut as by `bounded_json`.

    Raises TypeError for a type without a JSON form, msgspec's errors, and any exception of the value's own properties.
    The text is decoded once: a `msgspec.Raw` may hold text that is not JSON.
    """
    data = msgspec.json.encode(value)
    msgspec.json.decode(data)
    return bounded_json(data)
