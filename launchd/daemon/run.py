"""A running daemon, from the state directory to the admin socket.

Nesting is start order, its reverse is stop order: state directory, databases, parts, their start, loops, admin socket.
Every loop is a task of one group, and goes on after an exception (`unending`); a loop that cannot go on ends the daemon
with an error.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import launchd
from launchd.admin.http.access import Access
from launchd.admin.http.listen import Address, load_token, parse_address
from launchd.admin.route import Api
from launchd.alerts.targets import open_targets
from launchd.clock import Clock, SystemClock
from launchd.config import Config
from launchd.daemon.admin import make_api, served
from launchd.daemon.base import make_base
from launchd.daemon.build import Parts, build
from launchd.daemon.host import HostProcess
from launchd.daemon.live import Current, Live
from launchd.daemon.lock_backend import lock_backend
from launchd.daemon.start import start
from launchd.daemon.stop import stop
from launchd.daemon.stores import Databases
from launchd.daemon.unending import unending
from launchd.db.database import open_database
from launchd.engine.attempts.guard import without_leftovers
from launchd.engine.control import Control
from launchd.engine.firing.loading import Options, plan_schedules
from launchd.engine.vitals import Vitals, busy
from launchd.launches.approach import Approaches
from launchd.launches.source_store import SourceStore
from launchd.launches.store import LaunchStore
from launchd.lock import Locks
from launchd.logger import get_logger
from launchd.ops.reload import InForce, Reloader
from launchd.ops.systemd import notify, status
from launchd.ops.watchdog import Watchdog
from launchd.system.state_directory import own_directory
from launchd.task import Task

_log = get_logger("launchd.daemon")
# Seconds a thread may keep the interpreter while another waits for it: ten times shorter than Python's own, so that the
# control loop gets its turn while a task parses (`make bench`: the p99 of GET /v1/status during a refresh).
_SWITCH_SECONDS = 0.0005


class Daemon(NamedTuple):
    """A running daemon, for the code that started it. Set `hurry` to make its stop wait for nothing.

    `busy` gives the work that goes on without the clock, None when the daemon is at rest (launchd/testing.py).
    """

    control: Control
    launches: LaunchStore
    sources: SourceStore
    socket: Path
    hurry: asyncio.Event
    live: Live
    reloader: Reloader
    approaches: Approaches
    busy: Callable[[Callable[[asyncio.AbstractEventLoop], int]], str | None]


class _Driven(NamedTuple):
    """The loops: that of the scheduler, which ends before the others, and a function that adds another."""

    scheduler: asyncio.Task[None] | None
    add: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], None]


class _Opened(NamedTuple):
    """The resources of a state directory. Call `tasks_run` before the first task runs."""

    databases: Databases
    backend: Locks
    tasks_run: Callable[[], None]


@asynccontextmanager
async def running(
    config: Config,
    *,
    clock: Clock | None = None,
    options: Options | None = None,
    tasks: Iterable[Task] = (),
    host: HostProcess | None = None,
    hurry: asyncio.Event | None = None,
) -> AsyncIterator[Daemon]:
    """A daemon that is ready when the body starts, and has stopped in good order when the body is left.

    `tasks` are added to the built-in ones and to those of `[tasks] modules`; `hurry` makes its stop wait for nothing.
    Raises ConfigError, AlreadyRunningError and StoreError before anything was started.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    clock, options, host = clock or SystemClock(), options or Options(), host or HostProcess()
    in_force, tcp, hurry = InForce(config), _tcp(config, host), hurry or asyncio.Event()
    targets = await asyncio.to_thread(open_targets, config.alerts.urls)
    async with _opened(config, clock, dedicated=host.dedicated) as opened:
        token = None if tcp is None else await asyncio.to_thread(load_token, config.token_file)
        access = Access(clock, token, config.admin.public_url)
        parts = await build(
            in_force=in_force,
            options=options,
            clock=clock,
            databases=opened.databases,
            backend=opened.backend,
            tasks=tasks,
        )
        await start(parts, targets)
        opened.tasks_run()
        live = _live(parts, host)
        api = make_api(parts, host=host, access=access, live=live)
        async with _driven(parts) as driven, served(parts, api, host=host, tcp=tcp) as path:
            await _ready(parts, driven, api, host, path)
            try:
                yield _daemon(parts, api, live=live, path=path, hurry=hurry)
            except BaseException:
                hurry.set()  # a drain might wait for loops that have ended: put the jobs back at once
                raise
            finally:
                api.metered.lag.stop()
                await stop(parts, driven.scheduler, hurry)
    _log.info("stopped")


