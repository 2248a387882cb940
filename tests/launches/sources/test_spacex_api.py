"""The r/SpaceX archive, versions 3 to 5: references, vague dates, known errors, and that it never overrules."""

from pathlib import Path
from typing import Any

import pytest

from launchd.clock import format_instant
from launchd.config import SourceConfig
from launchd.launches.launch import LaunchStatus, Parsed, Place, Sighting
from launchd.launches.reconcile import StoredSighting, reconcile
from launchd.launches.sources import spacex_api
from tests.support.hosted_daemon import hosted, quiet_config
from tests.support.paths import SHARED
from tests.support.payloads import CARGO, LAUNCHPADS, LC_39A, ROCKETS, archived, archived_v3, encoded
from tests.support.replay_server import replaying
from tests.support.scraping_daemon import refresh, statistics

RECORDED = SHARED / "sources" / "spacex_api"


def read(*launches: dict[str, Any]) -> Parsed:
    return spacex_api.parse([encoded(one) for one in (list(launches), ROCKETS, LAUNCHPADS, CARGO)])


def one(**changed: Any) -> Sighting:  # noqa: ANN401 - JSON
    found = read(archived(**changed))
    assert not found.rejections
    (sighting,) = found.sightings
    return sighting


def interval(sighting: Sighting) -> tuple[str, str, str]:
    assert sighting.net is not None
    earliest, latest = format_instant(sighting.net.earliest), format_instant(sighting.net.latest)
    return earliest, latest[:19], sighting.net.precision.value


def test_a_launch_is_read_with_the_entries_it_refers_to() -> None:
    sighting = one()
    assert interval(sighting) == ("2020-03-07T04:50:31Z", "2020-03-07T05:50:30", "hour")
    assert (sighting.name, sighting.vehicle, sighting.orbit) == ("CRS-20", "Falcon 9", "ISS")
    assert (sighting.provider, sighting.pad) == ("SpaceX", "CCSFS SLC 40")
    assert sighting.location == Place("Cape Canaveral, Florida", 28.561857, -80.577366)
    assert (sighting.status, sighting.live) == (LaunchStatus.SUCCESS, False)


def test_identifiers_that_were_guessed_are_not_passed_on() -> None:
    assert one(launch_library_id="051c4c90-a89d-4a86-a77f-c7e22b9cb458").cross_ids == {}


@pytest.mark.parametrize(
    ("date", "precision", "expected"),
    [
        ("2022-11-01T00:00:00.000Z", "month", ("2022-11-01T00:00:00Z", "2022-11-30T23:59:59", "month")),
        ("2022-10-01T00:00:00.000Z", "quarter", ("2022-10-01T00:00:00Z", "2022-12-31T23:59:59", "quarter")),
        ("2022-01-01T00:00:00.000Z", "half", ("2022-01-01T00:00:00Z", "2022-06-30T23:59:59", "half")),
        ("2022-07-01T00:00:00.000Z", "half", ("2022-07-01T00:00:00Z", "2022-12-31T23:59:59", "half")),
        ("2022-01-01T00:00:00.000Z", "year", ("2022-01-01T00:00:00Z", "2022-12-31T23:59:59", "year")),
        ("2022-11-08T00:00:00.000Z", "day", ("2022-11-08T00:00:00Z", "2022-11-08T23:59:59", "day")),
    ],
)
def test_a_vague_date_given_by_its_first_day_is_the_period(
    date: str, precision: str, expected: tuple[str, str, str]
) -> None:
    coming = one(date_utc=date, date_precision=precision, upcoming=True, success=None)
    assert interval(coming) == expected
    assert coming.status is LaunchStatus.TBD


def test_an_hour_that_is_to_be_determined_is_a_day() -> None:
    timed = one(upcoming=True, success=None)
    unsure = one(upcoming=True, success=None, tbd=True)
    assert (interval(timed)[2], timed.status) == ("hour", LaunchStatus.TBC)
    assert (interval(unsure)[2], unsure.status) == ("day", LaunchStatus.TBD)


def test_a_flown_launch_without_an_outcome_has_no_status() -> None:
    assert one(success=None).status is None
    assert one(success=False).status is LaunchStatus.FAILURE


