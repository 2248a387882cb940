"""An Idempotency-Key makes a retry safe: the same request makes no second job, at every endpoint that makes jobs."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from launchd.admin.api.job_views import IdsView, JobView
from launchd.admin.routes import ROUTES
from launchd.daemon import Daemon
from launchd.db.database import Database
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.scraping_daemon import asking

SCHEDULE = """
[schedules.often]
task = "echo"
every = "1h"
overlap = "allow"
[alerts]
urls = ["json://127.0.0.1:9/"]
[tasks]
modules = ["tests.support.tasks"]
"""
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T05:00:00Z"}
# Each endpoint that makes jobs, a body for it, and a different body if it takes one.
ASKED: dict[str, tuple[object, object]] = {
    "/v1/tasks/echo/trigger": ({"args": {"value": 1}}, {"args": {"value": 2}}),
    "/v1/jobs": ({"jobs": [{"task": "echo"}] * 3}, {"jobs": [{"task": "echo"}] * 2}),
    "/v1/refresh": ({"force": True}, {}),
    "/v1/schedules/often/trigger": ({}, None),
    "/v1/schedules/often/backfill": (SPAN, SPAN | {"to": "2026-01-01T06:00:00Z"}),
    "/v1/jobs/{id}/retry": ({}, None),
    "/v1/alerts/test": ({}, None),
}
# Needs a payload of the source; the same three lines of code as the others.
ELSEWHERE = {"/v1/sources/{source}/replay"}


@pytest.fixture
async def steered(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with hosted(quiet_config(tmp_path, SCHEDULE)) as daemon:
        yield daemon


def test_everything_that_makes_jobs_takes_a_key() -> None:
    makes = {one.path for one in ROUTES if one.method == "POST" and one.answer in {JobView, IdsView}}
    takes = {one.path for one in ROUTES if "Idempotency-Key" in one.headers}
    assert makes - {"/v1/jobs/{id}/cancel"} == takes
    asked = {path.replace("/echo/", "/{task}/").replace("/often/", "/{schedule}/") for path in ASKED}
    assert asked | ELSEWHERE == takes


async def post(session: aiohttp.ClientSession, path: str, body: object, key: str | None) -> tuple[int, Any]:
    headers = {} if key is None else {"Idempotency-Key": key}
    async with session.post(path, json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def count(db: Database) -> int:
    return int((await db.read("SELECT count(*) FROM jobs"))[0][0])


@pytest.mark.parametrize("path", ASKED)
async def test_the_same_key_gives_the_same_ids_and_makes_no_more_jobs_and_another_body_is_refused(
    steered: Daemon, path: str
) -> None:
    db, (body, other) = steered.control._databases[0], ASKED[path]
    job, _ = await steered.control.trigger("echo", {}, by="test")
    await ended(steered, job.id)
    path = path.replace("{id}", job.id)
    async with asking(steered) as session:
        status, first = await post(session, path, body, "key")
        assert status == 202, first
        made = await count(db)
        for _ in range(2):
            status, again = await post(session, path, body, "key")
            assert status == 200, again
            assert {name: again.get(name) for name in ("id", "ids")} == {
                name: first.get(name) for name in ("id", "ids")
            }
        assert await count(db) == made
        if other is not None:
            status, problem = await post(session, path, other, "key")
            assert (status, problem["code"]) == (422, "idempotency_mismatch")
            assert await count(db) == made
        elsewhere = "/v1/jobs" if path != "/v1/jobs" else "/v1/refresh"
        status, problem = await post(session, elsewhere, ASKED[elsewhere][0], "key")
        assert (status, problem["code"]) == (422, "idempotency_mismatch")


async def test_a_request_that_was_refused_leaves_its_key_free(steered: Daemon) -> None:
    async with asking(steered) as session:
        status, _ = await post(session, "/v1/jobs", {"jobs": [{"task": "echo"}, {"task": "nowhere"}]}, "key")
        assert status == 422
        status, _ = await post(session, "/v1/jobs", {"jobs": [{"task": "echo"}]}, "key")
        assert status == 202
