"""The details of a launch from several sources: the choice of each field, its history, and what a short form keeps."""

from typing import Any

import msgspec
import pytest

from launchd.launches.details import MAX_UPDATES, Booster, Details, Landing, Part, Payload, Update, Webcast
from launchd.launches.ingest import IngestPlan
from launchd.launches.launch import Launch, LaunchStatus, Precision, Sighting
from tests.support.launch_memory import MemoryTracker
from tests.support.sightings import LL2, NOON, ROCKETLAUNCH, SPACEX_API, at, sight

OFFICIAL, FAN = Webcast(url="https://example.org/live"), Webcast(url="https://example.org/fan")
SHORT = (Part.BOOSTERS, Part.WEBCASTS, Part.UPDATES, Part.URLS)


def library(**details: Any) -> Sighting:  # noqa: ANN401 - fields of the details
    return sight(
        LL2,
        "Falcon 9 | Starlink Group 10-5",
        NOON,
        key="uuid",
        status=LaunchStatus.GO,
        urls=("https://example.org/live",),
        details=Details(**details),
    )


def other(source: str = ROCKETLAUNCH, **details: Any) -> Sighting:  # noqa: ANN401 - fields of the details
    return sight(
        source,
        "Starlink Group 10-5",
        NOON,
        key="r1",
        vehicle="Falcon 9",
        status=LaunchStatus.GO,
        details=Details(**details),
    )


def short(**details: Any) -> Sighting:  # noqa: ANN401 - fields of the details
    """The record of the library in a form without boosters, webcasts, updates and addresses."""
    return msgspec.structs.replace(library(unsaid=SHORT, **details), urls=())


def launch(tracker: MemoryTracker) -> Launch:
    return tracker.launch(library())


def details(tracker: MemoryTracker) -> Details:
    found = launch(tracker).details
    assert found is not None
    return found


def rows(made: IngestPlan) -> dict[str, tuple[str | None, str | None, str]]:
    return {one.field: (one.old, one.new, one.source) for one in made.changes}


def test_each_field_is_that_of_the_best_source_that_has_one_and_names_it() -> None:
    tracker = MemoryTracker()
    tracker.scrape(library(mission_type="Communications"), now=5)
    payload = Payload(name="Starlink", mass_kg=15_600.0)
    tracker.scrape(other(mission_type="Internet", mission_description="28 satellites", payloads=(payload,)), now=7)
    found = details(tracker)
    assert (found.mission_type, found.mission_description) == ("Communications", "28 satellites")
    assert found.payloads == (payload,)
    origins = {field: (one.source, one.seen_at) for field, one in launch(tracker).provenance.items()}
    assert origins["details.mission_type"] == (LL2, 5)
    assert origins["details.mission_description"] == origins["details.payloads"] == (ROCKETLAUNCH, 7)


def test_webcasts_of_all_sources_are_put_together_by_their_address() -> None:
    tracker = MemoryTracker()
    tracker.scrape(library(webcasts=(OFFICIAL,)), other(webcasts=(FAN, Webcast(url=OFFICIAL.url, title="again"))))
    assert details(tracker).webcasts == (OFFICIAL, FAN)


def test_notes_of_all_sources_are_in_the_order_of_their_times_and_bounded() -> None:
    tracker = MemoryTracker()
    ours = tuple(Update(id=str(number), text="note", at=number) for number in range(MAX_UPDATES))
    tracker.scrape(library(updates=ours), other(updates=(Update(id="1", text="of another source", at=1000),)))
    found = details(tracker).updates
    assert len(found) == MAX_UPDATES
    assert (found[0].text, found[1].id) == ("of another source", str(MAX_UPDATES - 1))
    assert len({one.id for one in found}) == MAX_UPDATES


def test_the_history_has_webcast_probability_and_booster_and_no_row_for_a_note() -> None:
    tracker = MemoryTracker()
    booster = Booster(serial="B1085", flight=17)
    tracker.scrape(library(boosters=(booster,)))
    note, landing = Update(id="1", text="GO"), Landing(attempt=True, type="ASDS", place="ASOG")
    landed = msgspec.structs.replace(booster, landing=msgspec.structs.replace(landing, success=True))
    made = tracker.scrape(library(boosters=(landed,), webcasts=(OFFICIAL,), probability=80, updates=(note,)))
    assert rows(made) == {
        "webcast": (None, "https://example.org/live", LL2),
        "probability": (None, "80 %", LL2),
        "booster": ("B1085 flight 17", "B1085 flight 17, ASDS ASOG: success", LL2),
    }


def test_a_short_form_keeps_what_it_does_not_say_and_changes_what_it_says() -> None:
    tracker = MemoryTracker()
    boosters = (Booster(serial="B1085"),)
    tracker.scrape(library(boosters=boosters, webcasts=(OFFICIAL,), probability=80, mission_type="Test"))
    tracker.scrape(short(probability=40))
    found = details(tracker)
    assert (found.boosters, found.webcasts, found.probability, found.mission_type) == (boosters, (OFFICIAL,), 40, None)
    assert launch(tracker).urls == ("https://example.org/live",)


def test_the_same_records_again_in_either_form_write_nothing() -> None:
    tracker = MemoryTracker()
    tracker.scrape(library(boosters=(Booster(serial="B1085"),), probability=80))
    for again in (library(boosters=(Booster(serial="B1085"),), probability=80), short(probability=80)):
        made = tracker.scrape(again)
        assert (made.seen, made.launches, made.changes) == ((), (), ())
        assert made.unchanged[LL2] == 1


def test_a_full_record_after_a_short_one_takes_away_what_is_gone() -> None:
    tracker = MemoryTracker()
    tracker.scrape(library(webcasts=(OFFICIAL,)))
    tracker.scrape(short())
    tracker.scrape(library())
    assert launch(tracker).details is None


def test_weather_and_webcasts_of_another_date_do_not_count() -> None:
    tracker = MemoryTracker()
    tracker.scrape(library(probability=80, webcasts=(OFFICIAL,), mission_type="Communications"), now=1)
    tomorrow = at("2026-05-03T12:00:00Z", Precision.MINUTE)
    tracker.scrape(msgspec.structs.replace(other(mission_type="x"), net=tomorrow), now=2)
    found = details(tracker)
    assert launch(tracker).net == tomorrow
    assert (found.probability, found.webcasts, found.mission_type) == (None, (), "Communications")


def test_a_frozen_archive_gives_what_no_live_source_has() -> None:
    tracker = MemoryTracker()
    archive = msgspec.structs.replace(
        other(SPACEX_API, mission_type="old", customers=("SES",)), live=False, source_id="a1"
    )
    tracker.scrape(archive, library(mission_type="new"))
    assert (details(tracker).mission_type, details(tracker).customers) == ("new", ("SES",))


@pytest.mark.parametrize(
    ("said", "live"),
    [
        (Details(), None),
        (Details(webcast_live=False), False),
        (Details(webcast_live=False, webcasts=(Webcast(url="https://e.org", live=True),)), True),
    ],
)
def test_a_launch_is_live_if_any_of_its_webcasts_is(said: Details, live: bool | None) -> None:
    assert said.is_live() is live
