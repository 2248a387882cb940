"""The parts that watch over a daemon: alerts, the monitor of its loops, and the health checks."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from launchd.alerts.alerting import Alerting, Facts, alerts_check
from launchd.clock import Clock
from launchd.daemon.base import Base
from launchd.daemon.engine import Engine
from launchd.daemon.live import Current
from launchd.engine.attempts.executor import Executor
from launchd.engine.attempts.stall import MonitoredLoop, StallMonitor
from launchd.engine.checks.jobs import dispatcher_check
from launchd.engine.checks.loops import loop_check, scheduler_check
from launchd.engine.checks.sources import Sources, sources_check
from launchd.launches import registry
from launchd.launches.store import LaunchStore
from launchd.ops.checks import database_check, disk_check, locks_check
from launchd.ops.tally import FireCount


class Oversight(NamedTuple):
    """Alerting, the monitor of blocked loops, and the count of fires."""

    alerting: Alerting
    monitor: StallMonitor
    fires: FireCount


def make_oversight(*, current: Current, clock: Clock, base: Base, engine: Engine, scheduler_enabled: bool) -> Oversight:
    """Make the parts that watch over the base and the engine, and add the health checks in the order of their list."""
    config, stores, health, pools = current.config, base.stores, base.health, engine.dispatcher.pools
    alerting = Alerting(
        clock,
        lambda: current.config.alerts,
        stores.alerts,
        Facts(health, stores.jobs, base.tracker.last_success, provider_names(stores.launches)),
        targets=base.targets,
        bus=base.bus,
        maker=base.maker,
        made=engine.dispatcher.made,
    )
    monitor = make_monitor(engine.dispatcher.executor, current.stall_kill_seconds)

    def faults() -> dict[str, str]:
        return {name: detail for pool in pools.values() for name, detail in pool.locked.faults().items()}

    schedules, started_at = engine.scheduler.entries, base.daemon_state.started_at
    sources = Sources(base.tracker.health, base.tracker.last_attempts)
    health.add("alerts", alerts_check(alerting, stores.alerts))
    health.add("database", database_check(stores.databases))
    health.add("locks", locks_check(engine.locks, config.locks.backend, clock, faults))
    health.add("scheduler", scheduler_check(engine.scheduler, clock, enabled=scheduler_enabled))
    health.add("dispatcher", dispatcher_check(pools, stores.jobs, stores.upkeep, clock))
    health.add("event_loop", loop_check(monitor))
    health.add("sources", sources_check(sources, schedules, pools, clock, started_at))
    health.add("disk", disk_check(config.state_directory, config.backup_directory, current.minimum_free_mib))
    return Oversight(alerting=alerting, monitor=monitor, fires=FireCount(stores.databases[0]))


def make_monitor(executor: Executor, kill_seconds: Callable[[], float]) -> StallMonitor:
    """A monitor of both loops: a task may block its own, and nothing should ever block the control loop."""
    monitor = StallMonitor(kill_seconds)
    control_loop, control_thread = asyncio.get_running_loop(), threading.get_ident()
    monitor.watch(
        MonitoredLoop("task loop", lambda: executor.loop, lambda: executor.thread_id, lambda: executor.steps.attempt)
    )
    monitor.watch(MonitoredLoop("control loop", lambda: control_loop, lambda: control_thread, lambda: None))
    return monitor


def provider_names(launches: LaunchStore) -> Callable[[str], Awaitable[frozenset[str]]]:
    """A function that gives all names of a launch's provider, and of those that it belongs to, by the launch's id."""

    async def names(launch_id: str) -> frozenset[str]:
        served = (await launches.get(launch_id)).record.launch.provider
        known = None if served is None else registry.provider(served)
        own = frozenset() if served is None else frozenset({served})
        return own if known is None else own.union(*(one.search_words for one in registry.lineage(known)))

    return names
