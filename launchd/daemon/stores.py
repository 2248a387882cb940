"""The two databases of a daemon and the stores on them."""

from collections.abc import Callable
from typing import NamedTuple

from launchd.alerts.store import AlertStore, Limits
from launchd.db.database import Database
from launchd.job import IdMaker
from launchd.launches.source_store import SourceStore
from launchd.launches.store import LaunchStore
from launchd.store.audit import AuditStore
from launchd.store.clock import ClockStore
from launchd.store.feed_addresses import FeedAddressStore
from launchd.store.jobs import JobStore
from launchd.store.queues import QueueStore
from launchd.store.schedules import ScheduleStore
from launchd.store.stats import StatsStore
from launchd.store.upkeep import UpkeepStore

# jobs.db and launches.db
Databases = tuple[Database, Database]


class Stores(NamedTuple):
    """The stores on jobs.db, then those on launches.db."""

    databases: Databases
    jobs: JobStore
    schedules: ScheduleStore
    queues: QueueStore
    clock: ClockStore
    upkeep: UpkeepStore
    alerts: AlertStore
    stats: StatsStore
    audit: AuditStore
    feeds: FeedAddressStore
    launches: LaunchStore
    sources: SourceStore


def make_stores(databases: Databases, *, instance: str, bounds: Callable[[], Limits], new_id: IdMaker) -> Stores:
    """The stores of one instance of the daemon; `bounds` gives the rules of alerts that are on."""
    jobs_db, launches_db = databases
    return Stores(
        databases=databases,
        jobs=JobStore(jobs_db, instance),
        schedules=ScheduleStore(jobs_db),
        queues=QueueStore(jobs_db),
        clock=ClockStore(jobs_db),
        upkeep=UpkeepStore(jobs_db),
        alerts=AlertStore(jobs_db, bounds, new_id),
        stats=StatsStore(jobs_db),
        audit=AuditStore(jobs_db),
        feeds=FeedAddressStore(jobs_db),
        launches=LaunchStore(launches_db),
        sources=SourceStore(launches_db),
    )
