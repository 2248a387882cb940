"""The registry finds the words of sources under one name, and has an answer for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.launches import registry

ANY_TEXT = st.text(max_size=400) | st.text(st.sampled_from("LC SPXSoyuz2.1ab-/(),?+F9 B5♺31/6"), max_size=60)


def found_in(word: str) -> list[object]:
    return [registry.provider(word), registry.vehicle(word), registry.orbit(word), registry.place(word, word)]


def vehicle_of(word: str) -> tuple[str, str, str | None] | None:
    found = registry.vehicle(word)
    return None if found is None else (found.name, found.family, found.variant)


def place_of(pad: str | None, location: str | None) -> tuple[str, str | None] | None:
    found = registry.place(pad, location)
    return None if found is None else (found[0].name, found[1].name if found[1] else None)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("SPX", "SpaceX"),
        ("United Launch Alliance (ULA)", "United Launch Alliance"),
        ("China Aerospace Science and Technology Corporation", "China Aerospace Science and Technology Corporation"),
        ("Russian Space Agency (Roscosmos)", "Roscosmos"),
        ("China (CASC)", "China Aerospace Science and Technology Corporation"),
        ("LERC/AFSSD", "NASA Lewis Research Center"),
        ("ESA/Arianespace", "European Space Agency"),
        ("SMC/RSLP", "Rocket Systems Launch Program"),
        ("Boeing/2SLS/USAF SMC", "Air Force Space and Missile Systems Center"),
        ("Mars Colonial Fleet", None),
        ("/", None),
    ],
)
def test_a_provider_is_found_by_any_name_and_of_several_by_the_first(word: str, name: str | None) -> None:
    found = registry.provider(word)
    assert (found and found.name) == name


def test_the_lineage_of_an_academy_leads_to_its_corporation() -> None:
    found = registry.provider("CALT")
    assert found is not None
    assert [one.short for one in registry.lineage(found)] == ["CALT", "CASC"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Falcon 9", ("Falcon 9", "Falcon 9", None)),
        ("Falcon 9 Block 5", ("Falcon 9 Block 5", "Falcon 9", "Block 5")),
        ("F9 B5 ♺", ("Falcon 9 Block 5", "Falcon 9", "Block 5")),
        ("F9 B5B1049.4 ♺", ("Falcon 9 Block 5", "Falcon 9", "Block 5")),
        ("Chang Zheng 2D", ("Long March 2D", "Long March 2", "D")),
        ("CZ-3B/E", ("Long March 3B/E", "Long March 3", "B/E")),
        ("Long March 8 (Core Only)", ("Long March 8", "Long March 8", None)),
        ("Chang Zheng 8 0", ("Long March 8", "Long March 8", None)),
        ("Chang Zheng 3B G2", ("Long March 3B/G2", "Long March 3", "B/G2")),
        ("Long March 5/YZ-2", ("Long March 5/YZ-2", "Long March 5", "YZ-2")),
        ("Long March 2+", None),
        ("Chang Zheng 2C-III/SD", ("Long March 2C/SD", "Long March 2", "C/SD")),
        ("Soyuz-2-1B", ("Soyuz 2.1b", "Soyuz-2", "2.1b")),
        ("Soyuz 2.1B Fregat-M", ("Soyuz 2.1b/Fregat-M", "Soyuz-2", "2.1b/Fregat-M")),
        ("LVM-3", ("LVM3", "LVM3", None)),
        ("Uprated Saturn I (Saturn IB)", ("Saturn IB", "Saturn", "IB")),
        ("Ariane 5 ECA+", ("Ariane 5 ECA+", "Ariane 5", "ECA+")),
        ("N-1", ("N-I", "N-I", None)),
        ("N1", ("N1", "N1", None)),
        ("N 1", None),
        ("Falcon 9 Block 6", None),
        ("Long March 2D/Warp", None),
        ("Long March 0", None),
        ("Fregat", None),
    ],
)
def test_a_vehicle_has_a_family_and_a_variant(word: str, expected: tuple[str, str, str | None] | None) -> None:
    assert vehicle_of(word) == expected


@given(
    st.integers(1, 99),
    st.sampled_from(["", *"ABCDEFG"]),
    st.sampled_from(["", "/E", "/YZ-1S", "/YZ-2", "/G2"]),
    st.sampled_from(["Long March ", "Chang Zheng ", "CZ-", "LM-", "ChangZheng ", "LongMarch "]),
)
def test_every_long_march_has_one_name_in_either_language(number: int, letter: str, end: str, start: str) -> None:
    assert vehicle_of(f"{start}{number}{letter}{end}") == vehicle_of(f"Long March {number}{letter}{end}")
    found = registry.vehicle(f"{start}{number}{letter}{end}")
    assert found is not None
    assert {registry.vehicle(word) for word in found.search_words} == {found}


@given(st.sampled_from(["Soyuz 2.1a", "Soyuz-ST-B", "Proton-M", "Angara A5"]), st.sampled_from(["Fregat", "Briz-M"]))
def test_the_words_of_a_vehicle_with_an_upper_stage_mean_it_too(base: str, stage: str) -> None:
    found = registry.vehicle(f"{base} {stage}")
    assert found is not None
    assert {registry.vehicle(word) for word in found.search_words} == {found}


CAPE, KENNEDY = "Cape Canaveral Space Force Station", "Kennedy Space Center"


@pytest.mark.parametrize(
    ("pad", "location", "expected"),
    [
        ("CC LC40", "CC", (CAPE, "SLC-40")),
        ("Space Launch Complex 40", "Cape Canaveral SFS, FL, USA", (CAPE, "SLC-40")),
        ("CCAFS SLC 40", "Cape Canaveral Air Force Station Space Launch Complex 40", (CAPE, "SLC-40")),
        (None, "Cape Canaveral Air Force Station Space Launch Complex 40", (CAPE, "SLC-40")),
        ("CC LC40 (Space Launch Complex 40, Cape Canaveral)", "Canaveral", (CAPE, "SLC-40")),
        ("SLC-40", "Cape Canaveral SFS, Florida, United States", (CAPE, "SLC-40")),
        ("Launch Complex 39A", "Cape Canaveral, Florida", (KENNEDY, "LC-39A")),
        ("Pad 39A", "NASA's Kennedy Space Center, Florida", (KENNEDY, "LC-39A")),
        ("Launch Complex 99", "Kennedy Space Center, FL, USA", (KENNEDY, None)),
        (None, "Kennedy Space Center, FL, USA", (KENNEDY, None)),
        ("NIIP-53 LC41/1", "NIIP-53", ("Plesetsk Cosmodrome", "Site 41/1")),
        ("GIK-5 LC31", "GIK-5", ("Baikonur Cosmodrome", "Site 31/6")),
        ("31/6", "Baikonur Cosmodrome, Republic of Kazakhstan", ("Baikonur Cosmodrome", "Site 31/6")),
        ("XSC LC2?", "XSC", ("Xichang Satellite Launch Center", "LC-2")),
        ("TYSC?", "TYSC?", ("Taiyuan Satellite Launch Center", None)),
        ("V 75-3-4", "V", ("Vandenberg Space Force Base", "SLC-1W")),
        (
            "VOST PU1S (PU1S (371SK14) Soyuz pad, Vostochniy)",
            "Svobodniy",
            ("Vostochny Cosmodrome", "Site 1S"),
        ),
        ("Mojave Air and Space Port", "Air launch to orbit", ("Mojave Air and Space Port", "Runway 12/30")),
        ("Vandenberg Air Force Base", "Air launch to orbit", ("Vandenberg Space Force Base", "Runway 12/30")),
        ("Vandenberg Air Force Base", "Vandenberg AFB", ("Vandenberg Space Force Base", None)),
        (None, "Air launch to orbit", ("Air launch", None)),
        ("Launch Platform Odyssey", "Sea Launch", ("Kiritimati Launch Area", None)),
        ("Tai Rui mobile launch platform", "Sea Launch", ("Haiyang Oriental Spaceport", "Yellow Sea 1")),
        ("LP1", "Sea Launch", ("Sea launch", None)),
        ("South China Sea (launch location 1)", "Haiyang Oriental Spaceport", ("Yangjiang", "South China Sea 1")),
        ("TRAN LM5-DS", "TRAN", ("Mare Tranquillitatis, Moon", "Tranquility Base")),
        ("Starbase", None, ("Starbase", None)),
        (None, "Alcantara Space Center", ("Alcântara Space Center", None)),
        ("Semnan LP-1", None, ("Semnan Space Center", None)),
        ("Baikonur Site 31", None, ("Baikonur Cosmodrome", "Site 31/6")),
        (None, "Xichang satellites", None),
        ("V 2", None, None),
        ("VAFB SLC 4E", "Vandenberg Space Force Base, California", ("Vandenberg Space Force Base", "SLC-4E")),
        ("Kwajalein Atoll", "Omelek Island, Marshall Islands", ("Kwajalein Atoll", "Omelek Island")),
        (None, "Jiuquan LS-95A", ("Jiuquan Satellite Launch Center", "Launch Area 95A")),
        (None, "MARS LP-0A", ("Wallops Flight Facility", "Launch Area 0A")),
        ("Site 43/4", "Plesetsk Cosmodrome, Russia", ("Plesetsk Cosmodrome", "Site 43/4")),
        ("SLC-40", None, None),
        ("LC-1", "Atlantis", None),
        (None, "Cape Canaveral, Vandenberg", None),
        (None, None, None),
    ],
)
def test_a_place_is_a_site_and_its_pad(
    pad: str | None, location: str | None, expected: tuple[str, str | None] | None
) -> None:
    assert place_of(pad, location) == expected


@pytest.mark.parametrize(
    ("word", "abbreviation"),
    [
        ("Low Earth Orbit", "LEO"),
        ("LEO (ISS)", "LEO"),
        ("polar orbit", "PO"),
        ("Sun\u2013Earth L1", "L1"),
        ("HEO (Sun\u2013Earth L1 insertion)", "HEO"),
        ("Several (LEO)", None),
        ("SSO, VLEO", None),
        ("LEO / MEO", None),
        ("N/A", None),
    ],
)
def test_an_orbit_is_found_by_any_name_and_two_orbits_are_none(word: str, abbreviation: str | None) -> None:
    found = registry.orbit(word)
    assert (found and found.abbreviation) == abbreviation


@pytest.mark.parametrize("word", ["TBD", "Unknown", "unknown "])
def test_a_word_for_an_unknown_thing_names_nothing(word: str) -> None:
    assert registry.names_no_provider(word)
    assert registry.names_no_vehicle(word)
    assert registry.names_no_orbit(word)
    assert registry.names_no_place(word)
    assert found_in(word) == [None] * 4


@given(ANY_TEXT, st.none() | ANY_TEXT)
def test_every_lookup_answers_any_text(text: str, other: str | None) -> None:
    registry.provider(text)
    registry.vehicle(text)
    registry.orbit(text)
    registry.place(text, other)
    registry.place(other, text)


@pytest.mark.parametrize("text", ["", "?", "()", "((", ",,,", "(" * 10_000, "SpaceX " * 10_000, "\ud800", "\x00", "♺"])
def test_text_without_a_name_finds_nothing(text: str) -> None:
    assert found_in(text) == [None] * 4
