"""Calendar, feed of changes and table, each read back by another library than the one that wrote it."""

import csv
import io
import uuid
from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from launchd.clock import parse_instant
from launchd.launches import feeds
from launchd.launches.dates import net_at
from launchd.launches.launch import HistoryRow, Launch, LaunchStatus, Place, Precision
from launchd.launches.store import ChangedLaunch, Record

ID = "019aaaaa-0000-7000-8000-000000000001"
FEED = str(uuid.UUID(int=1, version=4))
ATOM = "{http://www.w3.org/2005/Atom}"
UPDATED = parse_instant("2026-05-01T12:00:00Z")


def record(
    at: str | None = "2027-04-20T10:00:00Z",
    precision: str = "minute",
    revision: int = 0,
    **more: Any,  # noqa: ANN401 - a launch's fields
) -> Record:
    net = None if at is None else net_at(parse_instant(at), Precision(precision))
    fields: dict[str, Any] = {"id": ID, "name": "Falcon 9 | Crew-20", "net": net, "status": LaunchStatus.GO} | more
    return Record(Launch(**fields), UPDATED, revision)


def event(one: Record) -> Any:  # noqa: ANN401 - the library's component
    text = feeds.calendar([one], {"gcat": "GCAT (CC-BY 4.0)"})
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))
    (found,) = Calendar.from_ical(text).walk("VEVENT")
    return found


def test_a_known_time_is_a_time_in_utc_and_ends_with_its_window() -> None:
    found = event(record(window_end=parse_instant("2027-04-20T12:00:00Z")))
    assert found.decoded("dtstart") == datetime(2027, 4, 20, 10, tzinfo=UTC)
    assert found.decoded("dtend") == datetime(2027, 4, 20, 12, tzinfo=UTC)
    assert found["status"] == "CONFIRMED"
    assert b"DTSTART:20270420T100000Z" in found.to_ical()


@pytest.mark.parametrize(
    ("precision", "first", "after", "said"),
    [
        ("day", date(2027, 4, 20), date(2027, 4, 21), None),
        ("week", date(2027, 4, 19), date(2027, 4, 26), "the week of 19 April 2027"),
        ("month", date(2027, 4, 30), date(2027, 5, 1), "April 2027"),
        ("quarter", date(2027, 6, 30), date(2027, 7, 1), "Q2 2027"),
        ("year", date(2027, 12, 31), date(2028, 1, 1), "2027"),
    ],
)
def test_a_tentative_date_is_an_all_day_event_with_its_period_in_the_summary(
    precision: str, first: date, after: date, said: str | None
) -> None:
    found = event(record(precision=precision))
    assert found["dtstart"].params["VALUE"] == found["dtend"].params["VALUE"] == "DATE"
    assert (found.decoded("dtstart"), found.decoded("dtend")) == (first, after)
    assert found["status"] == "TENTATIVE"
    assert (f"({said})" in found["summary"]) is (said is not None)


def test_an_hour_lasts_one_and_a_launch_without_a_date_is_in_no_calendar() -> None:
    found = event(record(precision="hour"))
    assert found.decoded("dtend") - found.decoded("dtstart") == (datetime(2000, 1, 2) - datetime(2000, 1, 1)) / 24  # noqa: DTZ001 - a duration
    assert b"VEVENT" not in feeds.calendar([record(None)], {})


def test_the_uid_stays_and_the_sequence_grows_with_the_revision() -> None:
    first, second = event(record()), event(record("2027-05-01T10:00:00Z", revision=4))
    assert first["uid"] == second["uid"] == f"{ID}@launchd"
    assert (first["sequence"], second["sequence"]) == (0, 4)


def test_a_cancelled_launch_is_a_cancelled_event_and_an_unconfirmed_one_is_tentative() -> None:
    assert event(record(status=LaunchStatus.CANCELLED))["status"] == "CANCELLED"
    assert event(record(status=LaunchStatus.TBC))["status"] == "TENTATIVE"


def test_text_of_a_source_cannot_break_out_of_its_line() -> None:
    evil = "Mission\r\nBEGIN:VEVENT\nUID:evil;,\\n"
    found = event(record(name=evil, pad="A, B; C", location=Place("X", 28.5, -80.6), sources=("gcat",)))
    assert found["summary"].replace("\r", "") == evil.replace("\r", "")
    assert found["location"] == "A, B; C, X"
    assert found["geo"].to_ical() == "28.5;-80.6"
    assert "GCAT (CC-BY 4.0)" in found["description"]


def change(name: str = "Crew-20", at: int = UPDATED, *rows: HistoryRow) -> ChangedLaunch:
    made = rows or (HistoryRow("net", "2027-04-20T10:00:00Z", "2027-04-22T10:00:00Z", "launch_library", at),)
    return ChangedLaunch(record(name=name, urls=("https://example.org/x",)), at, made)


def test_a_feed_lists_the_changes_and_its_ids_stay() -> None:
    text = feeds.atom([change(at=UPDATED + 1_000_000), change()], FEED)
    feed = ET.fromstring(text)  # noqa: S314 - our own document
    entries = feed.findall(f"{ATOM}entry")
    assert feed.findtext(f"{ATOM}updated") == "2026-05-01T12:00:01Z"
    assert [one.findtext(f"{ATOM}updated") for one in entries] == ["2026-05-01T12:00:01Z", "2026-05-01T12:00:00Z"]
    said = "Crew-20 slipped from 20 April 2027, 10:00 UTC to 22 April 2027, 10:00 UTC"
    assert entries[1].findtext(f"{ATOM}title") == said
    assert entries[1].findtext(f"{ATOM}content") == f"{said} (launch_library)."
    ids = [one.findtext(f"{ATOM}id") or "" for one in entries]
    assert len(set(ids)) == 2
    assert ids[1] in feeds.atom([change()], FEED).decode()


@given(st.text())
def test_any_text_makes_a_well_formed_feed_and_calendar(text: str) -> None:
    row = HistoryRow("name", text, text, text, UPDATED)
    feed = ET.fromstring(feeds.atom([change(text, UPDATED, row)], FEED))  # noqa: S314 - our own document
    assert len(feed.findall(f"{ATOM}entry")) == 1


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", '=HYPERLINK("http://x","y")'],
)
def test_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert feeds.cell(text) == f"'{text}"


@given(st.text())
def test_no_text_cell_begins_as_a_formula(text: str) -> None:
    written = feeds.cell(text)
    assert not written.lstrip().startswith(("=", "+", "-", "@"))
    assert written in {text, f"'{text}"}


def test_the_table_reads_back_and_keeps_numbers_as_numbers() -> None:
    one = record(name='=cmd|"x", y', provider="A\nB", location=Place("Cape", 28.5, -80.6), sources=("gcat", "spacex"))
    (row,) = csv.DictReader(io.StringIO(feeds.table([one]).decode(), newline=""))
    assert row["name"] == '\'=cmd|"x", y'
    assert row["provider"] == "A\nB"
    assert (row["latitude"], row["longitude"]) == ("28.5", "-80.6")
    assert (row["net"], row["net_precision"]) == ("2027-04-20T10:00:00Z", "minute")
    assert row["sources"] == "gcat spacex"
    assert tuple(row) == feeds.CSV_COLUMNS
