"""Responses are compressed for clients that accept it, with the same content."""

import asyncio
import gzip
import json
import random
import threading
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from launchd.admin.http import compression
from launchd.daemon import Daemon
from tests.support.hosted_daemon import PATIENCE_SECONDS

LONG, SHORT = "/v1/tasks", "/healthz"


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(str(daemon.socket))
    async with aiohttp.ClientSession("http://d", connector=connector, auto_decompress=False) as session:
        yield session


async def got(client: aiohttp.ClientSession, path: str, accepted: str) -> tuple[int, Any, bytes]:
    async with client.get(path, headers={"Accept-Encoding": accepted}) as response:
        return response.status, response.headers, await response.read()


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "br;q=1, GZIP;q=0.5"])
async def test_a_client_that_accepts_gzip_gets_the_same_in_fewer_bytes(
    client: aiohttp.ClientSession, accepted: str
) -> None:
    _, plain_headers, plain = await got(client, LONG, "identity")
    _, headers, packed = await got(client, LONG, accepted)
    assert "Content-Encoding" not in plain_headers
    assert headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed)) == json.loads(plain)
    assert len(packed) < len(plain) / 2
    assert {plain_headers["Vary"], headers["Vary"]} == {"Accept-Encoding"}


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", "gzip; q=0.0", ""])
async def test_a_client_that_does_not_accept_gzip_gets_none(client: aiohttp.ClientSession, accepted: str) -> None:
    _, headers, body = await got(client, LONG, accepted)
    assert "Content-Encoding" not in headers
    assert json.loads(body)["items"]


async def test_a_body_that_fits_a_packet_is_not_compressed(client: aiohttp.ClientSession) -> None:
    _, headers, body = await got(client, SHORT, "gzip")
    assert "Content-Encoding" not in headers
    assert json.loads(body) == {"status": "alive"}


@pytest.mark.parametrize("size", [compression.SMALLEST, compression.APART, compression.APART + 1, 1_000_000])
async def test_a_body_of_any_size_is_the_same_after_decompression(size: int) -> None:
    body = random.Random(size).randbytes(size // 2).hex().encode()
    response = web.Response(body=body)
    await compression.compress(make_mocked_request("GET", "/", {"Accept-Encoding": "gzip"}), response)
    assert isinstance(response.body, bytes)
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.body) == body


async def test_the_control_loop_goes_on_while_a_large_body_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compressing thread waits for the loop: if the loop compressed by itself, the test would hang."""
    went_on = threading.Event()

    def packed(_body: bytes) -> bytes:
        assert went_on.wait(PATIENCE_SECONDS)
        return b"packed"

    monkeypatch.setattr(compression, "_packed", packed)
    response = web.Response(body=b"x" * (compression.APART + 1))
    asyncio.get_running_loop().call_soon(went_on.set)
    await compression.compress(make_mocked_request("GET", "/", {"Accept-Encoding": "gzip"}), response)
    assert response.body == b"packed"


async def test_a_compressed_body_is_not_compressed_again() -> None:
    response = web.Response(body=b"x" * 5000, headers={"Content-Encoding": "br"})
    await compression.compress(make_mocked_request("GET", "/", {"Accept-Encoding": "gzip"}), response)
    assert (response.body, response.headers["Content-Encoding"]) == (b"x" * 5000, "br")
