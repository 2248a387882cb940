"""Makes the parts of the engine, in order of need, and takes back what a dead instance left."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import launchd
from launchd.admin.metrics import Metered
from launchd.alerts.alerting import Alerting, Facts, alerts_check, send_task
from launchd.alerts.store import AlertStore
from launchd.alerts.targets import CurrentTargets, Target
from launchd.backup.backup import Backups
from launchd.clock import Clock
from launchd.daemon.current import Current
from launchd.daemon.outside import provider_of
from launchd.daemon.stop_mark import StopMark
from launchd.db.database import Database
from launchd.engine.attempts.executor import Executor
from launchd.engine.attempts.guard import Guard
from launchd.engine.attempts.stall import StallMonitor, Watched
from launchd.engine.builtin import backup_task, health_task, prune_task
from launchd.engine.checks.jobs import dispatcher_check
from launchd.engine.checks.loops import loop_check, scheduler_check
from launchd.engine.checks.sources import Sources, sources_check
from launchd.engine.control import Control
from launchd.engine.events.bus import Bus
from launchd.engine.events.feed import Feed
from launchd.engine.firing.loading import Options, load_tasks, plan_schedules, pool_sizes
from launchd.engine.firing.scheduler import Scheduler, Told
from launchd.engine.firing.timekeeper import Timekeeper
from launchd.engine.lifecycle import Lifecycle
from launchd.engine.maker import JobMaker
from launchd.engine.port import EnginePort
from launchd.engine.queues.pool import Pool
from launchd.engine.queues.pools import Dispatcher
from launchd.engine.queues.reaper import Reaper
from launchd.engine.queues.shared import Shared, Watch
from launchd.engine.vitals import Vitals
from launchd.errors import LaunchdError
from launchd.job import IdMaker
from launchd.launches.approach import Approaches
from launchd.launches.source_store import SourceStore
from launchd.launches.store import LaunchStore
from launchd.launches.tasks import Tracker, launch_tasks
from launchd.lock import Locks
from launchd.locks.manager import LockManager
from launchd.locks.reach import within
from launchd.logger import get_logger
from launchd.ops.checks import database_check, disk_check, locks_check
from launchd.ops.health import Check, Health
from launchd.ops.reload import InForce
from launchd.ops.tally import FireCount, LagMeter, Tally
from launchd.rate import Rate
from launchd.store.clock import ClockStore
from launchd.store.jobs import JobStore
from launchd.store.queues import QueueStore
from launchd.store.schedules import ScheduleStore
from launchd.store.upkeep import UpkeepStore
from launchd.task import Task

_log = get_logger("launchd.daemon")
# How long a start waits for the lock backend: work that needs no lock need not wait longer.
_RECOVER_SECONDS = 2.0


class Given(NamedTuple):
    """What stands before the engine is made: opened, read and wanted by `running`."""

    in_force: InForce
    options: Options
    clock: Clock
    databases: tuple[Database, Database]
    backend: Locks
    tracker: Tracker
    approaches: Approaches
    bus: Bus
    tasks: Iterable[Task]
    targets: Sequence[Target]


class Ground(NamedTuple):
    """What every other part stands on."""

    current: Current
    new_id: IdMaker
    life: Lifecycle
    backups: Backups
    alerts: AlertStore
    jobs: JobStore
    schedules: ScheduleStore
    health: Health
    port: EnginePort
    dispatcher: Dispatcher


@dataclass(frozen=True, slots=True)
class Parts:
    """What `running` drives and `stop` ends."""

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
    health: Health
    timekeeper: Timekeeper


async def build(given: Given) -> Parts:
    """Make the parts, take back what a dead instance ran, and load what is remembered; raises ConfigError before."""
    config, clock, bus, ground = given.in_force.config, given.clock, given.bus, make_ground(given)
    targets = CurrentTargets()
    tasks = load_all(given, ground, targets)
    planned, sizes = plan_schedules(config, tasks), pool_sizes(config, given.options)
    maker = JobMaker(tasks, config.queues, ground.new_id)
    locks = await _locks(given, ground)
    alerting = _alerting(given, ground, targets, maker)
    timekeeper = Timekeeper(clock, ClockStore(given.databases[0]), SourceStore(given.databases[1]).not_after)
    set_by = await timekeeper.start()  # before anything is due by a clock that was set
    await alerting.switch(given.targets)  # before anything ends
    mark = StopMark(config.state_directory)
    await _recover(ground.jobs, locks, clock, mark.stopped())
    mark.begin(ground.life.instance)
    scheduler, fires = _scheduler(given, ground, tasks, maker), FireCount(given.databases[0])
    await fires.begin()
    await scheduler.load(planned, set_by=set_by)
    executor = ground.dispatcher.executor = Executor(clock, ground.dispatcher.report, Guard(config.state_directory))
    await _open_pools(given, ground, sizes, _shared(given, ground, locks, executor, tasks))
    pools = ground.dispatcher.pools
    reaper = ground.dispatcher.reaper = Reaper(clock, ground.jobs, executor, pools, bus, check_clock=timekeeper.check)
    timekeeper.on_shift = partial(reaper.later, 0)  # others may be due first now
    monitor = _monitor(executor, ground.current.stall_kill_seconds)
    control = Control(
        clock=clock,
        life=ground.life,
        tasks=tasks,
        maker=maker,
        databases=given.databases,
        jobs=ground.jobs,
        schedules=ground.schedules,
        queue_store=QueueStore(given.databases[0]),
        scheduler=scheduler,
        dispatcher=ground.dispatcher,
        executor=executor,
        locks=locks,
        lock_backend=config.locks.backend,
        health=ground.health,
        bus=bus,
        check_sources=given.tracker.check_sources,
    )
    ground.port.trigger_job = control.trigger_from_task
    ground.health.add("alerts", alerts_check(alerting, ground.alerts))
    for name, check in _checks(given, ground, locks, scheduler, monitor).items():
        ground.health.add(name, check)
    return Parts(
        given.in_force,
        clock,
        ground.life,
        ground.dispatcher,
        executor,
        locks,
        scheduler,
        reaper,
        monitor,
        control,
        _vitals(given, ground, control, scheduler, monitor),
        _metered(given, control, pools, scheduler, monitor=monitor, fires=fires),
        _feed(given, ground),
        ground.backups,
        alerting,
        ground.health,
        timekeeper,
    )


def make_ground(given: Given) -> Ground:
    """Nothing of it does anything yet."""
    new_id, clock, jobs_db, current = IdMaker(), given.clock, given.databases[0], Current(given.in_force)
    life = Lifecycle(new_id(clock.now()), launchd.__version__, clock)
    health, dispatcher = Health(clock), Dispatcher(clock, given.bus)
    health.on_change = dispatcher.health_changed
    return Ground(
        current,
        new_id,
        life,
        Backups(given.in_force.config.state_directory, current.backups, version=launchd.__version__, clock=clock),
        AlertStore(jobs_db, current.alerts, new_id),
        JobStore(jobs_db, life.instance),
        ScheduleStore(jobs_db),
        health,
        EnginePort(asyncio.get_running_loop()),
        dispatcher,
    )


def load_all(given: Given, ground: Ground, targets: CurrentTargets) -> dict[str, Task]:
    """Every task by its name: the engine's own, those of launch data, those of the operator. Raises ConfigError."""
    own = [
        health_task(ground.port, ground.health.report),
        prune_task(ground.jobs, given.clock, ground.current.keeping),
        backup_task(ground.backups),
        send_task(ground.alerts, targets, given.clock),
    ]
    return load_tasks(given.in_force.config, [*own, *launch_tasks(given.tracker), *given.tasks])


