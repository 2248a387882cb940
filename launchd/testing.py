"""For the tests of those who write tasks: a virtual clock, and a whole daemon in a temporary directory.

    async with running(tasks=[my_task], schedules={"nightly": {"task": "my_task", "cron": "0 3 * * *"}}) as daemon:
        job = await daemon.trigger("my_task", size=3)
        assert job.state == "succeeded"
        await daemon.advance(hours=48)
        assert len(await daemon.fires("nightly")) == 2

It is the real daemon: real SQLite, real threads, real tasks. Only its clock is another: time passes when a test says
so, and as fast as the daemon can follow.
"""

import asyncio
import heapq
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from launchd import config as settings
from launchd.clock import SECOND, Instant, parse_instant
from launchd.config import Config
from launchd.daemon import Daemon
from launchd.daemon import running as real_daemon
from launchd.engine.snapshots import JobQuery, LedgerRow
from launchd.errors import ConfigError
from launchd.job import Job
from launchd.task import Task

__all__ = ["TestDaemon", "VirtualClock", "configuration", "running"]

START = parse_instant("2026-01-01T00:00:00Z")
# The longest time to wait for the daemon to come to rest, in seconds of real time.
PATIENCE_SECONDS = 30.0
# The daemon must be at rest this often in a row. A sleeper that was woken takes some eight turns of its loop before it
# asks the store for anything: three times that is enough, and a turn costs microseconds.
_RESTS = 24
_PAGE = 1000
# Running jobs may take this long, in real time, before a stop lets the drain's virtual time pass.
_STOP_SECONDS = 2.0


