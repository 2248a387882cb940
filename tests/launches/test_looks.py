"""The period in which each source is read, by the schedules."""

import pytest

from launchd.clock import DAY, HOUR, MINUTE, parse_instant
from launchd.config import ScheduleConfig
from launchd.launches.looks import periods
from launchd.launches.sources import SOURCES

MONDAY = parse_instant("2026-03-02T00:00:00Z")


def schedule(**fields: object) -> ScheduleConfig:
    return ScheduleConfig(**{"task": "scrape_launch_data", **fields})  # type: ignore[arg-type]


def test_a_schedule_without_sources_reads_all_of_them() -> None:
    assert periods([schedule(cron="0 */6 * * *")], MONDAY) == dict.fromkeys(SOURCES, 6 * HOUR)


def test_the_densest_schedule_of_a_source_is_its_period() -> None:
    found = periods([schedule(every="1h"), schedule(every="10m", args={"sources": ["spacex"]})], MONDAY)
    assert (found["spacex"], found["gcat"]) == (10 * MINUTE, HOUR)


@pytest.mark.parametrize(("cron", "wanted"), [("0 2,3 * * *", 23 * HOUR), ("0 6 * * 1-5", 3 * DAY)])
def test_the_period_of_an_uneven_schedule_is_its_longest_gap(cron: str, wanted: int) -> None:
    assert periods([schedule(cron=cron)], MONDAY)["gcat"] == wanted


def test_other_tasks_and_disabled_schedules_read_nothing() -> None:
    assert periods([schedule(every="1h", enabled=False), schedule(every="1h", task="echo")], MONDAY) == {}
    assert periods([schedule(cron="@startup")], MONDAY) == {}
