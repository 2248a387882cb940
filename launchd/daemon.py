"""The composition root: the only place that builds things.

Nesting is start order, its reverse is stop order: state directory, databases, what a dead instance left, task thread,
pools, scheduler, admin socket. Everything that runs for ever is a task of one group: if one breaks, the daemon ends
loudly.
"""

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

import launchd
from launchd import config as configuration
from launchd.admin.access import Access
from launchd.admin.listen import load_token, parse_address
from launchd.admin.metrics import Metered
from launchd.admin.route import Api, Kept
from launchd.admin.server import serve
from launchd.clock import Clock, SystemClock
from launchd.config import Config
from launchd.db import Database, open_database, own_directory
from launchd.engine.alerting import Alerting, Facts, Targets, send_task
from launchd.engine.attempt import Stop
from launchd.engine.builtin import backup_task, health_task, prune_task
from launchd.engine.bus import Bus
from launchd.engine.checks import dispatcher_check, loop_check, scheduler_check
from launchd.engine.control import Control, Lifecycle
from launchd.engine.current import Current
from launchd.engine.dispatcher import Dispatcher
from launchd.engine.executor import Executor
from launchd.engine.feed import Feed
from launchd.engine.firecount import FireCount
from launchd.engine.live import Live
from launchd.engine.loading import Options, load_tasks, plan_schedules, pool_sizes
from launchd.engine.maker import JobMaker
from launchd.engine.pool import Pool, Shared, Watch
from launchd.engine.port import EnginePort
from launchd.engine.reaper import Reaper
from launchd.engine.scheduler import Scheduler, Told
from launchd.engine.stall import StallMonitor, Watched
from launchd.engine.vitals import Vitals, busy
from launchd.errors import LaunchdError
from launchd.event import Event
from launchd.job import IdMaker
from launchd.launches.approach import Approaches
from launchd.launches.fetch import Identity
from launchd.launches.source_store import SourceStore
from launchd.launches.sources import SOURCES
from launchd.launches.store import LaunchStore
from launchd.launches.tasks import Tracker, launch_tasks
from launchd.lock import Locks
from launchd.locks.manager import LockManager
from launchd.locks.sqlite import SqliteLocks
from launchd.ops.alerts import Target, open_targets
from launchd.ops.backup import Backups
from launchd.ops.checks import database_check, disk_check, locks_check
from launchd.ops.health import Check, Finding, Health, Level
from launchd.ops.joblines import JobLines
from launchd.ops.reload import InForce, Reloader
from launchd.ops.systemd import extending, notify, status
from launchd.ops.tally import LagMeter, Tally
from launchd.ops.watchdog import Watchdog
from launchd.store.alerts import AlertStore
from launchd.store.audit import AuditStore
from launchd.store.history import HistoryStore
from launchd.store.jobs import JobStore
from launchd.store.schedules import ScheduleStore
from launchd.store.series import SeriesStore
from launchd.store.starts import StartStore
from launchd.store.stats import StatsStore
from launchd.task import Task

_log = structlog.get_logger("launchd.daemon")
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


class Host(NamedTuple):
    """What this process was given by who started it: sockets by name, whether and how often it must report.

    `load` reads the configuration anew for a reload (None: the file it came from), `reloaded` hears of it.
    """

    listeners: Mapping[str, socket.socket] = {}
    supervised: bool = False
    watchdog_seconds: float | None = None
    log_lines_dropped: Callable[[], int] = lambda: 0
    job_lines: JobLines | None = None
    load: Callable[[], Config] | None = None
    reloaded: Callable[[Config], None] = lambda _config: None


