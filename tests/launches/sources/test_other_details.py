"""The details that r/SpaceX, RocketLaunch.Live, spacex.com and Wikipedia have."""

from typing import Any

import pytest

from launchd.launches.details import Booster, Details, Landing, Payload, Picture, Webcast
from launchd.launches.launch import Sighting
from launchd.launches.sources import rocketlaunch, spacex, spacex_api, wikipedia
from launchd.launches.sources.wikipedia_details import row_details
from tests.support.payloads import CARGO, LAUNCHPADS, ROCKETS, archived, archived_v3, encoded, next_launch, tile
from tests.support.wikipedia_pages import AMOS_6, CRS_1, HEAVY, past

CORE = {"core": "an id", "flight": 2, "reused": True, "landing_attempt": True, "landing_success": True}
OLD_CORE = {"core_serial": "B1046", "flight": 1, "reused": False, "land_success": True, "landing_intent": True}
HEAVIER = {**CARGO[0], "mass_kg": 1977, "type": "Dragon 1.1", "manufacturers": ["SpaceX"]}


def said(sighting: Sighting) -> Details:
    assert sighting.details is not None
    return sighting.details


def archive(launch: dict[str, Any], *cargo: dict[str, Any]) -> tuple[Details, list[str | None]]:
    found = spacex_api.parse([encoded(one) for one in ([launch], ROCKETS, LAUNCHPADS, cargo or CARGO)])
    (sighting,) = found.sightings
    return said(sighting), [one.field for one in found.rejections]


def row(**texts: str) -> Details | None:
    return row_details("CRS-1", "LEO", {"version": "", "mass": "", "customer": "", "landing": ""} | texts)


def test_the_archive_has_payloads_landings_webcast_patch_and_reason() -> None:
    links = archived()["links"] | {"patch": {"large": "https://e.org/large.png", "small": "https://e.org/small.png"}}
    core = CORE | {"landing_type": "ASDS"}
    launch = archived(cores=[core], links=links, details="The last Dragon 1.", crew=[], failures=[{"reason": "none"}])
    found, refused = archive(launch, HEAVIER)
    assert refused == []
    assert found == Details(
        mission_description="The last Dragon 1.",
        payloads=(
            Payload(
                name="CRS-20",
                type="Dragon 1.1",
                mass_kg=1977,
                orbit="ISS",
                manufacturer="SpaceX",
                customers=("NASA (CRS)",),
            ),
        ),
        boosters=(Booster(flight=2, reused=True, landing=Landing(attempt=True, success=True, type="ASDS")),),
        crewed=False,
        webcasts=(Webcast(url="https://youtu.be/1MkcWK2PnsU"),),
        fail_reason="none",
        patches=(Picture(url="https://e.org/large.png", thumbnail="https://e.org/small.png"),),
    )


def test_the_archive_of_version_3_has_the_serial_number_of_the_core() -> None:
    rocket = archived_v3()["rocket"] | {"first_stage": {"cores": [OLD_CORE | {"landing_vehicle": "OCISLY"}]}}
    found, refused = archive(archived_v3(rocket=rocket))
    assert refused == []
    landing = Landing(attempt=True, success=True, place="OCISLY")
    assert found.boosters == (Booster(serial="B1046", flight=1, reused=False, landing=landing),)
    assert found.payloads == (Payload(name="FalconSAT-2", orbit="LEO", customers=("DARPA",)),)
    assert [one.url for one in found.webcasts] == ["https://www.youtube.com/watch?v=0a_00nJ_Y88"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cores": "B1046"}, "boosters"),
        ({"cores": [CORE | {"flight": "second"}]}, "boosters"),
        ({"crew": 7}, "crewed"),
        ({"details": {}}, "mission_description"),
        ({"failures": [7]}, "fail_reason"),
    ],
)
def test_a_detail_of_another_shape_costs_the_archive_that_detail_alone(changes: dict[str, Any], field: str) -> None:
    found, refused = archive(archived(**changes))
    assert refused == [field]
    assert [one.name for one in found.payloads] == ["CRS-20"]


