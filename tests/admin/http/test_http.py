"""HTTP over real sockets: every refusal is a problem, with the path of the field."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from launchd.admin import request
from launchd.daemon import Daemon
from launchd.testing import running
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended
from tests.support.scraping_daemon import asking

HOST = b"Host: d\r\n"


def get(target: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\n" + HOST + b"".join(one + b"\r\n" for one in headers) + b"\r\n"


def post(body: bytes, *headers: bytes, target: bytes = b"/v1/tasks/echo/trigger") -> bytes:
    length = b"Content-Length: %d" % len(body)
    return get(target, length, *(headers or (b"Content-Type: application/json",)), method=b"POST") + body


JSON = b"Content-Type: application/json"
REFUSED = {
    "no HTTP": (b"garbage\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400),
    "another version": (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no host": (b"GET /v1/status HTTP/1.1\r\n\r\n", 400),
    "a long request line": (get(b"/v1/jobs?task=" + b"a" * 9000), 400),
    "a long header": (get(b"/v1/jobs", b"X: " + b"a" * 9000), 400),
    "many headers": (get(b"/v1/jobs", *(b"X%d: a" % number for number in range(5000))), 400),
    "a header without a colon": (get(b"/v1/jobs", b"no colon"), 400),
    "a header with a NUL": (get(b"/v1/jobs", b"X: a\0b"), 400),
    "bytes that are no text": (get(b"/v1/jobs/\xff\xfe"), 400),
    "a length that is no number": (get(b"/v1/refresh", b"Content-Length: x", method=b"POST"), 400),
    "two lengths": (get(b"/v1/refresh", b"Content-Length: 1", b"Content-Length: 2", method=b"POST"), 400),
    "a broken chunk": (get(b"/v1/refresh", b"Transfer-Encoding: chunked", method=b"POST") + b"zz\r\n", 400),
    "a body that is not JSON": (post(b"{x"), 400),
    "half of a character": (post(b'{"args": {"value": "\\ud800"}}'), 400),
    "a deep body": (post(b'{"args": {"value": ' + b"[" * 400_000 + b"}}"), 400),
    "an address that nobody has": (get(b"/nope"), 404),
    "a job that nobody has": (get(b"/v1/jobs/%zz"), 404),
    "a job named by a NUL": (get(b"/v1/jobs/%00"), 404),
    "a way around": (get(b"/v1/../v1/status"), 404),
    "an asterisk": (get(b"*", method=b"OPTIONS"), 404),
    "a file that is not there": (get(b"/web/nope"), 404),
    "a method that is not for it": (get(b"/v1/status", method=b"DELETE"), 405),
    "another one": (get(b"/v1/jobs/x/cancel", method=b"PUT"), 405),
    "a large body": (get(b"/v1/jobs", b"Content-Length: 2000000", method=b"POST"), 413),
    "a body that is no JSON": (post(b"<a/>", b"Content-Type: text/xml"), 415),
    "a compressed body": (post(gzip.compress(b"{}"), JSON, b"Content-Encoding: gzip"), 415),
    "a bomb": (post(gzip.compress(bytes(50_000_000)), JSON, b"Content-Encoding: gzip"), 415),
    "no gzip though it says so": (post(b"nothing of the kind", JSON, b"Content-Encoding: gzip"), 415),
    "another expectation": (post(b"{}", JSON, b"Expect: a miracle"), 417),
    "a body that is no object": (post(b"[]"), 422),
    "a huge number": (post(b'{"delay": ' + b"9" * 400 + b"}"), 422),
    "an infinite number": (post(b'{"delay": 1e400}'), 422),
    "a key of bytes": (post(b"{}", JSON, b"Idempotency-Key: \xff\xfe"), 422),
    "a made-up cursor": (get(b"/v1/jobs?cursor=zzz"), 422),
}


def exchange(daemon: Daemon, request: bytes) -> bytes:
    """The response to some bytes, up to the end of its body or of the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(daemon.socket))
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(request)
        found = b""
        while not whole(found) and (chunk := connection.recv(65_536)):
            found += chunk
    return found


def whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return bool(end and lengths and len(body) >= int(lengths[0].split(b":")[1]))


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
async def test_every_refusal_is_a_problem(daemon: Daemon, request_: bytes, status: int) -> None:
    head, _, body = (await asyncio.to_thread(exchange, daemon, request_)).partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head.lower() + b"\r\n", head
    problem = msgspec.json.decode(body)
    assert {"type", "title", "status", "code", "detail"} <= problem.keys()
    assert problem["detail"]
    assert (int(head.split()[1]), problem["status"]) == (status, status), problem


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with asking(daemon) as session:
        yield session


async def refusal(client: aiohttp.ClientSession, method: str, path: str, body: object = None) -> dict[str, Any]:
    async with client.request(method, path, json=body) as response:
        assert response.status >= 400
        problem: dict[str, Any] = await response.json(content_type="application/problem+json")
        return problem


async def test_a_method_that_an_address_does_not_have_gets_the_allowed_ones(client: aiohttp.ClientSession) -> None:
    async with client.delete("/v1/jobs") as response:
        assert response.headers["Allow"] == "GET, HEAD, POST"
        assert "it accepts GET, HEAD, POST" in (await response.json(content_type=None))["detail"]


@pytest.mark.parametrize(
    "expression", ["*/15,7 * * * *", "0 */3,8-17 * * *", "0 3 * * 07", "0 0 1,L * 5#1,5", "*,5 2 * * *"]
)
async def test_a_preview_of_any_accepted_expression_works(client: aiohttp.ClientSession, expression: str) -> None:
    for day_match in ("or", "and"):
        asked = {"expression": expression, "day_match": day_match, "count": "3"}
        async with client.get("/v1/cron/preview", params=asked) as response:
            assert response.status == 200
            view = await response.json()
            assert (bool(view["description"]), len(view["fires"])) == (True, 3)


async def test_every_get_has_a_head(client: aiohttp.ClientSession) -> None:
    for path in ("/healthz", "/v1/status", "/v1/launches", "/metrics", "/"):
        async with client.head(path) as head, client.get(path) as response:
            assert (head.status, head.content_type) == (200, response.content_type)
            assert await head.read() == b""


@pytest.mark.parametrize(
    ("method", "path", "body", "where"),
    [
        ("POST", "/v1/refresh", {"nonsense": 1}, ["nonsense"]),
        ("POST", "/v1/jobs", {"jobs": [{"task": "echo"}, {"task": "echo", "nonsense": 1}]}, ["jobs[1].nonsense"]),
        ("POST", "/v1/jobs", {"jobs": [{}]}, ["jobs[0].task"]),
        ("POST", "/v1/jobs", {"jobs": [{"task": "echo", "run_at": "soon"}]}, ["jobs[0].run_at"]),
        (
            "POST",
            "/v1/jobs",
            {"jobs": [{"task": "nobody"}, {"task": "echo", "priority": 10, "args": {"x": 1}}]},
            ["jobs[0].task", "jobs[1].priority", "jobs[1].args.x"],
        ),
        ("POST", "/v1/refresh", {"sources": ["nasdaq"]}, ["sources"]),
        ("POST", "/v1/tasks/echo/trigger", {"queue": "none", "delay": -1}, ["delay", "queue"]),
        ("POST", "/v1/tasks/echo/trigger", {"run_at": "2026-01-01T00:00:00"}, ["run_at"]),
        ("PATCH", "/v1/queues/default", {"rate": "often"}, ["rate"]),
        ("PATCH", "/v1/queues/default", {"concurrency": 0}, ["concurrency"]),
        ("GET", "/v1/jobs?nonsense=1", None, ["nonsense"]),
        ("GET", "/v1/jobs?limit=1&limit=2", None, ["limit"]),
        ("GET", "/v1/jobs?state=odd", None, ["state"]),
        ("GET", "/v1/jobs?state=null", None, ["state"]),
        ("GET", "/v1/jobs/x?wait=nan", None, ["wait"]),
        ("GET", "/v1/jobs?since=yesterday", None, ["since"]),
        ("GET", "/v1/launches?cursor=1", None, ["cursor"]),
        ("GET", "/v1/launches?source=nasdaq", None, ["source"]),
        ("GET", "/v1/cron/preview?expression=nonsense", None, ["expression"]),
        ("GET", "/v1/cron/preview?expression=0%200%20*%20*%20*&timezone=Mars", None, ["timezone"]),
        ("GET", "/v1/cron/preview", None, ["expression"]),
        ("GET", "/v1/cron/preview?expression=0%200%20*%20*%20*&day_match=xor", None, ["day_match"]),
        ("GET", "/v1/events?types=nothing", None, ["types"]),
    ],
)
async def test_an_invalid_field_is_named_by_its_path(
    client: aiohttp.ClientSession, method: str, path: str, body: object, where: list[str]
) -> None:
    problem = await refusal(client, method, path, body)
    assert (problem["status"], problem["code"]) == (422, "invalid")
    assert [one["path"] for one in problem["errors"]] == where
    assert all(one["message"] for one in problem["errors"])