async def _locks(given: Given, ground: Ground) -> LockManager:
    return LockManager(
        given.backend,
        given.clock,
        f"{await ground.jobs.node():x}:{ground.life.instance}",
        on_loss=ground.dispatcher.lock_lost,
        on_free=ground.dispatcher.lock_freed,
        lease_seconds=given.in_force.config.locks.lease_seconds,
        tell=ground.dispatcher.lock_changed,
    )


def _alerting(given: Given, ground: Ground, targets: CurrentTargets, maker: JobMaker) -> Alerting:
    launches = LaunchStore(given.databases[1])
    return Alerting(
        given.clock,
        lambda: given.in_force.config.alerts,
        ground.alerts,
        Facts(ground.health, ground.jobs, given.tracker.last_success, provider_of(launches)),
        targets=targets,
        bus=given.bus,
        maker=maker,
        made=ground.dispatcher.made,
    )


async def _recover(jobs: JobStore, locks: LockManager, clock: Clock, stopped: str | None) -> None:
    """One daemon owns the directory, so whatever another instance ran or held is over; `stopped` had no crash."""
    voided = 0
    try:
        voided = await within(_RECOVER_SECONDS, locks.recover())
    except LaunchdError as error:
        locks.reach.failed(error.detail)
    rescued = await jobs.rescue(clock.now(), stopped)
    if any(rescued) or voided:
        _log.warning("rescued", voided_locks=voided, **rescued._asdict())


