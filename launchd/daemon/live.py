"""What of a new configuration a running engine takes up: schedules, the sizes of the queues it has, alerts.

All that can be wrong with it is found before anything is changed.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from launchd.alerts.alerting import Alerting
from launchd.alerts.targets import open_targets
from launchd.config import Config
from launchd.engine.firing.loading import Options, plan_schedules, pool_sizes
from launchd.engine.firing.scheduler import Scheduler
from launchd.engine.queues.pool import Pool
from launchd.task import Task


class Live(NamedTuple):
    """The parts of a running engine that a new configuration changes. What runs is not touched."""

    tasks: Mapping[str, Task]
    scheduler: Scheduler
    pools: Mapping[str, Pool]
    options: Options
    alerting: Alerting

    async def apply(self, config: Config) -> None:
        """Take up the schedules by name (a changed one starts from now), resize pools, tell others of alerts.

        Raises ConfigError before anything is changed, StoreError when it cannot be written.
        """
        planned, sizes = plan_schedules(config, self.tasks), pool_sizes(config, self.options)
        targets = await asyncio.to_thread(open_targets, config.alerts.urls)
        await self.scheduler.load(planned, starting=False)
        await self.alerting.switch(targets)
        for name, (concurrency, rate) in sizes.items():
            pool = self.pools.get(name)
            if pool is None:
                continue
            pool.concurrency = concurrency
            pool.set_rate(rate)
            pool.wake()
