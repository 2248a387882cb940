"""The whole grammar of cron expressions, odd spellings too, against an oracle that only compares dates and times."""

import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from launchd.clock import DAY, SECOND, Instant, format_instant, from_datetime, parse_instant, to_datetime
from launchd.errors import InvalidError
from launchd.schedules import wall, zones
from launchd.schedules.cron import Cron, DayMatch, DstFold, DstGap, parse_cron
from launchd.schedules.recurrence import Recurrence, occurrences, parse_recurrence
from launchd.schedules.schedule import FireOutcome, Schedule, plan
from tests.support.cron_oracle import ZONES, Drawn, changes, due, expressions, minutes

LIBRARY_WORDS = re.compile(
    r"croniter|acceptable|bands|out of range|Expression|\[\[|invalid literal|Exceeds", re.IGNORECASE
)
MIDNIGHT = datetime(2027, 11, 20, tzinfo=UTC)
DAY_MATCHES = st.sampled_from(DayMatch)


def read(text: str, zone: str = "UTC", **rules: Any) -> Cron | None:  # noqa: ANN401 - gap, fold, day_match
    """The expression, after describing it and reading its warnings; None if launchd refuses it."""
    told = ""
    try:
        cron = parse_cron(text, zone, **rules)
    except InvalidError as error:
        told = error.detail
    if told:
        assert not LIBRARY_WORDS.search(told.partition(repr(text[:40])[:-1])[2]), told
        return None
    assert cron.describe()
    assert all(cron.warnings())
    return cron


def between(recurrence: Recurrence, after: Instant, until: Instant) -> list[Instant]:
    return list(takewhile(lambda at: at <= until, occurrences(recurrence, after)))


def backwards(cron: Cron, after: Instant, until: Instant) -> Iterator[Instant]:
    at = cron.previous(until)
    while at is not None and at > after:
        yield at
        at = cron.previous(at - 1)


# --- against the oracle ---


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    expressions(days=False),
    DAY_MATCHES,
    st.sampled_from(DstGap),
    st.sampled_from(DstFold),
    st.sampled_from([(zone, change) for zone in ZONES for change in changes(zone)]),
)
def test_any_expression_is_refused_or_due_as_its_grammar_says_where_clocks_change(
    drawn: Drawn, day_match: DayMatch, gap: DstGap, fold: DstFold, place: tuple[str, datetime]
) -> None:
    zone, change = place
    cron = read(drawn.text, zone, gap=gap, fold=fold, day_match=day_match)
    if cron is None:
        return
    walk = minutes(zone, change.replace(minute=0, second=0) - timedelta(hours=26), 3)
    expected = due(walk, lambda wall: drawn.matches(wall, day_match), interval=drawn.interval, gap=gap, fold=fold)
    after, until = walk[0].at - 1, walk[-1].at
    assert between(cron, after, until) == expected, drawn.text
    assert cron.count(after, until) == len(expected)
    assert list(backwards(cron, after, until))[::-1] == expected


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(expressions(), DAY_MATCHES)
def test_any_expression_falls_on_the_days_that_its_grammar_says(drawn: Drawn, day_match: DayMatch) -> None:
    days = " ".join(drawn.text.split()[2:])
    cron = read(f"0 0 {days}", day_match=day_match)
    if cron is None:
        return
    midnights = [MIDNIGHT + timedelta(days=index) for index in range(200)]
    expected = [from_datetime(one) for one in midnights if drawn.on_day(one.date(), day_match)]
    after, until = from_datetime(MIDNIGHT) - 1, from_datetime(midnights[-1])
    assert between(cron, after, until) == expected, cron.expression
    assert cron.count(after, until) == len(expected)
    assert list(backwards(cron, after, until))[::-1] == expected


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789*/,-?lLwWhHrR#~ @.:=()amjnfebsutTZ\n", max_size=30), DAY_MATCHES)
@example("0 3 * * 07", DayMatch.OR)
@example("*/15,7 * * * *", DayMatch.OR)
@example("9" * 5000 + " * * * *", DayMatch.OR)
@example("(" * 900, DayMatch.OR)
@example("crontab(" + "(" * 900 + ")", DayMatch.OR)
@example("crontab(minute=range(5))", DayMatch.OR)
@example("crontab(minute={1, 'a'})", DayMatch.OR)
@example("crontab(*x, **y)", DayMatch.OR)
@example("every " + "9" * 900 + "d", DayMatch.OR)
@example("0s", DayMatch.OR)
@example("cron()", DayMatch.OR)
@example("TZ=", DayMatch.OR)
@example("\0 * * * *", DayMatch.OR)
@example("\udce9 * * * *", DayMatch.OR)
def test_any_text_is_read_and_described_or_refused_in_our_words(text: str, day_match: DayMatch) -> None:
    read(text, day_match=day_match)


