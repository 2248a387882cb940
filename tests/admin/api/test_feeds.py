"""Secret addresses of feeds over TCP, with a real daemon: they open the launches of one filter and nothing else."""

import csv
import io
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import aiohttp
import msgspec
import pytest
from icalendar import Calendar

from launchd import config
from launchd.admin.feed_addresses import PER_ADDRESS, WRONG, FeedAddresses, NewFeed
from launchd.admin.http.access import Role, public_hosts
from launchd.admin.routes import ROUTES
from launchd.daemon import Daemon
from launchd.db.database import open_database
from launchd.errors import ConfigError, NotFoundError, TooManyRequestsError
from launchd.logs.redact import MASK, Redactor
from launchd.store.feed_addresses import FeedAddressStore
from launchd.testing import VirtualClock
from tests.support.admin_clients import bearer, get, with_tcp
from tests.support.hosted_daemon import hosted
from tests.support.payloads import FLOWN_ROW, LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import replaying
from tests.support.scraping_daemon import asking, refresh

CREW, PUBLIC = "Falcon 9 | Crew-20", "https://launches.example.org/space/"
ATOM = "{http://www.w3.org/2005/Atom}"
SOURCES = """
[sources.launch_library]
base_url = "{url}/ll/"
rate = "1000/s"
[sources.gcat]
base_url = "{url}/gcat"
rate = "1000/s"
"""
TYPES = {"ics": "text/calendar", "atom": "application/atom+xml", "csv": "text/csv", "json": "application/json"}


class Bench(NamedTuple):
    """A daemon with two launches, its operator over the socket, and a stranger over TCP."""

    daemon: Daemon
    directory: Path
    operator: aiohttp.ClientSession
    stranger: aiohttp.ClientSession

    async def add(self, name: str = "team", status: int = 201, **more: object) -> Any:  # noqa: ANN401 - JSON
        async with self.operator.post("/v1/feeds", json={"name": name, **more}) as response:
            assert response.status == status, await response.text()
            return await response.json(content_type=None)

    async def revoke(self, name: str = "team") -> None:
        async with self.operator.delete(f"/v1/feeds/{name}") as response:
            assert response.status == 200, await response.text()

    async def read(self, url: str, status: int = 200, method: str = "GET", **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.stranger.request(method, url, headers=named) as response:
            assert response.status == status, await response.text()
            return await response.text()


@asynccontextmanager
async def bench(directory: Path, public_url: str | None = None) -> AsyncIterator[Bench]:
    async with replaying() as replay:
        early = ll2("Falcon 9 | Starlink", "2026-01-04T11:00:00Z", key="id-2", status=3, launch_designator="2026-001")
        replay.bodies = {UPCOMING: page(ll2(CREW, "2027-04-20T10:00:00Z")), PREVIOUS: page(early), LOG: gcat(FLOWN_ROW)}
        quiet = with_tcp(directory, SOURCES.format(url=replay.url))
        admin = msgspec.structs.replace(quiet.admin, public_url=public_url)
        async with hosted(msgspec.structs.replace(quiet, admin=admin)) as daemon, asking(daemon) as operator:
            await refresh(daemon)
            replay.bodies[UPCOMING] = page(ll2(CREW, "2027-05-20T10:00:00Z"))
            await refresh(daemon)
            async with aiohttp.ClientSession() as stranger:
                yield Bench(daemon, directory, operator, stranger)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, PUBLIC) as made:
        yield made


def token_of(added: Any) -> str:  # noqa: ANN401 - JSON
    return str(urlsplit(added["url"]).path.split("/")[-2])


