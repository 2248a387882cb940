"""The settings of each source: its own defaults under the values of the configuration."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from launchd.clock import Clock
from launchd.config import SourceConfig
from launchd.launches.fetch.client import FetchOptions, Identity, read_token
from launchd.launches.fetch.politeness import RequestLimiter, affords
from launchd.launches.sources import SOURCES
from launchd.launches.sources.source import Source


class SourceSettings(NamedTuple):
    """The settings of one source. `limiter` counts its requests, also across changes of the configuration."""

    enabled: bool
    priority: int
    config: SourceConfig
    limiter: RequestLimiter
    identity: Identity

    def fetch_options(self, source: Source) -> FetchOptions:
        """The options of one pull; raises SourceError when its token cannot be read."""
        base_url = self.config.base_url or source.base_url
        return FetchOptions(
            base_url,
            self.config.timeout_seconds,
            token=read_token(self.config.token_file),
            trusted_host=urlsplit(base_url).hostname if self.config.base_url else None,
            allow_private=self.config.allow_private,
        )

    def too_often(self, requests: int, every_seconds: float) -> str | None:
        """Why the rate does not allow pulls of so many requests `every_seconds`; None if it does."""
        if affords(self.limiter.rate, requests, every_seconds):
            return None
        return f"its rate of {self.limiter.rate} does not allow {requests} requests every {every_seconds:g} s"


def source_settings(
    config: Mapping[str, SourceConfig], identity: Identity, clock: Clock, before: Mapping[str, SourceSettings]
) -> dict[str, SourceSettings]:
    """The settings of all sources; limiters of the settings `before` keep their count."""
    found = {}
    for name, source in SOURCES.items():
        one = config.get(name, SourceConfig())
        rate = one.rate or source.rate
        limiter = before[name].limiter if name in before else RequestLimiter(rate, clock)
        found[name] = SourceSettings(
            enabled=source.is_enabled(one),
            priority=source.priority if one.priority is None else one.priority,
            config=one,
            limiter=limiter if limiter.rate == rate else limiter.changed(rate),
            identity=identity,
        )
    return found
