"""Text and times of a server are cleaned and bounded where they enter: errors, stored values, waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from launchd.clock import DAY, SECOND, SystemClock
from launchd.errors import SourceError
from launchd.job import JobState
from launchd.launches.circuit import LONGEST_PAUSE
from launchd.launches.fetch.client import FetchOptions, HttpClient
from launchd.launches.fetch.politeness import DEFAULT_WAIT_SECONDS, retry_after
from tests.support.fetching import fetch
from tests.support.hosted_daemon import PATIENCE_SECONDS, hosted, quiet_config
from tests.support.scraping_daemon import asking

LATIN_1 = b"HTTP/1.1 500 D\xe9sol\xe9\r\nContent-Length: 0\r\n\r\n"
ANSWERS = [
    LATIN_1,
    b"HTTP/1.1 500 \xff\xfe\x1b[31m\x07\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 " + b"x" * 7000 + b"\r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 200 OK\r\nETag: "caf\xe9"\r\nLast-Modified: \xff\r\nContent-Length: 2\r\n\r\nok',
    b"HTTP/1.1 200 OK\r\nETag: " + b"e" * 5000 + b"\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: caf\xe9\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
    b"HTTP/1.1 302 Found\r\nLocation: http://caf\xe9.\xff/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: \x1b]0;x\x07\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://[::1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 No\r\nRetry-After: caf\xe9\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 999999 No\r\n\r\n",
    b"\xff\xfe\x00\x01\r\n\r\n",
    b"",
]

NAMES = (b"ETag", b"Location", b"Content-Encoding", b"Retry-After", b"X")


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[str]:
    """A server on loopback that answers each request with these bytes and closes; its address."""

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


async def ask(answer: bytes) -> HttpClient | SourceError:
    """The result of a request to a server with this answer."""
    async with saying(answer) as url:
        try:
            _, client = await fetch(FetchOptions(url, 20.0, trusted_host="127.0.0.1"))
        except SourceError as error:
            return error
        return client


def check(found: HttpClient | SourceError) -> None:
    """Every text of it is clean and bounded."""
    if isinstance(found, SourceError):
        texts = [found.detail]
    else:
        (page,) = found.pages
        texts = [text for text in page if text is not None]
    for text in texts:
        assert text.encode().decode().isprintable()
        assert len(text) < 2000


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
async def test_any_answer_of_a_server_is_a_payload_or_a_clean_and_short_error(answer: bytes) -> None:
    check(await ask(answer))


@settings(max_examples=40)
@given(st.binary(max_size=60), st.sampled_from(NAMES), st.sampled_from([b"200", b"302", b"429", b"500"]))
@example(b"\xed\xa0\x80", b"ETag", b"200")
@example(b"\xad\xe2\x80\xae", b"X", b"500")
def test_any_bytes_in_the_head_of_an_answer_are_a_payload_or_a_clean_and_short_error(
    text: bytes, name: bytes, status: bytes
) -> None:
    line = text.replace(b"\r", b"").replace(b"\n", b"")
    head = b"HTTP/1.1 " + status + b" " + line + b"\r\n" + name + b": " + line + b"\r\nContent-Length: 2\r\n\r\nok"
    check(asyncio.run(ask(head)))


async def test_a_reason_in_latin_1_is_read_as_its_server_meant_it() -> None:
    found = await ask(LATIN_1)
    assert isinstance(found, SourceError)
    assert found.detail.endswith("HTTP 500 D\xe9sol\xe9")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("86400", 86400),
        ("86401", 86400),
        ("9" * 400, 86400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86400),
        ("Sat, 01 Jan 0001 00:00:00 +2359", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("-5", DEFAULT_WAIT_SECONDS),
        ("nan", DEFAULT_WAIT_SECONDS),
        ("inf", DEFAULT_WAIT_SECONDS),
        ("1e9", DEFAULT_WAIT_SECONDS),
        ("", DEFAULT_WAIT_SECONDS),
        ("\udce9", DEFAULT_WAIT_SECONDS),
        ("\u0663", DEFAULT_WAIT_SECONDS),
    ],
)
def test_no_source_can_ask_for_a_longer_wait_than_a_circuit_has(value: str, seconds: float | None) -> None:
    found = retry_after(value, SystemClock().now())
    assert 0 <= found <= LONGEST_PAUSE / SECOND
    assert seconds is None or found == seconds


@given(st.text(max_size=40) | st.integers().map(str) | st.datetimes().map(lambda at: f"{at:%a, %d %b %Y %H:%M:%S} GMT"))
def test_any_retry_after_is_a_wait_within_bounds(value: str) -> None:
    assert 0 <= retry_after(value, SystemClock().now()) <= LONGEST_PAUSE / SECOND


@pytest.mark.parametrize(
    "answer",
    [LATIN_1, b"HTTP/1.1 429 No\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n"],
    ids=["latin-1", "9999"],
)
async def test_a_scrape_of_such_servers_ends_and_is_tried_again_within_a_day(tmp_path: Path, answer: bytes) -> None:
    async with saying(answer) as url:
        extra = "".join(
            f'[sources.{name}]\nbase_url = "{url}/{name}/"\nrate = "1000/s"\n' for name in ("gcat", "launch_library")
        )
        async with hosted(quiet_config(tmp_path, extra)) as daemon:
            job = await daemon.control.refresh(None, force=False, by="test")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (found := await daemon.control.job(job.id)).attempt == 0 or found.state is JobState.RUNNING:  # noqa: ASYNC110 - a row, not an event
                    await asyncio.sleep(0.01)
            assert found.state is JobState.QUEUED
            assert found.run_at - found.created_at <= DAY + 60 * SECOND
            async with asking(daemon) as client, client.get("/v1/sources") as response:
                items = {one["name"]: one for one in (await response.json())["items"]}
    for name in ("gcat", "launch_library"):
        assert items[name]["error"].isprintable()
        retry_at = items[name]["circuit"]["retry_at"]
        assert retry_at is None or retry_at < "9999"