def test_the_default_pad_of_a_launch_without_a_date_is_none_and_a_chosen_one_stays() -> None:
    vague = {"upcoming": True, "success": None, "date_precision": "month", "date_utc": "2022-11-01T00:00:00.000Z"}
    assert (one(**vague).pad, one(**vague).location) == (None, None)
    assert one(**vague, launchpad=LC_39A).pad == "KSC LC 39A"


def test_a_reference_to_nothing_costs_its_field_and_is_reported() -> None:
    found = read(archived(rocket="5e9d0d95eda69973a8000000"))
    (sighting,) = found.sightings
    assert (sighting.vehicle, sighting.pad) == (None, "CCSFS SLC 40")
    assert [(one.record, one.field) for one in found.rejections] == [(sighting.source_id, "vehicle")]


def test_version_3_holds_its_references_in_the_launch() -> None:
    (sighting,) = spacex_api.parse([encoded([archived_v3()])]).sightings
    assert (sighting.source_id, sighting.name, sighting.vehicle) == ("v3-1", "FalconSat", "Falcon 1")
    assert interval(sighting) == ("2006-03-24T22:30:00Z", "2006-03-24T23:29:59", "hour")
    assert (sighting.pad, sighting.orbit, sighting.status) == ("Kwajalein Atoll", "LEO", LaunchStatus.FAILURE)


@pytest.mark.parametrize(
    "field", ["id", "name", "date_utc", "date_precision", "upcoming", "success", "rocket", "launchpad", "payloads"]
)
def test_a_record_without_one_of_its_fields_is_refused_with_the_field(field: str) -> None:
    record = archived()
    del record[field]
    found = read(record)
    assert not found.sightings
    assert [(one.field, f"`{field}`" in one.reason) for one in found.rejections] == [(None, True)]


def test_an_unknown_precision_is_another_shape() -> None:
    found = read(archived(date_precision="fortnight"))
    assert not found.sightings
    assert "fortnight" in found.rejections[0].reason


def test_the_archive_never_overrules_a_living_source_whatever_the_priorities() -> None:
    old = one(name="CRS-20 (planned)", date_utc="2020-03-07T04:00:00.000Z", success=False)
    live = Sighting(
        source="launch_library", source_id="x", name="Falcon 9 | CRS-20", net=one().net, status=LaunchStatus.SUCCESS
    )
    seen = [StoredSighting("id", old, 2, 2, "id"), StoredSighting("id", live, 1, 1, "id")]
    launch = reconcile("id", seen, {"spacex_api": 100, "launch_library": 1}, None).launch
    assert (launch.name, launch.status) == ("Falcon 9 | CRS-20", LaunchStatus.SUCCESS)


async def test_the_archive_is_scraped_when_asked_for_and_not_otherwise(tmp_path: Path) -> None:
    assert SourceConfig().enabled is None
    async with replaying() as server:
        where = {"v4/launches": [archived()], "v4/rockets": ROCKETS, "v4/launchpads": LAUNCHPADS, "v4/payloads": CARGO}
        server.bodies = {f"/{path}": encoded(body) for path, body in where.items()}
        extra = f'[sources.spacex_api]\nbase_url = "{server.url}/"\nrate = "1000/s"\n'
        async with hosted(quiet_config(tmp_path, extra)) as daemon:
            assert statistics(await refresh(daemon)) == {}
            assert server.requests == []
            numbers = statistics(await refresh(daemon, "spacex_api"))["spacex_api"]
        assert (numbers["created"], numbers["rejected"]) == (1, 0)
        assert server.requests[:2] == [("/v5/launches", 404), ("/v4/launches", 200)]


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
def test_the_recorded_launches_are_read_whole() -> None:
    found = spacex_api.parse([path.read_bytes() for path in sorted((RECORDED / "v4").glob("*.json"))])
    assert (found.rows, len(found.sightings)) == (205, 205)
    assert {one.field for one in found.rejections} == {"pad"}  # the launchpads were not recorded
    assert sum(one.status in {LaunchStatus.TBC, LaunchStatus.TBD} for one in found.sightings) == 18
    old = spacex_api.parse([path.read_bytes() for path in (RECORDED / "v3").glob("*.json")])
    assert (old.rows, len(old.sightings), old.rejections) == (78, 78, ())
