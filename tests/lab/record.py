"""The record of a daemon that was killed again and again, as it is known from outside: plain values, and their reader.

Three witnesses: the journal that the clients keep, the log that the tasks write, and jobs.db as it was left. All files
are lines of JSON, appended by one write each, so that whoever is killed leaves whole lines. `at` is CLOCK_MONOTONIC in
nanoseconds, one clock for all processes of the machine; `wall` and what the database holds are microseconds UTC.
"""

import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from launchd.clock import Instant
from launchd.schedules.recurrence import Recurrence

NANOSECONDS = 1_000_000_000


class Note(msgspec.Struct, omit_defaults=True):
    """A line of the journal.

    `kind` is spawned, ready, ended (of a life of the daemon), asked, answered (of a request), or foreign (a lock was
    seen whose owner is not this life's instance).
    """

    at: int
    kind: str
    life: str = ""
    killed: bool = False
    wall: Instant = 0
    request: int = 0
    action: str = ""
    target: str = ""
    key: str | None = None
    tag: str | None = None
    count: int = 1
    status: int = 0
    ids: list[str] = []
    state: str = ""
    attempt: int = 0
    fence: int = 0


class Line(msgspec.Struct, omit_defaults=True):
    """A line of a task: `what` is begin, beat (it goes on) or end; `how` is "returned" or the name of its exception."""

    at: int
    what: str
    run: str
    life: str = ""
    job: str = ""
    attempt: int = 0
    fence: int | None = None
    lock: str | None = None
    sole: str | None = None
    how: str = ""


class Life(msgspec.Struct):
    """One process of the daemon. `ready_at` is None if it was killed before its first answer."""

    name: str
    spawned_at: int
    spawned_wall: Instant
    ready_at: int | None = None
    ready_wall: Instant | None = None
    ended_at: int | None = None
    killed: bool = False


class Request(msgspec.Struct):
    """A client's request and its answer; `answered_at` is None if the daemon was killed before it answered.

    `action` is trigger, batch, look, cancel, terminate, requeue, release, or another word for requests without a
    promise to check. A trigger's `tag` is in the arguments of its jobs; `target` is a job, lock, queue or schedule;
    `state` and `attempt` are those of the job in the answer, `fence` that of the released lock.
    """

    asked_at: int
    action: str
    target: str = ""
    key: str | None = None
    tag: str | None = None
    count: int = 1
    answered_at: int | None = None
    status: int = 0
    ids: list[str] = []
    state: str = ""
    attempt: int = 0
    fence: int = 0

    @property
    def acknowledged(self) -> bool:
        """True if the daemon answered that it is done, or will be."""
        return self.status in {200, 202}

    @property
    def possible(self) -> bool:
        """True if it was done or may have been."""
        return self.answered_at is None or self.acknowledged


class Run(msgspec.Struct):
    """One run of a task by its own lines: it went on at least from `begin` to `last`.

    `how` is None without a line about its end. `sole` names a unique task's arguments or a schedule, of which two runs
    must never overlap, like those of one job.
    """

    name: str
    life: str
    job: str
    attempt: int
    begin: int
    last: int
    fence: int | None = None
    lock: str | None = None
    sole: str | None = None
    how: str | None = None


class JobRow(msgspec.Struct):
    """A job at the end of the record."""

    id: str
    task: str
    state: str
    attempt: int
    max_retries: int
    crashes: int
    schedule: str | None = None
    fire_time: Instant | None = None
    tag: str | None = None


class FireRow(msgspec.Struct):
    """A row of the ledger."""

    schedule: str
    fire_time: Instant
    outcome: str
    job_id: str | None = None
    count: int = 1
    until: Instant | None = None


class HeldRow(msgspec.Struct):
    """A lock that was held at the end of the record."""

    name: str
    job_id: str | None = None


