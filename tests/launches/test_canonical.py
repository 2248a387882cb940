"""A launch is served with the names of the registry, and a source that changes its spelling changes nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.launches import canonical, registry
from launchd.launches.launch import Launch, Place
from tests.support.launch_memory import MemoryTracker
from tests.support.sightings import GCAT, LL2, NOON, UPCOMING, sight

ANY_TEXT = st.none() | st.text(min_size=1, max_size=60)
PLACES = [(pad.name, site.name) for site in registry.all_sites().values() for pad in site.pads]


def launch(**more: Any) -> Launch:  # noqa: ANN401 - fields of a launch
    return Launch(id="x", name="x", **more)


@pytest.mark.parametrize("kind", ["provider", "vehicle", "orbit"])
def test_every_word_of_the_registry_leads_to_one_name_that_leads_to_itself(kind: str) -> None:
    everything: dict[str, Any] = {
        "provider": registry.all_providers(),
        "vehicle": registry.all_vehicles(),
        "orbit": registry.all_orbits(),
    }
    for entry in everything[kind].values():
        for word in entry.search_words:
            once = canonical.named(launch(**{kind: word}))
            assert getattr(once, kind) == entry.name, word
            assert canonical.named(once) == once


def test_every_pad_of_the_registry_keeps_its_name_at_its_site() -> None:
    for pad, site in PLACES:
        one = launch(pad=pad, location=Place(site))
        assert canonical.named(one) == one


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_no_word_is_guessed_and_none_is_lost(
    provider: str | None, vehicle: str | None, pad: str | None, place: str | None, orbit: str | None
) -> None:
    one = launch(provider=provider, vehicle=vehicle, pad=pad, location=place and Place(place), orbit=orbit)
    served, found = canonical.named(one), canonical.entries(one)
    assert (served.provider, served.vehicle) == (
        found.provider.name if found.provider else provider,
        found.vehicle.name if found.vehicle else vehicle,
    )
    assert (served.pad is None, served.location is None) == (pad is None, not place)


def test_the_pad_is_named_at_the_location_of_its_own_source() -> None:
    tracker = MemoryTracker()
    library = sight(LL2, "Falcon 9 | Crew-20", NOON, key="l", place="Florida", **{**UPCOMING, "provider": "SpX"})
    other = sight(
        GCAT, "Crew-20", NOON, key="g", pad="Launch Complex 39A", place="KSC", cross_ids={LL2: "l"}, **UPCOMING
    )
    tracker.scrape(library, other)
    (served,) = tracker.stored.launches.values()
    assert (served.provider, served.pad) == ("SpaceX", "LC-39A")
    assert served.provenance["pad"].source == GCAT


def test_a_source_that_changes_its_spelling_writes_no_history() -> None:
    tracker = MemoryTracker()
    words = [
        ("SPX", "F9 B5", "LC-39A", "Kennedy Space Center", "LEO"),
        ("Space Exploration Technologies Corp.", "Falcon 9 Block 5", "Launch Complex 39A", "KSC", "Low Earth Orbit"),
    ]
    for provider, vehicle, pad, place, orbit in [*words, *words]:
        made = tracker.scrape(
            sight(LL2, "Crew-20", NOON, key="l", provider=provider, vehicle=vehicle, pad=pad, place=place, orbit=orbit)
        )
        assert made.changes == ()
    made = tracker.scrape(sight(LL2, "Crew-20", NOON, key="l", provider="ULA", vehicle="Atlas V"))
    assert {(row.field, row.old, row.new) for row in made.changes} >= {("provider", "SpaceX", "United Launch Alliance")}


def test_a_record_of_an_older_registry_gets_its_new_name_without_history() -> None:
    tracker = MemoryTracker()
    first = sight(LL2, "Crew-20", NOON, key="l", provider="ULA", vehicle="Atlas 5")
    tracker.scrape(first)
    ((launch_id, known),) = tracker.stored.launches.items()
    older = {launch_id: msgspec.structs.replace(known, provider="ULA")}
    tracker.stored = tracker.stored._replace(launches=older)
    made = tracker.scrape(sight(LL2, "Crew-20", NOON, key="l", provider="ULA", vehicle="Atlas 5", mission="Crew"))
    assert [row.field for row in made.changes] == ["mission"]
    assert tracker.stored.launches[launch_id].provider == "United Launch Alliance"