async def test_a_wrong_enumeration_value_gets_the_allowed_ones(client: aiohttp.ClientSession) -> None:
    assert (
        "expected one of cancelled, expired, failed" in (await refusal(client, "GET", "/v1/jobs?state=odd"))["detail"]
    )
    assert "expected one of past, upcoming" in (await refusal(client, "GET", "/v1/launches?when=now"))["detail"]
    assert "known: value" in (await refusal(client, "POST", "/v1/tasks/echo/trigger", {"args": {"vlaue": 1}}))["detail"]


async def test_a_batch_with_one_invalid_job_makes_none(client: aiohttp.ClientSession) -> None:
    await refusal(client, "POST", "/v1/jobs", {"jobs": [{"task": "echo"}, {"task": "nobody"}]})
    async with client.get("/v1/jobs") as response:
        assert (await response.json())["items"] == []


async def forget(daemon: Daemon, job_id: str) -> None:
    """Delete a job, as pruning does."""
    await daemon.control._jobs._db.write(lambda db: db.execute("DELETE FROM jobs WHERE id = ?", (job_id,)))


@pytest.mark.parametrize("state", ["", "failed"])
async def test_pages_lose_and_repeat_no_job_while_jobs_come_and_go(
    daemon: Daemon, client: aiohttp.ClientSession, state: str
) -> None:
    async def fail() -> str:
        job, _ = await daemon.control.trigger("failing_at_once", {}, by="test")
        return (await ended(daemon, job.id)).id

    made = [await fail() for _ in range(6)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        async with client.get("/v1/jobs", params={"limit": "2", "state": state, "cursor": cursor}) as response:
            page = await response.json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
        await fail()
        await forget(daemon, seen[-1])  # the next page begins where nothing is any more
    assert seen == made[::-1]


async def test_an_invalid_range_of_a_backfill_is_named() -> None:
    async with (
        running(schedules={"s": {"task": "prune", "cron": "0 0 * * *"}}) as daemon,
        asking(daemon.daemon) as client,
    ):
        for body, where in (
            ({"from": "soon", "to": "2025-12-31T00:00:00Z"}, "from"),
            ({"from": "2025-12-31T00:00:00Z", "to": "2025-12-01T00:00:00Z"}, "to"),
            ({"from": "2025-12-31T00:00:00Z", "to": "2035-12-01T00:00:00Z"}, "to"),
            ({"from": "1925-12-31T00:00:00Z", "to": "2025-12-01T00:00:00Z"}, "to"),
        ):
            problem = await refusal(client, "POST", "/v1/schedules/s/backfill", body)
            assert [one["path"] for one in problem["errors"]] == [where]


async def test_a_client_that_disconnects_while_it_sends_logs_nothing(
    daemon: Daemon,
    client: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(request, "BODY_SECONDS", PATIENCE_SECONDS)
    reading = asyncio.Event()
    read = aiohttp.web.Request.read

    async def told(request: aiohttp.web.Request) -> bytes:
        reading.set()
        try:
            return await read(request)
        finally:
            over.set()

    over = asyncio.Event()
    monkeypatch.setattr(aiohttp.web.Request, "read", told)
    with socket.socket(socket.AF_UNIX) as gone:
        gone.connect(str(daemon.socket))
        gone.sendall(get(b"/v1/refresh", b"Content-Length: 100", method=b"POST") + b"{")
        await reading.wait()
    await over.wait()
    async with client.get("/healthz") as response:
        assert response.status == 200
    assert "ConnectionResetError" not in "".join(capfd.readouterr()) + caplog.text
