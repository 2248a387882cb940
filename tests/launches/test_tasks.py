"""Scraping end to end: a real daemon, real HTTP on loopback, real SQLite, the admin socket."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from launchd.clock import SECOND
from launchd.daemon import Daemon
from launchd.job import JobState
from launchd.launches.query import LaunchQuery
from tests.support.hosted_daemon import ended, hosted, quiet_config
from tests.support.paths import SHARED
from tests.support.payloads import FLOWN_ROW, LOG, PREVIOUS, UPCOMING, gcat, ll2, page
from tests.support.replay_server import Replay, replaying
from tests.support.scraping_daemon import refresh, statistics

FOREVER = 1 << 60
RECORDED = SHARED / "sources"


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with replaying() as server:
        server.bodies = {UPCOMING: page(), PREVIOUS: page(), LOG: gcat(FLOWN_ROW)}
        yield server


@pytest.fixture
async def scraper(replay: Replay, tmp_path: Path) -> AsyncIterator[Daemon]:
    extra = f"""
[sources.launch_library]
base_url = "{replay.url}/ll/"
rate = "1000/s"
[sources.gcat]
base_url = "{replay.url}/gcat"
rate = "1000/s"
[sources.wikipedia]
enabled = false
"""
    async with hosted(quiet_config(tmp_path, extra)) as daemon:
        yield daemon


async def names(daemon: Daemon) -> list[str]:
    found = await daemon.launches.list(LaunchQuery(limit=1000), 0)
    return [one.launch.name for one in found.items]


async def test_one_launch_of_two_sources_is_one_record_with_the_lift_off_of_gcat(
    replay: Replay, scraper: Daemon
) -> None:
    replay.bodies[PREVIOUS] = page(ll2("Falcon 9 | Starlink", "2026-01-04T12:00:00Z", status=3))
    await refresh(scraper)
    (record,) = (await scraper.launches.list(LaunchQuery(), 0)).items
    assert record.launch.sources == ("gcat", "launch_library")
    assert record.launch.net is not None
    assert record.launch.net.earliest == 1767528030 * 1_000_000
    assert record.launch.provenance["net"].source == "gcat"
    assert record.launch.provenance["name"].source == "launch_library"


async def test_a_second_refresh_of_the_same_data_parses_nothing_and_writes_nothing(scraper: Daemon) -> None:
    first, second = statistics(await refresh(scraper)), statistics(await refresh(scraper))
    assert first["gcat"]["created"] == 1
    assert second["gcat"]["not_modified"] is True
    assert (second["gcat"]["created"], second["gcat"]["updated"], second["gcat"]["bytes"]) == (0, 0, 0)


async def test_a_slip_a_rename_and_a_scrub_keep_the_launch_and_are_its_history(replay: Replay, scraper: Daemon) -> None:
    steps = [
        ll2("Falcon 9 | Unknown Payload", "2027-04-30T00:00:00Z", status=2, precision=7),
        ll2("Falcon 9 | Crew-20", "2027-04-20T10:00:00Z", status=1),
        ll2("Falcon 9 | Crew-20", "2027-04-22T09:00:00Z", status=8),
    ]
    for step in steps:
        replay.bodies[UPCOMING] = page(step)
        await refresh(scraper, "launch_library")
    (record,) = (await scraper.launches.list(LaunchQuery(), 0)).items
    history = (await scraper.launches.get(record.launch.id)).history
    assert [(row.field, row.old, row.new) for row in history if row.field in {"net", "net_precision", "status"}] == [
        ("status", "tbd", "go"),
        ("net", "2027-04-01T00:00:00Z", "2027-04-20T10:00:00Z"),
        ("net_precision", "month", "minute"),
        ("status", "go", "tbc"),
        ("net", "2027-04-20T10:00:00Z", "2027-04-22T09:00:00Z"),
    ]
    assert ("name", "Falcon 9 | Unknown Payload", "Falcon 9 | Crew-20") in [(r.field, r.old, r.new) for r in history]


async def test_a_failing_source_stops_no_other_and_health_names_it(replay: Replay, scraper: Daemon) -> None:
    replay.statuses[UPCOMING] = 500
    numbers = statistics(await refresh(scraper))
    assert numbers["gcat"]["created"] == 1
    assert "HTTP 500" in numbers["launch_library"]["error"]
    report = await scraper.control.health()
    assert report.level.value == "degraded"
    assert "launch_library" in report.checks["sources"].detail


async def test_when_no_source_answers_the_job_waits_as_long_as_it_was_asked_to(replay: Replay, scraper: Daemon) -> None:
    replay.statuses = {UPCOMING: 429, LOG: 429}
    replay.retry_after = "86000"  # longer than any delay of our own
    job = await scraper.control.refresh(None, force=False, by="test")
    while (found := await scraper.control.job(job.id)).attempt == 0 or found.state is JobState.RUNNING:  # noqa: ASYNC110 - a row, not an event
        await asyncio.sleep(0.01)
    assert found.state is JobState.QUEUED
    assert found.run_at - found.created_at >= 86_000 * SECOND


async def test_a_bad_record_costs_only_itself(replay: Replay, scraper: Daemon) -> None:
    good = ll2("Falcon 9 | Good", "2027-01-01T00:00:00Z")
    replay.bodies[UPCOMING] = page({"name": "no id"}, 7, good, ll2("Electron | Odd", "soon", key="id-2"))
    numbers = statistics(await refresh(scraper, "launch_library"))["launch_library"]
    assert (numbers["fetched"], numbers["parsed"], numbers["rejected"]) == (4, 2, 3)
    assert sorted(await names(scraper)) == ["Electron | Odd", "Falcon 9 | Good"]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html>", b'{"results": 7}', b"[" * 5000, b'{"detail": "no"}'])
async def test_a_page_of_another_kind_is_an_error_and_the_stored_launches_stay(
    replay: Replay, scraper: Daemon, body: bytes
) -> None:
    replay.bodies[UPCOMING] = page(ll2("Falcon 9 | Kept", "2027-01-01T00:00:00Z"))
    await refresh(scraper)
    replay.bodies[UPCOMING] = replay.bodies[PREVIOUS] = body
    numbers = statistics(await refresh(scraper))
    assert "error" in numbers["launch_library"]
    assert "Falcon 9 | Kept" in await names(scraper)


async def test_the_admin_socket_serves_what_was_scraped_and_answers_errors_as_problems(scraper: Daemon) -> None:
    await refresh(scraper)
    connector = aiohttp.UnixConnector(str(scraper.socket))
    async with aiohttp.ClientSession("http://launchd", connector=connector) as session:
        for path in ("/healthz", "/readyz", "/v1/status", "/v1/health", "/v1/tasks", "/v1/jobs", "/v1/queues"):
            async with session.get(path) as response:
                assert response.status == 200, path
        async with session.get("/v1/launches?when=past") as response:
            (launch,) = (await response.json())["items"]
        async with session.get(f"/v1/launches/{launch['id']}") as response:
            assert (await response.json())["sightings"][0]["source_id"] == "2026-001"
        expected = {
            ("GET", "/v1/nothing", None): (404, "not_found"),
            ("DELETE", "/v1/jobs", None): (405, "method_not_allowed"),
            ("POST", "/v1/refresh", b"{"): (400, "malformed"),
            ("POST", "/v1/refresh", b'{"x": 1}'): (422, "invalid"),
            ("POST", "/v1/refresh", b'{"sources": ["nasa_tv"]}'): (422, "invalid"),
            ("GET", "/v1/jobs?limit=0", None): (422, "invalid"),
            ("GET", "/v1/jobs/none", None): (404, "not_found"),
            ("POST", "/v1/refresh", io.BytesIO(b" " * 1_100_000)): (413, "too_large"),
        }
        for (method, path, data), (status, code) in expected.items():
            async with session.request(method, path, data=data) as response:
                problem = await response.json(content_type="application/problem+json")
                assert (response.status, problem["code"]) == (status, code), path


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
async def test_the_recorded_log_of_gcat_is_6817_launches(replay: Replay, scraper: Daemon) -> None:
    replay.bodies[LOG] = (RECORDED / "gcat" / "2024-12-01_launchlog.tsv").read_bytes()
    first = statistics(await refresh(scraper))["gcat"]
    assert (first["fetched"], first["created"]) == (23_338, 6_817)
    second = statistics(await refresh(scraper))["gcat"]
    assert (second["created"], second["updated"]) == (0, 0)


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
async def test_225_captures_leave_one_launch_per_id_and_a_row_for_each_visible_change(
    replay: Replay, scraper: Daemon
) -> None:
    captures = sorted((RECORDED / "ll2" / "2.2.0_upcoming_limit5_es_portal").glob("*.json"))
    told: dict[str, dict[str, list[Any]]] = {}
    for capture in captures:
        replay.bodies[UPCOMING] = capture.read_bytes()
        for one in json.loads(replay.bodies[UPCOMING])["results"]:
            values = {
                "name": one["name"],
                "status": one["status"]["id"],
                "net": one["net"],
                "net_precision": one["net_precision"]["id"],
            }
            fields = told.setdefault(one["id"], {field: [] for field in values})
            for field, value in values.items():
                if fields[field][-1:] != [value]:
                    fields[field].append(value)
        await refresh(scraper, "launch_library")
    found = (await scraper.launches.list(LaunchQuery(limit=1000), FOREVER)).items
    assert len(captures) == 225
    assert len(found) == len(told) == 84
    for record in found:
        detail = await scraper.launches.get(record.launch.id)
        (seen,) = detail.sightings
        rows = [row.field for row in detail.history]
        for field, said in told[seen.sighting.source_id].items():
            assert rows.count(field) == len(said) - 1, (record.launch.name, field, said)


async def test_an_additional_scrape_leaves_out_the_sources_whose_rate_does_not_allow_it(
    replay: Replay, tmp_path: Path
) -> None:
    extra = "".join(
        f'[sources.{name}]\nrate = "{rate}"\nbase_url = "{replay.url}/{base}"\n'
        for name, rate, base in (("launch_library", "15/h", "ll/"), ("gcat", "48/d", "gcat"))
    )
    async with hosted(quiet_config(tmp_path, extra)) as daemon:
        requests = []
        for every in (None, 1800, 300):
            del replay.requests[:]
            job, _ = await daemon.control.trigger("scrape_launch_data", {"every_seconds": every}, by="test")
            numbers = statistics(await ended(daemon, job.id))
            requests.append({path.split("/")[1] for path, _ in replay.requests})
            left_out = {name for name, found in numbers.items() if "left_out" in found}
            assert requests[-1] | {"ll" if name == "launch_library" else name for name in left_out} == {"ll", "gcat"}
        assert requests == [{"ll", "gcat"}, {"ll"}, set()]


async def test_an_answer_without_launches_where_some_are_known_is_an_error_of_the_source(
    replay: Replay, scraper: Daemon
) -> None:
    upcoming = page(ll2("Falcon 9 | Crew-20", "2027-04-20T10:00:00Z"))
    replay.bodies |= {
        UPCOMING: upcoming,
        PREVIOUS: page(ll2("Electron | A", "2026-01-04T12:00:00Z", key="b", status=3)),
    }
    await refresh(scraper, "launch_library")
    replay.bodies |= {UPCOMING: page(), PREVIOUS: page()}
    numbers = statistics(await refresh(scraper, "launch_library"))["launch_library"]
    assert "holds no launches, though 2 of its records are known" in numbers["error"]
    report = await scraper.control.health()
    assert "holds no launches" in report.checks["sources"].detail
    assert set(await names(scraper)) == {"Falcon 9 | Crew-20", "Electron | A"}
    replay.bodies[PREVIOUS] = page(ll2("Electron | A", "2026-01-04T12:00:00Z", key="b", status=3))
    numbers = statistics(await refresh(scraper, "launch_library"))["launch_library"]
    assert "none of the 1 launches to come" in numbers["doubt"]
    assert (await scraper.control.health()).level.value == "degraded"
    replay.bodies[UPCOMING] = upcoming
    assert "doubt" not in statistics(await refresh(scraper, "launch_library"))["launch_library"]
    assert (await scraper.control.health()).level.value == "healthy"


async def test_a_table_that_goes_missing_keeps_what_it_gave_and_degrades_the_source_until_it_is_back(
    replay: Replay, scraper: Daemon
) -> None:
    table = "/gcat/tsv/tables/orgs.tsv"
    replay.bodies[table] = b"#Code\tShortName\tShortEName\nSPX\tSpaceX\t-\n"
    await refresh(scraper)
    del replay.bodies[table]
    for _ in range(2):
        numbers = statistics(await refresh(scraper))["gcat"]
        assert "known values are kept, such as provider of 2026-001" in numbers["doubt"]
        await check_provider(scraper, "SpaceX", "degraded")
    replay.bodies[table] = b"#Code\tShortName\tShortEName\nSPX\tSpace Exploration\t-\n"
    assert "doubt" not in statistics(await refresh(scraper))["gcat"]
    await check_provider(scraper, "Space Exploration", "healthy")


@pytest.mark.parametrize(
    "table", [b"#Code\tShort\tShortEName\nSPX\tSpaceX\t-\n", b"#Code\tShortName\tShortEName\nSPX\tSp"]
)
async def test_a_table_without_a_column_or_an_end_is_refused_with_all_of_its_source(
    replay: Replay, scraper: Daemon, table: bytes
) -> None:
    replay.bodies["/gcat/tsv/tables/orgs.tsv"] = b"#Code\tShortName\tShortEName\nSPX\tSpaceX\t-\n"
    await refresh(scraper)
    replay.bodies["/gcat/tsv/tables/orgs.tsv"] = table
    assert "nothing of it is believed" in statistics(await refresh(scraper))["gcat"]["error"]
    await check_provider(scraper, "SpaceX", "degraded")


async def check_provider(daemon: Daemon, provider: str, health: str) -> None:
    (record,) = (await daemon.launches.list(LaunchQuery(), 0)).items
    assert record.launch.provider == provider
    assert (await daemon.control.health()).level.value == health
