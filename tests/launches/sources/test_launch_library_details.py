"""The details of Launch Library's launches in each version and mode, and damage that costs one field alone."""

from typing import Any

import pytest

from launchd.clock import parse_instant
from launchd.launches.details import (
    Booster,
    CrewMember,
    Details,
    Landing,
    LandingOutcome,
    Part,
    Payload,
    Picture,
    Update,
    Webcast,
)
from launchd.launches.sources import launch_library
from tests.bench import details_kept
from tests.launches.sources.test_hostile_payloads import changed, encode, places
from tests.support.launch_library_payloads import BOOSTER, LANDING, OFFICIAL, crew_14, in_2_2, in_normal_mode
from tests.support.paths import SHARED
from tests.support.payloads import page

DAY = 24 * 60 * 60


def details(record: dict[str, Any]) -> Details:
    found = launch_library.parse([page(record)])
    assert not found.rejections
    (sighting,) = found.sightings
    assert sighting.details is not None
    return sighting.details


def damaged(**fields: Any) -> tuple[Details, set[tuple[str | None, str]]]:  # noqa: ANN401 - JSON
    """The details of a damaged record, and the fields and reasons of what was refused."""
    found = launch_library.parse([page(crew_14(**fields))])
    (sighting,) = found.sightings
    assert sighting.details is not None
    return sighting.details, {(one.field, one.reason) for one in found.rejections}


def test_a_detailed_launch_of_2_3_0_is_read_with_everything_that_people_watch_for() -> None:
    found = details(crew_14())
    assert (found.mission_type, found.mission_description) == (
        "Human Exploration",
        "Four people fly to the station. They stay.",
    )
    assert found.customers == ("NASA",)
    assert found.payloads == (
        Payload(
            name="Crew Dragon Endeavour", type="Capsule", orbit="International Space Station", manufacturer="SpaceX"
        ),
        Payload(
            name="Cube",
            type="CubeSat",
            mass_kg=4.5,
            amount=2,
            orbit="Low Earth Orbit",
            manufacturer="Maker",
            customers=("ESA",),
        ),
    )
    assert (found.crewed, found.crew) == (True, (CrewMember(name="A. Example", role="Commander", agency="NASA"),))
    assert (found.probability, found.weather_concerns) == (80, "Cumulus Cloud Rule")
    assert (found.hold_reason, found.fail_reason) == (None, None)
    assert found.programmes == ("International Space Station",)
    assert found.pad_turnaround == 21 * DAY + 48 * 60
    assert [one.url for one in found.patches] == ["https://images.example.org/p.png"]
    assert found.pictures == (
        Picture(
            url="https://images.example.org/falcon.jpeg",
            thumbnail="https://images.example.org/falcon_small.jpeg",
            name="Falcon 9 on the pad",
            credit="SpaceX",
            licence="CC BY-NC 2.0",
            licence_url="https://creativecommons.org/licenses/by-nc/2.0/",
        ),
    )


def test_a_booster_is_read_with_its_flight_and_its_landing() -> None:
    assert details(crew_14()).boosters == (
        Booster(
            serial="B1085",
            role="Core",
            flight=17,
            reused=True,
            previous_flight=parse_instant("2026-04-29T14:13:00Z"),
            turnaround=122 * DAY + 21 * 3600 + 13 * 60,
            landing=Landing(
                attempt=True,
                type="ASDS",
                place="A Shortfall of Gravitas",
                description="B1085 will land on the drone ship.",
                downrange_km=614.6,
            ),
        ),
    )


def test_the_best_webcast_comes_first_whatever_its_priority_and_the_newest_note() -> None:
    found = details(crew_14())
    assert found.webcasts == (
        Webcast(
            url="https://x.com/i/broadcasts/1",
            title="Crew-14",
            publisher="SpaceX",
            kind="Official Webcast",
            language="en",
            start=parse_instant("2026-08-30T09:16:00Z"),
            live=False,
        ),
        Webcast(url="https://video.example.org/fan", kind="Unofficial Webcast"),
    )
    assert found.updates == (
        Update(
            id="15589",
            text="Setting GO.",
            at=parse_instant("2026-07-17T18:31:00Z"),
            author="Pat",
            url="https://example.org/",
        ),
        Update(id="15578", text="Added launch time.", at=parse_instant("2026-07-16T20:48:00Z"), author="Pat"),
    )


def test_2_2_0_says_the_same_in_other_words() -> None:
    new, old = details(crew_14()), details(in_2_2(crew_14()))
    for field in ("webcasts", "updates", "crew", "crewed", "mission_description", "customers", "patches", "programmes"):
        assert getattr(old, field) == getattr(new, field), field
    assert old.boosters[0].turnaround == 122 * DAY
    assert old.boosters[0].landing == new.boosters[0].landing
    assert old.payloads == new.payloads[:1]
    assert old.pictures == (Picture(url="https://images.example.org/falcon.jpeg"),)


def test_normal_mode_says_which_parts_it_lacks_and_a_detailed_record_of_the_same_time_wins() -> None:
    normal, detailed = in_normal_mode(crew_14()), crew_14()
    lacks = set(details(normal).unsaid)
    assert lacks >= {Part.BOOSTERS, Part.WEBCASTS, Part.UPDATES, Part.CREW, Part.URLS}
    assert not lacks & {Part.PROBABILITY, Part.MISSION_DESCRIPTION, Part.PICTURES, Part.CUSTOMERS}
    alone = launch_library.parse([page(detailed)]).sightings
    assert launch_library.parse([page(normal), page(detailed)]).sightings == alone
    assert launch_library.parse([page(detailed), page(normal)]).sightings == alone


