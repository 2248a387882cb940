"""Wikipedia's list: rows under rowspans become launches, vague dates intervals; a changed page is reported."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchd.clock import format_instant
from launchd.errors import InvalidError
from launchd.launches.launch import LaunchStatus, Parsed, Sighting
from launchd.launches.sources import wikipedia
from launchd.launches.sources.markup import MAX_COLUMNS, MAX_TAGS, tables
from launchd.launches.sources.source import Payload
from tests.support.fetching import Unlimited
from tests.support.paths import SHARED
from tests.support.wikipedia_pages import AMOS_6, CRS_1, HEAVY, SUP, past

RECORDED = SHARED / "sources" / "wikipedia"
FUTURE = """<table class="wikitable"><tr><th>Date and time (UTC)</th><th>Version,<br>Booster</th><th>Launch site</th>
<th>Payload</th><th>Orbit</th><th>Customer</th></tr>"""


def planned(date: str, payload: str, version: str = "F9 B5 ♺", site: str = "KSC,<br>LC-39A") -> str:
    return f"""<tr><td rowspan="2">{date}{SUP}</td><td>{version}</td><td>{site}</td><td>{payload}</td><td>LEO</td>
<td>NASA</td></tr><tr><td colspan="5">Plans.</td></tr>"""


def future(*rows: str) -> bytes:
    return f"{FUTURE}{''.join(rows)}</table>".encode()


def answer(page: bytes, title: str = wikipedia.TITLE, **more: object) -> bytes:
    return json.dumps({"parse": {"title": title, "revid": 1, "text": page.decode(), **more}}).encode()


def parse(*pages: bytes) -> Parsed:
    return wikipedia.parse(pages)


def only(parsed: Parsed) -> Sighting:
    (sighting,) = parsed.sightings
    assert parsed.rejections == ()
    return sighting


def start(sighting: Sighting) -> str:
    assert sighting.net is not None
    return format_instant(sighting.net.earliest)


def test_a_row_with_a_second_payload_and_a_description_is_one_launch() -> None:
    launch = only(parse(past(CRS_1)))
    assert (launch.name, launch.mission) == ("SpaceX CRS-1", "SpaceX CRS-1 (Dragon C103)")
    assert start(launch) == "2012-10-08T00:35:00Z"
    assert (launch.status, launch.status_word) == (LaunchStatus.SUCCESS, "Success")
    assert (launch.vehicle, launch.pad, launch.orbit) == ("Falcon 9 v1.0", "CCAFS SLC-40", "LEO (ISS)")
    assert launch.urls == ("https://en.wikipedia.org/wiki/List_of_Falcon_9_and_Falcon_Heavy_launches",)


def test_three_boosters_are_one_falcon_heavy() -> None:
    launch = only(parse(past(HEAVY)))
    assert (launch.name, launch.vehicle) == ("Elon Musk's Tesla Roadster", "Falcon Heavy")


def test_a_rocket_lost_on_its_pad_is_a_failure_without_a_flight_number() -> None:
    launch = only(parse(past(AMOS_6)))
    assert (launch.name, launch.status, start(launch)) == ("Amos-6", LaunchStatus.FAILURE, "2016-09-03T07:00:00Z")


def test_a_planned_launch_has_a_window_or_a_vague_date_and_no_status() -> None:
    found = parse(future(planned("17 June 2021<br>16:09-16:24", "GPS III-05"), planned("Late 2022", "ASBM 1")))
    gps, asbm = found.sightings
    assert gps.window_start is not None
    assert gps.window_end is not None
    assert format_instant(gps.window_end) == "2021-06-17T16:24:00Z"
    assert asbm.net is not None
    assert (start(asbm), asbm.net.precision, asbm.status) == ("2022-09-01T00:00:00Z", "half", None)


@pytest.mark.parametrize(
    ("version", "vehicle"),
    [
        ("F9 FT ♺<br>B1021.2", "Falcon 9 Full Thrust"),
        ("F9 B4<br>B1039.1", "Falcon 9 Block 4"),
        ("Likely Falcon Heavy", "Falcon Heavy"),
        ("F9 B5 or Falcon Heavy", None),
        ("TBD", None),
    ],
)
def test_versions_become_vehicles_and_an_open_version_becomes_none(version: str, vehicle: str | None) -> None:
    assert only(parse(future(planned("2022", "Inmarsat-6B", version)))).vehicle == vehicle


@pytest.mark.parametrize(
    ("site", "pad", "place"),
    [
        ("CC, LC-39A or SLC-40", None, "CC"),
        ("CC, LC-39A or SLC-40 or VSFB, SLC-4E", None, None),
        ("Vandenberg,<br>SLC\N{NON-BREAKING HYPHEN}4E", "Vandenberg SLC-4E", "Vandenberg"),
        ("TBD", None, None),
    ],
)
def test_a_pad_that_is_left_open_is_unknown(site: str, pad: str | None, place: str | None) -> None:
    launch = only(parse(future(planned("2022", "Ax-2", site=site))))
    assert (launch.pad, launch.location.name if launch.location else None) == (pad, place)


def test_a_launch_keeps_its_key_from_the_plan_to_the_record() -> None:
    plan = only(parse(future(planned("October 2012", "SpaceX CRS-1"))))
    record = only(parse(past(CRS_1)))
    assert plan.source_id == record.source_id == "spacex-crs-1"


def test_names_that_come_again_are_numbered_by_date_whatever_their_order_on_the_page() -> None:
    found = parse(future(planned("August 2021", "Starlink"), planned("July 2021", "Starlink")))
    assert [(one.source_id, start(one)[:7]) for one in found.sightings] == [
        ("starlink", "2021-07"),
        ("starlink#2", "2021-08"),
    ]


def test_a_row_on_two_pages_is_one_launch_and_two_alike_on_one_page_are_two() -> None:
    page = past(CRS_1) + future(planned("July 2021", "Starlink"), planned("July 2021", "Starlink"))
    archive = answer(page, f"{wikipedia.TITLE} (2010\N{EN DASH}2019)")
    keys = [one.source_id for one in parse(answer(page), archive).sightings]
    assert keys == ["spacex-crs-1", "starlink", "starlink#2"]


def test_the_answer_of_the_api_is_read_as_the_page_is() -> None:
    assert parse(answer(past(CRS_1, HEAVY))).sightings == parse(past(CRS_1, HEAVY)).sightings


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": {"code": "maxlag", "info": "Waiting for a host"}}', "maxlag: Waiting for a host"),
        (b'{"parse": {"title": "x"}}', "not an answer of the parse API"),
        (b"{", "not an answer of the parse API"),
        (b"", "no table on the page"),
        (b"<html><p>An error occurred</p></html>", "no table on the page"),
        (past(), "no row is one"),
        (past(CRS_1).replace(b"Version,", b"Rocket,"), "its columns have changed: no version among Flight No."),
        (past("<tr><td>1</td><td>4 June 2010</td></tr>"), "no cell for version, site, payload"),
        (past(CRS_1.replace('<td rowspan="2">8 October 2012,<br>00:35', "<td>F9")), "is not a date"),
        (past(CRS_1.replace("F9 v1.0", "Success")), "not a version of Falcon 9"),
        (past(CRS_1.replace("8 October 2012,<br>00:35", "TBD")), "an outcome, but no date"),
        (future(planned("2024-2027", "about 12 more launches")), "several launches"),
        (future(planned("2022", "TBD")), "names no payload"),
    ],
)
def test_an_unexpected_row_or_page_is_refused_whole_with_a_reason(body: bytes, reason: str) -> None:
    found = parse(body)
    assert found.sightings == ()
    assert any(reason in one.reason for one in found.rejections), found.rejections


def test_an_unknown_outcome_costs_only_itself() -> None:
    found = parse(past(AMOS_6.replace("Precluded<br>", "Postponed<br>")))
    assert found.sightings[0].status is None
    assert [(one.record, one.field) for one in found.rejections] == [("Amos-6", "status")]


class Site(Unlimited):
    """Answers with pages by their title."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages = pages

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, optional: bool = False
    ) -> Payload | None:
        assert (path, optional) == ("api.php", False)
        title = (params or {})["page"]
        return Payload(title, self.pages[title])

    def known(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        raise AssertionError(path, params)


async def test_the_pages_by_years_are_found_on_the_main_page() -> None:
    years = f"{wikipedia.TITLE} (2010\N{EN DASH}2019)"
    links = [{"ns": 0, "title": years, "exists": True}, {"title": years}, {"title": "SpaceX"}]
    site = Site({wikipedia.TITLE: answer(future(), links=links), years: answer(past(CRS_1), years)})
    payloads = await wikipedia.pull(site)
    assert [payload.url for payload in payloads] == [wikipedia.TITLE, years]


def test_a_span_of_65534_costs_no_more_than_its_row() -> None:
    row = "<tr>" + '<td rowspan="65534" colspan="65534">x</td>' * 50 + "</tr>"
    (grid,) = (list(rows) for rows in tables(f"<table>{row * 200}</table>"))
    assert len(grid) == 200
    assert max(len(cells) for cells in grid) == MAX_COLUMNS


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 1_000_000,
        "<p>" + "".join(f"<b id={n}>" for n in range(20_000)) + "</p>x<p>" * 20_000,
        "<table><tr><td>" * 50_000,
        "<" * 5_000_000,
        "<td " + "a " * 1_000_000 + ">",
        "<table><tr><td rowspan=" + " " * 1_000_000,
        "<aaaa" * 1_000_000,
        "<" + "a" * 5_000_000,
        "&#" + "9" * 5_000_000,
        "[" * 5_000_000,
        "<style>" * 100_000,
    ],
)
def test_markup_made_to_be_slow_is_read_in_one_pass(page: str) -> None:
    # quadratic for a tree builder that sees all of it, or for an expression that tries again
    assert parse(page.encode()).sightings == ()


