"""A running daemon: what is opened, made and driven, from the state directory to the admin socket.

Nesting is start order, its reverse is stop order: state directory, databases, what a dead instance left, task thread,
pools, scheduler, admin socket. Everything that runs for ever is a task of one group; each goes on over any exception
(`unending`): one that cannot ends the daemon loudly.
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
from launchd.admin.api.status import remember_signed_out
from launchd.admin.http.access import Access
from launchd.admin.http.listen import Address, load_token, parse_address
from launchd.admin.http.tcp import tcp_check
from launchd.admin.route import Api
from launchd.admin.server import serve
from launchd.alerts.targets import CurrentTargets, open_targets
from launchd.clock import Clock, SystemClock
from launchd.config import Config
from launchd.daemon.build import Given, Parts, build, load_all, make_ground
from launchd.daemon.live import Live
from launchd.daemon.outside import Host, launch_tracker, lock_backend, reloader_of
from launchd.daemon.stop import stop
from launchd.daemon.unending import unending
from launchd.db.database import open_database
from launchd.engine.attempts.guard import alone
from launchd.engine.control import Control
from launchd.engine.events.bus import Bus
from launchd.engine.firing.loading import Options, plan_schedules
from launchd.engine.vitals import busy
from launchd.launches.approach import Approaches
from launchd.launches.source_store import SourceStore
from launchd.launches.store import LaunchStore
from launchd.locks.sqlite import SqliteLocks
from launchd.logger import get_logger
from launchd.logs.joblines import JobLines
from launchd.ops.reload import InForce, Reloader
from launchd.ops.systemd import notify, status
from launchd.ops.watchdog import Watchdog
from launchd.store.audit import AuditStore
from launchd.store.stats import StatsStore
from launchd.system.state_directory import own_directory
from launchd.task import Task

_log = get_logger("launchd.daemon")
# Seconds a thread may keep the interpreter while another waits for it: ten times shorter than Python's own, so that the
# control loop gets its turn while a task parses (`make bench`: the p99 of GET /v1/status during a refresh).
_SWITCH_SECONDS = 0.0005


class Daemon(NamedTuple):
    """A running daemon, as those who started it see it. Set `hurry` to make its stop wait for nothing.

    `busy` says what goes on that needs no time to pass, None when it is at rest (launchd/testing.py).
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
    """What runs for ever: the scheduler's loop, which ends before the others, and how to add one to those."""

    scheduler: asyncio.Task[None] | None
    add: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], None]


