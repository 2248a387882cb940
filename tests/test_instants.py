"""Instants as texts: every accepted text can be written again, and every stored value can be shown."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from launchd.clock import (
    FIRST_INSTANT,
    LAST_INSTANT,
    UNREADABLE,
    Instant,
    format_instant,
    from_datetime,
    local_time,
    parse_instant,
    to_datetime,
)
from launchd.errors import InvalidError

INT64 = st.integers(-(2**63), 2**63 - 1)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ZONES = (UTC, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("America/Los_Angeles"))


def read(text: str) -> Instant | str:
    """The instant of a text, or the refusal."""
    try:
        return parse_instant(text)
    except InvalidError as error:
        return error.detail


@given(INT64)
@example(FIRST_INSTANT)
@example(FIRST_INSTANT - 1)
@example(LAST_INSTANT)
@example(LAST_INSTANT + 1)
def test_every_instant_is_written_so_that_it_can_be_read_again_or_is_unreadable(instant: Instant) -> None:
    text = format_instant(instant)
    if FIRST_INSTANT <= instant <= LAST_INSTANT:
        assert parse_instant(text) == instant
    else:
        assert text == UNREADABLE
    assert from_datetime(to_datetime(instant)) == min(max(instant, FIRST_INSTANT), LAST_INSTANT)
    assert all(isinstance(local_time(instant, zone), str) for zone in ZONES)


@given(st.datetimes(timezones=OFFSETS).map(datetime.isoformat) | st.datetimes().map(lambda at: f"{at.isoformat()}Z"))
@example("9999-12-31T23:59:59-23:59")
@example("9999-12-31T23:59:59.999999-00:00:01")
@example("0001-01-01T00:00:00+23:59")
@example("0001-01-01T00:00:00Z")
def test_a_time_that_is_accepted_can_be_written(text: str) -> None:
    found = read(text)
    if isinstance(found, str):
        assert "beyond the years 1 to 9999" in found
    else:
        assert parse_instant(format_instant(found)) == found


@given(st.text(max_size=300))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    found = read(text)
    if isinstance(found, str):
        assert found.isprintable()
        assert len(found) < 1000
    else:
        assert format_instant(found) != UNREADABLE


@pytest.mark.parametrize("junk", ["soon", None, float("nan"), float("inf"), 1e308, b"1", [], 10**400, -(10**400)])
def test_a_value_that_is_not_an_instant_is_unreadable(junk: Instant) -> None:
    assert format_instant(junk) == UNREADABLE
    assert local_time(junk, UTC) == UNREADABLE
    assert FIRST_INSTANT <= from_datetime(to_datetime(junk)) <= LAST_INSTANT
