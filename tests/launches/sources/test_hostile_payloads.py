"""For any payload a parser answers with records and rejections, or raises SourceError and nothing else.

Its records can be stored, served and compared. Each source has a small valid example.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launchd.clock import format_instant
from launchd.errors import SourceError
from launchd.launches.details import MAX_DESCRIPTION, MAX_PAYLOADS, Details
from launchd.launches.launch import Parsed, Sighting
from launchd.launches.sources import SOURCES, records
from launchd.launches.validate import MAX_REASON, MAX_TEXT
from tests.support.payloads import EXAMPLES

every_source = pytest.mark.parametrize("name", [name for name in SOURCES if name in EXAMPLES])
thorough = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The most that the details of one launch take as JSON.
MOST_BYTES = 100_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# Bytes that JSON cannot express, each put in the place of a marker text.
LITERALS = {
    "@nan": b"NaN",
    "@infinity": b"-Infinity",
    "@1e400": b"1e400",
    "@digits": b"9" * 4_300,
    "@more digits": b"9" * 5_000,
    "@surrogate": b'"\\ud83d lone"',
    "@nul": b'"a\x00b"',
    "@bytes": b'"\xff\xfe\xc0\x80"',
    "@nested": b"[" * 50_000 + b"]" * 50_000,
    "@open": b'{"a":' * 50_000,
}
VALUES: list[Any] = [
    *LITERALS,
    None,
    True,
    -1,
    0,
    7,
    10**30,
    1e308,
    -0.5,
    "",
    " ",
    "NaN",
    "1e400",
    "\x00\x1b[31m\u202e",
    "x" * 50_000,
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31",
    "0001-01-01",
    "2026-02-30",
    "2199-12-31",
    "1800-01-01T00:00:00Z",
    "2500-01-01T00:00:00Z",
    "24:00:00",
    "23:59:59+23:59",
    "9999 Dec 31 2359:59?",
    "javascript:alert(1)",
    "../../etc/passwd",
    [],
    {},
    [[]],
    [None] * 3,
    {"id": None},
]


def parsed(name: str, bodies: Sequence[bytes]) -> Parsed | None:
    """The parser's result, checked; None for a SourceError."""
    try:
        found = SOURCES[name].parse(bodies)
    except SourceError:
        return None
    assert len({one.source_id for one in found.sightings}) == len(found.sightings)
    for sighting in found.sightings:
        check(sighting, name)
    for rejection in found.rejections:
        assert rejection.source == name
        assert rejection.record
        assert 0 < len(rejection.reason) <= MAX_REASON
        msgspec.json.encode(rejection)
    return found


def check(sighting: Sighting, name: str) -> None:
    """Assert that a sighting survives storage unchanged and can be shown."""
    assert sighting.source == name
    assert msgspec.json.decode(msgspec.json.encode(sighting), type=Sighting) == sighting
    texts = (sighting.name, sighting.source_id, sighting.vehicle, sighting.pad, sighting.mission, sighting.status_word)
    for text in texts:
        assert text is None or (text and len(text) <= MAX_TEXT and not _CONTROL.search(text)), text
    for instant in (sighting.window_start, sighting.window_end, sighting.modified):
        assert instant is None or format_instant(instant)
    if sighting.net is not None:
        assert sighting.net.earliest <= sighting.net.latest
        assert "1900" <= format_instant(sighting.net.earliest)[:4] <= format_instant(sighting.net.latest)[:4] <= "2200"
    assert all(re.match(r"https?://", url) and not _CONTROL.search(url) for url in sighting.urls)
    if sighting.details is not None:
        check_details(sighting.details)


def check_details(details: Details) -> None:
    """Assert that details are bounded and clean, and that their addresses are of the web."""
    assert len(msgspec.json.encode(details)) < MOST_BYTES
    lists = (details.payloads, details.boosters, details.crew, details.webcasts, details.updates, details.pictures)
    assert all(len(one) <= MAX_PAYLOADS for one in lists)
    for name, value in texts_of(msgspec.to_builtins(details)):
        assert value == value.strip()
        assert value, name
        assert len(value) <= MAX_DESCRIPTION
        assert not _CONTROL.search(value)
        if name in {"url", "thumbnail", "licence_url"}:
            assert re.match(r"https?://[^\s/]", value), value
    for update in details.updates:
        assert update.at is None or format_instant(update.at)
    for webcast in details.webcasts:
        assert all(at is None or format_instant(at) for at in (webcast.start, webcast.end))


