"""The daemon's health checks that need no knowledge of jobs: database, locks, disk."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from launchd.clock import format_instant
from launchd.db import Database
from launchd.errors import LaunchdError, StoreError
from launchd.lock import Locks
from launchd.ops.health import Check, Finding, Level

_MIB = 1024 * 1024


def database_check(databases: Sequence[Database]) -> Check:
    """Readable, writable, and still the files that were opened."""

    async def check() -> Finding:
        for database in databases:
            failure = await database.probe()
            if failure is not None:
                return Finding(Level.UNHEALTHY, _refused(database, failure))
            try:
                await database.read("SELECT 1")
            except LaunchdError as error:
                return Finding(Level.UNHEALTHY, error.detail)
        return Finding(Level.HEALTHY, f"{len(databases)} databases readable and written")

    return check


def _refused(database: Database, failure: StoreError) -> str:
    at = database.last_error_at
    return failure.detail if at is None else f"writing failed at {format_instant(at)}: {failure.detail}"


def locks_check(locks: Locks, backend: str) -> Check:
    """The lock backend answers."""

    async def check() -> Finding:
        try:
            held = await locks.list()
        except LaunchdError as failure:
            return Finding(Level.DEGRADED, f"{backend}: {failure.detail}; jobs that need a lock wait")
        return Finding(Level.HEALTHY, f"{backend}: {len(held)} held")

    return check


def disk_check(directory: Path, minimum: Callable[[], int]) -> Check:
    """Room is left where the databases are: at least `minimum` MiB."""

    async def check() -> Finding:
        minimum_mib = minimum()
        free = shutil.disk_usage(directory).free // _MIB
        if free < minimum_mib:
            return Finding(Level.DEGRADED, f"{free} MiB free at {directory}, at least {minimum_mib} MiB wanted")
        return Finding(Level.HEALTHY, f"{free} MiB free")

    return check