# --- a search is short ---

RARE = [
    ("0 0 29 2 *", DayMatch.OR),
    ("0 0 29 2 5", DayMatch.AND),
    ("0 0 31 * 5#5", DayMatch.AND),
    ("0 0 L-30 * 1", DayMatch.AND),
    ("0 0 29W 2 *", DayMatch.OR),
    ("0 0 1 1 mon#1", DayMatch.AND),
    ("0 0 * 2 1#5", DayMatch.OR),
    ("59 59 23 L 12 5#5", DayMatch.AND),
]


def calls(work: Callable[[], object], module: ModuleType = wall) -> int:
    """Count the calls of functions of a module."""
    file, found = str(Path(str(module.__file__))), 0

    def seen(frame: FrameType, event: str, _: object) -> None:
        nonlocal found
        found += event == "call" and frame.f_code.co_filename == file

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.parametrize(("text", "day_match"), RARE)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_rare_day_is_found_by_one_step_a_month_from_any_instant(text: str, day_match: DayMatch, zone: str) -> None:
    cron = parse_cron(text, zone, day_match=day_match)
    for year in (1971, 1999, 2027, 2095, 2197, 9990):
        start = from_datetime(datetime(year, 3, 1, tzinfo=UTC))
        assert calls(partial(cron.next, start)) < 10_000
        assert calls(partial(cron.previous, start)) < 10_000


def test_a_century_of_a_rare_day_is_counted_by_one_step_a_month() -> None:
    cron = parse_cron("* * * 13 * fri", day_match=DayMatch.AND)
    start, end = (from_datetime(datetime(year, 1, 1, tzinfo=UTC)) for year in (2000, 2100))
    found = 0
    assert calls(lambda: cron.count(start, end)) < 20_000
    for month in range(1200):
        found += date(2000 + month // 12, month % 12 + 1, 13).isoweekday() == 5
    assert cron.count(start, end) == found * 1440 * 60


@settings(max_examples=150, deadline=None)
@given(expressions(), DAY_MATCHES, st.sampled_from(ZONES), st.integers(1, 9_000))
def test_a_search_ends_within_one_step_a_month_for_any_expression(
    drawn: Drawn, day_match: DayMatch, zone: str, year: int
) -> None:
    cron = read(drawn.text, zone, day_match=day_match)
    if cron is not None:
        start = from_datetime(datetime(year, 1, 1, tzinfo=UTC))
        next(zones.pieces(zone, start))
        assert calls(lambda: cron.next(start)) < 10_000


def test_the_rest_of_the_calendar_is_previewed_without_reading_each_of_its_years() -> None:
    cron = parse_cron("0 0 29 2 fri", "America/Santiago", day_match=DayMatch.AND)
    start = parse_instant("2026-01-01T00:00:00Z")
    assert calls(lambda: sum(1 for _ in occurrences(cron, start)), zones) < 1_000_000


@pytest.mark.parametrize("zone", ZONES)
def test_years_that_follow_rules_alone_have_the_changes_of_the_zone(zone: str) -> None:
    for year in (2100, 2101, 2128, 2129, 2200, 2204, 2400, 4999, 9998):
        start, end = (from_datetime(datetime(one, 1, 1, tzinfo=UTC)) for one in (year, year + 1))
        found = list(takewhile(lambda piece: piece.start < end, zones.pieces(zone, start)))  # noqa: B023 - used at once
        assert (found[0].start, found[-1].end) == (start, end)
        for piece in found:
            offsets = [zones.offset_at(zone, at) for at in (piece.start - 1, piece.start, piece.end - 1, piece.end)]
            assert offsets == [piece.before, piece.offset, piece.offset, piece.after]


# --- advice ---

FIELDS = {"minute": 0, "hour": 1, "day": 2, "month": 3, "weekday": 4}
# (smallest value, largest value, number of different values): Sunday is both weekday 0 and 7.
BOUNDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 6)}