def texts_of(value: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Every text inside a document with the name of its field."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for inner, one in value.items():
            yield from texts_of(one, inner)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_of(one, name)


def documents(name: str) -> list[Any] | None:
    """The example as JSON; None if the source sends none."""
    try:
        return [json.loads(body) for body in EXAMPLES.get(name, (b"",))]
    except ValueError:
        return None


JSON_SOURCES = [name for name in SOURCES if documents(name) is not None]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """The path to every value inside a document."""
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from places(inner, (*path, step))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:  # noqa: ANN401 - JSON
    """The document with another value at a path."""
    if not path:
        return value
    copy = list(document) if isinstance(document, list) else dict(document)
    copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


def encode(document: Any) -> bytes:  # noqa: ANN401 - JSON
    body = json.dumps(document).encode()
    for text, literal in LITERALS.items():
        body = body.replace(json.dumps(text).encode(), literal)
    return body


def test_every_source_has_its_example() -> None:
    assert set(EXAMPLES) == set(SOURCES)


@every_source
def test_the_example_of_a_source_is_read_without_complaint_in_any_order_of_its_payloads(name: str) -> None:
    found = parsed(name, EXAMPLES[name])
    assert found is not None
    assert found.sightings
    assert not found.rejections
    backwards = parsed(name, EXAMPLES[name][::-1])
    assert backwards is not None
    assert {one.source_id: one for one in backwards.sightings} == {one.source_id: one for one in found.sightings}


@every_source
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"\x00" * 1000,
        b"\xff\xfe\x00",
        b"null",
        b"true",
        b"NaN",
        b"1e400",
        b'"text"',
        b"[]",
        b"{}",
        b"[null, 1, [], {}, [[[]]]]",
        b'{"results": 7, "result": {}, "docs": null}',
        b'{"id": 1}',
        b'{"\xff": "\xff"}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"<html><body>503 Service Unavailable</body></html>",
        b"\x1f\x8b\x08\x00\x00\x00",
        b"\t" * 100_000 + b"\n",
        b"[" + b"0," * 200_000 + b"0]",
        b"#Launch_Tag\t" * 2_000 + b"\n" + b"x\t" * 1_999 + b"x",
        b'"' + b"a" * 3_000_000,
        b"\r\n" * 300_000,
    ],
    ids=lambda body: ascii(body[:24].decode("latin-1")),
)
def test_a_payload_of_another_kind_has_no_launches(name: str, body: bytes) -> None:
    found = parsed(name, [body])
    assert found is None or not found.sightings


@every_source
def test_a_payload_cut_anywhere_or_in_another_encoding_is_answered(name: str) -> None:
    for index, body in enumerate(EXAMPLES[name]):
        for cut in range(0, len(body), max(1, len(body) // 200)):
            parsed(name, [*EXAMPLES[name][:index], body[:cut]])
            parsed(name, [body[cut:]])
        for encoding in ("utf-16", "utf-8-sig", "utf-7", "utf-32-be"):
            parsed(name, [body.decode().encode(encoding)])


# Wikipedia's planned rows have no ids: two that are alike may well be two launches
@pytest.mark.parametrize("name", [name for name in SOURCES if name != "wikipedia"])
def test_a_record_that_is_twice_in_a_scrape_is_one_launch(name: str) -> None:
    once, twice = parsed(name, EXAMPLES[name]), parsed(name, EXAMPLES[name] * 2)
    assert once is not None
    assert twice is not None
    assert {one.source_id for one in twice.sightings} == {one.source_id for one in once.sightings}


@every_source
@thorough
@given(data=st.data())
def test_damaged_bytes_are_answered(name: str, data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(EXAMPLES[name])))
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(len(body), start + 40)))
        junk = st.binary(max_size=12) | st.sampled_from([one.encode() for one in VALUES if isinstance(one, str)])
        body[start:end] = data.draw(junk)
    parsed(name, [bytes(body), *EXAMPLES[name]])
    parsed(name, [bytes(body)])


@every_source
@thorough
@given(seed=st.integers(0, 2**32))
def test_lines_and_cells_in_another_order_are_answered(name: str, seed: int) -> None:
    shuffle = random.Random(seed).shuffle
    for separator in (b"\n", b"\t", b",", b">"):
        parts = EXAMPLES[name][0].split(separator)
        shuffle(parts)
        parsed(name, [separator.join(parts), *EXAMPLES[name][1:]])


@pytest.mark.parametrize("name", JSON_SOURCES)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:30])
def test_a_hostile_value_in_any_place_is_answered(name: str, value: Any) -> None:  # noqa: ANN401 - JSON
    original = documents(name)
    for path in list(places(original))[1:]:
        parsed(name, [encode(one) for one in changed(original, path, value)])


@pytest.mark.parametrize("name", JSON_SOURCES)
@thorough
@given(data=st.data())
def test_several_hostile_values_at_once_are_answered(name: str, data: st.DataObject) -> None:
    found = documents(name)
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(list(places(found))[1:]))
        found = changed(found, path, data.draw(st.sampled_from(VALUES)))
    assert isinstance(found, list)
    parsed(name, [encode(one) for one in found])


@pytest.mark.parametrize("name", JSON_SOURCES)
def test_a_field_of_another_shape_costs_the_record_or_nothing_and_is_reported(name: str) -> None:
    """Each launch that differs from before is missing, or its field is among the rejections."""
    original = documents(name)
    whole = parsed(name, EXAMPLES[name])
    assert whole is not None
    for path in list(places(original))[1:]:
        found = parsed(name, [encode(one) for one in changed(original, path, {"new shape": 1})])
        assert found is not None
        kept = [one for one in found.sightings if one in whole.sightings]
        if len(kept) < len(whole.sightings):
            assert found.rejections, path
        for altered in (one for one in found.sightings if one not in whole.sightings):
            assert altered.source_id in {one.record for one in found.rejections if one.field}, path


@pytest.mark.parametrize("name", JSON_SOURCES)
def test_a_page_beyond_the_limits_is_refused_as_a_whole(name: str) -> None:
    body = EXAMPLES[name][0]
    too_long = parsed(name, [body + b" " * 10 + b"\n" + b"x" * records.MAX_BYTES])
    too_many = parsed(name, [b"[" + b"{}," * records.MAX_RECORDS + b"{}]"])
    for found, word in ((too_long, "bytes"), (too_many, "records")):
        assert found is not None
        assert not found.sightings
        assert [word in one.reason for one in found.rejections] == [True]
