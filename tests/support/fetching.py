"""Gives a test one fetch by the real HTTP client of the sources."""

from collections.abc import Mapping

from aiohttp.abc import AbstractResolver

from launchd.clock import Instant, SystemClock
from launchd.launches.fetch.client import FetchOptions, HttpClient, Identity, open_session
from launchd.launches.fetch.politeness import RequestLimiter
from launchd.launches.launch import Parsed
from launchd.launches.source_store import FetchedPage
from launchd.launches.sources.source import Payload, Source


class Unlimited:
    """The part of a source's client that needs no server: no answer about our use, and requests enough."""

    def leave(self, path: str, params: Mapping[str, str] | None = None) -> Payload:  # noqa: ARG002 - see Client
        return Payload(path, None)

    async def ask(self, path: str) -> bytes | None:  # noqa: ARG002 - see Client
        return None

    def left(self) -> int:
        return 1000

    def now(self) -> Instant:
        return SystemClock().now()


def source(*hosts: str) -> Source:
    async def pull(_client: object) -> list[Payload]:
        return []

    return Source(
        name="fake",
        title="",
        attribution="",
        base_url="",
        rate="1/s",
        priority=1,
        pull=pull,
        parse=lambda _bodies: Parsed(()),
        token_header="Authorization",
        hosts=hosts,
    )


async def fetch(
    options: FetchOptions,
    path: str = "data",
    *,
    hosts: tuple[str, ...] = (),
    identity: Identity = Identity(),  # noqa: B008 - immutable
    resolver: AbstractResolver | None = None,
    known: Mapping[str, FetchedPage] | None = None,
) -> tuple[Payload | None, HttpClient]:
    clock = SystemClock()
    async with open_session(options, identity, resolver=resolver) as session:
        limiter = RequestLimiter("100/s", clock)
        client = HttpClient(session, source(*hosts), options, limiter=limiter, known=known or {}, clock=clock)
        return await client.get(path), client
