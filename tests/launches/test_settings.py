"""The settings of the sources: defaults of their own, values of the configuration, counts that outlive a reload."""

from pathlib import Path

import pytest

from launchd.clock import SystemClock
from launchd.config import SourceConfig
from launchd.errors import SourceError
from launchd.launches.fetch.client import Identity
from launchd.launches.settings import SourceSettings, source_settings
from launchd.launches.sources import SOURCES

CLOCK = SystemClock()
NOBODY = Identity()


def settings(before: dict[str, SourceSettings] | None = None, **config: SourceConfig) -> dict[str, SourceSettings]:
    return source_settings(config, NOBODY, CLOCK, before or {})


def test_a_source_without_a_table_has_its_own_defaults() -> None:
    found = settings()
    assert list(found) == list(SOURCES)
    for name, source in SOURCES.items():
        assert (found[name].enabled, found[name].priority, found[name].limiter.rate) == (
            source.enabled,
            source.priority,
            source.rate,
        )
        assert found[name].fetch_options(source).trusted_host is None


def test_the_configuration_replaces_the_defaults_and_its_address_is_trusted() -> None:
    table = SourceConfig(enabled=True, priority=0, rate="2/m", base_url="http://mirror.example/gcat")
    found = settings(nasa=table)["nasa"]
    assert (found.enabled, found.priority, found.limiter.rate) == (True, 0, "2/m")
    options = found.fetch_options(SOURCES["nasa"])
    assert (options.base_url, options.trusted_host) == ("http://mirror.example/gcat", "mirror.example")


@pytest.mark.parametrize("rate", ["2/h", "1/h"])
def test_requests_that_were_sent_still_count_after_a_reload(rate: str) -> None:
    before = settings(gcat=SourceConfig(rate="2/h"))
    assert [before["gcat"].limiter.take(), before["gcat"].limiter.take()] == [0.0, 0.0]
    after = settings(before, gcat=SourceConfig(rate=rate))
    assert after["gcat"].limiter.rate == rate
    assert after["gcat"].limiter.take() > 0.0


def test_a_rate_that_a_schedule_would_use_up_is_named_as_the_reason() -> None:
    found = settings(gcat=SourceConfig(rate="48/d"))["gcat"]
    assert found.too_often(1, 3600.0) is None
    assert found.too_often(2, 3600.0) == "its rate of 48/d does not allow 2 requests every 3600 s"


def test_a_token_that_cannot_be_read_is_an_error_of_the_source(tmp_path: Path) -> None:
    found = settings(gcat=SourceConfig(token_file=str(tmp_path / "missing")))["gcat"]
    with pytest.raises(SourceError, match="token_file"):
        found.fetch_options(SOURCES["gcat"])
