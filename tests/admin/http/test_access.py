"""The access to the admin API over the Unix socket and TCP, with real sockets and real processes."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from launchd.admin.http import listen
from launchd.admin.http.access import (
    COOKIE,
    MAX_FAILURES,
    NOBODY,
    SESSION_KEY,
    SESSION_SECONDS,
    TICKET_SECONDS,
    Access,
    Caller,
    Peer,
    Role,
    forged,
    misdirected,
    peer_of,
    peer_role,
)
from launchd.admin.http.tcp import RETRY_SECONDS
from launchd.admin.routes import ROUTES
from launchd.cli import CommandContext, cli
from launchd.config import parse
from launchd.daemon import Daemon, HostProcess
from launchd.errors import ConfigError
from launchd.ops.health import Level
from launchd.testing import VirtualClock
from tests.support.admin_clients import bearer, with_tcp
from tests.support.hosted_daemon import PATIENCE_SECONDS, ended, hosted, quiet_config
from tests.support.scraping_daemon import asking
from tests.support.tasks import ALL

ALICE = Caller("alice (uid 1000)", Role.OPERATOR)
# Becomes a user with groups ("1000" "1000,77"), asks over a Unix socket ("METHOD /path" each), prints the answers.
ASK = """
import http.client, os, socket, sys
uid, groups = int(sys.argv[2]), [int(one) for one in sys.argv[3].split(",")]
os.setgroups(groups)
os.setgid(groups[0])
os.setuid(uid)
connection = http.client.HTTPConnection("d")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
for line in sys.argv[4:]:
    method, path = line.split()
    connection.request(method, path)
    answer = connection.getresponse()
    print(answer.status, answer.read().decode().strip())
"""


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon that listens on TCP as well, on any free port."""
    async with hosted(with_tcp(tmp_path), tasks=ALL) as running:
        yield running


@pytest.fixture
async def link(daemon: Daemon) -> str:
    """A sign-in link."""
    async with asking(daemon) as client, client.post("/v1/sign-in") as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["url"])


