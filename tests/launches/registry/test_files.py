"""The data files of the registry agree with themselves and with the world."""

import json
import math
from collections.abc import Iterable
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from launchd.launches import registry
from launchd.launches.launch import LaunchStatus
from launchd.launches.registry import orbits, providers, sites, vehicles, words
from launchd.launches.sources import SOURCES, launch_library, rocketlaunch, wikipedia_rows

SUBJECTS = ("orbits", "providers", "sites", "statuses", "vehicles")
KINDS_OF_PROVIDER = {"agency", "company", "military", "research"}
# Pads and runways of a site lie this near to it; places at sea are named after a coast.
NEAR_KM, NEAR_KM_AT_SEA = 80, 800
RADIUS_KM = 6371


def loaded(subject: str) -> Any:  # noqa: ANN401 - JSON
    text = resources.files("launchd.launches.registry").joinpath(f"{subject}.json").read_text("utf-8")
    return json.loads(text, object_pairs_hook=without_repetition)


def without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def zone_table(name: str) -> list[list[str]]:
    text = resources.files("tzdata").joinpath("zoneinfo", name).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def km_between(one: registry.Site | registry.Pad, other: registry.Site | registry.Pad) -> float:
    assert one.latitude is not None
    assert one.longitude is not None
    assert other.latitude is not None
    assert other.longitude is not None
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    turn = math.radians(one.longitude - other.longitude)
    return RADIUS_KM * math.acos(min(1.0, math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(turn)))


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_file_says_where_its_facts_are_from(subject: str) -> None:
    assert len(loaded(subject)["facts"]) > 20


@pytest.mark.parametrize("subject", [one for one in SUBJECTS if one != "statuses"])
def test_entries_and_words_are_sorted_and_named_once(subject: str) -> None:
    entries = loaded(subject)[subject]
    assert list(entries) == sorted(entries)
    for name, entry in entries.items():
        pads = entry.get("pads", {})
        assert list(pads) == sorted(pads), name
        for where, row in [(name, entry), *pads.items()]:
            assert row["words"] == sorted(set(row["words"])), where
            assert where not in row["words"]


def test_a_word_means_one_entry_however_it_is_spelled() -> None:
    assert providers._words().ambiguous() == []
    assert orbits._words().ambiguous() == []
    assert sites._sites().ambiguous() == []
    assert [site for site in registry.all_sites() if sites._pads(site).ambiguous()] == []
    assert vehicles._words().ambiguous() == ["n 1"], "a Japanese rocket is N-1, a Soviet one N1"


def test_every_word_has_letters_or_numbers_that_can_be_compared() -> None:
    for word in every_word():
        assert words.normal(word), word


def every_word() -> Iterable[str]:
    for subject in (registry.all_providers(), registry.all_vehicles(), registry.all_orbits(), registry.all_sites()):
        for entry in subject.values():
            yield from entry.search_words
    for site in registry.all_sites().values():
        for pad in site.pads:
            yield from pad.search_words


@pytest.mark.parametrize("change", [str, str.upper, str.lower, lambda word: f"  {word} "])
def test_every_word_resolves_to_its_own_entry_in_any_case(change: Any) -> None:  # noqa: ANN401 - a function of text
    for provider in registry.all_providers().values():
        assert [registry.provider(change(word)) for word in provider.search_words] == [provider] * len(
            provider.search_words
        )
    for vehicle in registry.all_vehicles().values():
        assert {registry.vehicle(change(word)) for word in vehicle.search_words} == {vehicle}
    for orbit in registry.all_orbits().values():
        assert {registry.orbit(change(word)) for word in orbit.search_words} == {orbit}
    for site in registry.all_sites().values():
        for word in site.search_words:
            found = registry.place(None, change(word))
            assert found is not None, word
            assert found[0] == site, word
        for pad in site.pads:
            assert {registry.place(change(word), site.name) for word in pad.search_words} == {(site, pad)}


def test_parents_exist_and_no_provider_is_its_own_ancestor() -> None:
    for one in registry.all_providers().values():
        lineage = registry.lineage(one)
        assert len({parent.name for parent in lineage}) == len(lineage)
        assert one.kind in KINDS_OF_PROVIDER


def test_families_exist_as_vehicles_without_a_variant() -> None:
    for one in registry.all_vehicles().values():
        family = registry.all_vehicles()[one.family]
        assert family.variant is None
        assert family.family == family.name
        assert (one.variant is None) == (one.name == one.family)


def test_countries_are_codes_of_iso_3166_or_the_soviet_union() -> None:
    known = {row[0] for row in zone_table("iso3166.tab")}
    for provider in registry.all_providers().values():
        assert provider.country is None or provider.country in known | {"SU"}, provider.name
    for site in registry.all_sites().values():
        assert site.country is None or site.country in known, site.name


def test_the_time_zone_of_a_site_is_one_of_its_country() -> None:
    of_country = {(row[0], row[2]) for row in zone_table("zone.tab")}
    for site in registry.all_sites().values():
        if site.zone is not None:
            assert ZoneInfo(site.zone).key == site.zone
            assert (site.country, site.zone) in of_country, site.name


def test_only_the_moon_and_a_launch_from_anywhere_have_no_time_zone() -> None:
    without = {one.name for one in registry.all_sites().values() if one.zone is None}
    moon = {one.name for one in registry.all_sites().values() if one.kind == "moon"}
    assert without == moon | {"Air launch", "Sea launch"}


def test_coordinates_are_in_range_and_pads_lie_near_their_site() -> None:
    for site in registry.all_sites().values():
        assert site.kind in {"land", "sea", "air", "moon"}
        places: list[registry.Site | registry.Pad] = [site, *site.pads]
        for one in places:
            assert (one.latitude is None) == (one.longitude is None), one.name
            assert one.latitude is None or -90 <= one.latitude <= 90
            assert one.longitude is None or -180 <= one.longitude <= 180
        for pad in site.pads:
            assert pad.kind in {None, "air"}
            if pad.latitude is not None and site.kind != "moon":
                assert km_between(site, pad) < (NEAR_KM_AT_SEA if site.kind == "sea" else NEAR_KM), pad.name


def test_neighbours_know_each_other_and_share_no_name_of_a_pad() -> None:
    for site in registry.all_sites().values():
        for name in site.near:
            other = registry.all_sites()[name]
            assert site.name in other.near
            keys = [{sites._key(word) for pad in one.pads for word in pad.search_words} for one in (site, other)]
            assert keys[0].isdisjoint(keys[1])


def test_every_status_has_a_label_and_the_ids_that_the_parsers_read() -> None:
    said = registry.all_statuses()
    assert list(said) == list(LaunchStatus)
    for one in said.values():
        assert one.label
        assert set(one.words) <= set(SOURCES)
    for parser, table in (("launch_library", launch_library._STATUSES), ("rocketlaunch", rocketlaunch._RESULTS)):
        listed = {int(word.split()[0]): one.status for one in said.values() for word in one.words.get(parser, ())}
        assert listed == table
    outcomes = {word: one.status for one in said.values() for word in one.words.get("wikipedia", ())}
    assert outcomes == wikipedia_rows._OUTCOMES
