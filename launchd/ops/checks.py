"""The health checks of database, locks and disk, which know nothing of jobs."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from launchd.clock import Clock, format_instant
from launchd.db.database import Database
from launchd.errors import LaunchdError, StoreError
from launchd.lock import Lock
from launchd.ops.health import Check, Finding, Level

_MIB = 1024 * 1024
# How long a successful probe of the lock backend counts.
PROBED_SECONDS = 0.5
# Each connection of SQLite, each backup and each log file takes some.
MINIMUM_FILES = 100
_CORRECT = "correct its owner or its mode"


def database_check(databases: Sequence[Database]) -> Check:
    """Both databases can be read and written, and are still the files that were opened."""

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


class LockWork(Protocol):
    """The part of the lock manager that health uses."""

    async def probe(self) -> None:
        """Take, renew and release a lock as jobs do; raises UnavailableError with the step that failed."""

    async def everywhere(self) -> Sequence[Lock]:
        """All locks that are held now; raises UnavailableError."""


def locks_check(locks: LockWork, backend: str, clock: Clock, faults: Callable[[], Mapping[str, str]]) -> Check:
    """A lock can be taken, renewed and released; `faults` gives the locks that jobs cannot take, and why."""
    probed_at: float | None = None

    async def check() -> Finding:
        nonlocal probed_at
        try:
            if probed_at is None or clock.monotonic() - probed_at >= PROBED_SECONDS:
                probed_at = None
                await locks.probe()
                probed_at = clock.monotonic()
            held = await locks.everywhere()
        except LaunchdError as failure:
            return Finding(Level.DEGRADED, f"{backend}: {failure.detail}; jobs that need a lock wait")
        broken = [f"lock {name}: {detail}" for name, detail in sorted(faults().items())]
        if broken:
            return Finding(Level.DEGRADED, f"{backend}: {'; '.join(broken)}; jobs that need it wait")
        return Finding(Level.HEALTHY, f"{backend}: {len(held)} held")

    return check


def disk_check(directory: Path, backups: Path, minimum: Callable[[], int]) -> Check:
    """The databases and the backups can be written, with at least `minimum` MiB left for the databases."""

    def look() -> Finding:
        minimum_mib = minimum()
        space = os.statvfs(directory)
        free = space.f_bavail * space.f_frsize // _MIB
        if space.f_flag & os.ST_RDONLY:
            return Finding(Level.UNHEALTHY, f"{directory} is on a file system that is mounted read-only: remount it")
        if not os.access(directory, os.W_OK | os.X_OK):
            return Finding(Level.UNHEALTHY, f"{directory} cannot be written by this user: {_CORRECT}")
        if free < minimum_mib:
            return Finding(
                Level.DEGRADED, f"{free} MiB free at {directory}, at least {minimum_mib} MiB needed: free some space"
            )
        if space.f_files and space.f_favail < MINIMUM_FILES:
            return Finding(Level.DEGRADED, f"{space.f_favail} inodes free at {directory}: remove files there")
        if backups.exists() and not os.access(backups, os.W_OK | os.X_OK):
            return Finding(Level.DEGRADED, f"no backup can be written to {backups}: {_CORRECT}")
        return Finding(Level.HEALTHY, f"{free} MiB free")

    async def check() -> Finding:
        return await asyncio.to_thread(look)  # a network file system may hang

    return check