@dataclass(frozen=True, slots=True)
class _Parts:
    """What `running` drives; made by `_build`, in order of need."""

    in_force: InForce
    clock: Clock
    life: Lifecycle
    dispatcher: Dispatcher
    executor: Executor
    locks: LockManager
    scheduler: Scheduler
    reaper: Reaper
    monitor: StallMonitor
    control: Control
    vitals: Vitals
    metered: Metered
    feed: Feed
    backups: Backups
    alerting: Alerting


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
    directory, hurry = config.state_directory, hurry or asyncio.Event()
    tcp = None if config.admin.tcp is None else parse_address(config.admin.tcp)
    access = Access(clock, None if tcp is None else await asyncio.to_thread(load_token, config.token_file))
    targets = await asyncio.to_thread(open_targets, config.alerts.urls)
    given = host.listeners.get("admin")
    path = config.socket if given is None else Path(given.getsockname())
    async with (
        own_directory(directory),
        open_database(directory / "jobs.db", "jobs", clock) as jobs_db,
        open_database(directory / "launches.db", "launches", clock) as launches_db,
        _lock_backend(config, jobs_db, LaunchStore(launches_db), clock) as backend,
    ):
        launches, sources = LaunchStore(launches_db), SourceStore(launches_db)
        databases, bus = (jobs_db, launches_db), Bus()
        approaches = Approaches(clock, launches_db, bus.publish)
        tracker = _tracker(config, launches_db, clock, bus)
        parts = await _build(
            in_force,
            options,
            clock,
            databases=databases,
            backend=backend,
            tracker=tracker,
            approaches=approaches,
            bus=bus,
            given=tasks,
            targets=targets,
        )
        metered = parts.metered._replace(dropped=host.log_lines_dropped)
        watchdog = Watchdog(clock, parts.vitals.signs, parts.vitals.line, period=host.watchdog_seconds)
        async with asyncio.TaskGroup() as group:
            scheduler = group.create_task(parts.scheduler.run()) if options.scheduler else None
            loops = [group.create_task(parts.reaper.run()), group.create_task(parts.locks.run())]
            loops.append(group.create_task(approaches.run()))
            loops += [group.create_task(pool.run()) for pool in parts.dispatcher.pools.values()]
            loops.append(group.create_task(parts.alerting.run()))
            try:
                live = Live(parts.control.tasks, parts.scheduler, parts.dispatcher.pools, options, parts.alerting)
                reloader = _reloader(in_force, live, tracker, host)
                kept = Kept(StatsStore(jobs_db), AuditStore(jobs_db), host.job_lines or JobLines())
                api = Api(
                    parts.control,
                    launches,
                    sources,
                    access,
                    parts.feed,
                    parts.backups,
                    kept,
                    reloader,
                    metered,
                    parts.alerting,
                )
                async with serve(api, path, int(config.admin.socket_mode, 8), given, tcp=tcp):
                    parts.life.ready, parts.life.leader = True, options.scheduler
                    metered.lag.start()
                    notify("READY=1", status(await parts.vitals.line()))
                    loops += [group.create_task(watchdog.run())] if host.supervised else []
                    _log.info("ready", socket=str(path), state=str(directory), version=launchd.__version__)
                    try:
                        at_rest = partial(busy, databases, list(parts.dispatcher.pools.values()), parts.executor)
                        yield Daemon(parts.control, launches, sources, path, hurry, live, reloader, approaches, at_rest)
                    finally:
                        metered.lag.stop()
                        await _stop(parts, scheduler, hurry)
            finally:
                for loop in loops:
                    loop.cancel()
    _log.info("stopped")


