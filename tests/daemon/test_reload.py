"""Reloading: everything is validated first; each changed key is applied, or named as waiting for a restart."""

import asyncio
import sqlite3
import threading
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from launchd import config
from launchd.config import Config
from launchd.daemon import Daemon, HostProcess
from launchd.errors import ConfigError, NotFoundError
from launchd.job import Job
from launchd.launches.fetch.politeness import RequestLimiter
from launchd.ops.health import Level
from launchd.ops.reload import Changes, InForce, Reloader, flat, plan
from launchd.testing import VirtualClock, configuration, running
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.notification_server import receiving
from tests.support.payloads import PREVIOUS, UPCOMING, page
from tests.support.replay_server import replaying
from tests.support.scraping_daemon import asking, refresh, statistics
from tests.support.tasks import ALL, fact, gate, started


def test_a_plan_names_each_changed_key_and_splits_them_by_what_a_running_daemon_can_change() -> None:
    old = config.parse("[queues.scraping]\nconcurrency = 2")
    new = config.parse("""
[daemon]
log_level = "debug"
log_format = "json"
drain_seconds = 1.0
[admin]
socket_mode = "0600"
[locks]
lease_seconds = 30.0
[queues.scraping]
concurrency = 3
[queues.mine]
[sources.gcat]
[alerts]
slip_hours = 1.0
""")
    live = {"daemon.log_level", "daemon.drain_seconds", "queues.scraping.concurrency", "alerts.slip_hours"}
    live |= {key for key in flat(new) if key.startswith("sources.gcat.")}
    restart = {"daemon.log_format", "admin.socket_mode", "locks.lease_seconds"}
    restart |= {key for key in flat(new) if key.startswith("queues.mine.")}
    changes = plan(old, new)
    assert (set(changes.applied), set(changes.needs_restart)) == (live, restart)
    assert changes.values["queues.scraping.concurrency"] == (2, 3)
    assert plan(changes.in_force, new) == changes._replace(applied=(), values=only(changes.values, restart))
    assert plan(old, old) == Changes((), (), {}, old)


def only(values: dict[str, tuple[Any, Any]], keys: set[str]) -> dict[str, tuple[Any, Any]]:
    return {key: value for key, value in values.items() if key in keys}


def test_the_path_of_the_file_is_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text("")
    old = config.parse("")
    assert plan(old, config.load(path)) == Changes((), (), {}, old)


