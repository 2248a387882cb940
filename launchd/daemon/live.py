"""The configuration of a running daemon: how its parts read it, and how a new one is applied to them."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from launchd import config as configuration
from launchd.alerts.alerting import Alerting
from launchd.alerts.rules import Rule
from launchd.alerts.store import Limits
from launchd.alerts.targets import open_targets
from launchd.backup.backup import BackupRules
from launchd.config import Config
from launchd.daemon.launches import identity
from launchd.engine.builtin import Keeping
from launchd.engine.firing.loading import Options, plan_schedules, pool_sizes
from launchd.engine.firing.scheduler import Scheduler
from launchd.engine.queues.pool import Pool
from launchd.launches.sources import SOURCES
from launchd.launches.tasks import Tracker
from launchd.ops.reload import InForce
from launchd.task import Task


class Current:
    """Readings of the configuration in force, for parts that ask whenever they need one. May be asked by any thread."""

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._in_force.config

    def keeping(self) -> Keeping:
        """How long rows are kept after their end."""
        daemon = self.config.daemon
        return Keeping(
            daemon.keep_succeeded_days, daemon.keep_failed_days, daemon.keep_ledger_days, daemon.keep_audit_days
        )

    def backups(self) -> BackupRules:
        """Where scheduled backups go, and how many are kept."""
        daemon = self.config.daemon
        return BackupRules(self.config.backup_directory, daemon.keep_backup_files, daemon.minimum_free_mib)

    def alerts(self) -> Limits:
        """The rules that are on, and the most alerts an hour."""
        alerts = self.config.alerts
        return Limits(frozenset(rule for rule in Rule if getattr(alerts.rules, rule.value, False)), alerts.max_per_hour)

    def minimum_free_mib(self) -> int:
        """How much space must be left on the disk."""
        return self.config.daemon.minimum_free_mib

    def stall_kill_seconds(self) -> float:
        """How long a loop may be blocked before the daemon is restarted."""
        return self.config.daemon.stall_kill_seconds


class Live(NamedTuple):
    """The parts of a running daemon that a new configuration changes. Running jobs are not touched.

    `reloaded` is called with a configuration that was applied.
    """

    tasks: Mapping[str, Task]
    scheduler: Scheduler
    pools: Mapping[str, Pool]
    options: Options
    alerting: Alerting
    tracker: Tracker
    reloaded: Callable[[Config], None]

    async def apply(self, config: Config) -> None:
        """Apply schedules by name (a changed one starts from now), sizes of queues, targets of alerts, and sources.

        Raises ConfigError before anything is changed, StoreError when the schedules cannot be written.
        """
        planned, sizes = plan_schedules(config, self.tasks), pool_sizes(config, self.options)
        targets = await asyncio.to_thread(open_targets, config.alerts.urls)
        await self.scheduler.load(planned, starting=False)
        await self.alerting.switch(targets)
        for name, (concurrency, rate) in sizes.items():
            pool = self.pools.get(name)
            if pool is not None:
                pool.resize(concurrency, rate)
        self.tracker.configure(config.sources, identity(config), config.schedules.values())
        self.reloaded(config)


def reader_of(config: Config) -> Callable[[], Config]:
    """A function that reads the file of a configuration again; one without a file stays as it is."""

    def read() -> Config:
        return configuration.load(Path(config.path), sources=SOURCES) if config.path else config

    return read