async def _build(
    in_force: InForce,
    options: Options,
    clock: Clock,
    *,
    databases: tuple[Database, Database],
    backend: Locks,
    tracker: Tracker,
    approaches: Approaches,
    bus: Bus,
    given: Iterable[Task],
    targets: Sequence[Target],
) -> _Parts:
    """Make the parts, take back what a dead instance ran, and load what is remembered."""
    config, current, new_id = in_force.config, Current(in_force), IdMaker()
    life = Lifecycle(new_id(clock.now()), launchd.__version__, clock)
    jobs, schedules = JobStore(databases[0], life.instance), ScheduleStore(databases[0])
    health, port, dispatcher = Health(clock), EnginePort(asyncio.get_running_loop()), Dispatcher(clock, bus)
    health.on_change = dispatcher.health_changed
    backups, told_to = _backups(config, current, clock), Targets()
    alerts = AlertStore(databases[0], current.alerts, new_id)
    own = _built_in(current, port, health, jobs, clock)
    built_in = [*own, backup_task(backups), send_task(alerts, told_to, clock)]
    tasks = load_tasks(config, [*built_in, *launch_tasks(tracker), *given])
    planned = plan_schedules(config, tasks)
    sizes = pool_sizes(config, options)
    lease = config.locks.lease_seconds
    owner = f"{await jobs.node():x}:{life.instance}"
    locks = LockManager(
        backend,
        clock,
        owner,
        on_loss=dispatcher.lock_lost,
        on_free=dispatcher.lock_freed,
        lease_seconds=lease,
        tell=dispatcher.lock_changed,
    )
    maker = JobMaker(tasks, config.queues, new_id)
    facts = Facts(health, jobs, tracker.last_success, _provider_of(LaunchStore(databases[1])))
    alerting = Alerting(
        clock,
        lambda: in_force.config.alerts,
        alerts,
        facts,
        targets=told_to,
        bus=bus,
        maker=maker,
        made=dispatcher.made,
    )
    await alerting.switch(targets)  # before anything ends
    await _recover(jobs, locks, clock)
    told = Told(
        dispatcher.made,
        dispatcher.cancel,
        dispatcher.recorded,
        expect=lambda due: dispatcher.expect(tasks[schedule.task].queue for schedule in due),
    )
    scheduler = Scheduler(
        clock, schedules, lambda one, fire: maker.fired(one, fire, clock.now()), told, approaches.near
    )
    tracker.on_change = _on_loop(scheduler.look_again, approaches.look_again)
    fires = FireCount(databases[0])
    await fires.begin()
    await scheduler.load(planned)
    executor = dispatcher.executor = Executor(clock, dispatcher.report)
    shared = Shared(clock, jobs, locks, executor, tasks, port, bus, Watch(dispatcher.started, dispatcher.later))
    pools = dispatcher.pools
    pools |= {name: Pool(name, concurrency, shared, rate) for name, (concurrency, rate) in sizes.items()}
    for name, ages in (await StartStore(databases[0]).ages(clock.now())).items():
        if name in pools:
            pools[name].recall(ages)
    for name, (paused, note) in (await jobs.queue_states()).items():
        if name in pools:
            pools[name].paused, pools[name].note = paused, note
    reaper = dispatcher.reaper = Reaper(clock, jobs, executor, pools, bus)
    monitor = _monitor(executor, current.stall_kill_seconds)
    control = Control(
        clock=clock,
        life=life,
        tasks=tasks,
        maker=maker,
        jobs=jobs,
        history=HistoryStore(databases[0]),
        schedules=schedules,
        series=SeriesStore(databases[0]),
        scheduler=scheduler,
        dispatcher=dispatcher,
        executor=executor,
        locks=locks,
        lock_backend=config.locks.backend,
        health=health,
        bus=bus,
        check_sources=tracker.check_sources,
    )
    port.trigger_job = control.trigger_from_task
    checks = {
        "database": database_check(databases),
        "locks": locks_check(backend, config.locks.backend),
        "scheduler": scheduler_check(scheduler, clock, enabled=options.scheduler),
        "dispatcher": dispatcher_check(pools, jobs, clock),
        "event_loop": loop_check(monitor),
        "sources": _sources_check(tracker),
        "disk": disk_check(config.state_directory, current.minimum_free_mib),
    }
    for name, check in checks.items():
        health.add(name, check)
    ticking = scheduler if options.scheduler else None
    tally = Tally()
    bus.count(tally.heard)
    metered = Metered(
        control=control,
        pools=pools,
        schedules=scheduler.entries,
        databases=databases,
        sources=tracker.sources,
        fetches=tracker.fetches,
        monitor=monitor,
        tally=tally,
        fires=fires,
        lag=LagMeter(),
    )
    vitals = Vitals(clock, control, life, pools, databases, scheduler=ticking, objection=monitor.objection)
    # a name of this run: the milliseconds of its UUIDv7
    feed = Feed(bus, clock, life.instance.replace("-", "")[:12], health, dispatcher.attempts)
    return _Parts(
        in_force,
        clock,
        life,
        dispatcher,
        executor,
        locks,
        scheduler,
        reaper,
        monitor,
        control,
        vitals,
        metered,
        feed,
        backups,
        alerting,
    )


