"""The slip ledger and the scorecards over the admin socket and on the command line."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from launchd.admin.api.slips import SLIP_ROUTES
from launchd.cli import cli
from launchd.clock import DAY
from launchd.daemon import Daemon
from tests.support.admin_clients import get
from tests.support.hosted_daemon import hosted, quiet_config
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import SteppedClock, asking, refresh, scraping

CREW = "Falcon 9 | Crew-20"
FIRST, SECOND, THIRD = "2027-04-20T10:00:00Z", "2027-04-22T10:00:00Z", "2027-04-25T10:00:00Z"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        server.bodies = {UPCOMING: page(ll2(CREW, FIRST)), PREVIOUS: page(), LOG: gcat()}
        yield server


@pytest.fixture
async def daemon(replay: Replay, tmp_path: Path, clock: SteppedClock) -> AsyncIterator[Daemon]:
    """A daemon that has seen one slip live, and one after two days of absence."""
    async with scraping(replay, tmp_path, clock) as running:
        await refresh(running, "launch_library")
        for net, away in ((SECOND, 0), (THIRD, 2 * DAY)):
            clock.ahead += away
            replay.bodies[UPCOMING] = page(ll2(CREW, net))
            await refresh(running, "launch_library")
        yield running


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with asking(daemon) as session:
        yield session


async def crew(client: aiohttp.ClientSession) -> str:
    (found,) = (await get(client, "/v1/launches"))["items"]
    return str(found["id"])


async def test_the_ledger_of_a_launch_says_what_was_seen_live_and_what_was_found_late(
    client: aiohttp.ClientSession,
) -> None:
    launch_id = await crew(client)
    found = await get(client, f"/v1/launches/{launch_id}/slips")
    assert found["launch_id"] == launch_id
    summary = "slipped twice, 5 days in all"
    assert found["slips"] == {"count": 2, "total": 432_000.0, "earlier": 0, "summary": summary}
    assert found["slips"] == (await get(client, f"/v1/launches/{launch_id}"))["slips"]
    assert [(row["kind"], row["counts"], row["size"], row["late"]) for row in found["items"]] == [
        ("slip", True, 172_800.0, False),
        ("slip", True, 259_200.0, True),
    ]
    last = found["items"][-1]
    assert last["old"] == {"net": SECOND, "net_latest": "2027-04-22T10:00:59.999999Z", "net_precision": "minute"}
    assert (last["new"]["net"], last["source"], last["merged_from"]) == (THIRD, "launch_library", None)
    assert last["last_look"] < last["seen_at"]


async def test_slips_are_summed_by_provider_and_by_vehicle(client: aiohttp.ClientSession) -> None:
    wanted = {"launches": 1, "slipped": 1, "slips": 2, "total": 432_000.0, "scrubs": 0, "earlier": 0, "late": 1}
    assert await get(client, "/v1/slips") == {"of": "providers", "items": [{"name": "SpaceX", **wanted}]}
    assert await get(client, "/v1/slips?of=vehicles") == {"of": "vehicles", "items": [{"name": "Falcon 9", **wanted}]}


async def test_a_scorecard_of_few_launches_cannot_tell(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    assert (await get(client, "/v1/scorecards"))["items"] == []
    replay.bodies[UPCOMING] = page(ll2(CREW, "2027-04-25T10:00:11Z", status=3, precision=0))
    await refresh(daemon, "launch_library")
    found = await get(client, "/v1/scorecards")
    assert [one["name"] for one in found["items"]] == ["launch_library", "launchd"]
    assert found["items"][0]["scores"][2] == {
        "horizon": "1d",
        "n": 1,
        **dict.fromkeys(("median", "low", "high", "within")),
        "reason": "cannot tell from 1: a score needs 30 launches",
    }
    for of, name in (("providers", "SpaceX"), ("vehicles", "Falcon 9")):
        found = await get(client, f"/v1/scorecards?of={of}")
        assert (found["source"], [one["name"] for one in found["items"]]) == ("launchd", [name])
        assert found["items"][0]["scores"][0]["n"] == 1
        assert (await get(client, f"/v1/scorecards?of={of}&source=gcat"))["items"] == []


async def test_unknown_values_are_refused_and_every_response_revalidates(client: aiohttp.ClientSession) -> None:
    for path in ("/v1/slips?of=pads", "/v1/scorecards?of=pads", "/v1/scorecards?source=nobody", "/v1/slips?x=1"):
        async with client.get(path) as response:
            assert response.status == 422, path
    async with client.get("/v1/launches/unknown/slips") as response:
        assert response.status == 404
    for route in SLIP_ROUTES:
        path = route.path.replace("{id}", await crew(client))
        async with client.get(path) as response:
            etag = response.headers["ETag"]
        async with client.get(path, headers={"If-None-Match": etag}) as response:
            assert (response.status, await response.read()) == (304, b""), path


async def test_the_command_line_shows_the_ledger_and_the_tables(daemon: Daemon, client: aiohttp.ClientSession) -> None:
    launch_id = await crew(client)

    def run(*words: str) -> str:
        result = CliRunner().invoke(cli, ["--socket", str(daemon.socket), *words])
        assert result.exit_code == 0, result.output
        return result.output

    shown = await asyncio.to_thread(run, "launch", launch_id)
    assert "slipped twice, 5 days in all" in shown
    assert "slip  +3 d  2027-04-22 10:00  2027-04-25 10:00  yes     yes" in shown
    assert "SpaceX  1         1        2      +5 d" in await asyncio.to_thread(run, "slips")
    assert await asyncio.to_thread(run, "scorecards") == "(none)\n"
    found = json.loads(await asyncio.to_thread(run, "scorecards", "--of", "providers", "--json"))
    assert (found["of"], found["items"]) == ("providers", [])


async def test_a_source_that_its_schedule_reads_once_a_year_was_not_away_for_a_week(
    replay: Replay, tmp_path: Path, clock: SteppedClock
) -> None:
    extra = f"""
[schedules.yearly]
task = "scrape_launch_data"
cron = "0 0 1 1 *"
[sources.launch_library]
base_url = "{replay.url}/ll/"
rate = "1000/s"
"""
    async with hosted(quiet_config(tmp_path, extra), clock=clock) as running, asking(running) as client:
        await refresh(running, "launch_library")
        clock.ahead += 7 * DAY
        replay.bodies[UPCOMING] = page(ll2(CREW, SECOND))
        await refresh(running, "launch_library")
        (row,) = (await get(client, f"/v1/launches/{await crew(client)}/slips"))["items"]
        assert row["late"] is False