@st.composite
def refused_parts(draw: st.DrawFn) -> tuple[str, str, set[int]]:
    """A field, a part of it that is refused, and the values that its author means."""
    name = draw(st.sampled_from(list(BOUNDS)))
    low, high = BOUNDS[name]
    size = high - low + 1
    first, last = draw(st.integers(low, high)), draw(st.integers(low, high))
    step = draw(st.integers(1, size))
    kind = draw(st.sampled_from(["open step", "backwards", "one value", "long step", "dots"]))
    if kind == "open step":
        return name, f"{first}/{step}", set(range(first, high + 1, step))
    if kind == "one value":
        return name, f"{first}-{first}", {first}
    if kind == "long step":
        return name, f"*/{size - 1 + step}", {low}
    first, last = max(first, last), min(first, last)
    if first == last:
        first, last = high, low
    if kind == "dots":
        return name, f"{last}..{first}", set(range(last, first + 1))
    turn = [(first - low + ahead) % size + low for ahead in range(0, last - first + size + 1, step)]
    return name, f"{first}-{last}" + (f"/{step}" if step > 1 else ""), set(turn)


def field_values(name: str, text: str) -> set[int]:
    """The values of a field, from the fires of an expression whose other fields hide none."""
    fields = ["0", "0", "1" if name == "month" else "*", "*", "*"]
    fields[FIELDS[name]] = text
    span = {"minute": 1, "hour": 24, "day": 31 * 24, "month": 365 * 24, "weekday": 7 * 24}[name]
    start = parse_instant("2027-08-01T00:00:00Z")  # a Sunday, in a month of 31 days
    found = between(parse_cron(" ".join(fields)), start - 1, start + span * 3600 * SECOND - 1)
    times = [to_datetime(at) for at in found]
    return {one.isoweekday() % 7 if name == "weekday" else int(getattr(one, name)) for one in times}


@settings(deadline=None)
@given(refused_parts())
def test_the_line_that_a_refusal_suggests_is_accepted_and_means_the_same(case: tuple[str, str, set[int]]) -> None:
    name, part, meant = case
    fields = ["0", "0", "*", "*", "*"]
    fields[FIELDS[name]] = part
    with pytest.raises(InvalidError) as refused:
        parse_cron(" ".join(fields))
    advice = re.search(r"write (\S+)", refused.value.detail)
    assert advice, refused.value.detail
    assert field_values(name, advice[1]) == meant, refused.value.detail


def test_a_step_from_the_lowest_value_is_advised_as_an_interval() -> None:
    for text, advice in (
        ("0 0/12 * * *", "*/12"),
        ("0/5 * * * *", "*/5"),
        ("0 0 1/2 * *", "*/2"),
        ("0 0 * 1/3 *", "*/3"),
    ):
        with pytest.raises(InvalidError, match=re.escape(f"write {advice}") + "$"):
            parse_cron(text)


def test_of_a_list_one_part_with_a_star_makes_an_interval_in_any_order() -> None:
    for text in ("*/15,7 2 * * *", "7,*/15 2 * * *", "0 */3,8-17 * * *", "0 8-17,*/3 * * *", "5,* 2 * * *"):
        assert parse_cron(text).is_interval, text
    for text in ("0,15,30,45 2 * * *", "0-59/15 2 * * *", "0 0-23/3 * * *", "0 0 */2,31 * *"):
        assert not parse_cron(text).is_interval, text


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("*,5 2 * * *", range(60)),
        ("5,* 2 * * *", range(60)),
        ("*,*/2 2 * * *", range(60)),
        ("*/15,7 2 * * *", [0, 7, 15, 30, 45]),
    ],
)
def test_a_star_in_a_list_is_every_value(text: str, hour: list[int]) -> None:
    start = parse_instant("2027-01-01T02:00:00Z")
    assert [to_datetime(at).minute for at in between(parse_cron(text), start - 1, start + 3600 * SECOND - 1)] == list(
        hour
    )


def days(text: str, year: int, month: int, **rules: Any) -> list[int]:  # noqa: ANN401 - day_match
    start = from_datetime(datetime(year, month, 1, tzinfo=UTC))
    found = between(parse_cron(f"0 0 {text}", **rules), start - 1, start + 31 * DAY - 1)
    return [at.day for at in map(to_datetime, found) if at.month == month]