@asynccontextmanager
async def running(
    config: Config,
    *,
    clock: Clock | None = None,
    options: Options | None = None,
    tasks: Iterable[Task] = (),
    host: Host | None = None,
    hurry: asyncio.Event | None = None,
) -> AsyncIterator[Daemon]:
    """A daemon that is ready when the body starts, and has stopped in good order when the body is left.

    `tasks` are added to the built-in ones and to those of `[tasks] modules`; `hurry` makes its stop wait for nothing.
    Raises ConfigError, AlreadyRunningError and StoreError before anything was started.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    clock, options, host, in_force = clock or SystemClock(), options or Options(), host or Host(), InForce(config)
    directory, hurry, bus = config.state_directory, hurry or asyncio.Event(), Bus()
    tcp = _tcp(config, host)
    targets = await asyncio.to_thread(open_targets, config.alerts.urls)
    listener = host.listeners.get("admin")
    path = config.socket if listener is None else Path(listener.getsockname())
    async with (
        own_directory(directory) as held,
        alone(directory, mark=host.alone) as tasks_run,
        open_database(directory / "jobs.db", "jobs", clock) as jobs_db,
        open_database(directory / "launches.db", "launches", clock) as launches_db,
        lock_backend(config, jobs_db, LaunchStore(launches_db), clock) as backend,
    ):
        if held.was is not None:
            _log.warning("state_directory_made_private", state=str(directory), mode_before=f"{held.was:04o}")
        access = Access(clock, None if tcp is None else await asyncio.to_thread(load_token, config.token_file))
        approaches = Approaches(clock, launches_db, bus.publish)
        tracker = launch_tracker(config, launches_db, clock, bus)
        databases = (jobs_db, launches_db)
        given = Given(in_force, options, clock, databases, backend, tracker, approaches, bus, tasks, targets)
        parts = await build(given)
        tasks_run()
        async with _driven(given, parts) as driven:
            live = Live(parts.control.tasks, parts.scheduler, parts.dispatcher.pools, options, parts.alerting)
            api = _api(given, parts, host, access, reloader_of(in_force, live, tracker, host))
            await remember_signed_out(access, api.audit, clock.now())
            if tcp is not None:
                parts.health.add("tcp", tcp_check(access))
            async with serve(api, path, int(config.admin.socket_mode, 8), listener, tcp=tcp, clock=clock) as presence:
                parts.control.watch("admin_socket", presence.check)
                await _ready(parts, driven, api, host, path)
                try:
                    at_rest, reloader = _at_rest(given, parts), api.reloader
                    yield Daemon(
                        parts.control, api.launches, api.sources, path, hurry, live, reloader, approaches, at_rest
                    )
                except BaseException:
                    hurry.set()  # the loops that a drain would wait for may be gone: what runs is put back at once
                    raise
                finally:
                    api.metered.lag.stop()
                    await stop(parts, driven.scheduler, hurry)
    _log.info("stopped")


def _tcp(config: Config, host: Host) -> Address | socket.socket | None:
    """The TCP listener: the one that systemd holds, else one to bind where the configuration asks for it."""
    return host.listeners.get("tcp") or (None if config.admin.tcp is None else parse_address(config.admin.tcp))


@asynccontextmanager
async def _driven(given: Given, parts: Parts) -> AsyncIterator[_Driven]:
    """Drive what runs for ever until the body is left; if one of them breaks, so does the body."""
    loops: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:

        def drive(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
            return group.create_task(unending(name, loop, parts.clock), name=name)

        def add(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
            loops.append(drive(name, loop))

        scheduler = drive("scheduler", parts.scheduler.run) if given.options.scheduler else None
        add("reaper", parts.reaper.run)
        add("locks", parts.locks.run)
        add("approaches", given.approaches.run)
        add("alerting", parts.alerting.run)
        add("health", parts.health.run)
        add("timekeeper", parts.timekeeper.run)
        for name, pool in parts.dispatcher.pools.items():
            add(f"queue {name}", pool.run)
        try:
            yield _Driven(scheduler, add)
        finally:
            for loop in loops:
                loop.cancel()


def _api(given: Given, parts: Parts, host: Host, access: Access, reloader: Reloader) -> Api:
    """What the admin socket serves."""
    jobs_db, launches_db = given.databases
    return Api(
        control=parts.control,
        launches=LaunchStore(launches_db),
        sources=SourceStore(launches_db),
        access=access,
        feed=parts.feed,
        backups=parts.backups,
        stats=StatsStore(jobs_db),
        audit=AuditStore(jobs_db),
        job_lines=host.job_lines or JobLines(),
        reloader=reloader,
        metered=parts.metered._replace(dropped=host.log_lines_dropped),
        alerting=parts.alerting,
    )


async def _ready(parts: Parts, driven: _Driven, api: Api, host: Host, path: Path) -> None:
    """Say that the daemon takes work, and from now on that it lives."""
    parts.life.ready, parts.life.leader = True, driven.scheduler is not None
    api.metered.lag.start()
    notify("READY=1", status(await parts.vitals.line()))
    if host.supervised:
        watchdog = Watchdog(parts.clock, parts.vitals.signs, parts.vitals.line, period=host.watchdog_seconds)
        driven.add("watchdog", watchdog.run)
    state = str(parts.in_force.config.state_directory)
    _log.info("ready", socket=str(path), state=state, version=launchd.__version__)


def _at_rest(given: Given, parts: Parts) -> Callable[[Callable[[asyncio.AbstractEventLoop], int]], str | None]:
    return partial(busy, given.databases, list(parts.dispatcher.pools.values()), parts.executor)


async def try_out(config: Config, scratch: Path) -> tuple[int, int]:
    """Load tasks and schedules beside a scratch state directory; how many there are. Raises ConfigError."""
    clock, bus = SystemClock(), Bus()
    await asyncio.to_thread(partial(open_targets, config.alerts.urls, checking=True))
    async with (
        open_database(scratch / "jobs.db", "jobs", clock) as jobs_db,
        open_database(scratch / "launches.db", "launches", clock) as launches_db,
    ):
        tracker, approaches = (
            launch_tracker(config, launches_db, clock, bus),
            Approaches(clock, launches_db, bus.publish),
        )
        backend = SqliteLocks(jobs_db, clock)
        databases = (jobs_db, launches_db)
        given = Given(InForce(config), Options(), clock, databases, backend, tracker, approaches, bus, (), ())
        tasks = load_all(given, make_ground(given), CurrentTargets())
        return len(tasks), len(plan_schedules(config, tasks))
