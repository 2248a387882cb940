"""spacex.com: times without a zone, names that only the link has, repeated tiles."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import format_instant, from_datetime, parse_instant
from launchd.launches.launch import LaunchStatus, Precision, Sighting
from launchd.launches.sources import spacex
from tests.support.paths import SHARED
from tests.support.payloads import encoded, tile

RECORDED = SHARED / "sources" / "spacex_content"
SITES = {
    "SLC-4E, California": "America/Los_Angeles",
    "LC-39A, Florida": "America/New_York",
    "Starbase, Texas": "America/Chicago",
    "Pad 1, Starbase": "America/Chicago",
}
OVERRIDE = {
    "windowOpenDate": "2026-10-08",
    "windowOpenTime": "00:54:00",
    "windowCloseDate": "2026-10-08",
    "windowCloseTime": "04:54:00",
    "text": "October 8, 2026 00:54 PT",
}


def one(**changed: Any) -> Sighting:  # noqa: ANN401 - JSON
    found = spacex.parse([encoded([tile(**changed)])])
    assert not found.rejections
    (sighting,) = found.sightings
    return sighting


def interval(sighting: Sighting) -> tuple[str, str, str]:
    assert sighting.net is not None
    earliest, latest = format_instant(sighting.net.earliest), format_instant(sighting.net.latest)
    return earliest, latest[:19], sighting.net.precision.value


@pytest.mark.parametrize(
    ("changed", "liftoff"),
    [
        ({}, "2025-08-26T23:30:00Z"),  # Starship flight 10: the time was that of Texas
        (
            {"launchSite": "SLC-4E, California", "launchDate": "2025-09-06", "launchTime": "08:42:00"},
            "2025-09-06T15:42:00Z",
        ),
        (
            {"launchSite": "LC-39A, Florida", "launchDate": "2022-10-05", "launchTime": "16:00:00"},
            "2022-10-05T16:00:00Z",
        ),  # Crew-5: UTC
    ],
)
def test_a_clock_without_a_zone_is_every_instant_it_may_mean_and_no_finer_than_a_day(
    changed: dict[str, str], liftoff: str
) -> None:
    net = one(**changed).net
    assert net is not None
    assert net.earliest <= parse_instant(liftoff) <= net.latest
    assert net.precision is Precision.DAY


@given(st.sampled_from(sorted(SITES)), st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))  # noqa: DTZ001 - what a tile tells has no zone
def test_the_interval_holds_the_readings_of_the_site_of_the_east_and_of_utc_and_spans_at_most_a_day(
    site: str, moment: datetime
) -> None:
    moment = moment.replace(microsecond=0, fold=0)
    net = one(launchSite=site, launchDate=f"{moment:%Y-%m-%d}", launchTime=f"{moment:%H:%M:%S}").net
    assert net is not None
    for zone in (ZoneInfo(SITES[site]), ZoneInfo("America/New_York"), UTC):
        assert net.earliest <= from_datetime(moment.replace(tzinfo=zone)) <= net.latest
    assert net.latest - net.earliest <= timedelta(hours=32) / timedelta(microseconds=1)


def test_a_date_without_a_time_is_the_local_day_wherever_it_is_read() -> None:
    expected = ("2025-08-26T00:00:00Z", "2025-08-27T04:59:59", "day")
    assert interval(one(launchTime=None)) == interval(one(launchTime="00:00:00")) == expected


def test_a_tile_without_a_date_is_to_be_determined_while_it_is_upcoming() -> None:
    upcoming = one(launchDate=None, launchTime=None, missionStatus="upcoming")
    assert (upcoming.net, upcoming.status, upcoming.status_word) == (None, LaunchStatus.TBD, "upcoming")


def test_the_mission_status_final_is_no_outcome() -> None:
    assert (one().status, one().status_word) == (None, "final")


def test_an_override_wins_and_its_text_gives_the_zone() -> None:
    sighting = one(launchSite="SLC-4E, California", override=OVERRIDE)
    assert interval(sighting) == ("2026-10-08T07:54:00Z", "2026-10-08T07:54:59", "minute")
    assert sighting.window_start == parse_instant("2026-10-08T07:54:00Z")
    assert sighting.window_end == parse_instant("2026-10-08T11:54:00Z")


@pytest.mark.parametrize("text", [None, "", "October 8, 2026", "October 8, 2026 01:54 PT", "00:54 local", "00:54 XYZ"])
def test_a_text_without_the_same_time_and_a_zone_is_ignored(text: str | None) -> None:
    sighting = one(launchSite="SLC-4E, California", override=OVERRIDE | {"text": text})
    assert interval(sighting) == ("2026-10-08T00:54:00Z", "2026-10-08T07:54:59", "day")
    assert (sighting.window_start, sighting.window_end) == (None, None)


@pytest.mark.parametrize(
    ("link", "title", "vehicle", "name"),
    [
        ("sl-17-9", "Starlink Mission", "Falcon 9", "Falcon 9 | Starlink Group 17-9"),
        ("starship-flight-10", "Starship's Tenth Flight Test", "Starship", "Starship | Flight 10"),
        ("crew-11", "Crew-11 Mission", "Falcon 9", "Falcon 9 | Crew-11"),
        ("crew-11", "Crew-11 Mission", None, "Crew-11"),
    ],
)
def test_a_name_is_in_the_words_of_other_sources(link: str, title: str, vehicle: str | None, name: str) -> None:
    sighting = one(link=link, title=title, vehicle=vehicle)
    assert (sighting.name, sighting.source_id) == (name, link)
    assert sighting.urls == (f"https://www.spacex.com/launches/{link}",)


@pytest.mark.parametrize(
    ("site", "pad"),
    [
        ("SLC-4E, California", "SLC-4E"),
        ("Starbase, Texas", "Starbase"),
        ("Pad 1, Starbase", "Pad 1, Starbase"),
        (None, None),
    ],
)
def test_the_pad_is_the_site_without_its_state(site: str | None, pad: str | None) -> None:
    assert one(launchSite=site).pad == pad


def test_repeated_tiles_are_one_launch_and_of_two_dates_the_upcoming_one_stays() -> None:
    flown = tile(link="x-1", launchDate="2025-09-01")
    coming = tile(link="x-1", launchDate="2025-08-01", missionStatus="upcoming")
    for tiles in ([flown, coming, coming], [coming, flown]):
        found = spacex.parse([encoded(tiles)])
        assert [one.status_word for one in found.sightings] == ["upcoming"]
        assert "2025-09-01 is replaced by that of 2025-08-01" in found.rejections[0].reason
    assert spacex.parse([encoded([flown, flown])]).rejections == ()


@pytest.mark.parametrize("link", ["", "../../x", "a b", "https://example.org", "é"])
def test_a_tile_with_an_invalid_link_is_refused(link: str) -> None:
    found = spacex.parse([encoded([tile(link=link)])])
    assert not found.sightings
    assert "is not the link of a mission" in found.rejections[0].reason


@pytest.mark.parametrize(
    "field", ["link", "title", "missionStatus", "vehicle", "launchSite", "launchDate", "launchTime"]
)
def test_a_tile_without_one_of_its_fields_is_refused_with_the_field(field: str) -> None:
    changed = tile()
    del changed[field]
    found = spacex.parse([encoded([changed])])
    assert not found.sightings
    assert [(one.field, f"`{field}`" in one.reason) for one in found.rejections] == [(None, True)]


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
def test_the_recorded_tile_is_read_whole() -> None:
    (path,) = RECORDED.glob("*.json")
    found = spacex.parse([path.read_bytes()])
    assert (found.rows, len(found.sightings), found.rejections) == (1, 1, ())
    assert found.sightings[0].name == "Starship | Flight 10"