def test_a_newer_record_in_normal_mode_keeps_the_boosters_and_webcasts_of_the_detailed_one() -> None:
    newer = in_normal_mode(crew_14(last_updated="2026-08-29T10:00:00Z", probability=30))
    (sighting,) = launch_library.parse([page(newer), page(crew_14())]).sightings
    assert sighting.details is not None
    assert sighting.details.probability == 30
    assert sighting.details.boosters == details(crew_14()).boosters
    assert "https://x.com/i/broadcasts/1" in sighting.urls


@pytest.mark.parametrize(
    ("attempt", "success", "outcome"),
    [
        (True, None, LandingOutcome.PENDING),
        (True, True, LandingOutcome.SUCCESS),
        (True, False, LandingOutcome.FAILURE),
        (False, None, LandingOutcome.EXPENDED),
        (None, None, LandingOutcome.UNKNOWN),
    ],
)
def test_the_outcome_of_a_landing(attempt: bool | None, success: bool | None, outcome: LandingOutcome) -> None:
    assert Landing(attempt=attempt, success=success).outcome is outcome


@pytest.mark.parametrize(
    "launcher",
    [{"serial_number": "Unknown FH", "is_placeholder": True}, {"serial_number": "Unknown F9"}, {"serial_number": None}],
)
def test_a_placeholder_is_no_serial_number(launcher: dict[str, Any]) -> None:
    rocket = crew_14()["rocket"] | {"launcher_stage": [BOOSTER | {"launcher": launcher, "landing": None}]}
    (booster,) = details(crew_14(rocket=rocket)).boosters
    assert (booster.serial, booster.landing) == (None, None)


def test_a_place_that_is_not_known_and_a_probability_of_minus_one_are_nothing() -> None:
    landing = LANDING | {"type": {"name": "Unknown", "abbrev": "N/A"}, "landing_location": {"name": "Unknown"}}
    rocket = crew_14()["rocket"] | {"launcher_stage": [BOOSTER | {"landing": landing}]}
    found = details(crew_14(rocket=rocket, probability=-1))
    assert found.probability is None
    assert found.boosters[0].landing is not None
    assert (found.boosters[0].landing.type, found.boosters[0].landing.place) == (None, None)


def test_one_bad_video_costs_itself_and_leaves_the_others() -> None:
    found, refused = damaged(vid_urls=[OFFICIAL, 7, {"title": "no address"}, {"url": "javascript:alert(1)"}])
    assert [one.url for one in found.webcasts] == ["https://x.com/i/broadcasts/1"]
    assert {field for field, _ in refused} == {"webcasts"}
    assert len(refused) == 3


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("probability", "80 %", "probability"),
        ("probability", 101, "probability"),
        ("updates", {"0": "GO"}, "updates"),
        ("vid_urls", "https://example.org", "webcasts"),
        ("pad_turnaround", "three weeks", "pad_turnaround"),
        ("pad_turnaround", "-P1D", "pad_turnaround"),
        ("image", 7, "pictures"),
        ("program", [[]], "programmes"),
        ("webcast_live", "yes", "webcast_live"),
    ],
)
def test_a_field_of_another_shape_costs_itself_and_is_named(field: str, value: object, part: str) -> None:
    whole = details(crew_14())
    found, refused = damaged(**{field: value})
    assert {one for one, _ in refused} == {part}
    for name in (name for name in Details.__struct_fields__ if name not in {part, "unsaid"}):
        assert getattr(found, name) == getattr(whole, name), name


def test_texts_are_bare_of_html_controls_and_turned_directions() -> None:
    note = "Go<script>alert(1)</script> &lt;b&gt;now&lt;/b&gt;\x00 \u202eevil\u202c &amp; < 5 t"
    found, _ = damaged(updates=[{"id": 1, "comment": note, "created_on": None}])
    assert [one.text for one in found.updates] == ["Go now evil & < 5 t"]


def test_lists_and_texts_are_bounded() -> None:
    many = [{"id": number, "comment": "x" * 5000, "created_on": None} for number in range(400)]
    found, _ = damaged(updates=many, program=[{"name": f"p{number}"} for number in range(300)])
    assert (len(found.updates), len(found.updates[0].text), len(found.programmes)) == (50, 1000, 20)


def test_damage_in_any_place_of_a_launch_of_2_2_0_costs_the_record_or_names_its_field() -> None:
    record = in_2_2(crew_14())
    whole = launch_library.parse([page(record)]).sightings
    for path in list(places(record))[1:]:
        found = launch_library.parse([page(changed(record, path, {"new shape": 1}))])
        if found.sightings != whole:
            assert found.rejections, path
        if found.sightings:
            assert all(one.field for one in found.rejections), path


@pytest.mark.parametrize("literal", ["@bytes", "@digits", "@more digits", "@nested", "@surrogate"])
def test_bytes_that_are_no_json_text_cost_no_other_launch(literal: str) -> None:
    record = crew_14(id="another", updates=[{"id": 1, "comment": literal}])
    found = launch_library.parse([encode({"results": [crew_14(), record]})])
    assert found.rejections or len(found.sightings) == 2


@pytest.mark.recorded
@pytest.mark.skipif(not (SHARED / "sources").is_dir(), reason="the recorded payloads are not here")
def test_of_recorded_launches_each_detail_is_kept() -> None:
    assert details_kept.report(SHARED / "sources")
