"""Words of different sources made comparable; the aliases are data, checked here."""

import pytest

from launchd.launches import names


@pytest.mark.parametrize("kind", ["vehicles", "providers"])
def test_aliases_are_plain_words_that_lead_to_no_further_alias(kind: str) -> None:
    aliases = names._aliases(kind)
    assert aliases
    for alias, name in aliases.items():
        assert alias == names.plain(alias)
        assert name == names.plain(name)
        assert name not in aliases


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Chang Zheng 2D", "Long March 2D"),
        ("Falcon 9", "Falcon 9 Block 5"),
        ("Lijian-1", "Kinetica 1"),
        ("Soyuz-2-1B", "Soyuz 2.1b/Fregat-M"),
    ],
)
def test_a_vehicle_of_two_names_is_of_one_family(one: str, other: str) -> None:
    assert names.vehicle_family(one) == names.vehicle_family(other)


def test_falcon_heavy_is_not_falcon_9_and_numbers_count_within_one_series_only() -> None:
    assert names.vehicle_family("Falcon Heavy") != names.vehicle_family("Falcon 9")
    assert names.series_number("Falcon 9 | Starlink Group 12-7") == ("starlink", "12", "7")
    assert names.series_number("Falcon 9 | Starlink 28") is None
