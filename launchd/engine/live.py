"""What of a new configuration a running engine can take up: its schedules, and the sizes of the queues it has."""

from collections.abc import Mapping
from typing import NamedTuple

from launchd.config import Config
from launchd.engine.loading import Options, plan_schedules, pool_sizes
from launchd.engine.pool import Pool
from launchd.engine.scheduler import Scheduler
from launchd.task import Task


class Live(NamedTuple):
    """The parts of a running engine that a new configuration changes. What runs is not touched."""

    tasks: Mapping[str, Task]
    scheduler: Scheduler
    pools: Mapping[str, Pool]
    options: Options

    async def apply(self, config: Config) -> None:
        """Take up the schedules by name (a changed one starts from now) and resize pools.

        Raises ConfigError before anything is changed, StoreError when the schedules cannot be written.
        """
        planned, sizes = plan_schedules(config, self.tasks), pool_sizes(config, self.options)
        await self.scheduler.load(planned, starting=False)
        for name, (concurrency, rate) in sizes.items():
            pool = self.pools.get(name)
            if pool is None:
                continue
            pool.concurrency = concurrency
            pool.set_rate(rate)
            pool.wake()