def test_more_tags_than_a_page_has_are_refused() -> None:
    with pytest.raises(InvalidError, match="200000 are read at most"):
        list(tables("<td>" * (MAX_TAGS + 1)))


PAGE = past(CRS_1, HEAVY, AMOS_6) + future(planned("Q4 2021 to mid 2022", "Space Adventures Dragon Mission"))
JUNK = st.sampled_from(
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"<",
        b">",
        b'"',
        b"</table>",
        b"<table>",
        b"<tr>",
        b'rowspan="65534"',
        b'colspan="0"',
        b"9999",
        b"&#0;",
        b"&#xD800;",
        b"&" * 50,
        b"TBD",
        b"</td><td>",
        b"<td>",
        b"<!--",
        b"\\ud800",
    ]
)


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """The body with some of its parts cut out and junk put there."""
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(JUNK) + body[at + draw(st.integers(0, 60)) :]
    return body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body


@settings(max_examples=200, deadline=None)
@given(st.one_of(damaged(PAGE), damaged(answer(PAGE))))
def test_a_damaged_page_gives_launches_that_are_whole_and_reports_the_rest(body: bytes) -> None:
    found = parse(body)
    for launch in found.sightings:
        assert launch.name
        assert launch.status is None or launch.net is not None
        launch.name.encode()
    assert found.sightings or found.rejections


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
def test_of_the_204_launches_of_a_recorded_page_203_are_read() -> None:
    (page,) = RECORDED.glob("*.html")
    for body in (page.read_bytes(), answer(page.read_bytes())):
        found = parse(body)
        assert (found.rows, len(found.sightings)) == (204, 203)
        assert [(one.record, one.reason) for one in found.rejections] == [
            ("about 12 more launches", "it is a row for several launches")
        ]
        assert sum(one.status is not None for one in found.sightings) == 125
        assert len({one.source_id for one in found.sightings}) == 203