def _monitor(executor: Executor, kill_seconds: Callable[[], float]) -> StallMonitor:
    """Watches both loops: a task may block its own, nothing should ever block ours."""
    monitor = StallMonitor(kill_seconds)
    control_thread = threading.get_ident()
    monitor.watch(Watched("task loop", executor.loop, lambda: executor.thread_id, lambda: executor.steps.attempt))
    monitor.watch(Watched("control loop", asyncio.get_running_loop(), lambda: control_thread, lambda: None))
    monitor.start()
    return monitor


def _built_in(current: Current, port: EnginePort, health: Health, jobs: JobStore, clock: Clock) -> list[Task]:
    """The engine's own tasks."""
    return [health_task(port, health.report), prune_task(jobs, clock, current.keeping)]


def _backups(config: Config, current: Current, clock: Clock) -> Backups:
    return Backups(config.state_directory, current.backups, version=launchd.__version__, clock=clock)


def _tracker(config: Config, database: Database, clock: Clock, bus: Bus) -> Tracker:
    loop = asyncio.get_running_loop()

    def tell(events: Sequence[Event]) -> None:
        """Called on the task loop."""
        if events:
            loop.call_soon_threadsafe(bus.publish, events)

    return Tracker(LaunchStore(database), SourceStore(database), config.sources, clock, _identity(config), tell=tell)


def _identity(config: Config) -> Identity:
    return Identity(config.fetch.contact, config.fetch.from_email)


def _reloader(in_force: InForce, live: Live, tracker: Tracker, host: Host) -> Reloader:
    """Reads the configuration anew and takes it up."""
    first = in_force.config

    def load() -> Config:
        return configuration.load(Path(first.path), sources=SOURCES) if first.path else first

    async def apply(new: Config) -> None:
        await live.apply(new)
        tracker.configure(new.sources, _identity(new))
        host.reloaded(new)

    return Reloader(in_force, host.load or load, apply)


def _on_loop(*acts: Callable[[], None]) -> Callable[[], None]:
    """To be called on any loop; acts on this one."""
    loop = asyncio.get_running_loop()

    def call() -> None:
        for act in acts:
            loop.call_soon_threadsafe(act)

    return call


def _sources_check(tracker: Tracker) -> Check:
    """What the tracker says of its sources, as a finding."""

    async def check() -> Finding:
        well, detail = await tracker.health()
        return Finding(Level.HEALTHY if well else Level.DEGRADED, detail)

    return check


def _provider_of(launches: LaunchStore) -> Callable[[str], Awaitable[str | None]]:
    """Who flies a launch."""

    async def provider(launch_id: str) -> str | None:
        return (await launches.get(launch_id)).record.launch.provider

    return provider


@asynccontextmanager
async def _lock_backend(config: Config, jobs_db: Database, launches: LaunchStore, clock: Clock) -> AsyncIterator[Locks]:
    """The configured backend; redis is imported only when it is asked for."""
    lease = config.locks.lease_seconds
    if config.locks.backend == "sqlite":
        own = SqliteLocks(jobs_db, clock, lease_seconds=lease)
        await own.raise_fence(await launches.fence())  # another backend may have been here before
        yield own
        return
    from launchd.locks.redis import RedisLocks  # noqa: PLC0415 - see above

    files = (config.redis.password_file, config.redis.sentinel_password_file)
    password, sentinels = (configuration.read_secret(file) if file is not None else None for file in files)
    url = config.redis.url or ""
    shared = RedisLocks(url, clock, password=password, sentinel_password=sentinels, lease_seconds=lease)
    shared.raise_fence(await launches.fence())
    try:
        yield shared
    finally:
        await shared.close()