async def test_an_address_gives_the_launches_of_its_filters_in_each_format_without_a_sign_in(at: Bench) -> None:
    added = await at.add(filters={"when": "upcoming", "q": "crew"}, alarm=45)
    assert added["url"] == added["urls"]["ics"]
    assert set(added["urls"]) == set(TYPES)
    calendar = Calendar.from_ical(await at.read(added["urls"]["ics"]))
    (event,) = calendar.walk("VEVENT")
    (alarm,) = calendar.walk("VALARM")
    assert (event["summary"], alarm.decoded("trigger").total_seconds()) == (CREW, -45 * 60)
    (row,) = csv.DictReader(io.StringIO(await at.read(added["urls"]["csv"])))
    assert (row["name"], "Launch Library 2" in row["attribution"]) == (CREW, True)
    told = msgspec.json.decode(await at.read(added["urls"]["json"]))
    assert ([one["name"] for one in told["items"]], told["total"]) == ([CREW], 1)
    assert "Launch Library 2" in told["attribution"][0]
    for kind, url in added["urls"].items():
        async with at.stranger.get(url) as response:
            assert response.headers["Content-Type"].partition(";")[0] == TYPES[kind]


async def test_the_feed_of_changes_speaks_in_sentences_and_leads_nowhere_that_its_readers_may_not_go(
    at: Bench,
) -> None:
    added = await at.add(filters={"when": "upcoming"})
    feed = ET.fromstring(await at.read(added["urls"]["atom"]))  # noqa: S314 - our own document
    titles = [one.findtext(f"{ATOM}title") for one in feed.findall(f"{ATOM}entry")]
    assert titles == [f"{CREW} slipped from 20 April 2027, 10:00 UTC to 20 May 2027, 10:00 UTC"]
    links = [one.get("href", "") for one in feed.iter(f"{ATOM}link")]
    assert added["urls"]["atom"] in links
    assert not [link for link in links if not link.startswith("http") or "/v1/" in link]
    assert "Launch Library 2" in (feed.findtext(f"{ATOM}rights") or "")
    ours = ET.fromstring(await (await at.operator.get("/v1/launches.atom")).text())  # noqa: S314 - our own document
    assert ours.findtext(f"{ATOM}id") != feed.findtext(f"{ATOM}id")
    assert all(one.get("href", "").startswith("http") for one in ours.iter(f"{ATOM}link"))


async def test_a_token_opens_no_endpoint_of_the_api(at: Bench) -> None:
    token = token_of(await at.add())
    base = f"http://{urlsplit((await at.add('other'))['url']).netloc}"
    document = await get(at.operator, "/openapi.json")
    guarded = {route.path for route in ROUTES if route.needs is not None}
    assert guarded <= document["paths"].keys()
    tried = 0
    for path, operations in document["paths"].items():
        for method in operations.keys() & {"get", "head", "post", "patch", "delete"} if path in guarded else ():
            address = base + path.replace("{", "").replace("}", "")
            for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"launchd_session={token}"}):
                async with at.stranger.request(method, address, headers=headers) as response:
                    assert response.status in {401, 403, 429}, (method, path, await response.text())
                    tried += 1
            async with at.stranger.request(method, f"{base}/feeds/{token}{path}") as response:
                assert response.status in {401, 404}, (method, path)
    assert tried > 100
    await at.read(f"{base}/sign-in?ticket={token}", 429)


