"""The limits that limits.md names are those of the code."""

import pytest

from launchd import job
from launchd.admin import cache, feed_addresses, route, server
from launchd.admin.api import jobs, launches
from launchd.admin.http import access
from launchd.db import faults
from launchd.engine import control
from launchd.engine.events import feed
from launchd.engine.firing import scheduler
from launchd.launches.fetch import client
from launchd.schedules import schedule
from launchd.store import feed_addresses as stored_addresses
from tests.docs.pages import DOCS, table

KIB = 1024
MIB = 1024 * KIB
# By the beginning of a row: the beginning of its limit.
LIMITS = {
    "arguments of a job, a result": f"{job.MAX_JSON_BYTES // KIB} KiB",
    "traceback": f"{job.MAX_TRACEBACK_BYTES // KIB} KiB",
    "body of a request, jobs": f"{server.MAX_BODY_BYTES // MIB} MiB, {jobs.MAX_BATCH}",
    "slots of a queue": f"{control.MAX_CONCURRENCY}",
    "`?wait=` of a job": f"{control.MAX_WAIT_SECONDS:g} s",
    "fires of one backfill": f"{scheduler.BACKFILL_LIMIT}, {schedule.CATCHUP_CAP}",
    "payload of a source": f"{client.MAX_BYTES // MIB} MiB unpacked, {client.MAX_REDIRECTS}",
    "answers on launch data": f"{cache.KEPT_BYTES // MIB} MiB",
    "answers to readers of feeds": f"{cache.KEPT_BYTES // MIB} MiB",
    "launches in a calendar": f"{route.MAX_LIMIT}, {launches.FEED_MOMENTS};",
    "requests of one feed": f"{feed_addresses.PER_ADDRESS.limit} an hour, {feed_addresses.WRONG.limit} a minute;",
    "feed addresses": f"{stored_addresses.MAX_ADDRESSES}",
    "sign-in links": f"{access.MAX_TICKETS};",
    "clients that follow": f"{feed.MAX_READERS};",
    "restarts in a row": f"{job.MAX_INTERRUPTIONS}",
    "wait for a database": f"{faults.BUSY_SECONDS:g} s",
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_of_the_page_is_that_of_the_code(limit: str) -> None:
    (cells,) = (cells for cells in table(DOCS / "limits.md", "of") if cells[0].startswith(limit))
    assert cells[1].startswith(LIMITS[limit])
