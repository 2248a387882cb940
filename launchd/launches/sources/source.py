"""A source: where its payloads come from (`pull`) and how they are read (`parse`, pure).

A complete example, for a source that sends `{"launches": [{"id": "1", "name": "Falcon 9 | Crew-20"}]}`; the package's
docstring says where the module is registered and tested:

    >>> import msgspec
    >>> from launchd.launches.launch import Precision, Sighting
    >>> from launchd.launches.sources import records
    >>> from launchd.launches.validate import Report, clean
    >>> NAME = "example"

`pull` asks for the payloads, each address under the base URL. The client keeps to the rate, the size and the time
limits, and makes the requests conditional.

    >>> async def pull(client: Client) -> list[Payload]:
    ...     payload = await client.get("launches/next")
    ...     return [] if payload is None else [payload]

A struct declares the fields that the parser needs, with their types. A record of another shape is rejected.

    >>> class Launch(msgspec.Struct):
    ...     id: str
    ...     name: str
    ...     net: str | None = None

`parse` turns payloads into sightings. It never raises for what a payload holds: `records.split` and `records.read`
reject broken records, `clean` drops bad fields, and the report collects both.

    >>> def sighting(launch: Launch, report: Report) -> Sighting | None:
    ...     net = records.net(launch.net, Precision.MINUTE, launch.id, report)
    ...     return clean(Sighting(source=NAME, source_id=launch.id, name=launch.name, net=net), report)
    >>> def parse(payloads: Sequence[bytes]) -> Parsed:
    ...     report = Report(NAME)
    ...     raws = [raw for body in payloads for raw in records.split(body, report, wrappers=("launches",))]
    ...     read = [launch for raw in raws if (launch := records.read(raw, Launch, report))]
    ...     found = [one for launch in read if (one := sighting(launch, report))]
    ...     return Parsed(tuple(found), tuple(report.rejections), rows=len(raws))

`SOURCE` declares the rest. A higher `priority` wins where sources disagree (Launch Library has 70, GCAT 60).

    >>> SOURCE = Source(
    ...     name=NAME,
    ...     title="Example",
    ...     attribution="Example (example.org), CC BY 4.0",
    ...     base_url="https://example.org/api/",
    ...     rate="12/h",
    ...     priority=40,
    ...     pull=pull,
    ...     parse=parse,
    ... )
    >>> found = SOURCE.parse([b'{"launches": [{"id": "1", "name": "Falcon 9 | Crew-20"}, {"id": "2"}]}'])
    >>> [one.name for one in found.sightings]
    ['Falcon 9 | Crew-20']
    >>> found.rejections[0].reason
    'its shape is not the known one: Object missing required field `name`'
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from launchd.clock import Instant
from launchd.config import SourceConfig
from launchd.errors import SourceError
from launchd.launches.launch import Parsed


class Payload(NamedTuple):
    """One answer of a source. `body` is None if it has not changed since the last pull (304 Not Modified)."""

    url: str
    body: bytes | None


class RateLimitedError(SourceError):
    """No more requests are allowed now: by the source's own answer (`by_source`), or by our limiter."""

    def __init__(self, detail: str, retry_after_seconds: float, *, by_source: bool) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds
        self.by_source = by_source


class Client(Protocol):
    """The network as `pull` sees it. The client of launches/fetch/ keeps to the source's rate and limits."""

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, optional: bool = False
    ) -> Payload | None:
        """The payload at `path` under the source's base URL; None for a missing one that is `optional`.

        Raises SourceError.
        """

    def known(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        """True if this address was part of the last successful pull."""

    def leave(self, path: str, params: Mapping[str, str] | None = None) -> Payload:
        """The payload of a known address as if it had not changed, without a request."""

    async def ask(self, path: str) -> bytes | None:
        """An answer that is free of charge and no payload, such as our own use of the source; None without one."""

    def left(self) -> int:
        """The requests that are left by the source's rate."""

    def now(self) -> Instant:
        """The present."""


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream of launch data.

    `rate` ("15/h") and `priority` (higher wins) are defaults that the configuration may change. Raise `revision` with
    each change of the parser, so that unchanged payloads are read again. `attribution` is served with the data.
    `token_header` carries the token of a source that has one. `hosts` are hosts to which the base URL may redirect
    besides its own site. A source that is not `enabled` is scraped only where the configuration enables it.
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
        """True if it is scraped by default, under its table of the configuration (None: it has no table)."""
        return self.enabled if config is None or config.enabled is None else config.enabled
