"""Limits of connections, with real sockets: slow, idle or too large ones are closed, and keep no others out."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from launchd.admin import request, server
from launchd.admin.http import connections, listen
from launchd.daemon import Daemon
from launchd.engine import control
from tests.support.hosted_daemon import PATIENCE_SECONDS, hosted, quiet_config
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL
from tests.support.tasks import gate as task_gate

pytestmark = pytest.mark.uvloop  # whose transports are not asyncio's
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: d\r\n\r\n"
# Opens idle connections and connections that send a head byte by byte, says so, and holds them until its stdin ends.
CROWD = """
import resource, socket, sys
path, count, slow = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for number in range(count):
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    if number < slow:
        one.send(b"GET /healthz HTT")
    held.append(one)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
async def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Daemon]:
    """A daemon with eight places on its Unix socket and short patience."""
    monkeypatch.setattr(server, "UNIX_PLACES", 8)
    monkeypatch.setattr(connections, "_SWEEP_SECONDS", 0.02)
    async with hosted(quiet_config(tmp_path), tasks=ALL) as running:
        yield running


def connect(daemon: Daemon) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.connect(str(daemon.socket))
    one.settimeout(PATIENCE_SECONDS)
    return one


async def said(connection: socket.socket, until: bytes = b"") -> bytes:
    """The bytes received on a connection until it ends, or until some bytes have arrived."""

    def read() -> bytes:
        found = b""
        try:
            while (chunk := connection.recv(65_536)) and not (until and until in found + chunk):
                found += chunk
        except ConnectionResetError:
            chunk = b""
        return found + chunk

    return await asyncio.to_thread(read)


async def answered(daemon: Daemon) -> None:
    async with asking(daemon) as client, client.get("/v1/status") as response:
        assert response.status == 200, await response.text()


async def test_idle_connections_keep_no_others_out_and_the_longest_idle_is_closed_first(few: Daemon) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(few)) for _ in range(60)]
        await answered(few)
        assert await said(crowd[0]) == b""  # it was cut off
        crowd[-1].sendall(HEALTHZ)
        assert (await said(crowd[-1], b"alive")).startswith(b"HTTP/1.1 200")


async def test_a_head_that_arrives_byte_by_byte_is_cut_off_and_others_are_served(
    few: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)

    def trickle() -> int:
        sent = 0
        with connect(few) as slow:
            try:
                for byte in b"GET /healthz HTTP/1.1\r\n" + b"X-Slow: " + b"x" * 1_000_000:
                    slow.send(bytes([byte]))
                    sent += 1
                    slow.settimeout(0.005)
                    try:
                        if slow.recv(1) == b"":
                            break
                    except TimeoutError:
                        continue
            except (BrokenPipeError, ConnectionResetError):
                pass
        return sent

    tricklers = [asyncio.create_task(asyncio.to_thread(trickle)) for _ in range(3)]
    await answered(few)
    assert all(0 < sent < 1_000_000 for sent in await asyncio.gather(*tricklers))


async def test_an_idle_connection_is_closed(few: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    with connect(few) as one:
        one.sendall(HEALTHZ)
        assert (await said(one)).count(b"HTTP/1.1 200") == 1  # up to the end of the connection


async def test_a_response_that_is_not_read_is_given_up(few: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    with connect(few) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: d\r\n\r\n" * 64)
        await until_gone(few)
    await answered(few)


async def until_gone(daemon: Daemon) -> None:
    """Wait until the daemon holds no connections."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await asyncio.to_thread(open_connections, daemon) > 0:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.02)


def open_connections(daemon: Daemon) -> int:
    """How many connections of the admin socket this process, the daemon's host, holds at the accepting end."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    connected = "03"  # SS_CONNECTED
    return sum(line.endswith(f" {daemon.socket}") and line.split()[5] == connected for line in lines)


async def test_a_body_that_does_not_arrive_is_refused_with_408(few: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "BODY_SECONDS", 0.2)
    with connect(few) as one:
        one.sendall(b"POST /v1/refresh HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n{")
        answer = await said(one, b"timeout")
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"application/problem+json" in answer


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
async def test_a_gigabyte_is_refused_before_it_is_sent(few: Daemon, expect: bytes) -> None:
    with connect(few) as one:
        one.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: d\r\nContent-Length: 1073741824\r\n" + expect + b"\r\n")
        answer = await said(one, b"too_large")
    assert answer.startswith(b"HTTP/1.1 413")  # and no 100 before it
    assert b"application/problem+json" in answer


async def test_a_body_without_a_length_is_refused_once_it_is_too_long(few: Daemon) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"

    def send() -> int:
        sent = 0
        try:
            while sent < 64 * 1024 * 1024:
                one.sendall(chunk)
                sent += 65_536
        except (BrokenPipeError, ConnectionResetError):
            pass
        return sent

    with connect(few) as one:
        one.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n")
        one.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        sending = asyncio.create_task(asyncio.to_thread(send))
        assert (await said(one, b"too_large")).startswith(b"HTTP/1.1 413")
        one.shutdown(socket.SHUT_RDWR)
        assert await sending < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: d\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: d\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(200)) + b"\r\n",
        b"this is not HTTP at all\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_what_is_not_http_or_too_long_is_a_problem_and_the_end_of_the_connection(
    few: Daemon, head: bytes
) -> None:
    with connect(few) as one:
        one.sendall(head)
        answer = await said(one)
    assert b" 400 " in answer.partition(b"\r\n")[0]
    body = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])
    assert (body["status"], body["code"]) == (400, "malformed")


