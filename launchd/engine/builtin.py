"""The engine's own tasks: `health_check`, `prune` and `backup`."""

from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from launchd.backup.backup import Backups
from launchd.clock import DAY, SECOND, Clock
from launchd.engine.port import await_on
from launchd.logger import get_logger
from launchd.ops.health import HealthReport, Level
from launchd.store.idempotency import IDEMPOTENCY_SECONDS
from launchd.store.jobs import JobStore
from launchd.task import Context, Task, task

_log = get_logger("launchd.health")
# Rows deleted in one commit: the writer is free again after a few milliseconds.
PRUNE_BATCH = 500


class Keeping(NamedTuple):
    """For how many days rows are kept after their end."""

    succeeded: float
    failed: float
    ledger: float
    audit: float


def health_task(control_loop: AbstractEventLoop, report: Callable[[], Awaitable[HealthReport]]) -> Task:
    """The task that runs the health checks and logs every finding."""

    @task(queue="monitoring", max_retries=0, timeout=60)
    async def health_check(_ctx: Context) -> dict[str, Any]:
        """Check database, locks, sources, disk and queues."""
        found = await await_on(control_loop, report)
        for name, check in found.checks.items():
            if check.level is not Level.HEALTHY:
                _log.warning("health", check=name, level=check.level.value, detail=check.detail)
        checks = {name: {"status": check.level.value, "detail": check.detail} for name, check in found.checks.items()}
        return {"status": found.level.value, "checks": checks}

    return health_check


def prune_task(store: JobStore, clock: Clock, how_long: Callable[[], Keeping]) -> Task:
    """The task that deletes expired rows, a small batch at a time."""

    @task(queue="default", max_retries=0)
    async def prune(ctx: Context) -> dict[str, int]:
        """Delete ended jobs, ledger rows, idempotency keys and audit rows that are older than they are kept."""
        now, keeping = clock.now(), how_long()
        jobs = await store.prune(
            succeeded_before=now - int(keeping.succeeded * DAY),
            others_before=now - int(keeping.failed * DAY),
            limit=PRUNE_BATCH,
        )
        ctx.progress(jobs, note="jobs")
        fires = await store.prune_ledger(
            before=now - int(keeping.ledger * DAY),
            keys_before=now - IDEMPOTENCY_SECONDS * SECOND,
            limit=PRUNE_BATCH,
        )
        audit = await store.prune_audit(before=now - int(keeping.audit * DAY), limit=PRUNE_BATCH)
        return {"jobs": jobs, "fires": fires, "audit": audit}

    return prune


def backup_task(backups: Backups) -> Task:
    """The task that keeps the last few backups on this machine."""

    @task(queue="default", max_retries=1, timeout=3600)
    def backup(_ctx: Context) -> dict[str, Any]:
        """Back up both databases into one file, and remove the oldest ones."""
        taken = backups.take()
        return {"file": str(taken.path), "size_bytes": taken.size_bytes, "removed": taken.removed}

    return backup
