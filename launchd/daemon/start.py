"""The start of a daemon: rescue jobs of a dead instance, load the stored state, start the monitor; in this order."""

from collections.abc import Iterable, Sequence

from launchd.alerts.targets import Target
from launchd.clock import Clock
from launchd.daemon.build import Parts
from launchd.daemon.stop_mark import StopMark
from launchd.engine.firing.loading import plan_schedules
from launchd.engine.queues.pool import Pool
from launchd.errors import LaunchdError
from launchd.locks.availability import within
from launchd.locks.manager import LockManager
from launchd.logger import get_logger
from launchd.store.jobs import JobStore
from launchd.store.queues import QueueStore

_log = get_logger("launchd.daemon")
# How long a start waits for the lock backend: work that needs no lock need not wait longer.
_RECOVER_SECONDS = 2.0


async def start(parts: Parts, targets: Sequence[Target]) -> None:
    """Start the parts, with these targets of alerts. Raises ConfigError before anything is written, StoreError."""
    try:
        await _start(parts, targets)
    except BaseException:
        await parts.engine.dispatcher.executor.close(1.0)  # its threads would outlive this start
        raise


async def _start(parts: Parts, targets: Sequence[Target]) -> None:
    config, clock = parts.in_force.config, parts.clock
    base, engine, oversight = parts.base, parts.engine, parts.oversight
    planned = plan_schedules(config, base.maker.tasks)
    set_by = await engine.timekeeper.start()  # before anything is due by a clock that was set
    await oversight.alerting.switch(targets)  # before anything ends
    mark = StopMark(config.state_directory)
    await _recover(base.stores.jobs, engine.locks, clock, mark.stopped())
    mark.begin(base.daemon_state.instance)
    await oversight.fires.begin()  # before anything fires
    await engine.scheduler.load(planned, set_by=set_by)
    await _restore(engine.dispatcher.pools.values(), base.stores.queues, clock)
    oversight.monitor.start()


async def _recover(jobs: JobStore, locks: LockManager, clock: Clock, stopped: str | None) -> None:
    """Rescue the jobs and void the locks of other instances: one daemon owns the directory, so theirs are over.

    `stopped` is an instance that has not crashed.
    """
    voided = 0
    try:
        voided = await within(_RECOVER_SECONDS, locks.recover())
    except LaunchdError as error:
        locks.availability.failed(error.detail)
    rescued = await jobs.rescue(clock.now(), stopped)
    if any(rescued) or voided:
        _log.warning("rescued", voided_locks=voided, **rescued._asdict())


async def _restore(pools: Iterable[Pool], store: QueueStore, clock: Clock) -> None:
    """Restore each queue from the store: the starts that count for its rate, and its pause."""
    ages, pauses = await store.start_ages(clock.now()), await store.pauses()
    for pool in pools:
        pool.recall(ages.get(pool.queue, ()))
        pool.paused, pool.note = pauses.get(pool.queue, (False, None))
