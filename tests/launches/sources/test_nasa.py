"""NASA's feed: events become launches at the time of Washington; entities are never expanded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import format_instant
from launchd.launches.launch import Parsed, Sighting
from launchd.launches.sources import SOURCES, nasa
from tests.support.nasa_feeds import ARTEMIS, IXPE, PLAIN, PSYCHE, feed, item


def parse(body: bytes) -> Parsed:
    return nasa.parse([body])


def start(sighting: Sighting) -> tuple[str, str]:
    assert sighting.net is not None
    return format_instant(sighting.net.earliest), sighting.net.precision.value


def test_an_event_is_a_launch_at_its_labelled_date_on_washingtons_clock() -> None:
    found = parse(feed(PSYCHE, IXPE))
    assert found.rejections == ()
    psyche, ixpe = found.sightings
    assert (psyche.name, start(psyche)) == ("Psyche", ("2023-10-13T14:19:00Z", "minute"))
    assert psyche.source_id == "https://www.nasa.gov/?post_type=event&p=16"
    assert psyche.urls == ("https://www.nasa.gov/event/psyche/",)
    assert start(ixpe) == ("2021-12-09T06:00:00Z", "minute")


def test_a_month_at_the_start_of_a_line_is_a_date_and_one_in_prose_is_none() -> None:
    (artemis,) = parse(feed(ARTEMIS)).sightings
    assert (artemis.name, start(artemis)) == ("Artemis I \N{EN DASH} Moon", ("2022-11-01T00:00:00Z", "month"))
    (prose,) = parse(feed(item("SPHEREx", "NASA chose SpaceX in February 2021."))).sightings
    assert prose.net is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (feed(item("News", "May 2024", "https://www.nasa.gov/news/")), "does not link to an event"),
        (feed(item("", "May 2024")), "has no title"),
        (feed(item("IXPE", "NET February 31, 2021")), "day is out of range"),
        (feed(), "not an RSS 2.0 feed with items"),
        (b"<html><body>moved</body></html>", "not an RSS 2.0 feed with items"),
        (b"", "not the XML of a feed"),
        (feed(PSYCHE)[:-20], "not the XML of a feed"),
        (feed(PSYCHE).replace(b"UTF-8", b"UTF-7"), "not the XML of a feed"),
        (feed(PSYCHE).replace(b"UTF-8", b"none"), "not the XML of a feed"),
        (feed(PSYCHE).replace(b"Psyche", b"\xff\0"), "not the XML of a feed"),
        (feed(item("&#38;#" + "9" * 5_000 + ";", "May 2024")), "cannot be read as text"),
        (b" " * (nasa.MAX_BYTES + 1), "are read at most"),
    ],
)
def test_other_items_than_events_and_other_files_than_feeds_are_refused_with_a_reason(body: bytes, reason: str) -> None:
    found = parse(body)
    assert found.sightings == ()
    assert any(reason in one.reason for one in found.rejections), found.rejections


def test_a_billion_laughs_are_not_expanded() -> None:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = feed(item("&a11;", "May 2024")).replace(b"<rss", f"<!DOCTYPE rss [{entities}]><rss".encode())
    assert "DTDForbidden" in parse(bomb).rejections[0].reason


def test_external_entities_are_not_read() -> None:
    outside = '<!DOCTYPE rss [<!ENTITY secret SYSTEM "file:///etc/hostname">]><rss'
    body = feed(item("&secret;", "May 2024")).replace(b"<rss", outside.encode())
    found = parse(body)
    assert found.sightings == ()
    assert "DTDForbidden" in found.rejections[0].reason


def test_a_million_nested_elements_are_one_rejection() -> None:
    body = b"<rss><channel>" + b"<a>" * 1_000_000 + b"</a>" * 1_000_000 + b"</channel></rss>"
    assert len(parse(body).rejections) == 1


def test_of_more_items_than_a_feed_has_the_first_are_read() -> None:
    items = [item("Psyche", "May 2024", f"https://www.nasa.gov/event/{n}/") for n in range(nasa.MAX_ITEMS + 5)]
    found = parse(feed(*items))
    assert found.rows == nasa.MAX_ITEMS
    assert "the first 1000 are read" in found.rejections[0].reason


def test_the_feed_is_experimental_and_off_by_default() -> None:
    assert SOURCES["nasa"].enabled is False


JUNK = st.sampled_from(
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"<",
        b"]]>",
        b"<item>",
        b"</item>",
        b"&#xD800;",
        b"&lt;",
        b"&x;",
        b"9999",
        b"<![CDATA[",
        b"<!DOCTYPE x>",
        b"UTF-16",
        b"Feb 31, 2024",
        b"24:61",
        b"/news/",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(PLAIN)), st.integers(0, 40), JUNK), min_size=1, max_size=5))
def test_a_damaged_feed_gives_launches_or_a_report(cuts: list[tuple[int, int, bytes]]) -> None:
    body = PLAIN
    for at, length, junk in cuts:
        body = body[:at] + junk + body[at + length :]
    found = parse(body)
    assert found.sightings or found.rejections
    for launch in found.sightings:
        assert launch.name
        launch.name.encode()
