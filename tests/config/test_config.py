"""The configuration: all errors at once, each with its table, its key and the allowed values."""

import re
import tomllib

import pytest

from launchd import config
from launchd.config import Config, ScheduleConfig
from launchd.engine.firing.loading import plan_schedules
from launchd.errors import ConfigError, InvalidError
from launchd.launches.sources import SOURCES
from launchd.schedules.cron import DayMatch
from launchd.task import Context, Task
from tests.support.paths import ROOT

SHIPPED = ROOT / "etc" / "launchd.toml"


def problems(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, sources=["gcat"])
    return {problem.path: problem.message for problem in caught.value.errors}


def test_all_errors_are_reported_at_once_with_table_key_and_allowed_values() -> None:
    found = problems(
        """
[queues.scraping]
concurrency = 0
[daemon]
drain_secs = 3
[schedules.mine]
cron = "nonsense"
[sources.gcta]
enabled = true
"""
    )
    assert found["queues.scraping.concurrency"] == "expected 1..1000, got 0"
    assert "drain_seconds" in found["daemon.drain_secs"]
    assert "required" in found["schedules.mine.task"]
    assert "schedules.mine.cron" in found
    assert any("gcat" in message for path, message in found.items() if path.startswith("sources"))


def test_a_queue_that_celery_runs_is_refused_for_now() -> None:
    found = problems('[queues.heavy]\nengine = "celery"')
    assert found["queues.heavy.engine"].endswith("engine = \"celery\", does not exist yet), got 'celery'")
    assert config.parse('[queues.heavy]\nengine = "local"').queues["heavy"].engine == "local"


def test_the_example_file_is_valid_and_has_only_the_defaults() -> None:
    shipped = config.load(SHIPPED, sources=SOURCES)
    assert shipped.daemon == config.DaemonConfig()
    assert shipped.queues == config.DEFAULT_QUEUES
    assert shipped.schedules == config.DEFAULT_SCHEDULES
    assert {name: one.enabled for name, one in shipped.sources.items()} == {
        name: one.enabled for name, one in SOURCES.items()
    }


def test_the_example_file_shows_every_key_and_its_comments_are_valid_too() -> None:
    text = re.sub(r"^# (?=\w+ = )", "", SHIPPED.read_text(), flags=re.MULTILINE)
    shown = config.parse(text, sources=SOURCES)
    tables = {
        "daemon": shown.daemon,
        "admin": shown.admin,
        "locks": shown.locks,
        "tasks": shown.tasks,
        "fetch": shown.fetch,
    }
    document = tomllib.loads(text)
    for name, table in tables.items():
        assert set(document[name]) == set(table.__struct_fields__), name
    assert set(document["queues"]["default"]) == set(config.QueueConfig.__struct_fields__)
    assert set(document["sources"]["launch_library"]) == set(config.SourceConfig.__struct_fields__)


def test_a_named_file_must_exist() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        config.find("/nowhere/launchd.toml")


def test_day_match_changes_a_schedule_and_its_default_does_not() -> None:
    def greet(_ctx: Context) -> None:
        pass

    def spec(day_match: DayMatch) -> str:
        entry = ScheduleConfig(task="greet", cron="0 9 13 * fri", day_match=day_match)
        return plan_schedules(Config(schedules={"s": entry}), {"greet": Task(greet, name="greet")})["s"].spec

    assert spec(DayMatch.OR) == "0 9 13 * fri UTC gap=shift fold=first"
    assert spec(DayMatch.AND) == "0 9 13 * fri UTC gap=shift fold=first days=and"


def test_day_match_needs_cron() -> None:
    with pytest.raises(InvalidError, match="needs cron"):
        ScheduleConfig(task="greet", every="5m", day_match=DayMatch.AND).recurrence()
