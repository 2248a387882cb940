"""The engine of a daemon, made in order of need: queues, schedules, and the control over both."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from launchd.clock import Clock
from launchd.config import Config
from launchd.daemon.base import Base
from launchd.daemon.stores import Stores
from launchd.engine.attempts.executor import Executor
from launchd.engine.attempts.guard import Guard
from launchd.engine.control import Control
from launchd.engine.events.publisher import Publisher
from launchd.engine.firing.callbacks import FireCallbacks, NearBy
from launchd.engine.firing.loading import Options, pool_sizes
from launchd.engine.firing.scheduler import Scheduler
from launchd.engine.firing.timekeeper import Timekeeper
from launchd.engine.maker import JobMaker
from launchd.engine.port import EnginePort
from launchd.engine.queues.dependencies import Dependencies
from launchd.engine.queues.pool import Pool
from launchd.engine.queues.pools import Dispatcher, report_to
from launchd.engine.queues.reaper import Reaper
from launchd.lock import Locks
from launchd.locks.manager import LockManager
from launchd.rate import Rate


class Engine(NamedTuple):
    """The parts that make, run and end jobs."""

    dispatcher: Dispatcher
    timekeeper: Timekeeper
    locks: LockManager
    scheduler: Scheduler
    control: Control


def make_engine(
    *,
    config: Config,
    options: Options,
    clock: Clock,
    base: Base,
    backend: Locks,
    owner: str,
    near_by: NearBy,
) -> Engine:
    """Make the engine. Only the threads of its executor run yet. Raises ConfigError before they do."""
    sizes, stores, publisher, maker = pool_sizes(config, options), base.stores, base.publisher, base.maker
    # pools start attempts on the executor, which reports their ends to the pools: the dict is filled below
    pools: dict[str, Pool] = {}
    executor = Executor(clock, report_to(pools), Guard(config.state_directory))
    # the reaper calls the timekeeper, which calls it back after the clock was set: other jobs may be due first then
    timekeeper = Timekeeper(clock, stores.clock, stores.sources.not_after, on_shift=lambda: reaper.later(0))
    reaper = Reaper(clock, stores.jobs, executor, pools, base.bus, check_clock=timekeeper.check)
    dispatcher = Dispatcher(pools=pools, executor=executor, reaper=reaper, publisher=publisher)
    locks = make_locks(
        backend=backend, clock=clock, owner=owner, config=config, dispatcher=dispatcher, publisher=publisher
    )
    scheduler = make_scheduler(
        clock=clock, stores=stores, maker=maker, dispatcher=dispatcher, publisher=publisher, near_by=near_by
    )
    control = Control(
        clock=clock,
        daemon_state=base.daemon_state,
        maker=maker,
        databases=stores.databases,
        jobs=stores.jobs,
        schedules=stores.schedules,
        queue_store=stores.queues,
        scheduler=scheduler,
        dispatcher=dispatcher,
        locks=locks,
        lock_backend=config.locks.backend,
        health=base.health,
        bus=base.bus,
        check_sources=base.tracker.check_sources,
    )
    port = EnginePort(asyncio.get_running_loop(), control.trigger_from_task)
    pools |= make_pools(sizes, clock=clock, base=base, locks=locks, dispatcher=dispatcher, port=port)
    return Engine(dispatcher=dispatcher, timekeeper=timekeeper, locks=locks, scheduler=scheduler, control=control)


def make_locks(
    *, backend: Locks, clock: Clock, owner: str, config: Config, dispatcher: Dispatcher, publisher: Publisher
) -> LockManager:
    """The locks of this daemon: a lost lock stops its job, a freed one wakes the pools."""
    return LockManager(
        backend,
        clock,
        owner,
        on_loss=dispatcher.lock_lost,
        on_free=dispatcher.lock_freed,
        lease_seconds=config.locks.lease_seconds,
        on_change=publisher.lock_changed,
    )


def make_scheduler(
    *, clock: Clock, stores: Stores, maker: JobMaker, dispatcher: Dispatcher, publisher: Publisher, near_by: NearBy
) -> Scheduler:
    """The scheduler: its fires wake the queues of their tasks."""
    callbacks = FireCallbacks(
        dispatcher.made,
        dispatcher.cancel,
        publisher.fires_recorded,
        expect=lambda due: dispatcher.expect(maker.tasks[schedule.task].queue for schedule in due),
    )
    return Scheduler(
        clock, stores.schedules, lambda schedule, fire: maker.fired(schedule, fire, clock.now()), callbacks, near_by
    )


def make_pools(
    sizes: Mapping[str, tuple[int, Rate | None]],
    *,
    clock: Clock,
    base: Base,
    locks: LockManager,
    dispatcher: Dispatcher,
    port: EnginePort,
) -> dict[str, Pool]:
    """A pool for each queue, with its slots and its rate."""
    needs = Dependencies(
        clock=clock,
        store=base.stores.jobs,
        locks=locks,
        executor=dispatcher.executor,
        tasks=base.maker.tasks,
        port=port,
        bus=base.bus,
        started=dispatcher.started,
        later=dispatcher.reaper.later,
    )
    return {name: Pool(name, concurrency, needs, rate) for name, (concurrency, rate) in sizes.items()}