async def test_when_all_connections_are_being_served_a_new_one_gets_503(few: Daemon) -> None:
    job, _ = await few.control.trigger("waiting", {"name": "places"}, by="test")
    wait = f"GET /v1/jobs/{job.id}?wait=300 HTTP/1.1\r\nHost: d\r\n\r\n".encode()
    with ExitStack() as stack:
        served = [stack.enter_context(connect(few)) for _ in range(8)]
        for one in served:
            one.sendall(wait)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while few.control._bus.waiting < 8:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.001)
        with connect(few) as late:
            head, _, body = (await said(late)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503")
            assert b"Content-Type: application/problem+json" in head
            assert msgspec.json.decode(body)["status"] == 503
        task_gate("places").set()
        for one in served:
            assert b"200 OK" in await said(one, b"succeeded")
    await answered(few)


async def test_a_broken_response_never_looks_complete(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while a body is sent is never part of that body: the connection ends."""
    monkeypatch.setattr("launchd.admin.api.backup._CHUNK", 1000)
    written = aiohttp.web.StreamResponse.write

    async def write_once(response: aiohttp.web.StreamResponse, data: bytes) -> None:
        await written(response, data)
        raise ValueError("the disk is gone")

    monkeypatch.setattr(aiohttp.web.StreamResponse, "write", write_once)
    with connect(daemon) as one:
        one.sendall(b"POST /v1/backup HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n")
        head, _, body = (await said(one)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert len(body) == 1000
    await answered(daemon)


async def test_the_number_of_requests_that_wait_for_jobs_is_limited(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAX_WAITERS", 0)
    async with asking(daemon) as client:
        async with client.get("/v1/jobs/x?wait=1") as response:
            assert response.status == 503
            assert (await response.json(content_type=None))["code"] == "unavailable"
        async with client.get("/v1/jobs/x") as response:
            assert response.status == 404


async def crowd(daemon: Daemon, count: int, slow: int) -> Any:  # noqa: ANN401 - a Popen of bytes
    """A process that has opened so many connections."""
    command = [sys.executable, "-I", "-c", CROWD, str(daemon.socket), str(count), str(slow)]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def disperse(process: Any) -> None:  # noqa: ANN401 - as above
    process.stdin.close()
    await process.wait()


async def test_two_thousand_idle_and_slow_connections_keep_no_others_out(daemon: Daemon) -> None:
    process = await crowd(daemon, 2000, 500)
    for _ in range(20):
        await answered(daemon)
    assert await asyncio.to_thread(open_connections, daemon) <= server.UNIX_PLACES + listen.BACKLOG
    await disperse(process)


@pytest.mark.lab
async def test_ten_thousand_idle_and_slow_connections_keep_no_others_out(daemon: Daemon) -> None:
    process = await crowd(daemon, 10_000, 5_000)
    for _ in range(100):
        await answered(daemon)
    assert await asyncio.to_thread(open_connections, daemon) <= server.UNIX_PLACES + listen.BACKLOG
    await disperse(process)
