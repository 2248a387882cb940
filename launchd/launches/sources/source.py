"""What a source is: where its payloads come from (`pull`) and what they say (`parse`, pure)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from launchd.config import SourceConfig
from launchd.launches.launch import Parsed


class Payload(NamedTuple):
    """One answer of a source. `body` is None when the source says that it has not changed since it was last read."""

    url: str
    body: bytes | None


class Client(Protocol):
    """What `pull` may ask of the network; the client of launches/fetch/ keeps to the source's rate and limits."""

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, optional: bool = False
    ) -> Payload | None:
        """The payload at `path` under the source's base URL; None for a missing one that is `optional`.

        Raises SourceError.
        """

    def known(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        """Whether this address was part of the last successful pull."""


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream of launch data.

    `rate` ("15/h") and `priority` (higher wins) are defaults that the configuration may change. `revision` grows when
    the parser changes, so that unchanged payloads are read again. `attribution` is served with the data. `hosts` are
    those that the base URL may redirect to beside its own site. A source that is not `enabled` is only scraped where
    the configuration enables it.
    """

    name: str
    title: str
    attribution: str
    base_url: str
    rate: str
    priority: int
    pull: Callable[[Client], Awaitable[list[Payload]]]
    parse: Callable[[Sequence[bytes]], Parsed]
    revision: int = 1
    token_header: str | None = None
    hosts: tuple[str, ...] = ()
    enabled: bool = True

    def is_enabled(self, config: SourceConfig | None) -> bool:
        """Whether it is scraped when nobody names it, by its part of the configuration (None: there is none)."""
        return self.enabled if config is None or config.enabled is None else config.enabled