@pytest.fixture
async def remote(link: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the TCP listener that keeps cookies and has none yet."""
    base = urlsplit(link)
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an IP address
    async with aiohttp.ClientSession(f"http://{base.netloc}", cookie_jar=jar) as session:
        yield session


# --- the Unix socket ---


@pytest.mark.parametrize(
    ("peer", "role"),
    [
        (Peer(0, frozenset({0})), Role.ADMIN),
        (Peer(990, frozenset({990})), Role.ADMIN),
        (Peer(1000, frozenset({1000, 77})), Role.OPERATOR),
        (Peer(1000, frozenset({1000})), None),
    ],
)
def test_root_and_the_service_are_admins_the_group_are_operators_and_others_have_no_role(
    peer: Peer, role: Role | None
) -> None:
    assert peer_role(peer, service_uid=990, group=77) is role


def test_the_kernel_names_the_user_and_all_groups_of_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = peer_of(ours)
    assert peer.uid == os.geteuid()
    assert peer.groups >= {os.getegid(), *os.getgroups()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
async def test_a_member_of_the_sockets_group_is_an_operator_and_others_are_refused_by_name() -> None:
    with tempfile.TemporaryDirectory(prefix="launchd-access-") as place:
        directory = Path(place)
        os.chmod(place, 0o711)  # noqa: PTH101, S103 - Path.chmod is refused in a coroutine; all must reach it
        quiet = quiet_config(directory / "state")  # which is its owner's alone: the socket lies elsewhere
        admin = msgspec.structs.replace(quiet.admin, socket=str(directory / "admin.sock"), socket_mode="0666")
        config = msgspec.structs.replace(quiet, admin=admin)
        async with hosted(config, tasks=ALL) as daemon:
            stranger = await as_user(daemon, 54_321, [54_321], "GET /v1/status", "GET /healthz")
            assert [line[:3] for line in stranger] == ["403", "403"]
            assert "uid 54321 is not in the group" in stranger[0]
            said = await as_user(daemon, 54_321, [54_321, 0], "POST /v1/queues/default/pause", "DELETE /v1/locks/x")
            assert [line[:3] for line in said] == ["200", "403"]
            assert "uid 54321 is an operator; this needs an admin" in said[1]
            ours = await as_user(daemon, 0, [0], "DELETE /v1/locks/x")
            assert ours[0][:3] == "404"


async def as_user(daemon: Daemon, uid: int, groups: list[int], *lines: str) -> list[str]:
    """The response to a process of another user. The socket's group here is 0, root's own."""

    def run() -> str:
        command = [sys.executable, "-I", "-c", ASK, str(daemon.socket), str(uid), ",".join(map(str, groups)), *lines]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return (await asyncio.to_thread(run)).splitlines()


async def test_every_write_is_in_the_audit_with_the_name_of_its_caller(daemon: Daemon, tmp_path: Path) -> None:
    async with asking(daemon) as client:
        for path in ("/v1/queues/default/pause", "/v1/queues/default/resume", "/v1/tasks/echo/trigger"):
            async with client.post(path) as response:
                assert response.status in {200, 202}
                said = await response.json()
    await ended(daemon, said["id"])
    rows = await audit(tmp_path)
    me = f"(uid {os.geteuid()})"
    assert [row[1] for row in rows] == ["pause_queue", "resume_queue", "trigger"]
    assert all(row[0].endswith(me) for row in rows), rows


async def audit(directory: Path) -> list[tuple[str, str]]:
    """(actor, action) of each row of the audit."""

    def read() -> list[tuple[str, str]]:
        connection = sqlite3.connect(directory / "jobs.db")
        try:
            return connection.execute("SELECT actor, action FROM audit ORDER BY seq").fetchall()
        finally:
            connection.close()

    return await asyncio.to_thread(read)


# --- TCP ---


async def test_without_a_token_tcp_shows_only_that_the_daemon_is_alive(remote: aiohttp.ClientSession) -> None:
    for route in ROUTES:
        async with remote.request(route.method, route.path.replace("{", "").replace("}", "")) as response:
            assert (response.status == 401) is (route.needs is not None), route.path
            if response.status == 401:
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert response.content_type == "application/problem+json"
    for path in ("/metrics", "/nothing"):
        async with remote.get(path) as response:
            assert response.status == 401


async def test_the_token_file_is_private_and_the_token_gives_full_access(
    remote: aiohttp.ClientSession, tmp_path: Path
) -> None:
    assert (tmp_path / "admin.token").stat().st_mode & 0o777 == 0o600
    async with remote.post("/v1/queues/default/pause", headers=bearer(tmp_path)) as response:
        assert response.status == 200
    async with remote.get("/metrics", headers=bearer(tmp_path)) as response:
        assert response.status == 200
    assert ("token", "pause_queue") in await audit(tmp_path)


async def test_a_link_signs_in_once_and_its_cookie_acts_for_its_maker(
    remote: aiohttp.ClientSession, link: str, tmp_path: Path
) -> None:
    async with remote.get(link, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"].partition("=")[0]) == (303, "/#session")
        cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
    key = key_of(response)
    own = {"Origin": str(remote._base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin", SESSION_KEY: key}
    async with remote.post("/v1/queues/default/pause", headers=own) as response:
        assert response.status == 200, await response.text()
    actors = {actor for actor, _ in await audit(tmp_path)}
    assert len(actors) == 1
    remote.cookie_jar.clear()
    async with remote.get(link, allow_redirects=False) as response:
        assert response.status == 401
        assert "Set-Cookie" not in response.headers


def key_of(response: aiohttp.ClientResponse) -> str:
    """The half of a session that the page stores."""
    return response.headers["Location"].partition("#session=")[2]


async def test_a_stolen_cookie_alone_gives_no_access(remote: aiohttp.ClientSession, link: str) -> None:
    """As another server on this host gets it: browsers keep cookies by host, without the port."""
    async with remote.get(link, allow_redirects=False) as response:
        key = {SESSION_KEY: key_of(response)}
    async with remote.get("/v1/status", headers=key) as response:
        assert response.status == 200
    own = {"Origin": str(remote._base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    for route in ROUTES:
        path = route.path.replace("{", "").replace("}", "")
        for headers in (own, own | {SESSION_KEY: "guessed"}):
            async with remote.request(route.method, path, headers=headers) as response:
                assert (response.status == 401) is (route.needs is not None), route.path
    remote.cookie_jar.clear()
    async with remote.get("/v1/status", headers=key) as response:
        assert response.status == 401  # nor does the key


async def test_a_session_that_was_signed_out_stays_refused_after_a_restart(tmp_path: Path) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with hosted(with_tcp(tmp_path)) as daemon:
        link = await made_link(daemon)
        async with (
            aiohttp.ClientSession(f"http://{urlsplit(link).netloc}", cookie_jar=jar) as browser,
            browser.get(link, allow_redirects=False) as response,
        ):
            cookie, key = response.cookies, {SESSION_KEY: key_of(response)}
            own = key | {"Sec-Fetch-Site": "same-origin"}
            async with browser.post("/v1/sign-out", headers=own) as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "signed out"})
                assert "Max-Age=0" in answer.headers["Set-Cookie"]
            assert len(jar) == 0
            await refused(browser, cookie, key)
            async with browser.post("/v1/sign-out", headers=bearer(tmp_path)) as answer:
                assert answer.status == 409
    async with hosted(with_tcp(tmp_path)) as daemon:
        link = await made_link(daemon)
        async with aiohttp.ClientSession(f"http://{urlsplit(link).netloc}") as browser:
            await refused(browser, cookie, key)
    assert "sign_out" in [action for _, action in await audit(tmp_path)]


async def refused(browser: aiohttp.ClientSession, cookie: SimpleCookie, key: dict[str, str]) -> None:
    said = {"Cookie": "; ".join(f"{name}={one.value}" for name, one in cookie.items())}
    async with browser.get("/v1/status", headers=key | said) as response:
        assert response.status == 401


async def made_link(daemon: Daemon) -> str:
    async with asking(daemon) as client, client.post("/v1/sign-in") as response:
        return str((await response.json())["url"])


async def test_a_port_of_another_program_is_reported_and_bound_once_it_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as imposter:
        quiet = quiet_config(tmp_path)
        tcp = f"127.0.0.1:{imposter.getsockname()[1]}"
        config = msgspec.structs.replace(quiet, admin=msgspec.structs.replace(quiet.admin, tcp=tcp))
        clock = VirtualClock()
        async with hosted(config, clock=clock) as daemon, asking(daemon) as client:
            found = (await daemon.control.health()).checks["tcp"]
            assert found.level is Level.DEGRADED
            assert tcp in found.detail
            async with client.post("/v1/sign-in") as response:  # it would lead to the other program
                assert response.status == 409
                assert "already in use" in (await response.json())["detail"]
            imposter.close()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await daemon.control.health()).checks["tcp"].level is not Level.HEALTHY:
                    clock.move(RETRY_SECONDS)
                    await asyncio.sleep(0)
            assert urlsplit(await made_link(daemon)).netloc == tcp


async def test_a_tcp_listener_of_systemd_is_served_without_being_configured(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        held.setblocking(False)
        async with hosted(quiet_config(tmp_path), host=HostProcess({"tcp": held.dup()})) as daemon:
            netloc = urlsplit(await made_link(daemon)).netloc
            assert netloc == f"127.0.0.1:{held.getsockname()[1]}"
            async with aiohttp.ClientSession() as client:
                async with client.get(f"http://{netloc}/v1/status") as response:
                    assert response.status == 401
                async with client.get(f"http://{netloc}/v1/status", headers=bearer(tmp_path)) as response:
                    assert response.status == 200


async def test_a_listener_of_systemd_beyond_loopback_is_not_served(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as held:
        async with hosted(quiet_config(tmp_path), host=HostProcess({"tcp": held.dup()})) as daemon:
            found = (await daemon.control.health()).checks["tcp"]
            assert (found.level, "must name a loopback address" in found.detail) == (Level.DEGRADED, True)


async def test_a_request_for_another_host_is_refused_even_with_the_token(
    remote: aiohttp.ClientSession, tmp_path: Path
) -> None:
    for host in ("evil.example", "localhost:1", "127.0.0.1", ""):
        async with remote.get("/v1/status", headers=bearer(tmp_path) | {"Host": host}) as response:
            assert response.status == 403, host


async def test_a_page_of_another_site_cannot_write(remote: aiohttp.ClientSession, link: str, tmp_path: Path) -> None:
    async with remote.get(link, allow_redirects=False) as response:
        key = {SESSION_KEY: key_of(response)}
    foreign: tuple[dict[str, str], ...] = (
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    )
    for headers in foreign:
        async with remote.post("/v1/queues/default/pause", headers=headers | key) as response:
            assert response.status == 403, headers
    async with remote.post("/v1/queues/default/pause", headers=bearer(tmp_path) | foreign[1]) as response:
        assert response.status == 403
    async with remote.get("/v1/status", headers=key) as response:
        assert response.status == 200


async def test_after_many_wrong_tokens_further_ones_get_429_and_the_right_one_is_still_accepted(
    remote: aiohttp.ClientSession, tmp_path: Path
) -> None:
    statuses = []
    for _ in range(MAX_FAILURES + 2):
        async with remote.get("/v1/status", headers={"Authorization": "Bearer wrong"}) as response:
            statuses.append(response.status)
    assert statuses[: MAX_FAILURES - 1] == [401] * (MAX_FAILURES - 1)
    assert statuses[-2:] == [429, 429]
    assert 1 <= int(response.headers["Retry-After"]) <= 61
    async with remote.get("/v1/status", headers=bearer(tmp_path)) as response:
        assert response.status == 200


async def test_a_link_is_made_over_the_unix_socket_only(remote: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with remote.post("/v1/sign-in", headers=bearer(tmp_path)) as response:
        assert response.status == 403


async def test_the_command_line_prints_a_link_that_works(daemon: Daemon, remote: aiohttp.ClientSession) -> None:
    arguments = ["--socket", str(daemon.socket), "dashboard"]
    result = await asyncio.to_thread(CliRunner().invoke, cli, arguments, obj=CommandContext())
    assert result.exit_code == 0, result.output
    async with remote.get(result.output.strip(), allow_redirects=False) as response:
        assert response.status == 303
        assert [name.rpartition("_")[0] for name in response.cookies] == [COOKIE]


async def test_without_tcp_there_is_no_link(tmp_path: Path) -> None:
    async with hosted(quiet_config(tmp_path)) as daemon, asking(daemon) as client:
        async with client.post("/v1/sign-in") as response:
            assert response.status == 409
        assert not (tmp_path / "admin.token").exists()


# --- rules ---


def test_tickets_and_sessions_expire() -> None:
    clock = VirtualClock()
    access = Access(clock, "t" * 32)
    late, good = access.ticket(ALICE), access.ticket(ALICE)
    opened = access.redeem(good.text)
    assert opened is not None
    clock.move(TICKET_SECONDS)
    assert access.redeem(late.text) is None
    assert (access.session(*opened) or NOBODY)[:2] == ALICE[:2]
    clock.move(SESSION_SECONDS)
    assert access.session(*opened) is None


def test_a_session_opened_by_a_clock_years_ahead_ends_once_the_clock_is_right() -> None:
    clock = VirtualClock()
    access = Access(clock, "t" * 32)
    clock.jump(10 * 365 * 86400)
    opened = access.redeem(access.ticket(ALICE).text)
    assert opened is not None
    clock.jump(-10 * 365 * 86400)
    assert access.session(*opened) is None


def test_a_session_survives_a_restart_but_not_a_new_token() -> None:
    clock = VirtualClock()
    before = Access(clock, "t" * 32)
    opened = before.redeem(before.ticket(ALICE).text)
    assert opened is not None
    same, other = Access(clock, "t" * 32), Access(clock, "u" * 32)
    assert (same.session(*opened) or NOBODY)[:2] == ALICE[:2]
    assert same.cookie == before.cookie != other.cookie
    assert other.session(*opened) is None
    assert Access(clock, None).session(*opened) is None


@given(st.data())
def test_a_changed_cookie_is_refused(data: st.DataObject) -> None:
    access = Access(VirtualClock(), "t" * 32)
    opened = access.redeem(access.ticket(ALICE).text)
    assert opened is not None
    cookie, key = opened
    at = data.draw(st.integers(0, len(cookie) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda one: one != cookie[at]))
    for changed in (cookie[:at] + other + cookie[at + 1 :], cookie[:at], cookie + other, other + cookie):
        assert access.session(changed, key) is None


@given(st.text(max_size=60))
def test_a_cookie_with_another_key_is_refused(other: str) -> None:
    access = Access(VirtualClock(), "t" * 32)
    first, second = (access.redeem(access.ticket(ALICE).text) for _ in range(2))
    assert first is not None
    assert second is not None
    assert access.session(first.cookie, other) is None
    assert access.session(first.cookie, second.key) is None
    assert access.session(*second) is not None


def test_signing_out_ends_one_session_and_no_other() -> None:
    access = Access(VirtualClock(), "t" * 32)
    first, second = (access.redeem(access.ticket(ALICE).text) for _ in range(2))
    assert first is not None
    assert second is not None
    caller = access.session(*first)
    assert caller is not None
    assert caller.session is not None
    access.sign_out(caller.session)
    assert access.session(*first) is None
    assert access.session(*second) is not None


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "\udcff", "W10.", "." * 5000])
def test_any_other_cookie_is_refused(cookie: str) -> None:
    assert Access(VirtualClock(), "t" * 32).session(cookie, "k") is None


def test_wrong_tokens_of_a_minute_ago_are_forgotten() -> None:
    clock = VirtualClock()
    access = Access(clock, "t" * 32)
    for _ in range(MAX_FAILURES):
        assert access.bearer("Bearer x") is None
    assert access.wait_seconds() == 60.0
    clock.move(60.0)
    assert access.wait_seconds() == 0.0


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic " + "t" * 32, "t" * 32, "Bearer tt", "Bearer \udcff"]
)
def test_only_the_whole_token_as_bearer_is_accepted(header: str) -> None:
    access = Access(VirtualClock(), "t" * 32)
    assert access.bearer(header) is None
    assert access.bearer("bearer " + "t" * 32) == Caller("token", Role.ADMIN)
    assert Access(VirtualClock(), None).bearer("Bearer ") is None


def test_reads_are_never_forged_and_a_token_needs_no_origin() -> None:
    assert not forged("GET", {"Sec-Fetch-Site": "cross-site", "Host": "h"}, by_cookie=True)
    assert not forged("POST", {"Host": "h"}, by_cookie=False)
    assert forged("POST", {"Host": "h"}, by_cookie=True)
    assert not forged("POST", {"Host": "h:1", "Origin": "http://h:1"}, by_cookie=True)


def test_hosts_are_compared_whole_and_without_case() -> None:
    hosts = frozenset({"localhost:8470"})
    assert not misdirected({"Host": "LOCALHOST:8470"}, hosts)
    assert misdirected({"Host": "localhost:8470.evil.example"}, hosts)
    assert misdirected({}, hosts)


@pytest.mark.parametrize("address", ["0.0.0.0:8470", "192.0.2.1:80", "example.org:80", "127.0.0.1", "127.0.0.1:65536"])
def test_only_loopback_can_be_configured(address: str) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        parse(f'[admin]\ntcp = "{address}"')


def test_a_token_that_others_can_read_or_that_is_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    made = listen.load_token(str(path))
    assert listen.load_token(str(path)) == made
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        listen.load_token(str(path))
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(ConfigError, match="at least 32"):
        listen.load_token(str(path))
