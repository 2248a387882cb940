"""The state of sources: circuits that survive a restart, payloads stored for a replay, traffic, freshness."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from launchd.clock import MINUTE
from launchd.daemon import Daemon
from launchd.job import JobState
from launchd.launches.circuit import THRESHOLD
from launchd.launches.launch import Parsed
from launchd.launches.query import LaunchQuery
from launchd.launches.sources import SOURCES
from tests.support.hosted_daemon import ended
from tests.support.payloads import FLOWN_ROW, LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import SteppedClock, asking, refresh, scraping, statistics

LAUNCH = ll2("Falcon 9 | Crew-20", "2027-04-20T10:00:00Z")


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        server.bodies = {UPCOMING: page(LAUNCH), PREVIOUS: page(), LOG: gcat(FLOWN_ROW)}
        yield server


async def source(daemon: Daemon, name: str) -> dict[str, Any]:
    async with asking(daemon) as session, session.get("/v1/sources") as response:
        items = (await response.json())["items"]
    (found,) = [one for one in items if one["name"] == name]
    return dict(found)


async def fail(daemon: Daemon, times: int) -> None:
    """Launch Library fails, GCAT answers, so the job succeeds."""
    for _ in range(times):
        assert "error" in statistics(await refresh(daemon))["launch_library"]


async def test_a_circuit_opens_survives_a_restart_lets_a_forced_refresh_try_and_closes_on_success(
    replay: Replay, tmp_path: Path
) -> None:
    clock = SteppedClock()
    replay.statuses[UPCOMING] = 500
    async with scraping(replay, tmp_path, clock) as daemon:
        await fail(daemon, THRESHOLD)
        assert (await source(daemon, "launch_library"))["circuit"]["state"] == "open"
    async with scraping(replay, tmp_path, clock) as daemon:
        shown = await source(daemon, "launch_library")
        assert (shown["circuit"]["state"], shown["circuit"]["failures"]) == ("open", THRESHOLD)
        assert shown["circuit"]["retry_at"] is not None
        replay.requests.clear()
        error = statistics(await refresh(daemon))["launch_library"]["error"]
        assert f"left alone until {shown['circuit']['retry_at']}" in error
        assert "HTTP 500" in error
        assert not [path for path, _ in replay.requests if path == UPCOMING]
        statistics(await refresh(daemon, "launch_library", "gcat", force=True))
        assert [status for path, status in replay.requests if path == UPCOMING] == [500]
        clock.ahead += 30 * MINUTE
        assert (await source(daemon, "launch_library"))["circuit"]["state"] == "half_open"
        replay.statuses.clear()
        assert statistics(await refresh(daemon))["launch_library"]["created"] == 1
        assert (await source(daemon, "launch_library"))["circuit"] == {
            "state": "closed",
            "failures": 0,
            "retry_at": None,
        }


async def test_a_source_that_asks_to_wait_is_not_asked_by_the_next_scrape(replay: Replay, tmp_path: Path) -> None:
    replay.statuses[UPCOMING] = 429
    replay.retry_after = "3600"
    async with scraping(replay, tmp_path) as daemon:
        await fail(daemon, 2)
    assert [status for path, status in replay.requests if path == UPCOMING] == [429]


async def test_traffic_is_counted_in_total_and_for_the_last_pull_and_freshness_is_served(
    replay: Replay, tmp_path: Path
) -> None:
    clock = SteppedClock()
    async with scraping(replay, tmp_path, clock) as daemon:
        assert (await source(daemon, "gcat"))["freshness"] is None
        await refresh(daemon, "gcat")
        first = await source(daemon, "gcat")
        await refresh(daemon, "gcat")
        clock.ahead += 90 * MINUTE
        second = await source(daemon, "gcat")
    asked = first["traffic"]["last"]["requests"]
    assert asked == sum(path.startswith("/gcat/") for path, _ in replay.requests) / 2
    assert first["traffic"]["last"]["bytes"] > 0
    assert second["traffic"]["last"]["bytes"] == 0
    assert second["traffic"]["total"]["requests"] == 2 * asked
    assert second["traffic"]["total"]["bytes"] == first["traffic"]["total"]["bytes"]
    assert second["freshness"] >= 90 * 60
    assert second["etag"].startswith('"')


async def replayed(daemon: Daemon, name: str) -> Any:  # noqa: ANN401 - JSON
    async with asking(daemon) as session, session.post(f"/v1/sources/{name}/replay") as response:
        assert response.status == 202
        job = await response.json()
        assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    return await ended(daemon, job["id"])


async def test_a_replay_reads_the_stored_payloads_through_the_same_path_without_any_request(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scraping(replay, tmp_path) as daemon:
        await refresh(daemon)
        asked = len(replay.requests)
        before = await source(daemon, "gcat")
        again = statistics(await replayed(daemon, "gcat"))["gcat"]
        assert (again["parsed"], again["created"], again["updated"], again["unchanged"]) == (1, 0, 0, 1)
        real = SOURCES["gcat"]

        def fixed(bodies: Any) -> Parsed:  # noqa: ANN401 - bytes
            parsed = real.parse(bodies)
            return Parsed(
                tuple(structs.replace(one, name="fixed") for one in parsed.sightings), parsed.rejections, parsed.rows
            )

        monkeypatch.setitem(SOURCES, "gcat", replace(real, parse=fixed))
        for expected in (1, 0):
            numbers = statistics(await replayed(daemon, "gcat"))["gcat"]
            assert (numbers["created"], numbers["updated"]) == (0, expected)
        found = await daemon.launches.list(LaunchQuery(source="gcat"), 0)
        assert [one.launch.name for one in found.items] == ["fixed"]
        assert len(replay.requests) == asked
        assert (await source(daemon, "gcat"))["last_success"] == before["last_success"]


async def test_payloads_of_a_failed_parser_are_kept_and_a_page_of_another_kind_is_not(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SOURCES["gcat"]

    def broken(_bodies: object) -> Parsed:
        raise KeyError("a column that is no more")

    async with scraping(replay, tmp_path) as daemon:
        monkeypatch.setitem(SOURCES, "gcat", replace(real, parse=broken))
        assert "its parser failed" in statistics(await refresh(daemon))["gcat"]["error"]
        assert (await replayed(daemon, "gcat")).state is JobState.FAILED
        monkeypatch.setitem(SOURCES, "gcat", real)
        assert statistics(await replayed(daemon, "gcat"))["gcat"]["created"] == 1
        replay.bodies[LOG] = b"<html>back soon"
        assert "nothing could be read" in statistics(await refresh(daemon))["gcat"]["error"]
        assert statistics(await replayed(daemon, "gcat"))["gcat"]["parsed"] == 1


async def test_a_replay_of_an_unknown_source_or_without_stored_payloads_is_refused(
    replay: Replay, tmp_path: Path
) -> None:
    async with scraping(replay, tmp_path) as daemon, asking(daemon) as session:
        for name, status in (("nasa_tv", 404), ("gcat", 409)):
            async with session.post(f"/v1/sources/{name}/replay") as response:
                assert response.status == status
                assert "gcat" in (await response.json(content_type="application/problem+json"))["detail"]


async def test_a_refresh_of_failing_sources_alone_waits_for_the_first_that_may_be_asked(
    replay: Replay, tmp_path: Path
) -> None:
    clock = SteppedClock()
    replay.statuses = {LOG: 429, UPCOMING: 429}
    replay.retry_after = "80000"
    async with scraping(replay, tmp_path, clock) as daemon:
        first = await daemon.control.refresh(["gcat"], force=False, by="test")
        while (await daemon.control.job(first.id)).attempt == 0 or not (await source(daemon, "gcat"))["error"]:  # noqa: ASYNC110 - a row, not an event
            await asyncio.sleep(0.01)
        replay.retry_after = "500"
        both = await daemon.control.refresh(None, force=False, by="test")
        while (found := await daemon.control.job(both.id)).attempt == 0 or found.state is JobState.RUNNING:  # noqa: ASYNC110 - a row, not an event
            await asyncio.sleep(0.01)
    assert found.state is JobState.QUEUED
    assert 500 <= (found.run_at - found.created_at) / 1_000_000 < 40_000
