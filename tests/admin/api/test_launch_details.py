"""The details of launches over the admin socket and on the command line, from a scrape of a replay server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from launchd.cli import CommandContext, cli
from launchd.daemon import Daemon
from tests.support.admin_clients import get
from tests.support.launch_library_payloads import crew_14, in_normal_mode
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import asking, refresh, scraping, statistics

DETAILS = "/ll/launches/"
PLAIN = ll2("Electron | Plain", "2027-04-20T10:00:00Z", key="plain")


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        server.bodies = {
            UPCOMING: page(in_normal_mode(crew_14()), PLAIN),
            PREVIOUS: page(),
            DETAILS: page(crew_14()),
            LOG: gcat(),
        }
        yield server


@pytest.fixture
async def daemon(replay: Replay, tmp_path: Path) -> AsyncIterator[Daemon]:
    async with scraping(replay, tmp_path) as running:
        await refresh(running, "launch_library")
        yield running


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with asking(daemon) as session:
        yield session


async def names(client: aiohttp.ClientSession, words: str) -> list[str]:
    return sorted(one["name"] for one in (await get(client, f"/v1/launches?{words}"))["items"])


async def crewed(client: aiohttp.ClientSession) -> Any:  # noqa: ANN401 - JSON
    (found,) = (await get(client, "/v1/launches?crewed=true"))["items"]
    return found


async def test_a_list_shows_webcast_weather_and_crew_and_can_be_filtered_by_them(client: aiohttp.ClientSession) -> None:
    found = await crewed(client)
    assert found["webcast_url"] == "https://x.com/i/broadcasts/1"
    assert (found["webcast_live"], found["probability"], found["crewed"]) == (False, 80, True)
    assert await names(client, "webcast=true") == ["Falcon 9 Block 5 | Crew-14"]
    assert await names(client, "webcast=false") == ["Electron | Plain"]
    assert await names(client, "crewed=false") == []
    assert len(await names(client, "limit=10")) == 2


async def test_a_launch_has_its_details_and_the_source_of_each(client: aiohttp.ClientSession) -> None:
    found = await get(client, f"/v1/launches/{(await crewed(client))['id']}")
    details = found["details"]
    (booster,) = details["boosters"]
    assert (booster["serial"], booster["flight"], booster["previous_flight"]) == ("B1085", 17, "2026-04-29T14:13:00Z")
    assert (booster["landing"]["outcome"], booster["landing"]["place"]) == ("pending", "A Shortfall of Gravitas")
    assert details["webcasts"][0]["start"] == "2026-08-30T09:16:00Z"
    assert [one["text"] for one in details["updates"]] == ["Setting GO.", "Added launch time."]
    assert details["pictures"][0]["licence"] == "CC BY-NC 2.0"
    assert found["provenance"]["details.boosters"]["source"] == "launch_library"


async def test_a_launch_without_details_has_null(client: aiohttp.ClientSession) -> None:
    (plain,) = (await get(client, "/v1/launches?webcast=false"))["items"]
    assert (await get(client, f"/v1/launches/{plain['id']}"))["details"] is None


async def test_a_second_scrape_changes_nothing_and_one_without_details_keeps_them(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    before = await get(client, "/v1/launches")
    for gone in (False, True):
        if gone:
            del replay.bodies[DETAILS]
        done = statistics(await refresh(daemon, "launch_library", force=True))["launch_library"]
        assert (done["created"], done["updated"], done["unchanged"]) == (0, 0, 2)
        assert await get(client, "/v1/launches") == before


async def test_a_landing_becomes_history(client: aiohttp.ClientSession, replay: Replay, daemon: Daemon) -> None:
    record = crew_14(last_updated="2026-08-30T10:00:00Z")
    (stage,) = record["rocket"]["launcher_stage"]
    landed = stage | {"landing": stage["landing"] | {"success": True}}
    replay.bodies[DETAILS] = page(record | {"rocket": record["rocket"] | {"launcher_stage": [landed]}})
    await refresh(daemon, "launch_library")
    found = await get(client, f"/v1/launches/{(await crewed(client))['id']}")
    (row,) = [one for one in found["history"] if one["field"] == "booster"]
    assert row["old"] == "B1085 flight 17, ASDS A Shortfall of Gravitas: pending"
    assert row["new"] == "B1085 flight 17, ASDS A Shortfall of Gravitas: success"


async def test_the_command_line_shows_the_details(client: aiohttp.ClientSession, daemon: Daemon) -> None:
    async def run(*words: str) -> str:
        result = await asyncio.to_thread(
            CliRunner().invoke, cli, ["--socket", str(daemon.socket), *words], obj=CommandContext()
        )
        assert result.exit_code == 0, result.output
        return str(result.output)

    shown = await run("launch", (await crewed(client))["id"])
    for words in ("Human Exploration", "80 %", "B1085", "A Shortfall of Gravitas", "Official Webcast", "Setting GO."):
        assert words in shown
    assert "CC BY-NC 2.0" in shown
    assert "Crew-14" in await run("launches", "--crewed")
    assert "Plain" not in await run("launches", "--webcast")
