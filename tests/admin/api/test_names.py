"""Names over the admin socket: canonical ones are served, any word filters and finds, unknown words are listed."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from launchd.daemon import Daemon
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import asking, refresh, scraping, statistics

CAPE = {"name": "Cape Canaveral, FL, USA"}
FLOWN = "2021-084 \t2021 Sep 16 0002:56\t2021-084A\tP\tDragon C207\tInspiration4\tFalcon 9\tKSC\tLC39A\tSPX\tOS"


def starlink(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    provider = {"name": "Space Exploration Technologies Corp."}
    pad = {"name": "Space Launch Complex 40", "latitude": None, "longitude": None, "location": CAPE}
    return ll2("F9 B5 | Starlink", "2027-04-20T10:00:00Z", launch_service_provider=provider, pad=pad, **more)


def atlas(name: str = "Atlas V 551 | SILENTBARKER") -> dict[str, Any]:
    provider = {"name": "ULA"}
    return ll2(name, "2027-06-20T10:00:00Z", key="atlas", launch_service_provider=provider)


def homemade() -> dict[str, Any]:
    pad = {"name": "Barn door", "latitude": None, "longitude": None, "location": {"name": "Some Field"}}
    provider = {"name": "Backyard Rockets"}
    return ll2("Homemade 1 | Hope", "2027-08-20T10:00:00Z", key="home", launch_service_provider=provider, pad=pad)


CALT = "2026-002 \t2026 Feb  4 1200:30\t2026-002A\tP\tShijian 99\tShijian 99\tChang Zheng 5B\tWEN\tLC101\tCALT\tOS"


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        server.bodies = {
            UPCOMING: page(starlink(), atlas(), homemade()),
            PREVIOUS: page(),
            LOG: gcat(FLOWN, CALT),
        }
        yield server


@pytest.fixture
async def daemon(replay: Replay, tmp_path: Path) -> AsyncIterator[Daemon]:
    async with scraping(replay, tmp_path) as running:
        await refresh(running)
        yield running


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with asking(daemon) as session:
        yield session


async def get(client: aiohttp.ClientSession, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
    async with client.get(path, params=query) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def names(client: aiohttp.ClientSession, **query: str) -> list[str]:
    return [one["name"] for one in (await get(client, "/v1/launches", **query))["items"]]


async def only(client: aiohttp.ClientSession, **query: str) -> Any:  # noqa: ANN401 - JSON
    (found,) = (await get(client, "/v1/launches", **query))["items"]
    return found


async def test_a_launch_has_canonical_names_and_its_sightings_the_words_of_their_sources(
    client: aiohttp.ClientSession,
) -> None:
    listed = await only(client, q="starlink")
    detail = await get(client, f"/v1/launches/{listed['id']}")
    expected = {
        "provider": "SpaceX",
        "provider_id": "SpaceX",
        "country": "US",
        "vehicle": "Falcon 9 Block 5",
        "vehicle_family": "Falcon 9",
        "pad": "SLC-40",
        "site": "Cape Canaveral Space Force Station",
        "time_zone": "America/New_York",
    }
    for view in (listed, detail):
        assert {name: view[name] for name in expected} == expected
        assert view["location"]["name"] == expected["site"]
    (said,) = detail["sightings"]
    assert (said["provider"], said["vehicle"]) == ("Space Exploration Technologies Corp.", "F9 B5")
    assert (said["pad"], said["location"]["name"]) == ("Space Launch Complex 40", CAPE["name"])
    assert said["former_names"] == []


async def test_a_word_that_is_in_no_registry_is_served_as_the_source_writes_it(client: aiohttp.ClientSession) -> None:
    one = await only(client, q="hope")
    assert (one["provider"], one["vehicle"], one["pad"]) == ("Backyard Rockets", "Homemade 1", "Barn door")
    assert one["location"]["name"] == "Some Field"
    known = ("provider_id", "country", "vehicle_family", "site", "time_zone")
    assert [one[name] for name in known] == [None] * len(known)


async def test_another_spelling_of_a_source_is_no_change_of_the_launch(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    before = await only(client, q="starlink")
    pad = starlink()["pad"] | {"name": "SLC-40"}
    other = starlink() | {"launch_service_provider": {"name": "SpX"}, "pad": pad}
    replay.bodies[UPCOMING] = page(other, atlas(), homemade())
    assert statistics(await refresh(daemon, "launch_library"))["launch_library"]["updated"] == 1
    assert await only(client, q="starlink") == before
    detail = await get(client, f"/v1/launches/{before['id']}")
    assert detail["history"] == []
    assert detail["sightings"][0]["provider"] == "SpX"


FILTERS = (
    ({"provider": "ULA"}, ["Atlas V 551 | SILENTBARKER"]),
    ({"provider": "CASC"}, ["Shijian 99"]),
    ({"provider": "China (CASC)"}, ["Shijian 99"]),
    ({"provider": "backyard"}, ["Homemade 1 | Hope"]),
    ({"vehicle": "CZ-5B"}, ["Shijian 99"]),
    ({"vehicle": "cz"}, ["Shijian 99"]),
    ({"vehicle": "Atlas"}, ["Atlas V 551 | SILENTBARKER"]),
    ({"place": "SLC-40"}, ["F9 B5 | Starlink"]),
    ({"place": "Wenchang"}, ["Shijian 99"]),
    ({"place": "barn"}, ["Homemade 1 | Hope"]),
    ({"country": "cn"}, ["Shijian 99"]),
    ({"country": "US", "vehicle": "Falcon 9", "when": "upcoming"}, ["F9 B5 | Starlink"]),
)


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
async def test_every_format_accepts_any_word_as_a_filter(
    client: aiohttp.ClientSession, filters: dict[str, str], expected: list[str]
) -> None:
    assert await names(client, **filters) == expected
    async with client.get("/v1/launches.csv", params=filters) as response:
        assert [row["name"] for row in csv.DictReader(io.StringIO(await response.text()))] == expected
    async with client.get("/v1/launches.ics", params=filters | {"since": "1957-01-01T00:00:00Z"}) as response:
        assert (await response.text()).count("BEGIN:VEVENT") == len(expected)


async def test_the_feed_of_changes_accepts_the_same_filters(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    replay.bodies[UPCOMING] = page(starlink(), atlas("Atlas V 551 | Renamed"), homemade())
    await refresh(daemon, "launch_library")
    for filters, number in (({"provider": "ULA"}, 1), ({"provider": "SpaceX"}, 0), ({"vehicle": "Atlas 5"}, 1)):
        async with client.get("/v1/launches.atom", params=filters) as response:
            assert (await response.text()).count("<entry>") == number


async def test_a_country_that_is_no_code_is_refused_in_words(client: aiohttp.ClientSession) -> None:
    async with client.get("/v1/launches", params={"country": "China"}) as response:
        assert response.status == 422
        (error,) = (await response.json())["errors"]
    assert error == {"path": "country", "message": "expected a code of two letters such as US, CN or KZ, got 'China'"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("falcon-9", ["F9 B5 | Starlink", "Inspiration4"]),
        ("space exploration technologies", ["F9 B5 | Starlink", "Inspiration4"]),
        ("cape canaveral", ["F9 B5 | Starlink"]),
        ("CCSFS", ["F9 B5 | Starlink"]),
        ("Kennedy", ["Inspiration4"]),
        ("ula atlas 5", ["Atlas V 551 | SILENTBARKER"]),
        ("united launch alliance", ["Atlas V 551 | SILENTBARKER"]),
        ("CASC chang zheng", ["Shijian 99"]),
        ("long march 5b", ["Shijian 99"]),
        ("barn door", ["Homemade 1 | Hope"]),
    ],
)
async def test_a_search_finds_every_word_for_a_thing(
    client: aiohttp.ClientSession, words: str, expected: list[str]
) -> None:
    assert sorted(await names(client, q=words)) == sorted(expected)


async def test_a_search_finds_the_name_of_every_source_and_former_names(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    crew = ll2("Falcon 9 Block 5 | Crew-2", "2021-09-16T00:02:56Z", key="c", status=3, launch_designator="2021-084")
    replay.bodies[UPCOMING] = page(starlink(), atlas("Atlas V 551 | USSF-106"), homemade(), crew)
    replay.bodies[LOG] = gcat(FLOWN.replace("Inspiration4", "Resilience"), CALT)
    await refresh(daemon)
    for words in ("Crew-2", "Inspiration4", "Resilience", "2021-084"):
        assert len(await names(client, q=words)) == 1, words
    for words in ("silentbarker", "USSF-106"):
        (found,) = (await get(client, "/v1/launches", q=words))["items"]
        assert found["name"] == "Atlas V 551 | USSF-106"
    detail = await get(client, f"/v1/launches/{found['id']}")
    assert detail["sightings"][0]["former_names"] == ["Atlas V 551 | SILENTBARKER"]


async def test_a_value_that_an_operator_sets_is_found_beside_the_words_of_the_sources(
    client: aiohttp.ClientSession,
) -> None:
    one = await only(client, q="hope")
    body = {"fields": {"provider": "ULA", "name": "Despair"}}
    async with client.post(f"/v1/launches/{one['id']}/override", json=body) as response:
        assert response.status == 200
    assert sorted(await names(client, provider="United Launch Alliance")) == ["Atlas V 551 | SILENTBARKER", "Despair"]
    for words in ("despair", "hope", "backyard"):
        assert await names(client, q=words) == ["Despair"]
    async with client.delete(f"/v1/launches/{one['id']}/override") as response:
        assert response.status == 200
    assert await names(client, q="despair") == []
    assert await names(client, provider="backyard") == ["Homemade 1 | Hope"]


async def test_unknown_words_are_listed_and_counted(client: aiohttp.ClientSession) -> None:
    listed = await get(client, "/v1/sources/unknown")
    assert listed == {
        "items": [
            {"source": "launch_library", "subject": subject, "word": word, "records": 1}
            for subject, word in (
                ("pad", "Barn door, Some Field"),
                ("provider", "Backyard Rockets"),
                ("vehicle", "Homemade 1"),
            )
        ],
        "next": None,
    }
    first = await get(client, "/v1/sources/unknown", limit="2")
    second = await get(client, "/v1/sources/unknown", limit="2", cursor=first["next"])
    assert first["items"] + second["items"] == listed["items"]
    assert [one["word"] for one in (await get(client, "/v1/sources/unknown", subject="vehicle"))["items"]] == [
        "Homemade 1"
    ]
    assert (await get(client, "/v1/sources/unknown", source="gcat"))["items"] == []
    for query in ({"source": "nope"}, {"subject": "nope"}, {"cursor": "nope"}):
        async with client.get("/v1/sources/unknown", params=query) as response:
            assert response.status == 422, query


async def test_the_metric_of_unknown_words_follows_the_data(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    async def counted() -> dict[tuple[str, str], float]:
        async with client.get("/metrics") as response:
            families = text_string_to_metric_families(await response.text())
        return {
            (sample.labels["source"], sample.labels["subject"]): sample.value
            for family in families
            for sample in family.samples
            if sample.name == "launchd_unknown_names"
        }

    library = [("launch_library", subject) for subject in ("pad", "provider", "vehicle")]
    assert await counted() == dict.fromkeys(library, 1.0)
    other = homemade() | {"id": "other", "net": "2028-08-20T10:00:00Z", "launch_service_provider": {"name": "Shed"}}
    replay.bodies[UPCOMING] = page(starlink(), atlas(), homemade(), other)
    await refresh(daemon, "launch_library")
    assert await counted() == dict.fromkeys(library, 1.0) | {("launch_library", "provider"): 2.0}


async def test_a_scrape_of_the_same_records_writes_nothing(daemon: Daemon) -> None:
    version = daemon.launches.version()
    before = await daemon.launches.unknown_names()
    job = await refresh(daemon, force=True)
    assert {one["updated"] + one["created"] for one in statistics(job).values()} == {0}
    assert await daemon.launches.unknown_names() == before
    assert version is not None
