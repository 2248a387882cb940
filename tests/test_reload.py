"""Reloading: everything is validated first, what can be applied is, the rest is named."""

import asyncio
from pathlib import Path

from launchd import config
from launchd.config import Config
from launchd.ops.reload import Changes, Reloader, compare


def test_what_differs_is_named_by_key_and_split_by_what_a_running_daemon_can_change() -> None:
    old = config.parse("[queues.scraping]\nconcurrency = 2")
    new = config.parse('[daemon]\nlog_level = "debug"\n[queues.scraping]\nconcurrency = 3\n[queues.mine]\n')
    assert compare(old, new) == Changes(
        ("daemon.log_level",), ("queues.mine.concurrency", "queues.mine.rate", "queues.scraping.concurrency")
    )
    assert compare(old, old) == Changes((), ())


def test_where_the_file_lies_is_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text("")
    assert compare(config.parse(""), config.load(path)) == Changes((), ())


async def test_an_invalid_configuration_changes_nothing_and_the_next_valid_one_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text('[daemon]\nlog_level = "loud"')
    applied: list[Config] = []
    reloader = Reloader(config.parse(""), lambda: config.load(path), applied.append)
    assert await reloader.run_once() is None
    assert applied == []
    path.write_text('[daemon]\nlog_level = "debug"\nminimum_free_mib = 7')
    assert await reloader.run_once() == Changes(("daemon.log_level",), ("daemon.minimum_free_mib",))
    assert [one.daemon.log_level for one in applied] == ["debug"]


async def test_what_needs_a_restart_stays_due_until_there_was_one(tmp_path: Path) -> None:
    path = tmp_path / "launchd.toml"
    path.write_text('[daemon]\nlog_level = "debug"\nminimum_free_mib = 7')
    reloader = Reloader(config.parse(""), lambda: config.load(path), lambda _: None)
    await reloader.run_once()
    assert await reloader.run_once() == Changes((), ("daemon.minimum_free_mib",))


async def test_each_hangup_is_answered_and_those_that_come_together_by_one_reload() -> None:
    loads, asked, done = 0, asyncio.Event(), asyncio.Event()

    def load() -> Config:
        nonlocal loads
        loads += 1
        return config.parse("")

    reloader = Reloader(config.parse(""), load, lambda _: done.set())
    running = asyncio.create_task(reloader.run(asked))
    for _ in range(3):
        asked.set()
    await done.wait()
    assert loads == 1
    running.cancel()