def _scheduler(given: Given, ground: Ground, tasks: Mapping[str, Task], maker: JobMaker) -> Scheduler:
    dispatcher, clock = ground.dispatcher, given.clock
    told = Told(
        dispatcher.made,
        dispatcher.cancel,
        dispatcher.recorded,
        expect=lambda due: dispatcher.expect(tasks[schedule.task].queue for schedule in due),
    )
    scheduler = Scheduler(
        clock,
        ground.schedules,
        lambda schedule, fire: maker.fired(schedule, fire, clock.now()),
        told,
        given.approaches.near,
    )
    given.tracker.on_change = _on_loop(scheduler.look_again, given.approaches.look_again)
    return scheduler


def _on_loop(*acts: Callable[[], None]) -> Callable[[], None]:
    """To be called on any loop; acts on this one."""
    loop = asyncio.get_running_loop()

    def call() -> None:
        for act in acts:
            loop.call_soon_threadsafe(act)

    return call


def _shared(given: Given, ground: Ground, locks: LockManager, executor: Executor, tasks: Mapping[str, Task]) -> Shared:
    watch = Watch(ground.dispatcher.started, ground.dispatcher.later)
    return Shared(given.clock, ground.jobs, locks, executor, tasks, ground.port, given.bus, watch)


async def _open_pools(
    given: Given, ground: Ground, sizes: Mapping[str, tuple[int, Rate | None]], shared: Shared
) -> None:
    """A pool for each queue, with what is remembered of it: what started under its rate, and whether it is paused."""
    pools = ground.dispatcher.pools
    pools |= {name: Pool(name, concurrency, shared, rate) for name, (concurrency, rate) in sizes.items()}
    remembered = QueueStore(given.databases[0])
    for name, ages in (await remembered.start_ages(given.clock.now())).items():
        if name in pools:
            pools[name].recall(ages)
    for name, (paused, note) in (await remembered.pauses()).items():
        if name in pools:
            pools[name].paused, pools[name].note = paused, note


def _monitor(executor: Executor, kill_seconds: Callable[[], float]) -> StallMonitor:
    """Watches both loops: a task may block its own, nothing should ever block ours."""
    monitor = StallMonitor(kill_seconds)
    control_thread = threading.get_ident()
    monitor.watch(
        Watched("task loop", lambda: executor.loop, lambda: executor.thread_id, lambda: executor.steps.attempt)
    )
    control_loop = asyncio.get_running_loop()
    monitor.watch(Watched("control loop", lambda: control_loop, lambda: control_thread, lambda: None))
    monitor.start()
    return monitor


def _checks(
    given: Given, ground: Ground, locks: LockManager, scheduler: Scheduler, monitor: StallMonitor
) -> dict[str, Check]:
    config, clock, pools, tracker = given.in_force.config, given.clock, ground.dispatcher.pools, given.tracker

    def faults() -> dict[str, str]:
        return {name: detail for pool in pools.values() for name, detail in pool.locked.faults().items()}

    sources = Sources(tracker.health, tracker.last_attempts)
    return {
        "database": database_check(given.databases),
        "locks": locks_check(locks, config.locks.backend, clock, faults),
        "scheduler": scheduler_check(scheduler, clock, enabled=given.options.scheduler),
        "dispatcher": dispatcher_check(pools, ground.jobs, UpkeepStore(given.databases[0]), clock),
        "event_loop": loop_check(monitor),
        "sources": sources_check(sources, scheduler.entries, pools, clock, ground.life.started_at),
        "disk": disk_check(config.state_directory, config.backup_directory, ground.current.minimum_free_mib),
    }


def _vitals(given: Given, ground: Ground, control: Control, scheduler: Scheduler, monitor: StallMonitor) -> Vitals:
    return Vitals(
        given.clock,
        control,
        ground.life,
        ground.dispatcher.pools,
        given.databases,
        scheduler=scheduler if given.options.scheduler else None,
        objection=monitor.objection,
    )


def _metered(
    given: Given,
    control: Control,
    pools: Mapping[str, Pool],
    scheduler: Scheduler,
    *,
    monitor: StallMonitor,
    fires: FireCount,
) -> Metered:
    tally = Tally()
    given.bus.count(tally.heard)
    return Metered(
        control=control,
        pools=pools,
        schedules=scheduler.entries,
        databases=given.databases,
        sources=given.tracker.sources,
        fetches=given.tracker.fetches,
        monitor=monitor,
        tally=tally,
        fires=fires,
        lag=LagMeter(),
    )


def _feed(given: Given, ground: Ground) -> Feed:
    # a name of this run: the milliseconds of its UUIDv7
    run = ground.life.instance.replace("-", "")[:12]
    return Feed(given.bus, given.clock, run, ground.health, ground.dispatcher.attempts)