def test_rocketlaunch_has_the_mission_the_tags_and_the_weather_without_its_temperature() -> None:
    record = next_launch(
        mission_description="Boeing's <i>second</i> test.",
        tags=[{"id": 92, "text": "Series: Starliner"}, {"id": 1, "text": "ISS"}],
        weather_condition="Clear",
        weather_summary="Clear\nTemp: 53.97F",
    )
    found = rocketlaunch.parse([encoded({"result": [record]})])
    assert not found.rejections
    assert said(found.sightings[0]) == Details(
        mission_description="Boeing's second test.", weather="Clear", tags=("Series: Starliner", "ISS")
    )


def test_spacex_has_its_webcast_and_says_if_it_is_live() -> None:
    found = spacex.parse([encoded([tile(isLive=True, youtubeVideoId="1MkcWK2PnsU")])])
    assert not found.rejections
    webcast = Webcast(url="https://www.youtube.com/watch?v=1MkcWK2PnsU", publisher="SpaceX")
    assert said(found.sightings[0]) == Details(webcast_live=True, webcasts=(webcast,))


@pytest.mark.parametrize("video", ["../../evil", 7, "x" * 50])
def test_the_id_of_a_video_that_is_none_is_refused(video: object) -> None:
    found = spacex.parse([encoded([tile(youtubeVideoId=video)])])
    assert [one.field for one in found.rejections] == ["webcasts"]
    assert said(found.sightings[0]).webcasts == ()


def test_wikipedia_has_mass_customer_and_booster() -> None:
    found = {one.name: one.details for one in wikipedia.parse([past(CRS_1, HEAVY, AMOS_6)]).sightings}
    payload = Payload(name="SpaceX CRS-1", mass_kg=4700, orbit="LEO (ISS)", customers=("NASA",))
    booster = Booster(serial="B0006", flight=1, reused=False, landing=Landing(attempt=False))
    assert found["SpaceX CRS-1"] == Details(customers=("NASA",), payloads=(payload,), boosters=(booster,))
    heavy, amos = found["Elon Musk's Tesla Roadster"], found["Amos-6"]
    assert heavy is not None
    assert (heavy.boosters, heavy.payloads[0].mass_kg) == ((), 1250)
    assert amos is not None
    assert amos.boosters == (Booster(serial="B1028"),)


@pytest.mark.parametrize(
    ("words", "landing"),
    [
        ("Success (drone ship)", Landing(attempt=True, success=True, type="ASDS")),
        ("Success (ground pad)", Landing(attempt=True, success=True, type="RTLS")),
        ("Failure (ocean)", Landing(attempt=True, success=False, type="Ocean")),
        ("No attempt", Landing(attempt=False)),
        ("Controlled (ocean)", None),
        ("", None),
    ],
)
def test_the_words_of_wikipedia_about_a_landing(words: str, landing: Landing | None) -> None:
    found = row(version="F9 B5 ♺ B1062.2", landing=words)
    assert found is not None
    assert found.boosters == (Booster(serial="B1062", flight=2, reused=True, landing=landing),)


@pytest.mark.parametrize(
    ("text", "mass"),
    [
        ("60 \u00d7 260 kg = 15,600 kg (34,400 lb)", 15_600),
        ("~13,260+ kg", 13_260),
        ("9" * 13 + " kg", None),
        ("heavy", None),
    ],
)
def test_the_mass_is_the_last_number_of_kilograms(text: str, mass: float | None) -> None:
    found = row(mass=text, customer="SES")
    assert found is not None
    assert found.payloads[0].mass_kg == mass


def test_a_row_that_says_nothing_has_no_details() -> None:
    assert row(version="F9 B5", customer="TBD", mass="Unknown", landing="TBD") is None
