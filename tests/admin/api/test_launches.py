"""Launch data over the admin socket: every format, revalidation, refusals, conflicts, and overrides that survive."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import aiohttp
import pytest
from click.testing import CliRunner
from icalendar import Calendar

from launchd.admin.api.launches import LAUNCH_ROUTES
from launchd.cli import CommandContext, cli
from launchd.clock import SECOND, SystemClock, parse_instant
from launchd.daemon import Daemon
from tests.support.admin_clients import get
from tests.support.payloads import LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import asking, refresh, scraping

CREW, NET = "Falcon 9 | Crew-20", "2027-04-20T10:00:00Z"
FLOWN = "2026-001 \t2026 Jan  4 1200:30\t2026-001A\tP\tStarlink 9001\tStarlink\tFalcon 9\tCC\tLC40\tSPX\tOS"
READS = [route.path for route in LAUNCH_ROUTES if route.method == "GET"]


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        early = ll2("Falcon 9 | Starlink", "2026-01-04T11:00:00Z", key="id-2", status=3, launch_designator="2026-001")
        server.bodies = {UPCOMING: page(ll2(CREW, NET)), PREVIOUS: page(early), LOG: gcat(FLOWN)}
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


async def crew(client: aiohttp.ClientSession) -> str:
    (found,) = (await get(client, "/v1/launches?when=upcoming"))["items"]
    return str(found["id"])


async def send(client: aiohttp.ClientSession, path: str, body: object, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    async with client.post(path, json=body) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def addresses(client: aiohttp.ClientSession) -> list[str]:
    launch_id = await crew(client)
    return [path.replace("{id}", launch_id) for path in READS]


async def test_every_get_has_an_etag_a_304_and_a_head(client: aiohttp.ClientSession) -> None:
    for path in await addresses(client):
        if path in {"/v1/sources", "/v1/launches/next"}:  # an age or a countdown is another one each time
            continue
        async with client.get(path) as response:
            assert response.status == 200, path
            etag, length = response.headers["ETag"], response.headers["Content-Length"]
        for method in ("GET", "HEAD"):
            for given in (etag, f'"other", {etag.removeprefix("W/")}', "*"):
                async with client.request(method, path, headers={"If-None-Match": given}) as response:
                    assert (response.status, await response.read()) == (304, b""), (method, path, given)
                    assert response.headers["ETag"] == etag
            async with client.request(method, path, headers={"If-None-Match": '"other"'}) as response:
                assert response.status == 200
        async with client.head(path) as response:
            assert (response.status, await response.read()) == (200, b"")
            assert response.headers["ETag"] == etag
            assert response.headers["Content-Length"] == length


async def test_the_next_launch_has_a_countdown_and_is_selected_by_provider_vehicle_and_place(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    place = {"name": "LC-39A", "latitude": 28.6, "longitude": -80.6, "location": {"name": "Kennedy Space Center"}}
    day = ll2("Falcon 9 | Axiom", "2027-05-01T00:00:00Z", key="id-4", status=2, precision=5, pad=place)
    vague = ll2("Vulcan | Later", "2027-03-31T00:00:00Z", key="id-3", status=2, precision=8)
    replay.bodies[UPCOMING] = page(vague, ll2(CREW, NET), day)
    await refresh(daemon)
    assert [one["name"] for one in (await get(client, "/v1/launches?when=upcoming"))["items"]][:2] == [
        "Vulcan | Later",
        CREW,
    ]
    found = await get(client, "/v1/launches/next?provider=spacex&vehicle=falcon")
    left = parse_instant(NET) - SystemClock().now()
    assert (found["name"], found["net"]) == (CREW, NET)
    assert 0 <= found["countdown_seconds"] - left / SECOND < 3600
    found = await get(client, "/v1/launches/next?place=kennedy")
    assert (found["name"], found["countdown_seconds"]) == ("Falcon 9 | Axiom", None)
    async with client.get("/v1/launches/next?vehicle=vulcan") as response:
        assert response.status == 404
        assert "has a known day" in (await response.json())["detail"]


async def test_an_etag_is_the_same_with_and_without_compression(client: aiohttp.ClientSession) -> None:
    path, etags = f"/v1/launches/{await crew(client)}", set()
    for accepted in ("gzip", "identity"):
        async with client.get(path, headers={"Accept-Encoding": accepted}) as response:
            assert response.headers.get("Content-Encoding", "identity") == accepted
            assert response.headers["Vary"] == "Accept-Encoding"
            etags.add(response.headers["ETag"])
    (etag,) = etags
    assert etag.startswith("W/")  # a strong one would promise the same bytes
    for accepted in ("gzip", "identity"):
        given = {"Accept-Encoding": accepted, "If-None-Match": etag}
        async with client.get(path, headers=given) as response:
            assert (response.status, response.headers["Vary"]) == (304, "Accept-Encoding")


async def test_the_list_includes_slips_on_request(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    replay.bodies[UPCOMING] = page(ll2(CREW, "2027-04-22T10:00:00Z"))
    await refresh(daemon)
    (found,) = (await get(client, "/v1/launches?when=upcoming&slips=true"))["items"]
    assert found["slips"] == {"count": 1, "total": 172_800.0, "earlier": 0, "summary": "slipped once, 2 days"}
    assert found["slips"] == (await get(client, f"/v1/launches/{found['id']}"))["slips"]
    (flown,) = (await get(client, "/v1/launches?when=past&slips=true"))["items"]
    assert flown["slips"]["count"] == 0
    (plain,) = (await get(client, "/v1/launches?when=upcoming"))["items"]
    assert "slips" not in plain


async def test_an_etag_changes_with_the_data(client: aiohttp.ClientSession, replay: Replay, daemon: Daemon) -> None:
    async def etags() -> set[str]:
        found = set()
        for path in ("/v1/launches", "/v1/launches.ics", "/v1/launches.csv", "/v1/launches.atom"):
            async with client.head(path) as response:
                found.add(response.headers["ETag"])
        return found

    before = await etags()
    replay.bodies[UPCOMING] = page(ll2(CREW, "2027-04-22T10:00:00Z"))
    await refresh(daemon)
    assert before.isdisjoint(await etags())


async def test_unknown_parameters_and_values_are_refused_on_every_endpoint(client: aiohttp.ClientSession) -> None:
    for path in await addresses(client):
        async with client.get(f"{path}?nonsense=1") as response:
            assert response.status == 422, path
            assert "nonsense" in (await response.json(content_type=None))["detail"]
    for query in ("when=soon", "status=gone", "source=nasa_tv", "since=yesterday", "limit=0", "limit=x", "cursor=1"):
        async with client.get(f"/v1/launches?{query}") as response:
            assert response.status == 422, query
    for path in ("/v1/launches.ics", "/v1/launches.atom", "/v1/launches.csv"):
        async with client.get(f"{path}?cursor=1~a") as response:
            assert response.status == 422, path


async def test_the_formats_hold_the_same_launches(client: aiohttp.ClientSession) -> None:
    async with client.get("/v1/launches.ics?when=upcoming") as response:
        assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
        (event,) = Calendar.from_ical(await response.read()).walk("VEVENT")
        assert event["summary"] == CREW
    async with client.get("/v1/launches.csv") as response:
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(await response.text())))
        assert {row["name"] for row in rows} == {CREW, "Falcon 9 | Starlink"}
    async with client.get("/v1/launches.csv?q=crew&provider=space") as response:
        assert len((await response.text()).splitlines()) == 2


async def test_a_slip_is_in_the_detail_the_feed_and_the_sequence_of_the_calendar(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    launch_id = await crew(client)
    for net in ("2027-04-22T10:00:00Z", "2027-04-23T10:00:00Z", "2027-05-01T10:00:00Z"):
        replay.bodies[UPCOMING] = page(ll2(CREW, net))
        await refresh(daemon)
    slips = (await get(client, f"/v1/launches/{launch_id}"))["slips"]
    assert slips["summary"] == "slipped 3 times, 11 days in all"
    assert (slips["count"], slips["total"]) == (3, 11 * 86_400)
    async with client.get("/v1/launches.atom") as response:
        feed = ET.fromstring(await response.text())  # noqa: S314 - our own document
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == 3
    async with client.get("/v1/launches.ics?when=upcoming") as response:
        (event,) = Calendar.from_ical(await response.read()).walk("VEVENT")
    assert (event["sequence"], event["uid"]) == (3, f"{launch_id}@launchd")


async def test_open_conflicts_are_listed_with_the_value_of_each_source_and_close_when_they_agree(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    (found,) = (await get(client, "/v1/conflicts"))["items"]
    assert (found["kind"], found["launch"]["name"]) == ("net", "Falcon 9 | Starlink")
    assert set(found["values"]) == {"gcat", "launch_library"}
    assert len((await get(client, "/v1/conflicts?kind=net&source=gcat"))["items"]) == 1
    assert (await get(client, "/v1/conflicts?kind=vehicle"))["items"] == []
    agreed = ll2("Falcon 9 | Starlink", "2026-01-04T12:00:30Z", key="id-2", status=3, launch_designator="2026-001")
    replay.bodies[PREVIOUS] = page(agreed)
    await refresh(daemon)
    assert (await get(client, "/v1/conflicts"))["items"] == []


async def test_pages_of_conflicts_hold_each_one_once(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    rows = [FLOWN.replace("2026-001", f"2026-00{n}").replace("Jan  4 1200", f"Jan  {n} 1200") for n in range(2, 7)]
    early = [
        ll2(f"Falcon 9 | S{n}", f"2026-01-0{n}T09:00:00Z", key=f"k{n}", status=3, launch_designator=f"2026-00{n}")
        for n in range(2, 7)
    ]
    replay.bodies |= {LOG: gcat(*rows), PREVIOUS: page(*early)}
    await refresh(daemon)
    whole = [one["launch"]["id"] for one in (await get(client, "/v1/conflicts"))["items"]]
    found, path = [], "/v1/conflicts?limit=2"
    while path:
        answer = await get(client, path)
        found += [one["launch"]["id"] for one in answer["items"]]
        path = f"/v1/conflicts?limit=2&cursor={answer['next']}" if answer["next"] else ""
    assert found == whole
    assert len(set(found)) == len(found) > 2


async def test_an_override_survives_scrapes_shows_its_actor_and_reason_and_can_be_removed(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    launch_id = await crew(client)
    path = f"/v1/launches/{launch_id}/override"
    fields = {"status": "hold", "net": "2027-06-01T00:00:00Z", "net_precision": "month", "orbit": None, "pad": "39A"}
    set_ = await send(client, path, {"fields": fields, "reason": "told by the range"})
    assert (set_["status"], set_["net"], set_["net_precision"], set_["pad"]) == (
        "hold",
        "2027-06-01T00:00:00Z",
        "month",
        "39A",
    )
    replay.bodies[UPCOMING] = page(ll2(CREW + " (new)", "2027-04-25T10:00:00Z"))
    await refresh(daemon)
    after = await get(client, f"/v1/launches/{launch_id}")
    assert (after["status"], after["net"], after["pad"]) == ("hold", "2027-06-01T00:00:00Z", "39A")
    assert after["name"] == CREW + " (new)"
    assert after["provenance"]["net"]["source"] == "override"
    by_field = {one["field"]: one for one in after["overrides"]}
    assert by_field["net"]["value"] == {"net": "2027-06-01T00:00:00Z", "net_precision": "month"}
    assert by_field["status"]["reason"] == "told by the range"
    assert len((await get(client, "/v1/launches?status=hold"))["items"]) == 1
    async with client.delete(f"{path}?field=net&reason=over") as response:
        assert response.status == 200
        back = await response.json()
    assert (back["net"], back["net_precision"], back["status"]) == ("2027-04-25T10:00:00Z", "minute", "hold")
    async with client.delete(path) as response:
        assert (await response.json())["overrides"] == []
    async with client.delete(path) as response:
        assert response.status == 404
    nets = [(row["new"], row["source"]) for row in back["history"] if row["field"] == "net"]
    assert nets == [("2027-06-01T00:00:00Z", "override"), ("2027-04-25T10:00:00Z", "launch_library")]
    audit = await daemon.control._jobs._db.read("SELECT action, target, detail FROM audit ORDER BY seq")
    mine = [(row["action"], row["target"]) for row in audit if "override" in row["action"]]
    assert mine == [("override", launch_id), ("take_back_override", launch_id), ("take_back_override", launch_id)]
    assert "told by the range" in "".join(row["detail"] or "" for row in audit)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({}, "fields"),
        ({"nonsense": "x"}, "fields.nonsense"),
        ({"status": "gone"}, "fields.status"),
        ({"name": None}, "fields.name"),
        ({"name": " \x00 "}, "fields.name"),
        ({"pad": 7}, "fields.pad"),
        ({"net": NET}, "fields.net"),
        ({"net_precision": "day"}, "fields.net"),
        ({"net": "9999-01-01T00:00:00Z", "net_precision": "day"}, "fields.net"),
        ({"net": NET, "net_precision": "fortnight"}, "fields.net"),
        ({"window_start": NET, "window_end": "2027-04-19T00:00:00Z"}, "fields.window_start"),
    ],
)
async def test_an_invalid_override_is_refused_and_changes_nothing(
    client: aiohttp.ClientSession, fields: dict[str, Any], where: str
) -> None:
    launch_id = await crew(client)
    before = await get(client, f"/v1/launches/{launch_id}")
    problem = await send(client, f"/v1/launches/{launch_id}/override", {"fields": fields}, 422)
    assert where in problem["detail"]
    assert await get(client, f"/v1/launches/{launch_id}") == before


async def test_an_override_of_an_unknown_launch_is_404(client: aiohttp.ClientSession) -> None:
    await send(client, "/v1/launches/none/override", {"fields": {"pad": "x"}}, 404)


async def test_an_override_goes_with_its_launch_when_two_are_merged_and_split(
    client: aiohttp.ClientSession, replay: Replay, daemon: Daemon
) -> None:
    alone = ll2("Electron | Apart", "2026-03-01T10:00:00Z", key="k9", status=3)
    row = "2026-077\t2026 Mar  9 1000:00\t2026-077A\tP\tApart\tApart\tElectron\tMAHIA\tLC1\tRLABN\tOS"
    replay.bodies |= {PREVIOUS: page(alone), LOG: gcat(FLOWN, row)}
    await refresh(daemon)
    older, younger = sorted(one["id"] for one in (await get(client, "/v1/launches?q=apart"))["items"])
    await send(client, f"/v1/launches/{younger}/override", {"fields": {"orbit": "SSO"}})
    replay.bodies[PREVIOUS] = page(alone | {"launch_designator": "2026-077", "net": "2026-03-09T10:00:00Z"})
    await refresh(daemon)
    merged = await get(client, f"/v1/launches/{younger}")
    assert (merged["id"], merged["orbit"]) == (older, "SSO")
    assert ("orbit", "SSO", "override") in [(one["field"], one["new"], one["source"]) for one in merged["history"]]
    assert len((await get(client, "/v1/launches?q=apart"))["items"]) == 1
    replay.bodies[PREVIOUS] = page(alone | {"launch_designator": "2026-078"})
    await refresh(daemon)
    shown = {one["id"]: one["orbit"] for one in (await get(client, "/v1/launches?q=apart"))["items"]}
    assert shown == {older: None, younger: "SSO"}
    history = (await get(client, f"/v1/launches/{older}"))["history"]
    assert [(one["old"], one["new"]) for one in history if one["field"] == "orbit"] == [(None, "SSO"), ("SSO", None)]


async def test_the_command_line_replays_overrides_and_lists(client: aiohttp.ClientSession, daemon: Daemon) -> None:
    launch_id = await crew(client)

    async def run(*words: str) -> str:
        result = await asyncio.to_thread(
            CliRunner().invoke, cli, ["--socket", str(daemon.socket), *words], obj=CommandContext()
        )
        assert result.exit_code == 0, result.output
        return str(result.output)

    assert "succeeded" in await run("replay", "gcat", "--wait")
    assert "hold" in await run("override", launch_id, "status=hold", "orbit=null", "--reason", "why not")
    assert "has not slipped" in await run("launch", launch_id)
    assert "hold" not in await run("take-back", launch_id)
    assert "Starlink" in await run("conflicts")
    assert "closed" in await run("sources")
    assert "Crew-20" in await run("launches", "--search", "crew")


async def test_a_page_of_launches_names_its_sources_and_an_empty_one_names_none(client: aiohttp.ClientSession) -> None:
    told = (await get(client, "/v1/launches?when=upcoming"))["attribution"]
    assert told == ["Launch Library 2, The Space Devs (thespacedevs.com)"]
    assert await get(client, "/v1/launches?q=nothing") == {"items": [], "next": None}


async def test_a_refresh_of_an_empty_list_of_sources_is_refused(client: aiohttp.ClientSession) -> None:
    async with client.post("/v1/refresh", json={"sources": []}) as response:
        assert response.status == 422
        assert "sources" in await response.text()
