"""The calendar of launches keeps RFC 5545 to the letter, and three readers understand it."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from launchd.clock import DAY, HOUR, Instant, parse_instant
from launchd.launches import feeds
from launchd.launches.calendar_feed import calendar
from launchd.launches.dates import net_from
from launchd.launches.launch import Launch, LaunchStatus, Place, Precision
from launchd.launches.store import Record
from tests.support.strict_calendar import Component, components

ID = "019aaaaa-0000-7000-8000-{:012x}"
T0 = parse_instant("2027-04-20T10:00:00Z")
UPDATED = parse_instant("2026-05-01T12:00:00.750000Z")
ATTRIBUTIONS = {"gcat": "GCAT (CC-BY 4.0)", "wikipedia": "Wikipedia (CC BY-SA 4.0)"}


def launch(
    number: int = 1,
    at: Instant = T0,
    precision: Precision = Precision.MINUTE,
    revision: int = 0,
    **more: Any,  # noqa: ANN401 - a launch's fields
) -> Record:
    fields: dict[str, Any] = {"name": f"Falcon 9 | Crew-{number}", "status": LaunchStatus.GO, "sources": ("gcat",)}
    net = net_from(at, precision)
    return Record(Launch(id=ID.format(number), net=net, **(fields | more)), UPDATED, revision)


def events(*records: Record, **options: Any) -> list[Component]:  # noqa: ANN401 - of the calendar
    return [one for one in components(calendar(records, ATTRIBUTIONS, **options)) if one.kind == "VEVENT"]


def value(record: Record, name: str) -> str:
    (event,) = events(record)
    return event.properties[name].value


def two_hundred() -> list[Record]:
    """Launches of every precision and status, with and without a place, a window and links, in several scripts."""
    kinds = itertools.cycle(itertools.product(Precision, [*LaunchStatus, None]))
    names = itertools.cycle(
        ["Crew-20", "長征三号乙 | 北斗, 第五十六颗; 备份", "Союз-2.1б | Метеор-М № 2-4 " * 4, "🚀" * 40]  # noqa: RUF001 - Russian
    )
    found = []
    for number, (precision, status), name in zip(range(200), kinds, names, strict=False):
        start = T0 + number * 3 * DAY + number * 1_234_567
        odd = number % 2 == 1
        found.append(
            launch(
                number,
                start,
                precision,
                number,
                status=status,
                name=f"{name} {number}",
                provider="SpaceX, Inc.; et al." if odd else None,
                location=Place("Cape, FL", 28.5618571 if odd else None, -80.577366) if number % 3 else None,
                window_start=start,
                window_end=start + (number % 5) * HOUR,
                urls=("https://example.org/a,b;c",) if odd else (),
            )
        )
    return found


def test_two_hundred_launches_keep_the_grammar_and_two_libraries_read_the_same_events() -> None:
    records = two_hundred()
    text = calendar(records, ATTRIBUTIONS, alarm=60)
    strict = {one.properties["UID"].value: one for one in components(text) if one.kind == "VEVENT"}
    read = {str(one["uid"]): one for one in Calendar.from_ical(text).walk("VEVENT")}
    others = {one.uid.value: one for one in vobject.readOne(text.decode()).vevent_list}
    assert strict.keys() == read.keys() == others.keys() == {f"{one.launch.id}@launchd" for one in records}
    for uid, event in read.items():
        assert others[uid].summary.value == str(event["summary"])
        assert others[uid].description.value == str(event["description"])
        assert others[uid].dtstart.value == event.decoded("dtstart")
        assert others[uid].dtend.value == event.decoded("dtend")
        assert others[uid].status.value == event["status"] == strict[uid].properties["STATUS"].value


@pytest.mark.parametrize(
    ("precision", "start", "end", "title"),
    [
        (Precision.DAY, "20270420", "20270421", "Crew"),
        (Precision.WEEK, "20270419", "20270426", "Crew (the week of 19 April 2027)"),
        (Precision.MONTH, "20270430", "20270501", "Crew (April 2027)"),
        (Precision.QUARTER, "20270630", "20270701", "Crew (Q2 2027)"),
        (Precision.HALF, "20270630", "20270701", "Crew (the first half of 2027)"),
        (Precision.YEAR, "20271231", "20280101", "Crew (2027)"),
        (Precision.DECADE, "20291231", "20300101", "Crew (the 2020s)"),
    ],
)
def test_a_vague_launch_is_a_tentative_day_at_the_end_of_its_period(
    precision: Precision, start: str, end: str, title: str
) -> None:
    (event,) = events(launch(precision=precision, name="Crew"))
    assert (event.properties["DTSTART"].value, event.properties["DTEND"].value) == (start, end)
    assert event.properties["STATUS"].value == "TENTATIVE"
    assert event.properties["SUMMARY"].value == title


@pytest.mark.parametrize(
    ("window_end", "end"),
    [
        (T0 + 2 * HOUR, "20270420T120000Z"),
        (None, "20270420T110000Z"),
        (T0, "20270420T110000Z"),
        (T0 - HOUR, "20270420T110000Z"),
        (T0 + 3 * DAY, "20270420T110000Z"),
    ],
)
def test_a_time_lasts_to_the_end_of_its_window_or_an_hour(window_end: Instant | None, end: str) -> None:
    assert value(launch(window_end=window_end), "DTEND") == end


def test_a_launch_that_flew_is_confirmed_however_vague_and_a_cancelled_one_is_cancelled() -> None:
    assert value(launch(precision=Precision.MONTH, status=LaunchStatus.SUCCESS), "STATUS") == "CONFIRMED"
    assert value(launch(precision=Precision.MONTH, status=LaunchStatus.CANCELLED), "STATUS") == "CANCELLED"
    assert value(launch(status=LaunchStatus.TBD), "STATUS") == "TENTATIVE"
    assert value(launch(), "STATUS") == "CONFIRMED"


def test_the_stamps_are_the_time_of_the_last_change_and_there_is_no_method() -> None:
    text = calendar([launch(revision=7)], ATTRIBUTIONS)
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    changed = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert (event.decoded("dtstamp"), event.decoded("last-modified"), event["sequence"]) == (changed, changed, 7)
    assert b"METHOD" not in text  # with one, DTSTAMP would be the time at which the file was made
    assert text == calendar([launch(revision=7)], ATTRIBUTIONS)


def test_a_reminder_is_set_where_the_time_is_known_and_the_launch_is_to_come() -> None:
    vague, flown = launch(2, precision=Precision.MONTH), launch(3, status=LaunchStatus.SUCCESS)
    cancelled = launch(4, status=LaunchStatus.CANCELLED)
    text = calendar([launch(), vague, flown, cancelled], ATTRIBUTIONS, alarm=90)
    (alarm,) = Calendar.from_ical(text).walk("VALARM")
    assert (alarm.decoded("trigger"), alarm["action"]) == (-timedelta(minutes=90), "DISPLAY")
    assert "VALARM" not in {one.kind for one in components(calendar([launch()], ATTRIBUTIONS))}


def test_the_calendar_names_its_sources_and_says_what_is_left_out() -> None:
    records = [launch(1, sources=("gcat", "wikipedia")), launch(2)]
    told = str(Calendar.from_ical(calendar(records, ATTRIBUTIONS, total=7469))["description"])
    assert "first 2 of 7469 launches" in told
    assert "GCAT (CC-BY 4.0); Wikipedia (CC BY-SA 4.0)" in told
    assert "first" not in str(Calendar.from_ical(calendar(records, ATTRIBUTIONS, total=2))["description"])


def test_an_address_that_is_none_and_a_place_that_is_nowhere_are_left_out() -> None:
    evil = launch(urls=("https://example.org/a\r\nX-EVIL:1", "javascript:alert(1)"), location=Place("X", 95.0, 10.0))
    (event,) = events(evil)
    assert not {"URL", "GEO", "X-EVIL"} & event.properties.keys()


@given(st.text(), st.text(), st.sampled_from(Precision), st.floats(), st.integers(0, 500))
def test_no_text_and_no_number_breaks_the_grammar(
    text: str, other: str, precision: Precision, degrees: float, revision: int
) -> None:
    place = Place(other, degrees, degrees)
    one = launch(
        precision=precision, revision=revision, name=text, pad=other, provider=text, mission=other, location=place
    )
    components(feeds.calendar([one], {"gcat": other}, alarm=5, title=text))
