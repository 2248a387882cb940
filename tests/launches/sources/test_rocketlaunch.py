"""RocketLaunch.Live: times to the minute, estimates as periods, results."""

from typing import Any

import pytest

from launchd.clock import format_instant, parse_instant
from launchd.launches.launch import LaunchStatus, Place, Sighting
from launchd.launches.sources import rocketlaunch
from tests.support.paths import SHARED
from tests.support.payloads import capstone, encoded, next_launch

RECORDED = SHARED / "sources" / "rocketlaunch_live"


def one(record: dict[str, Any]) -> Sighting:
    found = rocketlaunch.parse([encoded({"result": [record]})])
    assert not found.rejections
    (sighting,) = found.sightings
    return sighting


def interval(sighting: Sighting) -> tuple[str, str, str]:
    assert sighting.net is not None
    earliest, latest = format_instant(sighting.net.earliest), format_instant(sighting.net.latest)
    return earliest, latest[:19], sighting.net.precision.value


def test_a_launch_is_read_with_all_its_fields() -> None:
    sighting = one(next_launch(win_close="2022-05-19T22:59Z"))
    assert (sighting.source_id, sighting.name) == ("679", "CST-100 Starliner (Boe-OFT2)")
    assert interval(sighting) == ("2022-05-19T22:54:00Z", "2022-05-19T22:54:59", "minute")
    assert sighting.window_end == parse_instant("2022-05-19T22:59:00Z")
    assert (sighting.provider, sighting.vehicle) == ("United Launch Alliance (ULA)", "Atlas V")
    assert (sighting.pad, sighting.location) == ("SLC-41", Place("Cape Canaveral SFS, Florida, United States"))
    assert (sighting.status, sighting.designator) == (None, None)
    assert sighting.urls == ("https://rocketlaunch.live/launch/boe-oft2",)


def test_t0_is_preferred_to_the_opening_of_the_window() -> None:
    assert interval(one(next_launch(t0="2022-05-19T22:56Z")))[0] == "2022-05-19T22:56:00Z"


@pytest.mark.parametrize(
    ("year", "month", "day", "quarter", "expected"),
    [
        (2022, 5, 27, None, ("2022-05-27T00:00:00Z", "2022-05-27T23:59:59", "day")),
        (2022, 5, None, None, ("2022-05-01T00:00:00Z", "2022-05-31T23:59:59", "month")),
        (2022, None, None, 3, ("2022-07-01T00:00:00Z", "2022-09-30T23:59:59", "quarter")),
        (2022, None, None, None, ("2022-01-01T00:00:00Z", "2022-12-31T23:59:59", "year")),
    ],
)
def test_an_estimate_is_the_period_of_its_finest_part_and_the_sort_date_is_ignored(
    year: int, month: int | None, day: int | None, quarter: int | None, expected: tuple[str, str, str]
) -> None:
    date = {"year": year, "month": month, "day": day, "quarter": quarter}
    assert interval(one(capstone() | {"est_date": date, "sort_date": "1653695996"})) == expected


def test_an_estimate_without_a_year_or_with_an_impossible_date_gives_no_net() -> None:
    assert one(capstone() | {"est_date": {"year": None, "month": 5, "day": 27, "quarter": None}}).net is None
    found = rocketlaunch.parse(
        [encoded([capstone() | {"est_date": {"year": 2022, "month": 2, "day": 30, "quarter": None}}])]
    )
    assert found.sightings[0].net is None
    assert [one.field for one in found.rejections] == ["net"]


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (-1, None),
        (0, LaunchStatus.FAILURE),
        (1, LaunchStatus.SUCCESS),
        (2, LaunchStatus.PARTIAL_FAILURE),
        (3, LaunchStatus.FAILURE),
    ],
)
def test_a_result_is_the_status_once_there_is_one(result: int, status: LaunchStatus | None) -> None:
    assert one(next_launch(result=result)).status is status


def test_a_cospar_id_is_the_designator_of_the_launch_without_its_piece() -> None:
    assert one(next_launch(cospar_id="2022-056")).designator == "2022-056"
    assert one(next_launch(cospar_id="2022-056A")).designator == "2022-056"
    odd = rocketlaunch.parse([encoded([next_launch(cospar_id="soon")])])
    assert [(one.record, one.field) for one in odd.rejections] == [("679", "designator")]


def test_a_pad_that_is_to_be_determined_is_unknown() -> None:
    assert one(capstone()).pad is None


@pytest.mark.parametrize("field", ["id", "name", "t0", "win_open", "est_date", "provider", "vehicle", "pad", "result"])
def test_a_record_without_one_of_its_fields_is_refused_with_the_field(field: str) -> None:
    record = next_launch()
    del record[field]
    found = rocketlaunch.parse([encoded([record])])
    assert not found.sightings
    assert [(one.field, f"`{field}`" in one.reason) for one in found.rejections] == [(None, True)]


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
def test_the_recorded_launches_are_read_whole() -> None:
    (path,) = RECORDED.glob("*.json")
    found = rocketlaunch.parse([path.read_bytes()])
    assert (found.rows, len(found.sightings), found.rejections) == (5, 5, ())
    assert [interval(one)[2] for one in found.sightings] == ["minute", "minute", "minute", "day", "month"]
