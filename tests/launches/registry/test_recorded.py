"""The registry knows the words of the recorded payloads."""

from collections import Counter

import pytest

from launchd.launches.launch import Place, Sighting
from tests.bench.coverage_of_names import Coverage, coverage, recorded
from tests.support.paths import SHARED

RECORDED = SHARED / "sources"
WANTED = 0.99


def sighting(
    provider: str | None = None, pad: str | None = None, location: str | None = None, orbit: str | None = None
) -> Sighting:
    where = Place(location) if location else None
    return Sighting(source="test", source_id="1", name="A", provider=provider, pad=pad, location=where, orbit=orbit)


def test_a_record_counts_where_it_says_something_and_its_unknown_words_are_listed() -> None:
    said = [
        sighting("SPX", "CC LC40", "CC", "LEO"),
        sighting("Acme", "CC LC999", "CC", "N/A"),
        sighting("Unknown", "Wenchang", "WEN"),
        sighting(),
    ]
    assert coverage(said) == [
        Coverage("provider", 2, 1, Counter({"Acme": 1})),
        Coverage("vehicle", 0, 0, Counter()),
        Coverage("pad", 3, 2, Counter({"CC LC999 at CC": 1})),
        Coverage("orbit", 1, 1, Counter()),
    ]


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
@pytest.mark.parametrize("subject", ["provider", "vehicle", "pad", "orbit"])
def test_of_a_hundred_recorded_records_the_registry_resolves_at_least_99(subject: str) -> None:
    found = {one.subject: one for one in coverage(recorded(RECORDED))}[subject]
    assert found.records > 500
    assert found.share >= WANTED, found.unknown.most_common(20)
