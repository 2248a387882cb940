"""Dates in words: each becomes the interval that it allows, and any other text is refused."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import format_instant
from launchd.errors import InvalidError
from launchd.launches.launch import Net
from launchd.launches.sources.prose_dates import Written, parse_prose

# The forms of Wikipedia's lists, each with first instant, last second and precision.
WRITTEN = {
    "4 June 2010, 18:45": ("2010-06-04T18:45:00", "2010-06-04T18:45:59", "minute"),
    "23 April 2021 9:49": ("2021-04-23T09:49:00", "2021-04-23T09:49:59", "minute"),
    "January 3, 2024 03:44[27]": ("2024-01-03T03:44:00", "2024-01-03T03:44:59", "minute"),
    "7 January 2020, 02:19:21": ("2020-01-07T02:19:21", "2020-01-07T02:19:21", "second"),
    "17 June 2021 16:09-16:24": ("2021-06-17T16:09:00", "2021-06-17T16:24:59", "hour"),
    "1 June 2021 23:50\N{EN DASH}00:20": ("2021-06-01T23:50:00", "2021-06-02T00:20:59", "hour"),
    "31 October 2021 ~05:50": ("2021-10-31T05:20:00", "2021-10-31T06:19:59", "hour"),
    "15 September 2021 00:00": ("2021-09-15T00:00:00", "2021-09-15T23:59:59", "day"),
    "24 June 2021[678]": ("2021-06-24T00:00:00", "2021-06-24T23:59:59", "day"),
    "10-12 June 2022": ("2022-06-10T00:00:00", "2022-06-12T23:59:59", "week"),
    "NET June 2022": ("2022-06-01T00:00:00", "2022-06-30T23:59:59", "month"),
    "Late February 2024": ("2024-02-21T00:00:00", "2024-02-29T23:59:59", "month"),
    "13 July - 26 August 2022": ("2022-07-13T00:00:00", "2022-08-26T23:59:59", "quarter"),
    "June/July 2022": ("2022-06-01T00:00:00", "2022-07-31T23:59:59", "quarter"),
    "Q3 2022": ("2022-07-01T00:00:00", "2022-09-30T23:59:59", "quarter"),
    "H2 2022": ("2022-07-01T00:00:00", "2022-12-31T23:59:59", "half"),
    "Second half of 2022": ("2022-07-01T00:00:00", "2022-12-31T23:59:59", "half"),
    "Early 2022": ("2022-01-01T00:00:00", "2022-04-30T23:59:59", "half"),
    "Mid 2023": ("2023-05-01T00:00:00", "2023-08-31T23:59:59", "half"),
    "mid-2023": ("2023-05-01T00:00:00", "2023-08-31T23:59:59", "half"),
    "Late 2022": ("2022-09-01T00:00:00", "2022-12-31T23:59:59", "half"),
    "Fall 2022": ("2022-09-01T00:00:00", "2022-12-31T23:59:59", "half"),
    "Winter 2022": ("2022-01-01T00:00:00", "2022-12-31T23:59:59", "year"),
    "Q4 2021 to mid 2022": ("2021-10-01T00:00:00", "2022-08-31T23:59:59", "year"),
    "TBD 2021": ("2021-01-01T00:00:00", "2021-12-31T23:59:59", "year"),
    "Later in 2022": ("2022-01-01T00:00:00", "2022-12-31T23:59:59", "year"),
    "2024\N{EN DASH}2027": ("2024-01-01T00:00:00", "2027-12-31T23:59:59", "decade"),
    "2022 or later": ("2022-01-01T00:00:00", "2031-12-31T23:59:59", "decade"),
}
# The same from pages that give the year in their title.
WITHOUT_YEAR = {
    "6 January21:49:10[1]": ("2022-01-06T21:49:10", "2022-01-06T21:49:10", "second"),
    "8 March~05:06[100]": ("2022-03-08T04:36:00", "2022-03-08T05:35:59", "hour"),
    "Early February[258][259]": ("2022-02-01T00:00:00", "2022-02-10T23:59:59", "month"),
}


def shown(net: Net) -> tuple[str, str, str]:
    return format_instant(net.earliest)[:19], format_instant(net.latest)[:19], net.precision.value


def read(text: str) -> Net:
    written = parse_prose(text)
    assert written is not None
    return written.net


@pytest.mark.parametrize("text", WRITTEN)
def test_a_written_date_is_the_interval_it_allows(text: str) -> None:
    assert shown(read(text)) == WRITTEN[text]


@pytest.mark.parametrize("text", WITHOUT_YEAR)
def test_a_date_without_a_year_takes_that_of_its_page(text: str) -> None:
    written = parse_prose(text, year=2022)
    assert written is not None
    assert shown(written.net) == WITHOUT_YEAR[text]


@pytest.mark.parametrize("text", ["", "TBD", " tba ", "Unknown", "TBD[3]"])
def test_a_date_given_as_unknown_is_none(text: str) -> None:
    assert parse_prose(text) is None


def test_two_clocks_are_a_window() -> None:
    written = parse_prose("17 June 2021 16:09-16:24")
    assert written is not None
    assert written.window is not None
    assert [format_instant(one) for one in written.window] == ["2021-06-17T16:09:00Z", "2021-06-17T16:24:00Z"]


def test_midnight_is_a_time_only_of_a_flown_launch() -> None:
    written = parse_prose("8 January 2018 00:00", midnight_is_a_time=True)
    assert written is not None
    assert written.net.precision == "minute"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("June 17, 2021 1:30 pm", "2021-06-17T17:30:00Z"),  # daylight saving time
        ("January 17, 2021 12:05 a.m.", "2021-01-17T05:05:00Z"),
        ("June 17, 2021 1:30 pm PDT", "2021-06-17T20:30:00Z"),
        ("June 17, 2021 13:30 UTC", "2021-06-17T13:30:00Z"),
        ("June 17, 2021", "2021-06-17T04:00:00Z"),
    ],
)
def test_clocks_and_days_are_local_unless_the_text_names_a_zone(text: str, utc: str) -> None:
    written = parse_prose(text, zone=ZoneInfo("America/New_York"))
    assert written is not None
    assert format_instant(written.net.earliest) == utc


@pytest.mark.parametrize(
    "text",
    [
        "31 June 2021",
        "June",
        "June 9999",
        "1 May 2021 25:00",
        "1 May 2021 13:00 pm",
        "2021 12:00",
        "Q5 2021",
        "H3 2021",
        "2027-2024",
        "1900-2100",
        "F9 B5",
        "Success",
        "5 2021",
        "1 May 2021 12:00 XYZ",
        "1 Mayday 2021",
        "x" * 201,
    ],
)
def test_other_text_than_a_date_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_prose(text)


WORDS = st.sampled_from(
    [
        *" -~/:,[]()\0",
        *"0123456789",
        "2021",
        "9999",
        "0000",
        "may",
        "june ",
        "q4 ",
        "h2 ",
        "early ",
        "late ",
        "12:00",
        " to ",
        " or later",
        "pm",
        "tbd ",
        "net ",
        "\ud800",
        "\u0661",
        "est",
    ]
)


@given(st.lists(WORDS, max_size=12).map("".join))
def test_any_text_is_a_date_an_unknown_date_or_refused(text: str) -> None:
    try:
        written = parse_prose(text)
    except InvalidError:
        return
    assert written is None or isinstance(written, Written)
    assert written is None or written.net.earliest <= written.net.latest
