"""Comparable forms of the words of different sources; the aliases are data, checked here."""

import pytest

from launchd.launches.matching import names


@pytest.mark.parametrize("kind", ["vehicles", "providers"])
def test_aliases_are_plain_words_that_lead_to_no_further_alias(kind: str) -> None:
    aliases = names.aliases(kind)
    assert aliases
    for alias, name in aliases.items():
        assert alias == names.plain(alias)
        assert name == names.plain(name)
        assert aliases.get(name, name) == name


def test_the_words_and_phrases_of_pads_and_names_are_plain_and_no_site_or_pad_shares_one() -> None:
    sites = names.aliases("pads")
    told = [one for entry in sites.values() for one in {*entry["codes"], *entry["names"]}]
    assert len(told) == len(set(told))
    for entry in sites.values():
        phrases = [phrase for listed in entry["pads"].values() for phrase in listed]
        assert len(phrases) == len(set(phrases))
        assert all(text == names.plain(text) for text in (*phrases, *entry["codes"], *entry["names"]))
    words = names.aliases("words")
    assert all(word == names.plain(word) for kind in ("grouped", "generic", "constellations") for word in words[kind])
    assert all(one == names.plain(one) for pair in words["same"].items() for one in pair)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("CC LC40", "CC"), ("Space Launch Complex 40", "Cape Canaveral SFS, FL, USA")),
        (("CCSFS SLC 40", None), ("SLC-40", "Cape Canaveral SFS")),
        (("KSC LC39A", "KSC"), ("LC-39A, Florida", None)),
        (("VS SLC4E", "VS"), ("SLC-4E, California", None)),
        (("GIK-5 LC31", "GIK-5"), ("31/6", "Baikonur Cosmodrome, Republic of Kazakhstan")),
        (("MAHIA LC1B", "MAHIA"), ("Rocket Lab Launch Complex 1B", "Onenui Station, Mahia Peninsula, New Zealand")),
        (("JQ LC43/94", "JQ"), ("Launch Area 94", "Jiuquan Satellite Launch Center, People's Republic of China")),
    ],
)
def test_a_pad_of_two_names_is_one_pad(one: tuple[str, str | None], other: tuple[str, str | None]) -> None:
    found = names.pad_of(*one)
    assert found is not None
    assert found.pad is not None
    assert found == names.pad_of(*other)


def test_neighbouring_pads_are_distinguished_and_an_unknown_pad_is_only_a_site() -> None:
    assert names.pad_of("CC LC40", None) != names.pad_of("CC SLC41", None)
    assert names.pad_of("JQ LC43/95", None) != names.pad_of("JQ LC43/95A", None)
    assert names.pad_of("Unknown Pad", "Cape Canaveral SFS, FL, USA") == names.Pad("cape", None)
    assert names.pad_of("Pad TBD", None) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Chang Zheng 2D", "Long March 2D"),
        ("Falcon 9", "Falcon 9 Block 5"),
        ("Lijian-1", "Kinetica 1"),
        ("Soyuz-2-1B", "Soyuz 2.1b/Fregat-M"),
        ("F9 B5", "Falcon 9 Block 5"),
        ("Atlas V", "Atlas V 551"),
        ("Launch Vehicle Mark-3 (GSLV Mk III)", "LVM-3"),
        ("GSLV Mk III", "LVM-3"),
        ("Starship V2", "Starship"),
        ("PSLV-XL", "PSLV"),
    ],
)
def test_a_vehicle_of_two_names_is_of_one_family(one: str, other: str) -> None:
    assert names.vehicle_family(one) == names.vehicle_family(other)


def test_falcon_heavy_is_not_falcon_9_and_numbers_count_within_one_series_only() -> None:
    assert names.vehicle_family("Falcon Heavy") != names.vehicle_family("Falcon 9")
    assert names.series_number("Falcon 9 | Starlink Group 12-7") == ("starlink", "12", "7")
    assert names.series_number("Falcon 9 | Starlink 28") is None
    assert names.series_number("Starlink-45 (4-13)") == names.series_number("Starlink Group 4-13")
    assert names.series_number("Starlink 4-36 (v1.5)") == ("starlink", "4", "36")
    assert names.series_number("Starlink V1.0-L8-03") is None
    assert names.series_number("Starlink-8 & SkySat 16-18") is None
    assert names.series_number("Yaogan-31-03") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Transporter-9", "Transporter 9 (Dedicated SSO Rideshare)", True),
        ("NISAR", "NISAR (NASA-ISRO Synthetic Aperture Radar)", True),
        ("Kosmos-2524", "Lotos-S1 (Kosmos 2524)", True),
        ("Dragon Crew-2", "Crew-2", True),
        ("Crew-2", "Crew-3", False),
        ("Starlink 28", "Starlink-28 (v1.0)", False),
        ("Starlink", "Starlink", False),
        ("Unknown Payload", "Unknown Payload", False),
        ("Kosmos", "Kosmos (Unknown Payload)", False),
    ],
)
def test_a_name_is_the_same_by_its_telling_words_and_its_numbers(one: str, other: str, *, same: bool) -> None:
    assert names.same_mission(names.missions(one, None), names.missions(other, None)) is same