@asynccontextmanager
async def _opened(config: Config, clock: Clock, *, dedicated: bool) -> AsyncIterator[_Opened]:
    """Open the state directory, its databases and the lock backend. Raises AlreadyRunningError, StoreError."""
    directory = config.state_directory
    async with (
        own_directory(directory) as held,
        without_leftovers(directory, mark=dedicated) as tasks_run,
        open_database(directory / "jobs.db", "jobs", clock) as jobs_db,
        open_database(directory / "launches.db", "launches", clock) as launches_db,
        lock_backend(config, jobs_db, LaunchStore(launches_db), clock) as backend,
    ):
        if held.was is not None:
            _log.warning("state_directory_made_private", state=str(directory), mode_before=f"{held.was:04o}")
        yield _Opened((jobs_db, launches_db), backend, tasks_run)


def _tcp(config: Config, host: HostProcess) -> Address | socket.socket | None:
    """The TCP listener: the one that systemd opened, else an address to bind if the configuration has one."""
    return host.listeners.get("tcp") or (None if config.admin.tcp is None else parse_address(config.admin.tcp))


@asynccontextmanager
async def _driven(parts: Parts) -> AsyncIterator[_Driven]:
    """Run the loops until the body is left; if one of them breaks, so does the body."""
    loops: list[asyncio.Task[None]] = []
    engine = parts.engine
    async with asyncio.TaskGroup() as group:

        def drive(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
            return group.create_task(unending(name, loop, parts.clock), name=name)

        def add(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
            loops.append(drive(name, loop))

        scheduler = drive("scheduler", engine.scheduler.run) if parts.options.scheduler else None
        add("reaper", engine.dispatcher.reaper.run)
        add("locks", engine.locks.run)
        add("approaches", parts.approaches.run)
        add("alerting", parts.oversight.alerting.run)
        add("health", parts.base.health.run)
        add("timekeeper", engine.timekeeper.run)
        for name, pool in engine.dispatcher.pools.items():
            add(f"queue {name}", pool.run)
        try:
            yield _Driven(scheduler, add)
        finally:
            for loop in loops:
                loop.cancel()


def _live(parts: Parts, host: HostProcess) -> Live:
    """The parts that a reload changes."""
    return Live(
        tasks=parts.base.maker.tasks,
        scheduler=parts.engine.scheduler,
        pools=parts.engine.dispatcher.pools,
        options=parts.options,
        alerting=parts.oversight.alerting,
        tracker=parts.base.tracker,
        reloaded=host.reloaded,
    )


async def _ready(parts: Parts, driven: _Driven, api: Api, host: HostProcess, path: Path) -> None:
    """Report that the daemon takes work, and from now on that it lives."""
    base, engine = parts.base, parts.engine
    base.daemon_state.ready, base.daemon_state.leader = True, driven.scheduler is not None
    vitals = Vitals(
        parts.clock,
        engine.control,
        base.daemon_state,
        engine.dispatcher.pools,
        base.stores.databases,
        scheduler=engine.scheduler if parts.options.scheduler else None,
        objection=parts.oversight.monitor.objection,
    )
    api.metered.lag.start()
    driven.add("feeds", api.feeds.run)
    notify("READY=1", status(await vitals.line()))
    if host.supervised:
        watchdog = Watchdog(parts.clock, vitals.signs, vitals.line, period=host.watchdog_seconds)
        driven.add("watchdog", watchdog.run)
    state = str(parts.in_force.config.state_directory)
    _log.info("ready", socket=str(path), state=state, version=launchd.__version__)


def _daemon(parts: Parts, api: Api, *, live: Live, path: Path, hurry: asyncio.Event) -> Daemon:
    """The daemon, for the code that started it."""
    dispatcher, databases = parts.engine.dispatcher, parts.base.stores.databases
    return Daemon(
        control=api.control,
        launches=api.launches,
        sources=api.sources,
        socket=path,
        hurry=hurry,
        live=live,
        reloader=api.reloader,
        approaches=parts.approaches,
        busy=partial(busy, databases, list(dispatcher.pools.values()), dispatcher.executor),
    )


async def try_out(config: Config, scratch: Path) -> tuple[int, int]:
    """Load tasks and schedules beside a scratch state directory; how many there are of each. Raises ConfigError."""
    clock = SystemClock()
    await asyncio.to_thread(partial(open_targets, config.alerts.urls, checking=True))
    async with (
        open_database(scratch / "jobs.db", "jobs", clock) as jobs_db,
        open_database(scratch / "launches.db", "launches", clock) as launches_db,
    ):
        base = make_base(current=Current(InForce(config)), clock=clock, databases=(jobs_db, launches_db), tasks=())
        return len(base.maker.tasks), len(plan_schedules(config, base.maker.tasks))
