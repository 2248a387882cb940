"""A daemon whose databases fail reports it, serves the rest, and acknowledges nothing that would be lost."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from launchd.admin.routes import ROUTES
from launchd.daemon import Daemon
from launchd.db.writer import touch
from launchd.errors import StoreError
from launchd.ops.health import Level
from launchd.testing import running
from tests.support.scraping_daemon import asking

PAGE = 4096


def garble(path: Path) -> None:
    """Damage every page but the first, on disk and in every cache."""
    with closing(sqlite3.connect(path, isolation_level=None)) as outside:
        outside.execute("PRAGMA user_version = 99")
        outside.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(PAGE)
        file.write(b"\xa5" * (size - PAGE))


def remove(path: Path) -> None:
    path.unlink()


async def asked(session: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
    async with session.get(path) as response:
        return response.status, await response.json(content_type=None)


async def test_whatever_is_read_from_a_damaged_database_is_answered_503_with_the_code_and_readyz_says_it(
    daemon: Daemon, tmp_path: Path
) -> None:
    for name in ("jobs.db", "launches.db"):
        garble(tmp_path / name)
    refused = set()
    async with asking(daemon) as session:
        for route in ROUTES:
            if route.method != "GET" or route.path == "/v1/events":
                continue
            async with session.get(route.path, params={"expression": "@daily"} if "cron" in route.path else {}) as one:
                assert one.status != 500, f"{route.path}: {await one.text()}"
                if one.status == 503 and one.content_type == "application/problem+json":
                    refused.add(route.path)
                    assert (await one.json(content_type=None))["code"] == "store_unavailable"
        assert {"/v1/jobs", "/v1/status", "/v1/audit", "/v1/launches", "/v1/launches.csv", "/v1/sources"} <= refused
        status, body = await asked(session, "/readyz")
        assert (status, body["status"]) == (503, "store_unavailable")
        assert "SQLITE_CORRUPT" in body["detail"]
        status, body = await asked(session, "/v1/health")
        assert (status, body["checks"]["database"]["status"]) == (503, "unhealthy")


@pytest.mark.parametrize("name", ["jobs.db", "jobs.db-wal", "launches.db"])
async def test_a_database_file_that_is_removed_is_noticed_and_nothing_is_acknowledged_that_would_be_lost(
    daemon: Daemon, tmp_path: Path, name: str
) -> None:
    job, _ = await daemon.control.trigger("echo", {"value": 1}, by="test")
    remove(tmp_path / name)
    async with asking(daemon) as session:
        status, body = await asked(session, "/readyz")
        assert status == 503
        assert f"{name} was removed" in body["detail"]
        report = await daemon.control.health()
        assert report.checks["database"].level is Level.UNHEALTHY
        assert "was removed" in report.checks["database"].detail
        assert (await asked(session, f"/v1/jobs/{job.id}"))[0] == 200
        async with session.post("/v1/tasks/echo/trigger", json={"args": {"value": 2}}) as refused:
            assert refused.status == (202 if name == "launches.db" else 503)
            if refused.status == 503:
                problem = await refused.json(content_type=None)
                assert problem["code"] == "store_unavailable"
                assert "was removed" in problem["detail"]
    daemon.hurry.set()  # a stop would try for a while to put back the job, in vain


def switch(connection: sqlite3.Connection, query_only: int) -> None:
    """SQLite refuses all writes of the connection while `query_only` is 1, as on a disk mounted read-only."""
    connection.execute(f"PRAGMA query_only = {query_only}")


@pytest.mark.parametrize("number", [0, 1])
async def test_readyz_is_503_while_writes_are_refused_and_200_as_soon_as_they_succeed_again(
    daemon: Daemon, number: int
) -> None:
    db = daemon.control._databases[number]
    switch(db._writer._connection, 1)
    async with asking(daemon) as session:
        with pytest.raises(StoreError):
            await db.write(touch)
        status, body = await asked(session, "/readyz")
        assert (status, body["status"]) == (503, "store_unavailable")
        assert "SQLITE_READONLY" in body["detail"]
        assert (await asked(session, "/v1/health"))[0] == 503
        assert (await asked(session, "/v1/jobs"))[0] == 200
        async with session.post("/v1/tasks/echo/trigger", json={}) as answer:
            assert answer.status == (503 if number == 0 else 202)
        switch(db._writer._connection, 0)
        assert await asked(session, "/readyz") == (200, {"status": "ready"})
        assert (await asked(session, "/v1/health"))[0] == 200


async def test_a_daemon_that_can_read_neither_database_goes_on_with_alerts_and_schedules_and_is_not_ready(
    tmp_path: Path,
) -> None:
    alerts = '[alerts]\nurls = ["json://127.0.0.1:9/"]'
    schedules = {"often": {"task": "health_check", "every": "1m"}}
    async with running(config=alerts, schedules=schedules, directory=tmp_path) as daemon:
        for name in ("jobs.db", "launches.db"):
            garble(tmp_path / name)
        while daemon.clock.monotonic() < 600:  # it never comes to rest: every loop tries again and again
            daemon.clock.move(daemon.clock.monotonic() + 10)
            for _ in range(50):
                await asyncio.sleep(0)
        with pytest.raises(StoreError):
            await daemon.jobs()
        found = await daemon.daemon.control.ready()
        assert (found.ready, found.word) == (False, "store_unavailable")


async def test_a_backup_that_the_disk_refuses_is_a_503_and_no_crash(daemon: Daemon, tmp_path: Path) -> None:
    garble(tmp_path / "jobs.db")
    async with asking(daemon) as session, session.post("/v1/backup") as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (503, "store_unavailable")
