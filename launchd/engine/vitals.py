"""Vitals: the engine's signs of life, for the watchdog and for the status line. Owned by the control loop."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Mapping, Sequence

from launchd.clock import Clock, format_instant
from launchd.db.database import Connection, Database
from launchd.engine.attempts.executor import Executor
from launchd.engine.control import Control
from launchd.engine.daemon_state import DaemonState
from launchd.engine.firing.scheduler import Scheduler
from launchd.engine.queues.pool import Pool
from launchd.errors import LaunchdError
from launchd.ops.watchdog import Signs

Objection = Callable[[], str | None]


class _Probe:
    """A write that changes nothing, sent to one writer: its answer shows that all writes before it are done."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self._clock = clock
        self._asked_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    def silence(self) -> float:
        """For how many seconds the writer has not answered; asks again after each answer."""
        if self._asking is None or self._asking.done():
            self._asked_at = self._clock.monotonic()
            self._asking = asyncio.create_task(self._ask())
            return 0.0
        return self._clock.monotonic() - self._asked_at

    async def _ask(self) -> None:
        try:
            await self.database.write(_nothing)
        except LaunchdError:
            return  # a refusal is an answer too; health reports it


class Vitals:
    """Gathers signs of life. `objection` is called each time; it returns why the daemon counts as stuck, or None."""

    def __init__(
        self,
        clock: Clock,
        control: Control,
        daemon_state: DaemonState,
        pools: Mapping[str, Pool],
        databases: Sequence[Database],
        *,
        scheduler: Scheduler | None,
        objection: Objection = lambda: None,
    ) -> None:
        self._clock = clock
        self._control = control
        self._daemon_state = daemon_state
        self._pools = pools
        self._scheduler = scheduler
        self._objection = objection
        self._probes = [_Probe(database, clock) for database in databases]
        self._woken: dict[str, float] = {}  # by queue: when it was woken, monotonic, until it takes a turn

    def signs(self) -> Signs:
        """The signs now. Wakes every pool and asks every writer, so that a silence has a beginning."""
        now = self._clock.monotonic()
        ticking = self._scheduler is not None and not self._daemon_state.stopping
        refusing = any(probe.database.failing() is not None for probe in self._probes)
        return Signs(
            tick=now - self._scheduler.last_tick if ticking and self._scheduler is not None and not refusing else None,
            turns={} if refusing else {name: self._turn(name, pool, now) for name, pool in self._pools.items()},
            writers={probe.database.path.name: probe.silence() for probe in self._probes},
            objection=self._objection() or self._ended(),
        )

    def _ended(self) -> str | None:
        """Why a writer thread has ended, if one has: it does not come back without a restart."""
        return next((why for probe in self._probes if (why := probe.database.ended) is not None), None)

    async def line(self) -> str:
        """The status line: running and waiting jobs, paused queues, the next fire."""
        running = sum(len(pool.running) for pool in self._pools.values())
        if self._daemon_state.stopping:
            return f"draining: {running} running"
        try:
            status = await self._control.status()
        except LaunchdError as error:
            return f"{running} running; {error.detail}"
        waiting = sum(queue.waiting for queue in status.queues)
        paused = [queue.name for queue in status.queues if queue.paused]
        words = [f"{running} running, {waiting} waiting"]
        words += [f"paused: {', '.join(paused)}"] if paused else []
        words += [f"next {name} at {format_instant(at)}" for name, at in status.next_fires[:1]]
        return "; ".join(words)

    def _turn(self, name: str, pool: Pool, now: float) -> float:
        """For how many seconds a pool has been woken without taking a turn."""
        woken = self._woken.get(name)
        if woken is None or pool.last_turn >= woken:
            self._woken[name] = now
            pool.wake()
            return 0.0
        return now - woken


def busy(
    databases: Sequence[Database],
    pools: Iterable[Pool],
    executor: Executor,
    sleepers: Callable[[AbstractEventLoop], int],
) -> str | None:
    """Work that goes on without the clock, as text; None when the daemon is at rest.

    `sleepers` counts those that wait for the clock on a loop: a job that does so is at rest.
    """
    for database in databases:
        if database.busy:
            return f"{database.path.name} has work"
    if executor.asking:
        return "a stop was requested"
    running = []
    for pool in pools:
        if pool.awake:
            return f"queue {pool.queue} takes a turn"
        running += [f"{attempt.job.task} {attempt.job.id}" for attempt in pool.running.values()]
    return f"running: {', '.join(running)}" if len(running) > sleepers(executor.loop) else None


def _nothing(_connection: Connection) -> None:
    """Change nothing: only the answer counts."""