def test_ends_of_months_and_numbered_weekdays_add_to_the_plain_ones_of_their_list() -> None:
    assert days("* * 5,L5", 2027, 1) == [1, 8, 15, 22, 29]
    assert days("* * 7,0#5", 2027, 1) == [3, 10, 17, 24, 31]
    assert days("* * 1,5L,5#1", 2027, 1) == [1, 4, 11, 18, 25, 29]
    assert days("1,L,L-1 * *", 2027, 2) == [1, 27, 28]
    assert days("15W,LW * *", 2027, 5) == [14, 31]
    assert days("* * 0-6,5#1", 2027, 2) == list(range(1, 29))
    assert days("1-31,L * *", 2027, 2) == list(range(1, 29))
    assert days("1W * *", 2027, 5) == [3]
    assert days("31W * *", 2027, 10) == [29]
    assert days("31W * *", 2027, 4) == []


# --- both days ---


def test_friday_the_13th_can_be_said() -> None:
    cron = parse_cron("0 0 13 * fri", day_match=DayMatch.AND)
    found = islice(occurrences(cron, parse_instant("2026-01-01T00:00:00Z")), 4)
    assert [format_instant(at)[:10] for at in found] == ["2026-02-13", "2026-03-13", "2026-11-13", "2027-08-13"]
    assert cron.describe() == "At 00:00, on day 13 of the month, but only on Friday"
    assert cron.warnings() == []
    assert days("13 * fri", 2026, 2) == [6, 13, 20, 27]
    assert days("1-7 * mon-fri", 2027, 5, day_match=DayMatch.AND) == [3, 4, 5, 6, 7]
    assert days("*/2 * mon", 2027, 5, day_match=DayMatch.AND) == [3, 17, 31]
    assert days("L * 5", 2027, 12, day_match=DayMatch.AND) == [31]


def test_days_that_never_meet_are_refused() -> None:
    for text in ("0 0 30 2 fri", "0 0 31 * fri#1", "0 0 L-30 2 *", "0 0 8 * 1#1", "0 0 1 * 5L"):
        with pytest.raises(InvalidError, match="no such date ever comes"):
            parse_cron(text, day_match=DayMatch.AND)


def test_both_days_keep_the_rules_of_clock_changes() -> None:
    sunday = ("30 2 28 3 sun", "Europe/Berlin")
    after, until = parse_instant("2027-03-27T00:00:00Z"), parse_instant("2027-04-05T00:00:00Z")
    shifted = parse_cron(*sunday, day_match=DayMatch.AND)
    assert [format_instant(at) for at in between(shifted, after, until)] == ["2027-03-28T01:00:00Z"]
    skipped = parse_cron(*sunday, gap=DstGap.SKIP, day_match=DayMatch.AND)
    assert between(skipped, after, until) == []
    assert not between(parse_cron("30 2 28 3 mon", "Europe/Berlin", day_match=DayMatch.AND), after, until)


def test_an_outage_of_years_is_one_row_of_missed_fridays_the_13th() -> None:
    cron = parse_recurrence("0 0 13 * fri", day_match=DayMatch.AND)
    schedule = Schedule(name="s", task="t", recurrence=cron, spec="")
    cursor, now = (parse_instant(f"{year}-01-01T00:00:00Z") for year in (2000, 2027))
    missed, fired = plan(schedule, cursor, now).fires
    assert (missed.outcome, missed.count) == (FireOutcome.MISSED, len(between(cron, cursor, now)) - 1)
    assert (fired.outcome, format_instant(fired.fire_time)) == (FireOutcome.FIRED, "2026-11-13T00:00:00Z")


def test_a_star_beside_a_weekday_is_refused_unless_both_must_match() -> None:
    for text in ("0 0 */2 * 1", "0 0 5,*/2 * 1", "0 0 1 * */2", "0 0 */2 * 5L"):
        with pytest.raises(InvalidError, match=r'list them or write .* set day_match = "and"') as refused:
            parse_cron(text)
        advice = re.search(r"write (\S+)", refused.value.detail)
        assert advice
        starred = next(field for field in text.split()[2:] if "*/" in field)
        parse_cron(text.replace(starred, advice[1]))
        parse_cron(text, day_match=DayMatch.AND)
