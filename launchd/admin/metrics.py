"""GET /metrics: one reading of the whole daemon, made for each scrape.

To add a metric:

1. Describe it in `METRICS` (ops/metrics.py): its name with the unit, its type, its labels, a sentence of help.

       Described("launchd_queue_paused", "gauge", ("queue",), "1 while the queue is paused."),

2. Read its values here, in the function of its subject: a mapping of its labels' values to its value.

       "launchd_queue_paused": {(one.name,): one.paused for one in queues},

   A gauge is read from the state of the daemon, as here. A counter or a histogram is kept by the code that counts, or
   in a `Tally` (ops/tally.py) that listens to events. A part that is not in `Metered` yet is added there and in
   `_metered` of `daemon/admin.py`.
3. Add its row to the table of metrics in etc/docs/metrics.md, and a panel to etc/grafana/launchd.json.

A metric that is read and not described fails the scrape; one without its row or its panel fails a test. The whole
recipe is in etc/docs/contributing.md.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from aiohttp import web

from launchd.clock import SECOND
from launchd.db.database import Database
from launchd.engine.attempts.stall import StallMonitor
from launchd.engine.control import Control
from launchd.engine.firing.entry import ScheduleEntry
from launchd.engine.queues.pool import Pool
from launchd.errors import UnavailableError
from launchd.launches.source_store import SourceStore
from launchd.launches.store import LaunchStore
from launchd.ops.metrics import Labels, Reading, Value, exposition
from launchd.ops.tally import FireCount, LagMeter, Tally

Values = dict[Labels, Value]


class Metered(NamedTuple):
    """The parts that a scrape reads. `fetches` counts pulls by (source, outcome), `dropped` the log's lost lines."""

    control: Control
    pools: Mapping[str, Pool]
    schedules: Mapping[str, ScheduleEntry]
    databases: Sequence[Database]
    sources: SourceStore
    launches: LaunchStore
    fetches: Counter[tuple[str, ...]]
    monitor: StallMonitor
    tally: Tally
    fires: FireCount
    lag: LagMeter
    dropped: Callable[[], int] = lambda: 0


async def answer(metered: Metered, request: web.Request) -> web.Response:
    """The metrics in the format that the scraper accepts."""
    text, content_type = exposition(await read(metered), request.headers.get("Accept", ""))
    return web.Response(body=text, headers={"Content-Type": content_type})


async def read(metered: Metered) -> Reading:
    """Every metric now."""
    await metered.fires.count_new(list(metered.schedules), metered.control.now())
    return {
        **await _daemon(metered),
        **_jobs(metered.tally),
        **_schedules(metered),
        **await _locks(metered),
        **await _sources(metered),
        "launchd_loop_lag_seconds": {(): metered.lag.lag},
        "launchd_loop_blocked_seconds": {
            (loop,): metered.monitor.stalls[loop].seconds if loop in metered.monitor.stalls else 0.0
            for loop in ("control loop", "task loop")
        },
        "launchd_database_commits_total": {(one.path.name,): one.commits for one in metered.databases},
        "launchd_database_failing": {(one.path.name,): one.failing() is not None for one in metered.databases},
        "launchd_log_lines_dropped_total": {(): metered.dropped()},
    }


async def _daemon(metered: Metered) -> dict[str, Values]:
    status = await metered.control.status()
    queues = status.queues
    return {
        "launchd_info": {(status.version, status.instance): 1},
        "launchd_ready": {(): status.ready and not status.stopping},
        "launchd_start_timestamp_seconds": {(): status.started_at / SECOND},
        "launchd_queue_waiting_jobs": {(one.name,): one.waiting for one in queues},
        "launchd_queue_running_jobs": {(one.name,): one.running for one in queues},
        "launchd_queue_slots": {(one.name,): one.concurrency for one in queues},
        "launchd_queue_oldest_wait_seconds": {(one.name,): one.oldest_wait for one in queues},
        "launchd_queue_paused": {(one.name,): one.paused for one in queues},
        "launchd_queue_lock_waiting_jobs": {(name,): len(pool.locked.waits) for name, pool in metered.pools.items()},
    }


def _jobs(tally: Tally) -> dict[str, Values]:
    return {
        "launchd_jobs_ended_total": dict(tally.ended),
        "launchd_attempts_returned_total": dict(tally.returned),
        "launchd_job_run_seconds": dict(tally.runs),
        "launchd_job_wait_seconds": {(queue,): waits for queue, waits in tally.waits.items()},
    }


def _schedules(metered: Metered) -> dict[str, Values]:
    entries = metered.schedules.items()
    due = {name: entry.next_fire for name, entry in entries if not entry.paused}
    return {
        "launchd_schedule_fires_total": dict(metered.fires.outcomes),
        "launchd_schedule_late_seconds": {(name,): late for name, late in metered.fires.late.items()},
        "launchd_schedule_next_timestamp_seconds": {(name,): at / SECOND for name, at in due.items() if at is not None},
        "launchd_schedule_paused": {(name,): entry.paused for name, entry in entries},
    }


async def _locks(metered: Metered) -> dict[str, Values]:
    try:
        held = await metered.control.locks()
    except UnavailableError:  # the other metrics matter even more then
        return {}
    now = metered.control.now()
    return {
        "launchd_lock_held_seconds": {(one.lock.name,): max(now - one.lock.since, 0) / SECOND for one in held},
        "launchd_lock_waiting_jobs": {(one.lock.name,): one.waiters for one in held},
    }


async def _sources(metered: Metered) -> dict[str, Values]:
    states = (await metered.sources.states()).values()
    reached = {one.name: one.last_success for one in states if one.last_success is not None}
    now = metered.control.now()
    unknown = Counter[Labels]((one.source, one.subject) for one in await metered.launches.unknown_names())
    return {
        "launchd_source_fetches_total": dict(metered.fetches),
        "launchd_source_requests_total": {(one.name,): one.total.requests for one in states},
        "launchd_source_received_bytes_total": {(one.name,): one.total.bytes for one in states},
        "launchd_source_success_timestamp_seconds": {(name,): at / SECOND for name, at in reached.items()},
        "launchd_source_age_seconds": {(name,): max(now - at, 0) / SECOND for name, at in reached.items()},
        "launchd_source_failing": {(one.name,): one.last_error is not None for one in states},
        "launchd_source_records": {(one.name,): one.records for one in states},
        "launchd_unknown_names": dict(unknown),
    }
