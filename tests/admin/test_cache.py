"""Cached responses: sent again while they are valid, never after a change or to another role, within a limit."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from launchd.admin import server
from launchd.admin.api.status import WordView
from launchd.admin.cache import ResponseCache
from launchd.admin.http import access
from launchd.admin.http.access import Role
from launchd.admin.route import Api, Body, Document, Query, Request, Response, Route
from launchd.admin.routes import ROUTES
from launchd.clock import FOREVER, Instant, SystemClock, parse_instant
from launchd.daemon import Daemon
from launchd.errors import NotFoundError
from tests.support.admin_clients import bearer, with_tcp
from tests.support.hosted_daemon import hosted
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import asking, refresh, scraping

START = parse_instant("2027-04-20T09:00:00Z")
NET, LAST = "2027-04-20T10:00:00Z", parse_instant("2027-04-20T10:00:59.999999Z")
LISTS = ("/v1/launches", "/v1/launches?when=upcoming&limit=6", "/v1/launches.ics", "/v1/launches.csv")
OPERATOR, ADMIN = Role.OPERATOR, Role.ADMIN


class StandingClock(SystemClock):
    """The clock of this machine, except for the wall time, which is fixed at `at`."""

    at: Instant = START

    def now(self) -> Instant:
        return self.at


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        server.bodies = {UPCOMING: page(ll2("Falcon 9 | Crew-20", NET)), PREVIOUS: page(), LOG: gcat()}
        yield server


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def daemon(replay: Replay, tmp_path: Path, clock: StandingClock) -> AsyncIterator[Daemon]:
    async with scraping(replay, tmp_path, clock=clock) as running:
        await refresh(running)
        yield running


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with asking(daemon) as session:
        yield session


@pytest.fixture
def asked(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The calls of each method of the launch store."""
    counts: Counter[str] = Counter()

    def counted(name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def ask(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the method
            counts[name] += 1
            return await method(*args, **kwargs)

        return ask

    for name in ("list", "get", "changed", "conflicts"):
        monkeypatch.setattr(daemon.launches, name, counted(name, getattr(daemon.launches, name)))
    return counts


async def text(client: aiohttp.ClientSession, path: str) -> str:
    async with client.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.text()


async def addresses(client: aiohttp.ClientSession) -> list[str]:
    """Every address whose response is cached."""
    async with client.get("/v1/launches") as response:
        (found,) = (await response.json())["items"]
    return [*LISTS, "/v1/launches.atom", f"/v1/launches/{found['id']}", "/v1/conflicts"]


# --- through the API ---


async def test_an_unchanged_response_is_not_made_again(client: aiohttp.ClientSession, asked: Counter[str]) -> None:
    for path in await addresses(client):
        first = await text(client, path)
        asked.clear()
        async with client.head(path) as response:
            etag = response.headers["ETag"]
        async with client.get(path, headers={"If-None-Match": etag}) as response:
            assert response.status == 304
        assert await text(client, path) == first
        assert not asked, path


async def test_a_change_is_seen_by_the_very_next_request(client: aiohttp.ClientSession) -> None:
    *seen, _conflicts = await addresses(client)
    launch = next(path for path in seen if path.count("/") > 2)
    for path in seen:
        await text(client, path)
    for name in ("Crew-21", "Crew-22"):
        async with client.post(f"{launch}/override", json={"fields": {"name": name}}) as response:
            assert response.status == 200, await response.text()
        for path in seen:
            assert name in await text(client, path), path


async def test_a_scrape_is_seen_by_the_very_next_request(
    client: aiohttp.ClientSession, daemon: Daemon, replay: Replay
) -> None:
    for path in LISTS:
        assert "Starlink" not in await text(client, path)
    replay.bodies[UPCOMING] = page(ll2("Falcon 9 | Crew-20", NET), ll2("Falcon 9 | Starlink", NET, key="id-2"))
    await refresh(daemon)
    for path in LISTS:
        assert "Starlink" in await text(client, path), path


async def test_a_change_by_another_program_is_seen_by_the_very_next_request(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    for path in LISTS:
        await text(client, path)
    rename = "UPDATE launches SET body = CAST(replace(CAST(body AS TEXT), 'Crew-20', 'Crew-99') AS BLOB)"
    db = sqlite3.connect(tmp_path / "launches.db")
    with db:
        db.execute(rename)
    db.close()
    for path in LISTS:
        assert "Crew-99" in await text(client, path), path


async def test_a_launch_is_upcoming_to_the_last_moment_of_its_net_in_spite_of_the_cache(
    client: aiohttp.ClientSession, asked: Counter[str], clock: StandingClock
) -> None:
    upcoming, past = "/v1/launches?when=upcoming", "/v1/launches?when=past"
    for at, where in ((START, upcoming), (LAST, upcoming), (LAST + 1, past), (LAST, upcoming), (START, upcoming)):
        clock.at = at
        for path in (upcoming, past):
            assert ("Crew-20" in await text(client, path)) is (path == where), (at, path)
    clock.at = START
    await text(client, upcoming)
    asked.clear()
    clock.at = LAST  # and as long as it is, it is not looked for again
    await text(client, upcoming)
    assert not asked


async def test_the_calendar_of_the_next_day_is_made_anew(client: aiohttp.ClientSession, clock: StandingClock) -> None:
    assert "Crew-20" in await text(client, "/v1/launches.ics")
    clock.at = parse_instant("2027-05-20T23:59:59.999999Z")
    assert "Crew-20" in await text(client, "/v1/launches.ics")
    clock.at += 1
    assert "Crew-20" not in await text(client, "/v1/launches.ics")


async def test_the_freshness_of_sources_is_never_cached(client: aiohttp.ClientSession, clock: StandingClock) -> None:
    first = await text(client, "/v1/sources")
    clock.at += 1_000_000
    assert await text(client, "/v1/sources") != first


async def test_a_caller_without_a_role_gets_no_cached_response(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosted(with_tcp(tmp_path)) as daemon, asking(daemon) as client:
        await text(client, "/v1/launches")
        async with client.post("/v1/sign-in") as response:
            base = (await response.json())["url"].partition("/sign-in")[0]
        async with aiohttp.ClientSession(base) as remote:
            async with remote.get("/v1/launches", headers=bearer(tmp_path)) as response:
                assert response.status == 200
            async with remote.get("/v1/launches") as response:
                assert response.status == 401
        monkeypatch.setattr(access, "peer_role", lambda _peer, **_: None)
        async with asking(daemon) as stranger, stranger.get("/v1/launches") as response:
            assert response.status == 403


async def test_two_roles_never_share_a_cached_response(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    async def tell(_api: Api, request: Request[Query, Body]) -> Response:
        made.append(request.caller.role)
        return Response(WordView(status=request.caller.role), until=FOREVER)

    rows = [
        Route("GET", "/v1/role", tell, WordView, revalidates=True),
        Route("GET", "/v1/secret", tell, WordView, needs=ADMIN, revalidates=True),
    ]
    monkeypatch.setattr(server, "ROUTES", (*ROUTES, *rows))
    async with hosted(with_tcp(tmp_path)) as daemon, asking(daemon) as admin, asking(daemon) as operator:
        roles = iter((ADMIN, OPERATOR))
        monkeypatch.setattr(access, "peer_role", lambda _peer, **_: next(roles))  # asked once a connection
        for _ in range(2):
            assert "admin" in await text(admin, "/v1/role")
            assert "admin" in await text(admin, "/v1/secret")
            assert "operator" in await text(operator, "/v1/role")
            async with operator.get("/v1/secret") as response:
                assert response.status == 403
    assert made == [ADMIN, ADMIN, OPERATOR]


# --- the rules, one by one ---


class Making:
    """A cache with a counting handler; `version` is that of the data, `at` the time of the clock."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.version: int | None = 1
        self.at = 0
        self.until = FOREVER
        self.takes = 0  # how far the clock goes while an answer is made
        self.made: list[str] = []
        self.cache = ResponseCache(lambda: self.version, lambda: self.at, most)

    async def ask(self, path: str = "/a", *, size: int = 10) -> None:
        async def make() -> Response:
            self.made.append(path)
            await asyncio.sleep(0)
            self.at += self.takes
            return Response(Document(b"x" * size, "text/plain"), until=self.until)

        response = await self.cache.respond(make_mocked_request("GET", path), OPERATOR, make)
        assert response.body == b"x" * size


@pytest.fixture
def making() -> Making:
    return Making()


async def test_a_response_is_valid_from_when_it_was_made_to_before_its_end(making: Making) -> None:
    making.at, making.until = 50, 100
    for at, made in ((50, 1), (99, 1), (100, 2), (49, 3), (49, 3), (50, 3), (99, 3)):
        making.at = at
        await making.ask()
        assert len(making.made) == made, at


async def test_a_response_that_is_not_valid_for_a_time_is_not_cached(making: Making) -> None:
    making.until = 0
    await making.ask()
    assert not making.cache._kept


async def test_a_slow_response_is_not_valid_for_the_time_before_it_was_made(making: Making) -> None:
    making.takes = 10
    await making.ask()
    assert making.at == 10
    await making.ask()
    assert len(making.made) == 1
    making.at = 9  # the clock was set back
    await making.ask()
    assert len(making.made) == 2


async def test_a_response_that_was_made_while_the_data_changed_is_not_cached(making: Making) -> None:
    asking = asyncio.create_task(making.ask())
    await asyncio.sleep(0)
    assert making.made == ["/a"]
    making.version = 2
    await asking
    await making.ask()
    await making.ask()
    assert making.made == ["/a", "/a"]


async def test_a_response_of_older_data_is_not_cached_once_another_request_has_seen_newer_data(making: Making) -> None:
    early = asyncio.create_task(making.ask())  # reads the old data, slowly
    await asyncio.sleep(0)
    making.version = 2
    await making.ask("/b")  # and meanwhile another one has seen the new
    await early
    await making.ask()
    assert making.made == ["/a", "/b", "/a"]


async def test_a_response_to_many_requests_at_once_is_made_once(making: Making) -> None:
    await asyncio.gather(*(making.ask(path) for path in ("/a", "/b") for _ in range(10)))
    assert sorted(making.made) == ["/a", "/b"]
    assert not making.cache._making


async def test_a_request_after_a_change_does_not_share_a_response_that_was_begun_before_it(making: Making) -> None:
    early = asyncio.create_task(making.ask())
    await asyncio.sleep(0)
    making.version = 2
    await asyncio.gather(early, making.ask(), making.ask())
    assert len(making.made) == 2


async def test_an_error_is_raised_for_each_request_and_blocks_no_later_one(making: Making) -> None:
    async def fail() -> Response:
        await asyncio.sleep(0)
        raise NotFoundError("no such launch")

    request = make_mocked_request("GET", "/a")
    failing = [asyncio.create_task(making.cache.respond(request, OPERATOR, fail)) for _ in range(3)]
    await asyncio.sleep(0)
    failing[0].cancel()
    ended = await asyncio.gather(*failing, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError, NotFoundError, NotFoundError]
    await making.ask()


async def test_nothing_is_cached_while_the_version_of_the_data_is_unknown(making: Making) -> None:
    await making.ask()
    making.version = None
    for _ in range(3):
        await making.ask()
    assert len(making.made) == 4
    making.version = 1  # the same number again: what was kept before is no more
    await making.ask()
    assert len(making.made) == 5


async def test_the_cache_has_a_limit_and_drops_the_least_recently_used_first() -> None:
    making = Making(most=100_000)
    for number in range(1000):
        await making.ask(f"/{number}", size=5_000)
        await making.ask("/0", size=5_000)
        held = sum(len(one.body) for one in making.cache._kept.values())
        assert held <= 100_000
    assert making.made.count("/0") == 1
    assert len(making.cache._kept) == 100_000 // (5_000 + 1024 + 4)


async def test_long_addresses_count_and_so_do_replaced_responses() -> None:
    making = Making(most=100_000)
    for number in range(100):
        await making.ask(f"/{number}?q={'x' * 8_000}", size=1)
        assert len(making.cache._kept) <= 11
    making = Making(most=100_000)
    making.until = 1
    for making.at in range(0, -100, -1):  # each time made again, and kept in the place of the one before
        await making.ask(size=50_000)
    await making.ask("/b", size=40_000)
    assert len(making.cache._kept) == 2


async def test_a_response_larger_than_the_cache_is_not_cached_and_drops_no_other() -> None:
    making = Making(most=10_000)
    await making.ask()
    await making.ask("/large", size=20_000)
    await making.ask()
    assert making.made == ["/a", "/large"]
