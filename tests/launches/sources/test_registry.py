"""The list of sources is complete, and the example from which a new one is written works."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from launchd.launches import sources
from launchd.launches.sources import SOURCES, source
from launchd.rate import parse_rate

MODULES = [import_module(f"{sources.__name__}.{one.name}") for one in pkgutil.iter_modules(sources.__path__)]


def test_every_module_that_declares_a_source_is_registered_under_its_own_name() -> None:
    declared = {module.__name__.rpartition(".")[2]: module.SOURCE for module in MODULES if hasattr(module, "SOURCE")}
    assert declared == SOURCES


def test_the_example_of_a_source_runs() -> None:
    found = doctest.testmod(source, verbose=False)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_has_a_valid_rate_a_web_address_and_an_attribution(name: str) -> None:
    one = SOURCES[name]
    assert parse_rate(one.rate).limit > 0
    assert one.base_url.startswith("https://")
    assert one.base_url.endswith("/")
    assert one.attribution
