"""Fetching from a real HTTP server on loopback: allowed addresses, headers and limits."""

import gzip
import socket
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from launchd.clock import from_datetime
from launchd.errors import SourceError
from launchd.launches.fetch.body import BoundedBody
from launchd.launches.fetch.client import FetchOptions, Identity
from launchd.launches.fetch.politeness import retry_after
from launchd.launches.sources.source import Payload, RateLimitedError
from tests.support.fetching import fetch
from tests.support.replay_server import Replay, replaying

BODY = b"what a source says " * 1000


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        server.bodies = {"/data": BODY}
        yield server


class Answers(AbstractResolver):
    """A name server that answers each question with the next of its lists of addresses."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers.pop(0)
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for one in found
        ]

    async def close(self) -> None:
        pass


def trusted(replay: Replay, **more: Any) -> FetchOptions:  # noqa: ANN401 - the options' own types
    return FetchOptions(replay.url, 20.0, trusted_host="127.0.0.1")._replace(**more)


def named(replay: Replay, host: str) -> str:
    return f"http://{host}:{replay.url.rpartition(':')[2]}"


async def test_a_payload_comes_unpacked_and_its_traffic_is_what_went_over_the_wire(replay: Replay) -> None:
    payload, client = await fetch(trusted(replay))
    assert payload is not None
    assert payload.body == BODY
    assert client.traffic.requests == 1
    assert 0 < client.traffic.bytes < len(BODY) / 10
    assert client.traffic.seconds > 0


async def test_a_request_names_the_operator_and_a_contact(replay: Replay) -> None:
    await fetch(trusted(replay), identity=Identity("https://example.org/us", "ops@example.org"))
    (headers,) = replay.headers
    assert "+https://example.org/us" in headers["User-Agent"]
    assert headers["User-Agent"].startswith("launchd/")
    assert headers["From"] == "ops@example.org"


async def test_without_a_contact_no_from_header_is_sent(replay: Replay) -> None:
    await fetch(trusted(replay))
    assert "From" not in replay.headers[0]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_loopback_address_is_refused_before_anything_connects(replay: Replay, host: str) -> None:
    with pytest.raises(SourceError, match="not a public address"):
        await fetch(FetchOptions(named(replay, host), 20.0))
    assert replay.requests == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_loopback_address_is_allowed_where_an_operator_has_set_it(replay: Replay, host: str) -> None:
    for options in (
        FetchOptions(named(replay, host), 20.0, trusted_host=host),
        FetchOptions(named(replay, host), 20.0, allow_private=True),
    ):
        payload, _ = await fetch(options)
        assert payload is not None
        assert payload.body == BODY


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254"])
async def test_a_name_that_leads_to_a_private_address_is_refused(replay: Replay, address: str) -> None:
    with pytest.raises(SourceError, match=f"source.example is {address}, which is not a public address"):
        await fetch(FetchOptions(named(replay, "source.example"), 20.0), resolver=Answers([address]))
    assert replay.requests == []


async def test_a_redirect_to_a_name_of_the_same_site_that_is_private_is_refused(replay: Replay) -> None:
    """The checked address is the one that is connected to; the second name is checked by itself."""
    replay.redirects = {"/data": named(replay, "inner.source.example") + "/data"}
    options = FetchOptions(named(replay, "source.example"), 20.0, trusted_host="source.example")
    with pytest.raises(SourceError, match="not a public address"):
        await fetch(
            options, hosts=("inner.source.example",), resolver=Answers(["127.0.0.1"], ["127.0.0.1"], ["127.0.0.1"])
        )
    assert replay.requests == [("/data", 302)]


async def test_a_redirect_to_another_host_is_refused_unless_the_source_lists_it(replay: Replay) -> None:
    replay.redirects = {"/data": named(replay, "localhost") + "/elsewhere"}
    replay.bodies["/elsewhere"] = BODY
    with pytest.raises(SourceError, match="another host"):
        await fetch(trusted(replay, allow_private=True))
    payload, client = await fetch(trusted(replay, allow_private=True), hosts=("localhost",))
    assert payload is not None
    assert payload.body == BODY
    assert client.traffic.requests == 2


async def test_a_token_goes_to_the_origin_of_the_base_url_alone(replay: Replay) -> None:
    replay.redirects = {"/data": named(replay, "localhost") + "/elsewhere"}
    replay.bodies["/elsewhere"] = BODY
    await fetch(trusted(replay, allow_private=True, token="secret"), hosts=("localhost",))
    assert [headers.get("Authorization") for headers in replay.headers] == ["Token secret", None]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.1/", "http://2130706433/"])
async def test_a_redirect_to_another_scheme_or_an_address_in_disguise_is_refused(replay: Replay, target: str) -> None:
    replay.redirects = {"/data": target}
    with pytest.raises(SourceError, match=r"refused|another host"):
        await fetch(trusted(replay))
    assert len(replay.requests) == 1


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_an_address_in_disguise_that_is_listed_is_still_not_public(replay: Replay, host: str) -> None:
    replay.redirects = {"/data": named(replay, host) + "/data2"}
    with pytest.raises(SourceError, match=r"public address|Cannot connect"):
        await fetch(trusted(replay), hosts=(host.strip("[]"), "127.0.0.1", "::ffff:7f00:1"))
    assert len(replay.requests) == 1


async def test_redirects_that_never_end_are_given_up(replay: Replay) -> None:
    replay.redirects = {"/data": "/data"}
    with pytest.raises(SourceError, match="more than 5 redirects"):
        await fetch(trusted(replay))
    assert len(replay.requests) == 6


async def test_a_gzip_bomb_is_stopped_at_the_limit(replay: Replay) -> None:
    replay.gzipped = {"/data": gzip.compress(bytes(50_000_000), mtime=0)}
    with pytest.raises(SourceError, match="larger than 1000000 bytes"):
        await fetch(trusted(replay, max_bytes=1_000_000))


async def test_a_plain_body_is_stopped_at_the_limit_too(replay: Replay) -> None:
    replay.bodies["/data"] = bytes(2_000_000)
    with pytest.raises(SourceError, match="larger than 1000000 bytes"):
        await fetch(trusted(replay, max_bytes=1_000_000))


@pytest.mark.parametrize(("body", "reason"), [(gzip.compress(BODY, mtime=0)[:-9], "cut short"), (BODY, "not gzip")])
async def test_a_body_that_is_not_the_gzip_of_its_header_is_an_error(replay: Replay, body: bytes, reason: str) -> None:
    replay.gzipped = {"/data": body}
    with pytest.raises(SourceError, match=reason):
        await fetch(trusted(replay))


async def test_an_answer_that_never_ends_is_given_up_in_time(replay: Replay) -> None:
    replay.dripping = {"/data"}
    with pytest.raises(SourceError, match=r"no complete answer in 0\.2 s"):
        await fetch(trusted(replay, timeout_seconds=0.2))


async def test_a_source_that_asks_to_wait_gives_the_time(replay: Replay) -> None:
    replay.statuses = {"/data": 429}
    replay.retry_after = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    with pytest.raises(RateLimitedError) as caught:
        await fetch(trusted(replay))
    assert caught.value.by_source
    assert 7100 < caught.value.retry_after_seconds <= 7200


async def test_the_validators_of_a_known_page_are_sent_and_304_is_no_body(replay: Replay) -> None:
    _, client = await fetch(trusted(replay))
    known = {page.url: page for page in client.pages}
    payload, second = await fetch(trusted(replay), known=known)
    assert payload == Payload(f"{replay.url}/data", None)
    assert second.unchanged()
    assert second.traffic.bytes == 0


def test_retry_after_takes_seconds_and_dates_and_is_a_minute_for_anything_else() -> None:
    now = from_datetime(datetime(2026, 1, 1, tzinfo=UTC))
    assert retry_after("120", now) == 120
    assert retry_after("Thu, 01 Jan 2026 00:10:00 GMT", now) == 600
    assert retry_after("Wed, 31 Dec 2025 00:00:00 GMT", now) == 0
    for odd in (None, "", "soon", "-5", "1e9", "Thu, 99 Jan 2026"):
        assert retry_after(odd, now) == 60


def test_gzip_in_several_members_and_in_any_chunks_is_read_whole() -> None:
    packed = gzip.compress(b"one ", mtime=0) + gzip.compress(BODY, mtime=0)
    for size in (1, 7, 1000, len(packed)):
        body = BoundedBody("gzip", 1_000_000)
        for start in range(0, len(packed), size):
            body.add(packed[start : start + size])
        assert body.end() == b"one " + BODY


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_an_encoding_that_was_not_requested_is_refused(encoding: str) -> None:
    with pytest.raises(SourceError, match="only gzip"):
        BoundedBody(encoding, 10)


def test_a_bomb_is_never_unpacked_far_beyond_the_limit() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    packed = bomb.compress(bytes(200_000_000)) + bomb.flush()
    body = BoundedBody("gzip", 1000)
    with pytest.raises(SourceError):
        body.add(packed)
    assert len(body._body) <= 1000 + 1024 * 1024
