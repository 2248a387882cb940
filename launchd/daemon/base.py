"""The base of a daemon: its identity, its stores, its launch data, and the tasks that work on them."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

import launchd
from launchd.alerts.alerting import send_task
from launchd.alerts.targets import CurrentTargets
from launchd.backup.backup import Backups
from launchd.clock import Clock
from launchd.daemon.launches import launch_tracker
from launchd.daemon.live import Current
from launchd.daemon.stores import Databases, Stores, make_stores
from launchd.engine.builtin import backup_task, health_task, prune_task
from launchd.engine.daemon_state import DaemonState
from launchd.engine.events.bus import Bus
from launchd.engine.events.publisher import Publisher
from launchd.engine.firing.loading import load_tasks
from launchd.engine.maker import JobMaker
from launchd.job import IdMaker
from launchd.launches.tasks import Tracker, launch_tasks
from launchd.ops.health import Health
from launchd.task import Task


class Base(NamedTuple):
    """The parts that tasks use, and the maker of jobs that knows all tasks. `targets` are where alerts go."""

    bus: Bus
    publisher: Publisher
    daemon_state: DaemonState
    stores: Stores
    tracker: Tracker
    health: Health
    backups: Backups
    targets: CurrentTargets
    maker: JobMaker


def make_base(*, current: Current, clock: Clock, databases: Databases, tasks: Iterable[Task]) -> Base:
    """Make the base; `tasks` are added to those of the daemon and of the configuration. Raises ConfigError."""
    config, new_id, targets, bus = current.config, IdMaker(), CurrentTargets(), Bus()
    publisher = Publisher(bus, clock)
    daemon_state = DaemonState(new_id(clock.now()), launchd.__version__, clock)
    stores = make_stores(databases, instance=daemon_state.instance, bounds=current.alerts, new_id=new_id)
    tracker = launch_tracker(config=config, stores=stores, clock=clock, bus=bus)
    health = Health(clock, publisher.health_changed)
    backups = Backups(config.state_directory, current.backups, version=daemon_state.version, clock=clock)
    own = [
        health_task(asyncio.get_running_loop(), health.report),
        prune_task(stores.jobs, clock, current.keeping),
        backup_task(backups),
        send_task(stores.alerts, targets, clock),
        *launch_tasks(tracker),
    ]
    return Base(
        bus=bus,
        publisher=publisher,
        daemon_state=daemon_state,
        stores=stores,
        tracker=tracker,
        health=health,
        backups=backups,
        targets=targets,
        maker=JobMaker(load_tasks(config, [*own, *tasks]), config.queues, new_id),
    )