async def _recover(jobs: JobStore, locks: LockManager, clock: Clock) -> None:
    """One daemon owns the directory, so whatever another instance ran or held is over."""
    voided = 0
    try:
        voided = await locks.recover()
    except LaunchdError as error:
        _log.error("locks_unavailable", error=error.detail, detail="jobs that need a lock wait")
    rescued = await jobs.rescue(clock.now())
    if any(rescued) or voided:
        _log.warning("rescued", voided_locks=voided, **rescued._asdict())


async def _stop(parts: _Parts, scheduler: asyncio.Task[None] | None, hurry: asyncio.Event) -> None:
    """No new fires, no new claims, drain, cancel, put back on disk: in this order, within bounds."""
    parts.life.stopping, parts.life.leader = True, False
    notify("STOPPING=1")
    if scheduler is not None:
        scheduler.cancel()
    pools = list(parts.dispatcher.pools.values())
    for pool in pools:
        pool.closing = True
    running = sum(len(pool.running) for pool in pools)
    _log.info("stopping", running=running, drain_seconds=parts.in_force.config.daemon.drain_seconds)
    async with extending(parts.clock, lambda: f"draining: {sum(len(pool.running) for pool in pools)} running"):
        await _drain(parts, pools, hurry)
    parts.monitor.stop()
    await parts.locks.close()
    if not await parts.executor.close(1.0):
        _log.error("task_thread_blocked", detail="a task blocks its loop; it ends with this process")


async def _drain(parts: _Parts, pools: list[Pool], hurry: asyncio.Event) -> None:
    """Wait for what runs, then cancel it, then put back what is left."""

    async def idle() -> None:
        await asyncio.gather(*(pool.idle() for pool in pools))

    daemon = parts.in_force.config.daemon
    if not await _within(idle(), daemon.drain_seconds, hurry, parts.clock):
        for pool in pools:
            pool.stop_all(Stop.DRAIN)
        if not await _within(idle(), daemon.cancel_seconds, hurry, parts.clock):
            abandoned = [await pool.abandon(parts.clock.now()) for pool in pools]
            _log.warning("put_back", jobs=sum(abandoned))


async def _within(work: Awaitable[None], seconds: float, hurry: asyncio.Event, clock: Clock) -> bool:
    """Whether the work was done before the time was up or somebody was in a hurry."""
    done = asyncio.ensure_future(work)
    others = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(hurry.wait())]
    try:
        await asyncio.wait([done, *others], return_when=asyncio.FIRST_COMPLETED)
        return done.done()
    finally:
        for future in (done, *others):
            future.cancel()


async def try_out(config: Config, scratch: Path) -> tuple[int, int]:
    """Load tasks and schedules beside a scratch state directory; how many there are."""
    clock = SystemClock()
    async with (
        open_database(scratch / "jobs.db", "jobs", clock) as jobs_db,
        open_database(scratch / "launches.db", "launches", clock) as launches_db,
    ):
        tracker = _tracker(config, launches_db, clock, Bus())
        port, jobs = EnginePort(asyncio.get_running_loop()), JobStore(jobs_db, "check")
        await asyncio.to_thread(partial(open_targets, config.alerts.urls, checking=True))
        current = Current(InForce(config))
        sender = send_task(AlertStore(jobs_db, current.alerts, IdMaker()), Targets(), clock)
        own = _built_in(current, port, Health(clock), jobs, clock)
        built_in = [*own, backup_task(_backups(config, current, clock)), sender]
        tasks = load_tasks(config, [*built_in, *launch_tasks(tracker)])
        return len(tasks), len(plan_schedules(config, tasks))