async def test_an_address_is_read_only_and_looks_at_no_other_credential(at: Bench) -> None:
    url = (await at.add())["url"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        await at.read(url, 401, method)
        async with at.stranger.request(method, url, headers=bearer(at.directory)) as response:
            assert response.status == 405
    await at.read(url, 200, Authorization="Bearer wrong")
    await at.read(url, 200, "HEAD")
    await at.read(f"{url}?nonsense=1", 422)
    await at.read(f"{url}?provider=other", 422)  # the filters are the operator's


async def test_under_the_public_name_there_are_feeds_alone(proxied: Bench) -> None:
    added = await proxied.add()
    assert added["url"].startswith(f"{PUBLIC}feeds/")
    path = urlsplit(added["url"]).path.removeprefix("/space")
    (line,) = [
        one for one in (await get(proxied.operator, "/v1/health"))["checks"]["tcp"]["detail"].split() if ":" in one
    ]
    local, token = f"http://{line}", bearer(proxied.directory)["Authorization"]
    for host in ("launches.example.org", "LAUNCHES.example.org:443"):
        await proxied.read(local + path, 200, Host=host)
        await proxied.read(local + path, 200, "HEAD", Host=host)
        await proxied.read(local + path, 403, "POST", Host=host)
        for route in ROUTES:
            if route.admit is None:
                address = local + route.path.replace("{", "").replace("}", "")
                await proxied.read(address, 403, route.method, Host=host, Authorization=token)
        for page_ in ("/", "/sign-in", "/feeds/", "/nothing"):
            await proxied.read(local + page_, 403, Host=host)
    await proxied.read(local + path, 403, Host="evil.example.org")
    await proxied.read(local + path)
    feed = ET.fromstring(await proxied.read(local + path.replace(".ics", ".atom")))  # noqa: S314 - our own document
    assert [one.get("href") for one in feed.findall(f"{ATOM}link")] == [added["urls"]["atom"]]


async def test_a_revoked_address_is_gone_at_once_even_for_a_reader_that_has_its_content(at: Bench) -> None:
    added, other = await at.add(), await at.add("other")
    async with at.stranger.get(added["url"]) as response:
        etag = response.headers["ETag"]
    await at.read(added["url"], 304, If_None_Match=etag)
    await at.revoke()
    await at.read(added["url"], 404, If_None_Match=etag)
    await at.read(other["url"])
    async with at.operator.delete("/v1/feeds/team") as response:
        assert response.status == 404
    again = await at.add()
    assert again["url"] != added["url"]
    await at.read(added["url"], 404)


async def test_a_format_that_was_not_given_is_not_there(at: Bench) -> None:
    added = await at.add(formats=["csv", "csv"])
    assert list(added["urls"]) == ["csv"]
    await at.read(added["url"])
    await at.read(added["url"].replace(".csv", ".ics"), 404)


async def test_one_address_that_is_read_too_often_is_refused_and_the_others_are_not(at: Bench) -> None:
    added, other = await at.add(), await at.add("other")
    for _ in range(PER_ADDRESS.limit):
        await at.read(added["urls"]["json"])
    async with at.stranger.get(added["urls"]["ics"]) as response:
        assert response.status == 429
        assert 0 < int(response.headers["Retry-After"]) <= PER_ADDRESS.seconds + 1
    await at.read(other["urls"]["json"])


async def test_wrong_addresses_are_limited_and_a_right_one_always_works(at: Bench) -> None:
    added = await at.add()
    wrong = added["url"].replace("/feeds/", "/feeds/x")
    for _ in range(WRONG.limit):
        await at.read(wrong, 404)
    await at.read(wrong, 429)
    await at.read(added["url"])


async def test_requests_are_counted_and_the_counts_survive_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        added = await at.add(filters={"provider": "SpaceX"})
        assert {"url", "urls"} <= added.keys()
        for method in ("GET", "HEAD", "GET"):
            await at.read(added["url"], 200, method)
        (before,) = (await get(at.operator, "/v1/feeds"))["items"]
        assert (before["requests"], before["filters"]) == (3, {"provider": "SpaceX"})
        assert before["last_used_at"] is not None
        assert not {"url", "urls", "token_hash"} & before.keys()
    async with bench(tmp_path) as at:
        (after,) = (await get(at.operator, "/v1/feeds"))["items"]
        assert after == before


def files_with(text: bytes, directory: Path) -> list[Path]:
    return [file for file in directory.rglob("*") if file.is_file() and text in file.read_bytes()]


async def test_the_token_is_in_no_file_no_audit_and_no_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with bench(tmp_path) as at:
        token = token_of(added := await at.add())
        await at.read(added["url"])
        await at.revoke()
        await at.read(added["url"], 404)
        async with at.operator.get("/v1/audit") as response:
            audit = await response.text()
    assert {"add_feed", "revoke_feed"} <= {one["action"] for one in msgspec.json.decode(audit)["items"]}
    written = "".join(capfd.readouterr()) + caplog.text + audit
    assert token not in written
    assert not files_with(token.encode(), tmp_path)
    line = f"request_failed path=/feeds/{token}/launches.ics"
    assert Redactor().text(line) == f"request_failed path=/feeds/{MASK}/launches.ics"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "../x"}, "name"),
        ({"name": "x", "formats": []}, "formats"),
        ({"name": "x", "formats": ["pdf"]}, "formats[0]"),
        ({"name": "x", "alarm": -1}, "alarm"),
        ({"name": "x", "filters": {"when": "soon"}}, "filters.when"),
        ({"name": "x", "filters": {"since": "yesterday"}}, "filters.since"),
        ({"name": "x", "filters": {"source": "nasa_tv"}}, "filters.source"),
        ({"name": "x", "filters": {"cursor": "1~a"}}, "filters.cursor"),
        ({"name": "x", "token": "mine"}, "token"),
        ({}, "name"),
    ],
)
async def test_a_wrong_feed_is_refused_with_the_path_of_the_field(at: Bench, body: Any, path: str) -> None:  # noqa: ANN401 - JSON
    async with at.operator.post("/v1/feeds", json=body) as response:
        assert response.status == 422
        assert [one["path"] for one in (await response.json(content_type=None))["errors"]] == [path]
    assert (await get(at.operator, "/v1/feeds"))["items"] == []


