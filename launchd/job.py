"""A job: one doing of a task. Its states, the verbs that move it, and the verdict on one attempt. Pure.

`TRANSITIONS` is the whole state machine. SQL repeats each guard (`state` and `attempt`), CHECK constraints tie the
final states to `finished_at`, and one test walks every pair of state and verb against table, SQL and the README's
diagram.
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
# Deploys in a row that may put a running job back without costing it an attempt.
MAX_INTERRUPTIONS = 5
# Crashes of the daemon in a row, with the same job running, before the job is set aside.
MAX_CRASHES = 2
RETRY_BASE_SECONDS = 60.0
RETRY_CAP_SECONDS = 3600.0
RETRY_JITTER = 0.1
# One step of priority is worth a minute of waiting, so nothing starves.
AGING_SECONDS = 60


class JobState(StrEnum):
    """Where a job is. Waiting for a retry or for a later time is QUEUED with a later `run_at`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    QUARANTINED = "quarantined"


class Verb(StrEnum):
    """What can happen to a job."""

    CLAIM = "claim"  # a pool took it
    SUCCEED = "succeed"
    FAIL = "fail"  # no attempts are left
    RETRY = "retry"  # this attempt failed, another follows
    SNOOZE = "snooze"  # the task asked to come back later, no attempt spent
    CANCEL = "cancel"
    SKIP = "skip"  # its lock stayed taken
    EXPIRE = "expire"  # nobody took it before `expires_at`
    INTERRUPT = "interrupt"  # the daemon stopped in good order, no attempt spent
    RESCUE = "rescue"  # the daemon died while it ran
    QUARANTINE = "quarantine"  # it ran in two crashes in a row
    REQUEUE = "requeue"  # an operator wants it again


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
    """What an attempt died of. `traceback` is cut to its last 32 KiB, and says so."""

    type: str
    message: str
    traceback: str | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far a running job says it is."""

    done: float
    total: float | None = None
    note: str | None = None


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be made; `args` is canonical JSON. Instants are microseconds UTC.

    `unique_key` is set where only one such job may be queued or running; `waits_for` is the id of a job that must end
    before this one is ready. `counted_from` is the moment that `run_at` counts from, None where a client named the
    instant: when the clock is corrected, a delay lasts as long as it was to and an instant stays what it is.
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
    """A job as it is stored. `fence` is set while and after it ran under a lock; `seq` is the row's number.

    `unreadable` names the columns that hold something else than a job of this version can have (`values.rows`).
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

    `result` and `error` are JSON texts. `run_at` is set for the verbs that put the job back.
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
    """What two jobs of a unique task must not share: a hash of the task and its canonical arguments."""
    return hashlib.sha256(f"{task}\0{args}".encode()).hexdigest()


def claim_order(run_at: Instant, priority: int) -> int:
    """The constant by which due jobs are claimed, smallest first.

    Every waiting job gains one step of priority a minute, so the order of two jobs never changes while they wait.
    """
    return run_at - priority * AGING_SECONDS * SECOND


def retry_delay(job_id: str, attempt: int) -> float:
    """Seconds before the attempt after `attempt` (1 = the first): 60 s doubled each time, at most an hour, ±10 %.

    The jitter is a hash of (job, attempt): the same after a restart, different among jobs that failed together.
    """
    delay = min(RETRY_BASE_SECONDS * 2.0 ** min(attempt - 1, 30), RETRY_CAP_SECONDS)
    digest = hashlib.blake2b(f"{job_id}:{attempt}".encode(), digest_size=4).digest()
    return delay * (1 + RETRY_JITTER * (int.from_bytes(digest) / 0x7FFFFFFF - 1))


class IdMaker:
    """Makes UUIDv7 (RFC 9562 §5.7, method 1): ids of one maker sort in the order they were made, from any thread."""

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
            else:  # same millisecond, or the clock went back: stay ahead of the last id
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
    """The JSON of a result, bounded; raises whatever the value raises while it is read, TypeError and others.

    The text is read back once: a value may hand over ready-made JSON (`msgspec.Raw`) that is none.
    """
    data = msgspec.json.encode(value)
    msgspec.json.decode(data)
    return bounded_json(data)