def keys(changes: Changes | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys applied, and those that wait for a restart."""
    assert changes is not None
    return changes.applied, changes.needs_restart


async def nothing(_: Config) -> None:
    """Apply nothing."""


async def test_an_invalid_configuration_changes_nothing_and_the_next_valid_one_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text('[daemon]\nlog_level = "loud"')
    applied: list[Config] = []

    async def apply(new: Config) -> None:
        applied.append(new)

    reloader = Reloader(InForce(config.parse("")), lambda: config.load(path), apply)
    assert await reloader.run_once() is None
    assert applied == []
    path.write_text('[daemon]\nlog_level = "debug"\nlog_format = "json"')
    assert keys(await reloader.run_once()) == (("daemon.log_level",), ("daemon.log_format",))
    assert [one.daemon.log_level for one in applied] == ["debug"]


async def test_a_key_that_needs_a_restart_is_named_until_there_was_one(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text('[daemon]\nlog_level = "debug"\nlog_format = "json"')
    reloader = Reloader(InForce(config.parse("")), lambda: config.load(path), nothing)
    await reloader.run_once()
    assert keys(await reloader.run_once()) == ((), ("daemon.log_format",))
    assert reloader.needs_restart == ("daemon.log_format",)


async def test_sighups_that_come_together_cause_one_reload() -> None:
    loads, asked, done = 0, asyncio.Event(), asyncio.Event()

    def load() -> Config:
        nonlocal loads
        loads += 1
        return config.parse("")

    async def apply(_: Config) -> None:
        done.set()

    reloader = Reloader(InForce(config.parse("")), load, apply)
    running = asyncio.create_task(reloader.run(asked))
    for _ in range(3):
        asked.set()
    await done.wait()
    assert loads == 1
    running.cancel()


async def test_a_running_daemon_applies_schedules_and_sizes_of_queues() -> None:
    schedules = {"kept": {"task": "echo", "cron": "0 * * * *"}, "gone": {"task": "echo", "cron": "0 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start="2026-06-01T12:00:00Z") as daemon:
        await daemon.advance(hours=2)
        changed = {"kept": {"task": "echo", "cron": "*/10 * * * *"}, "new": {"task": "echo", "cron": "@startup"}}
        await daemon.daemon.live.apply(configuration("[queues.default]\nconcurrency = 3\nrate = '2/m'", changed))
        await daemon.advance(minutes=60)
        assert [len(await daemon.fires("kept")), len(await daemon.fires("new"))] == [2 + 6, 0]
        with pytest.raises(NotFoundError):
            await daemon.fires("gone")
        (queue,) = [one for one in await daemon.daemon.control.queues() if one.name == "default"]
        assert (queue.concurrency, queue.rate) == (3, "2/m")


async def test_a_configuration_that_the_tasks_do_not_fit_changes_nothing() -> None:
    schedules = {"kept": {"task": "echo", "cron": "0 * * * *"}}
    async with running(tasks=ALL, schedules=schedules, start="2026-06-01T12:00:00Z") as daemon:
        with pytest.raises(ConfigError, match="no task nobody"):
            await daemon.daemon.live.apply(configuration("", {"kept": {"task": "nobody", "cron": "0 0 * * *"}}))
        await daemon.advance(hours=1)
        assert len(await daemon.fires("kept")) == 1


class File:
    """The file of a configuration: the next reload reads a quiet configuration with `text` added."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = quiet_config(directory)

    def write(self, text: str = "", **daemon: Any) -> None:  # noqa: ANN401 - the keys of [daemon]
        config = quiet_config(self.directory, text)
        self.config = msgspec.structs.replace(config, daemon=msgspec.structs.replace(config.daemon, **daemon))

    def hosted(self) -> AbstractAsyncContextManager[Daemon]:
        return hosted(self.config, tasks=ALL, host=HostProcess(load=lambda: self.config))


async def run(daemon: Daemon, task: str) -> Job:
    job, _ = await daemon.control.trigger(task, {}, by="test")
    return await ended(daemon, job.id)


async def test_alerts_begin_change_and_end_by_a_reload(tmp_path: Path) -> None:
    file = File(tmp_path)

    async def reload(daemon: Daemon, text: str) -> Changes:
        file.write(text)
        return await daemon.reloader.reload()

    async with receiving() as receiver, file.hosted() as daemon, asking(daemon) as client:

        async def tested() -> int:
            async with client.post("/v1/alerts/test") as response:
                return response.status

        await run(daemon, "failing_at_once")
        assert await tested() == 409
        changes = await reload(daemon, receiver.config())
        assert "alerts.urls" in changes.applied
        assert changes.needs_restart == ()
        await run(daemon, "failing_at_once")
        (notice,) = await receiver.until(1)
        assert notice["title"] == "failing_at_once failed"
        assert "more" not in notice["message"]  # what failed before there were alerts is past
        await reload(daemon, receiver.config("pager", rules="job_failed = false"))
        await run(daemon, "failing_at_once")
        assert await tested() == 202
        (notice,) = await receiver.until(1, "pager")
        assert notice["title"].startswith("Test of")
        with pytest.raises(ConfigError, match="apprise does not know this URL"):
            await reload(daemon, '[alerts]\nurls = ["nonsense://x"]')
        assert await tested() == 202  # it stays as it was
        await receiver.until(2, "pager")
        await reload(daemon, "")
        assert await tested() == 409
        assert len(receiver.titles()) == 1


async def test_sources_health_and_keeping_follow_a_reload(tmp_path: Path) -> None:
    file = File(tmp_path)
    async with replaying() as upstream, file.hosted() as daemon:
        upstream.bodies[UPCOMING] = upstream.bodies[PREVIOUS] = page()
        job = await run(daemon, "echo")
        assert (await daemon.control.health()).checks["disk"].level is Level.HEALTHY
        source = f'[sources.launch_library]\nbase_url = "{upstream.url}/ll/"\nrate = "1000/s"'
        file.write(source, minimum_free_mib=1_000_000, keep_succeeded_days=1e-12)
        changes = await daemon.reloader.reload()
        assert changes.needs_restart == ()
        assert (await daemon.control.health()).checks["disk"].level is Level.DEGRADED
        assert statistics(await refresh(daemon))["launch_library"]["fetched"] == 0
        await run(daemon, "prune")
        with pytest.raises(NotFoundError):
            await daemon.control.job(job.id)


async def test_metrics_follow_the_schedules_of_a_reload(tmp_path: Path) -> None:
    file = File(tmp_path)
    async with file.hosted() as daemon, asking(daemon) as client:
        file.write('[schedules.added]\ntask = "echo"\ncron = "0 0 * * *"')
        assert "schedules.added.cron" in (await daemon.reloader.reload()).applied
        async with client.get("/metrics") as response:
            text = await response.text()
        assert 'launchd_schedule_next_timestamp_seconds{schedule="added"}' in text


async def test_a_start_that_is_refused_leaves_no_thread_of_tasks(tmp_path: Path) -> None:
    config = quiet_config(tmp_path, '[schedules.bad]\ntask = "nobody"\ncron = "0 0 * * *"')
    before = {one for one in threading.enumerate() if one.name == "tasks"}
    with pytest.raises(ConfigError, match="no task nobody"):
        async with hosted(config, tasks=ALL):
            pass
    assert {one for one in threading.enumerate() if one.name == "tasks"} == before


async def test_a_changed_rate_of_a_source_counts_earlier_requests() -> None:
    clock = VirtualClock()
    limiter = RequestLimiter("2/h", clock)
    assert [limiter.take(), limiter.take()] == [0.0, 0.0]
    assert limiter.changed("3/h").take() == 0.0
    assert limiter.changed("2/m").take() > 0.0


async def test_the_stop_takes_as_long_as_the_configuration_in_force_says(tmp_path: Path) -> None:
    """`drain_seconds` was an hour at the start and is 0 after a reload: running jobs are stopped at once."""
    file = File(tmp_path)
    file.write(drain_seconds=3600.0)
    async with asyncio.timeout(PATIENCE_SECONDS), file.hosted() as daemon:
        job, _ = await daemon.control.trigger("waiting", {"name": "drained"}, by="test")
        await fact(started("drained"))
        file.write(drain_seconds=0.0)
        await daemon.reloader.reload()
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as database:
        row = database.execute("SELECT state, reason FROM jobs WHERE id = ?", (job.id,)).fetchone()
    assert row == ("queued", "interrupted: the daemon stopped")
    gate("drained").set()