async def test_a_name_is_given_once_and_only_an_admin_adds_and_revokes(at: Bench) -> None:
    await at.add()
    await at.add(status=409)
    changing = {route.needs for route in ROUTES if route.path.startswith("/v1/feeds") and route.method != "GET"}
    assert changing == {Role.ADMIN}


async def test_without_tcp_no_address_is_given(daemon: Daemon) -> None:
    async with asking(daemon) as operator, operator.post("/v1/feeds", json={"name": "x"}) as response:
        assert response.status == 409
        assert "launchd-tcp.socket" in (await response.json(content_type=None))["detail"]


async def test_an_address_may_be_read_again_after_an_hour(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with open_database(tmp_path / "jobs.db", "jobs", clock) as database:
        addresses = FeedAddresses(FeedAddressStore(database), clock)
        _, token = await addresses.add(NewFeed("team", {}, ["ics"], None, "test"))
        for _ in range(PER_ADDRESS.limit):
            await addresses.admit(token, "ics")
        with pytest.raises(TooManyRequestsError):
            await addresses.admit(token, "ics")
        clock.move(PER_ADDRESS.seconds)
        assert (await addresses.admit(token, "ics")).name == "team"
        with pytest.raises(NotFoundError):
            await addresses.admit(token, "atom")


@pytest.mark.parametrize(
    "url",
    ["https://launches.example.org", "http://10.0.0.1:8080", "https://[2001:db8::1]/x/", "https://a-b.example/space"],
)
def test_a_public_address_is_accepted(url: str) -> None:
    assert config.parse(f'[admin]\npublic_url = "{url}"\n').admin.public_url == url


@pytest.mark.parametrize(
    "url",
    [
        *(
            "launches.example.org",
            "ftp://example.org",
            "https://",
            "https://user:pass@example.org",
            "https://example.org?x=1",
        ),
        *(
            "https://example.org#x",
            "https://exa mple.org",
            "javascript:alert(1)",
            "https://example.org:99999",
            "https://-a.org",
        ),
    ],
)
def test_a_public_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[admin\] public_url"):
        config.parse(f'[admin]\npublic_url = "{url}"\n')


def test_a_usual_port_may_be_in_the_host_or_not() -> None:
    assert (
        public_hosts("https://Example.org")
        == public_hosts("https://example.org:443/x")
        == {
            "example.org",
            "example.org:443",
        }
    )
    assert public_hosts("http://example.org:443") == {"example.org:443"}
    assert public_hosts(None) == frozenset()