class VirtualClock:
    """A clock that stands still until it is moved. May be asked from any thread, and slept on from any loop.

    `move` lets time pass, `jump` sets the wall clock, `suspend` puts the machine to sleep. Each clock is a boot of its
    own, `boot` seconds after it began, unless `boot_id` names the same one as another clock's.
    """

    def __init__(self, start: Instant = START, *, boot: float = 0.0, boot_id: str | None = None) -> None:
        self._wall = start
        self._elapsed = 0.0
        self._asleep = boot
        self._boot_id = boot_id or str(uuid.uuid4())
        self._guard = threading.Lock()
        self._sleepers: list[tuple[float, int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._count = 0
        self._watchers: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    def now(self) -> Instant:
        """Wall time, in microseconds UTC."""
        return self._wall + round(self._elapsed * SECOND)

    def monotonic(self) -> float:
        """Seconds since this clock was made, without those that the machine slept."""
        return self._elapsed

    def boot(self) -> float:
        """Seconds since the machine started, with those that it slept."""
        return self._elapsed + self._asleep

    def boot_id(self) -> str:
        """The name of this boot."""
        return self._boot_id

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved that far."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._guard:
            self._count += 1
            heapq.heappush(self._sleepers, (self._elapsed + max(seconds, 0.0), self._count, loop, future))
        await future

    async def sleep_until(self, instant: Instant | None) -> None:
        """Wait for a wall time, or for a jump of the clock."""
        loop = asyncio.get_running_loop()
        jumped: asyncio.Future[None] = loop.create_future()
        waiting: set[asyncio.Future[Any]] = {jumped}
        with self._guard:
            self._watchers[jumped] = loop
        if instant is not None:
            waiting.add(asyncio.ensure_future(self.sleep((instant - self.now()) / SECOND)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with self._guard:
                self._watchers.pop(jumped, None)
            for future in waiting:
                future.cancel()

    def next_wake(self) -> float | None:
        """The earliest time, by `monotonic`, that somebody waits for."""
        with self._guard:
            while self._sleepers and self._sleepers[0][3].done():
                heapq.heappop(self._sleepers)
            return self._sleepers[0][0] if self._sleepers else None

    def sleepers(self, loop: asyncio.AbstractEventLoop) -> int:
        """How many sleep on a loop."""
        with self._guard:
            return sum(1 for _, _, where, future in self._sleepers if where is loop and not future.done())

    def move(self, elapsed: float) -> None:
        """Go on to a time by `monotonic`, and wake those who waited for it."""
        with self._guard:
            self._elapsed = max(elapsed, self._elapsed)
            due = []
            while self._sleepers and self._sleepers[0][0] <= self._elapsed:
                due.append(heapq.heappop(self._sleepers))
        for _, _, loop, future in due:
            loop.call_soon_threadsafe(_wake, future)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward (or back), as an operator or NTP would; no time passes."""
        self._wall += round(seconds * SECOND)
        self._wake_up()

    def suspend(self, seconds: float) -> None:
        """Put the machine to sleep: wall and boot time go on, monotonic time and all sleepers stand still."""
        self._asleep += seconds
        self._wall += round(seconds * SECOND)
        self._wake_up()

    def _wake_up(self) -> None:
        """Wake all waiters for a wall time, each on its own loop."""
        with self._guard:
            watchers = dict(self._watchers)
            self._watchers.clear()
        for future, loop in watchers.items():
            loop.call_soon_threadsafe(_wake, future)


class TestDaemon:
    """A daemon under a virtual clock. Each call returns once the daemon has come to rest."""

    __test__ = False  # pytest: a tool, not a test

    def __init__(self, config: Config, clock: VirtualClock, tasks: Sequence[Task]) -> None:
        self.config = config
        self.clock = clock
        self._tasks = tasks
        self._daemon: Daemon | None = None
        self._host: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()

    @property
    def daemon(self) -> Daemon:
        """The daemon itself; raises RuntimeError between a stop and a start."""
        if self._daemon is None:
            raise RuntimeError("the daemon does not run")
        return self._daemon

    async def trigger(self, task: str, **args: Any) -> Job:  # noqa: ANN401 - a task's arguments are its own
        """Make a job and return it as it is when nothing more happens without time passing."""
        job, _ = await self.daemon.control.trigger(task, args, by="test")
        await self.settle()
        return await self.job(job.id)

    async def job(self, job_id: str) -> Job:
        """One job."""
        return await self.daemon.control.job(job_id)

    async def jobs(self, **query: Any) -> list[Job]:  # noqa: ANN401 - the fields of JobQuery
        """Jobs, newest first; `query` takes state, queue, task, schedule."""
        return list((await self.daemon.control.jobs(JobQuery(**query, limit=_PAGE))).items)

    async def fires(self, schedule: str) -> list[LedgerRow]:
        """The whole ledger of a schedule, oldest first."""
        rows: list[LedgerRow] = []
        cursor = None
        while True:
            page, cursor = await self.daemon.control.timetable.fires(schedule, _PAGE, cursor)
            rows += page
            if cursor is None:
                return rows[::-1]

    async def advance(self, **duration: float) -> None:
        """Let time pass, step by step from one event to the next; takes what `timedelta` takes, such as `hours=6`."""
        target = self.clock.monotonic() + timedelta(**duration).total_seconds()
        await self.settle()
        while (wake := self.clock.next_wake()) is not None and wake <= target:
            self.clock.move(wake)
            await self.settle()
        self.clock.move(target)
        await self.settle()

    async def settle(self) -> None:
        """Wait until the daemon does nothing more without time passing.

        A job that waits for the clock is at rest, one that waits for anything else is not: after 30 s of real time
        that raises TimeoutError naming it.
        """
        patience = time.monotonic() + PATIENCE_SECONDS
        rests = 0
        while rests < _RESTS:
            busy = self._busy()
            rests = rests + 1 if busy is None else 0
            if busy is not None and time.monotonic() > patience:
                raise TimeoutError(f"the daemon does not come to rest: {busy}")
            if self._host is not None and self._host.done():
                await self._host
            await asyncio.sleep(0 if busy is None else 0.0002)

    async def start(self, clock: VirtualClock | None = None) -> None:
        """Start the daemon (again) on the same state directory, under another clock if one is given."""
        self.clock = clock or self.clock
        ready: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
        self._leave = asyncio.Event()
        self._host = asyncio.create_task(self._run(ready, self._leave))
        pair: list[asyncio.Future[Any]] = [ready, self._host]
        await asyncio.wait(pair, return_when=asyncio.FIRST_COMPLETED)
        if self._host.done():
            await self._host
        self._daemon = await ready
        await self.settle()

    async def stop(self) -> None:
        """Stop the daemon in good order; its drain takes virtual time."""
        host, self._daemon = self._host, None
        self._leave.set()
        patience = time.monotonic() + _STOP_SECONDS
        while host is not None and not host.done():
            wake = self.clock.next_wake()
            if wake is not None and time.monotonic() > patience:  # a job does not end by itself: let the drain pass
                self.clock.move(wake)
            await asyncio.sleep(0.0002)
        if host is not None:
            await host
        self._host = None

    async def _run(self, ready: asyncio.Future[Daemon], leave: asyncio.Event) -> None:
        async with real_daemon(self.config, clock=self.clock, tasks=self._tasks) as daemon:
            ready.set_result(daemon)
            await leave.wait()

    def _busy(self) -> str | None:
        """The activity that keeps the daemon from resting; None if it rests."""
        return None if self._daemon is None else self._daemon.busy(self.clock.sleepers)


@asynccontextmanager
async def running(
    *,
    tasks: Iterable[Task] = (),
    schedules: Mapping[str, Mapping[str, Any]] | None = None,
    config: str = "",
    start: str | Instant = START,
    directory: Path | None = None,
) -> AsyncIterator[TestDaemon]:
    """A daemon under a virtual clock that stands at `start`, in a temporary directory (or in `directory`).

    `config` is TOML; `schedules` are tables of it as Python values, laid over it. The shipped schedules are off unless
    `config` names them. Raises ConfigError.
    """
    clock = VirtualClock(parse_instant(start) if isinstance(start, str) else start)
    async with _directory(directory) as place:
        made = TestDaemon(configuration(config, schedules or {}, place), clock, list(tasks))
        await made.start()
        try:
            yield made
        finally:
            await made.stop()


def configuration(text: str, schedules: Mapping[str, Mapping[str, Any]], place: Path | None = None) -> Config:
    """The configuration in a TOML text with these schedules and no others, its state in `place`; raises ConfigError."""
    base = settings.document(text)
    tables = base.setdefault("schedules", {})
    for name in settings.DEFAULT_SCHEDULES:
        tables.setdefault(name, {"enabled": False})
    for name, table in schedules.items():
        tables[name] = dict(table)
    if place is None:
        return settings.decode(base)
    base.setdefault("daemon", {}).setdefault("state_directory", str(place))
    base.setdefault("admin", {}).setdefault("socket", str(place / "admin.sock"))
    try:
        return settings.decode(base)
    except ConfigError as error:
        raise ConfigError(f"the test's configuration: {error.detail}", errors=error.errors) from error


def _directory(given: Path | None) -> AbstractAsyncContextManager[Path]:
    @asynccontextmanager
    async def place() -> AsyncIterator[Path]:
        if given is not None:
            yield given
            return
        with TemporaryDirectory(prefix="launchd-test-") as made:
            yield Path(made)

    return place()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
