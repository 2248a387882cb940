"""Reloading: everything is validated first, what can be applied is, the rest is named."""

import asyncio
from pathlib import Path

import pytest

from launchd import config
from launchd.config import Config
from launchd.errors import ConfigError, NotFoundError
from launchd.ops.reload import Changes, Reloader, compare
from launchd.testing import configuration, running
from tests.tasks import ALL


def test_what_differs_is_named_by_key_and_split_by_what_a_running_daemon_can_change() -> None:
    old = config.parse("[queues.scraping]\nconcurrency = 2")
    new = config.parse('[daemon]\nlog_level = "debug"\n[queues.scraping]\nconcurrency = 3\n[queues.mine]\n')
    assert compare(old, new) == Changes(
        ("daemon.log_level", "queues.scraping.concurrency"), ("queues.mine.concurrency", "queues.mine.rate")
    )
    assert compare(old, old) == Changes((), ())


def test_where_the_file_lies_is_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text("")
    assert compare(config.parse(""), config.load(path)) == Changes((), ())


async def nothing(_: Config) -> None:
    """Apply nothing."""


async def test_an_invalid_configuration_changes_nothing_and_the_next_valid_one_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text('[daemon]\nlog_level = "loud"')
    applied: list[Config] = []

    async def apply(new: Config) -> None:
        applied.append(new)

    reloader = Reloader(config.parse(""), lambda: config.load(path), apply)
    assert await reloader.run_once() is None
    assert applied == []
    path.write_text('[daemon]\nlog_level = "debug"\nminimum_free_mib = 7')
    assert await reloader.run_once() == Changes(("daemon.log_level",), ("daemon.minimum_free_mib",))
    assert [one.daemon.log_level for one in applied] == ["debug"]


async def test_what_needs_a_restart_stays_due_until_there_was_one(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text('[daemon]\nlog_level = "debug"\nminimum_free_mib = 7')
    reloader = Reloader(config.parse(""), lambda: config.load(path), nothing)
    await reloader.run_once()
    assert await reloader.run_once() == Changes((), ("daemon.minimum_free_mib",))


async def test_each_hangup_is_answered_and_those_that_come_together_by_one_reload() -> None:
    loads, asked, done = 0, asyncio.Event(), asyncio.Event()

    def load() -> Config:
        nonlocal loads
        loads += 1
        return config.parse("")

    async def apply(_: Config) -> None:
        done.set()

    reloader = Reloader(config.parse(""), load, apply)
    running = asyncio.create_task(reloader.run(asked))
    for _ in range(3):
        asked.set()
    await done.wait()
    assert loads == 1
    running.cancel()


async def test_a_running_daemon_takes_up_schedules_and_sizes_and_leaves_what_runs() -> None:
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
