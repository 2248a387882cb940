"""The examples in docstrings are true: each module that has some runs as a doctest."""

import doctest
import importlib

import pytest

MODULES = (
    "launchd.clock",
    "launchd.job",
    "launchd.rate",
    "launchd.locks.redis_url",
    "launchd.logs.redact",
    "launchd.schedules.cron",
    "launchd.schedules.dialects",
    "launchd.schedules.recurrence",
    "launchd.values.failure",
    "launchd.values.plain",
    "launchd.values.text",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
