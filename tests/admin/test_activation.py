"""A listening socket that systemd owns: it outlives the daemon, and no client is refused or disconnected."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from launchd.admin.http.access import Access
from launchd.admin.route import Api
from launchd.admin.server import serve
from launchd.clock import SystemClock
from launchd.daemon import HostProcess
from launchd.engine.events.bus import Bus
from launchd.engine.events.feed import Feed
from tests.support.hosted_daemon import PATIENCE_SECONDS, hosted, quiet_config

NONE = cast("Any", None)  # /healthz asks neither the control nor the store
KEPT = cast("Any", SimpleNamespace(version=lambda: None, now=lambda: 0))  # what kept answers are asked by
NOBODY = Api(
    control=KEPT,
    launches=KEPT,
    sources=NONE,
    access=Access(SystemClock()),
    feed=Feed(Bus(), SystemClock(), "test", NONE, list),
    backups=NONE,
    stats=NONE,
    audit=NONE,
    job_lines=NONE,
    reloader=NONE,
    metered=NONE,
    alerting=NONE,
    feeds=NONE,
)
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: launchd\r\nConnection: close\r\n\r\n"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """The listening socket of launchd.socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
        held.bind(str(tmp_path / "given.sock"))
        held.listen()
        held.setblocking(False)
        yield held


async def connect(listener: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(listener.getsockname())


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await reader.read()


async def test_the_daemon_serves_a_given_socket_and_binds_none_of_its_own(
    tmp_path: Path, listener: socket.socket
) -> None:
    async with hosted(quiet_config(tmp_path), host=HostProcess({"admin": listener.dup()})) as daemon:
        assert daemon.socket == tmp_path / "given.sock"
        assert not (tmp_path / "admin.sock").exists()
        reader, writer = await connect(listener)
        writer.write(REQUEST)
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_client_that_connects_while_no_daemon_runs_is_served_by_the_next_one(listener: socket.socket) -> None:
    path = Path(listener.getsockname())
    async with serve(NOBODY, path, 0o660, listener.dup()):
        pass
    reader, writer = await connect(listener)
    writer.write(REQUEST)
    async with serve(NOBODY, path, 0o660, listener.dup()):
        assert (await answer(reader)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_client_that_connects_just_before_the_end_still_gets_a_response(listener: socket.socket) -> None:
    serving = serve(NOBODY, Path(listener.getsockname()), 0o660, listener.dup())
    await serving.__aenter__()
    reader, writer = await connect(listener)
    first, second = await connect(listener)
    second.write(REQUEST)
    await answer(first)  # so the connection before it has been accepted
    end = asyncio.create_task(serving.__aexit__(None, None, None))
    await asyncio.sleep(0)  # the end has begun
    writer.write(REQUEST)
    assert (await answer(reader)).startswith(b"HTTP/1.1 200")
    await end
    writer.close()
    second.close()


async def test_a_socket_that_the_daemon_bound_is_removed_at_its_end(tmp_path: Path) -> None:
    async with serve(NOBODY, tmp_path / "own.sock", 0o660):
        assert (tmp_path / "own.sock").is_socket()
    assert not (tmp_path / "own.sock").exists()