@dataclass
class Record:
    """The whole record. `settled` is the wall time up to which every schedule has accounted for its fires."""

    lives: list[Life]
    requests: list[Request]
    foreign: list[Note]
    runs: list[Run]
    jobs: dict[str, JobRow]
    fires: list[FireRow]
    locks: list[HeldRow]
    recurrences: Mapping[str, Recurrence]
    settled: Instant
    life: dict[str, Life] = field(init=False)

    def __post_init__(self) -> None:
        self.life = {life.name: life for life in self.lives}


class Appender:
    """Appends lines to a file, each by one write, so that many threads and processes can share the file."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def write(self, line: msgspec.Struct) -> None:
        """Append one line; it is in the file once this returns, even if the process is killed then."""
        os.write(self._handle, msgspec.json.encode(line) + b"\n")


def now() -> int:
    """The common clock of all processes."""
    return time.monotonic_ns()


def read(journal: Path, runs: Path, database: Path, recurrences: Mapping[str, Recurrence], settled: Instant) -> Record:
    """The record from its three witnesses."""
    notes = [msgspec.json.decode(line, type=Note) for line in journal.read_bytes().splitlines()]
    lines = [msgspec.json.decode(line, type=Line) for line in runs.read_bytes().splitlines()]
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return Record(
            lives=lives_of(notes),
            requests=requests_of(notes),
            foreign=[note for note in notes if note.kind == "foreign"],
            runs=runs_of(lines),
            jobs={job.id: job for job in _jobs(connection)},
            fires=_fires(connection),
            locks=[HeldRow(*row) for row in connection.execute("SELECT name, job_id FROM locks")],
            recurrences=recurrences,
            settled=settled,
        )
    finally:
        connection.close()


def lives_of(notes: list[Note]) -> list[Life]:
    """The lives of the daemon, in order."""
    lives: dict[str, Life] = {}
    for note in notes:
        if note.kind == "spawned":
            lives[note.life] = Life(note.life, note.at, note.wall)
        elif note.kind == "ready":
            lives[note.life].ready_at, lives[note.life].ready_wall = note.at, note.wall
        elif note.kind == "ended":
            lives[note.life].ended_at, lives[note.life].killed = note.at, note.killed
    return list(lives.values())


def requests_of(notes: list[Note]) -> list[Request]:
    """Each request, with its answer if it got one."""
    requests: dict[int, Request] = {}
    for note in notes:
        if note.kind == "asked":
            requests[note.request] = Request(note.at, note.action, note.target, note.key, note.tag, note.count)
        elif note.kind == "answered":
            request = requests[note.request]
            request.answered_at, request.status, request.ids = note.at, note.status, note.ids
            request.state, request.attempt, request.fence = note.state, note.attempt, note.fence
    return list(requests.values())


def runs_of(lines: list[Line]) -> list[Run]:
    """The runs, in the order in which they began."""
    runs: dict[str, Run] = {}
    for line in lines:
        if line.what == "begin":
            runs[line.run] = Run(
                line.run, line.life, line.job, line.attempt, line.at, line.at, line.fence, line.lock, line.sole
            )
        else:
            runs[line.run].last = max(line.at, runs[line.run].last)
            runs[line.run].how = line.how if line.what == "end" else None
    return sorted(runs.values(), key=lambda run: run.begin)


def by_job(runs: list[Run]) -> dict[str, list[Run]]:
    """The runs of each job, in order."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.job].append(run)
    return found


def _jobs(connection: sqlite3.Connection) -> list[JobRow]:
    statement = """
    SELECT id, task, state, attempt, max_retries, crashes, schedule, fire_time, json_extract(args, '$.tag') FROM jobs
    """
    return [JobRow(*row) for row in connection.execute(statement)]


def _fires(connection: sqlite3.Connection) -> list[FireRow]:
    statement = "SELECT schedule, fire_time, outcome, job_id, count, until FROM fires ORDER BY schedule, fire_time"
    return [FireRow(*row) for row in connection.execute(statement)]
