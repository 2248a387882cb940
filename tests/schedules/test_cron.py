"""Cron expressions against a brute-force oracle that walks every minute of real time, and their laws."""

import locale
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import DAY, HOUR, MINUTE, SECOND, Instant, format_instant, from_datetime, parse_instant
from launchd.errors import InvalidError
from launchd.schedules.cron import ALIASES, Cron, DstFold, DstGap, parse_cron
from launchd.schedules.recurrence import Every, Startup, occurrences, parse_every, parse_recurrence
from tests.support.cron_oracle import ZONES, Shown, changes, due, minutes

EXPRESSIONS = 2000


def matches(expanded: Sequence[Sequence[int | str]], wall: datetime) -> bool:
    minute, hour, day, month, weekday = expanded
    if not all(field == ["*"] or value in field for field, value in ((minute, wall.minute), (hour, wall.hour))):
        return False
    if month != ["*"] and wall.month not in month:
        return False
    if day == ["*"] or weekday == ["*"]:
        either = (day == ["*"] or wall.day in day) and (weekday == ["*"] or wall.isoweekday() % 7 in weekday)
    else:
        either = wall.day in day or wall.isoweekday() % 7 in weekday
    return either


def oracle(cron: Cron, walk: tuple[Shown, ...]) -> list[Instant]:
    expanded = croniter.expand(cron.expression)[0]
    minute, hour = cron.expression.split()[:2]
    interval = minute[0] == "*" or hour[0] == "*"
    return due(walk, lambda wall: matches(expanded, wall), interval=interval, gap=cron.gap, fold=cron.fold)


def random_field(chance: random.Random, low: int, high: int) -> str:
    kind = chance.randrange(6)
    first = chance.randint(low, high - 1)
    last = chance.randint(first + 1, high)
    if kind <= 1:
        return "*"
    if kind == 2:
        return ",".join(str(chance.randint(low, high)) for _ in range(chance.randint(1, 3)))
    if kind == 3:
        return f"{first}-{last}"
    if kind == 4:
        return f"*/{chance.randint(1, high - low)}"
    return f"{first}-{last}/{chance.randint(1, last - first)}"


def random_cron(chance: random.Random, zone: str) -> Cron:
    """A random expression: hours near clock changes are more frequent, and days are restricted only sometimes."""
    while True:
        hour = random_field(chance, 0, 4) if chance.random() < 0.6 else random_field(chance, 0, 23)
        day = random_field(chance, 1, 31) if chance.random() < 0.2 else "*"
        weekday = random_field(chance, 0, 6) if chance.random() < 0.2 else "*"
        text = f"{random_field(chance, 0, 59)} {hour.replace('*/4', '*/3')} {day} * {weekday}"
        try:
            return parse_cron(text, zone, gap=chance.choice(list(DstGap)), fold=chance.choice(list(DstFold)))
        except InvalidError:
            continue


@pytest.mark.parametrize("zone", ZONES)
def test_occurrences_are_those_of_an_oracle_that_walks_every_minute_of_real_time(zone: str) -> None:
    chance = random.Random(zone)
    starts = [change.replace(minute=0, second=0) - timedelta(hours=26) for change in changes(zone)]
    for index in range(-(-EXPRESSIONS // len(ZONES))):
        walk = minutes(zone, starts[index % len(starts)], 3)
        cron = random_cron(chance, zone)
        after, until = walk[0].at - 1, walk[-1].at
        expected = oracle(cron, walk)
        got = []
        for instant in occurrences(cron, after):
            if instant > until:
                break
            got.append(instant)
        assert got == expected, f"{cron}: {list(map(format_instant, got))} != {list(map(format_instant, expected))}"
        assert cron.count(after, until) == len(expected), cron
        back = []
        at = cron.previous(until)
        while at is not None and at > after:
            back.append(at)
            at = cron.previous(at - 1)
        assert back[::-1] == expected, cron


def fires(text: str, zone: str, start: str, end: str, **rules: DstGap | DstFold) -> list[str]:
    cron = parse_cron(text, zone, **rules)  # type: ignore[arg-type] # gap or fold by its own name
    found: list[str] = []
    for instant in occurrences(cron, parse_instant(start)):
        if instant > parse_instant(end):
            return found
        found.append(format_instant(instant).removesuffix(":00Z").partition("T")[2])
    return found


BERLIN_SPRING = ("Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T02:30:00Z")
BERLIN_AUTUMN = ("Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T02:30:00Z")


def test_a_daily_job_in_a_spring_gap_runs_once_at_its_end_or_not_at_all() -> None:
    assert fires("30 2 * * *", *BERLIN_SPRING) == ["01:00"]
    assert fires("15,30,45 2 * * *", *BERLIN_SPRING) == ["01:00"]
    assert fires("30 2 * * *", *BERLIN_SPRING, gap=DstGap.SKIP) == []
    assert fires("30 2,3 * * *", *BERLIN_SPRING) == ["01:00", "01:30"]
    assert fires("0 2,3 * * *", *BERLIN_SPRING) == ["01:00"]


def test_a_daily_job_in_an_autumn_fold_runs_at_the_copies_that_are_asked_for() -> None:
    assert fires("30 2 * * *", *BERLIN_AUTUMN) == ["00:30"]
    assert fires("30 2 * * *", *BERLIN_AUTUMN, fold=DstFold.LAST) == ["01:30"]
    assert fires("0,30 2 * * *", *BERLIN_AUTUMN, fold=DstFold.BOTH) == ["00:00", "00:30", "01:00", "01:30"]


def test_an_interval_follows_real_time_through_both_changes() -> None:
    assert fires("0 */2 * * *", "Europe/Berlin", "2026-03-28T22:30:00Z", "2026-03-29T05:00:00Z") == [
        "23:00",
        "02:00",
        "04:00",
    ]
    assert fires("*/30 2 * * *", *BERLIN_AUTUMN) == ["00:00", "00:30", "01:00", "01:30"]
    assert fires("*/30 2 * * *", *BERLIN_SPRING) == []


def test_a_shift_of_half_an_hour_loses_and_invents_nothing() -> None:
    spring = fires("*/20 1-4 * * *", "Australia/Lord_Howe", "2026-10-03T14:00:00Z", "2026-10-03T18:00:00Z")
    assert spring == ["14:30", "14:50", "15:10", "15:40", "16:00", "16:20", "16:40", "17:00", "17:20", "17:40"]


def test_a_day_that_a_zone_left_out_fires_at_its_end() -> None:
    cron = parse_cron("0 12 * * *", "Pacific/Apia")
    found = [
        format_instant(one)
        for one, _ in zip(occurrences(cron, parse_instant("2011-12-29T12:00:00Z")), range(3), strict=False)
    ]
    assert found == ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]


# --- laws ---

STEPS = st.sampled_from(["*", "*/5", "*/20", "0", "30", "7,19,53", "10-20/3"])
CRONS = st.builds(
    lambda second, minute, hour, day, month, weekday, zone: parse_cron(
        f"{second} {minute} {hour} {day} {month} {weekday}".strip(), zone
    ),
    st.sampled_from(["", "0", "*/15", "*"]),
    STEPS,
    st.sampled_from(["*", "2", "*/6", "1-3", "0,12"]),
    st.sampled_from(["*", "1", "31", "l", "10-20"]),
    st.sampled_from(["*", "2-12", "3,10"]),
    st.sampled_from(["*", "1", "5#2", "l5", "mon-fri"]),
    st.sampled_from((*ZONES, "Asia/Kathmandu", "Asia/Kathmandu")),
)
RECURRENCES = CRONS | st.builds(Every, st.integers(1, 10 * 86_400))
INSTANTS = st.integers(from_datetime(datetime(1990, 1, 1, tzinfo=UTC)), from_datetime(datetime(2060, 1, 1, tzinfo=UTC)))


@given(RECURRENCES, INSTANTS)
def test_next_and_previous_are_each_others_inverse(recurrence: Cron | Every, at: Instant) -> None:
    following = recurrence.next(at)
    assert following is not None
    assert following > at
    assert recurrence.previous(following) == following
    previous = recurrence.previous(following - 1)
    assert previous is not None
    assert previous <= at
    assert recurrence.next(previous) == following


@given(RECURRENCES, INSTANTS, st.lists(st.integers(0, 40 * DAY), min_size=2, max_size=2).map(sorted))
def test_counts_add_up(recurrence: Cron | Every, start: Instant, steps: list[int]) -> None:
    middle, end = start + steps[0], start + steps[1]
    whole = recurrence.count(start, end)
    assert whole == recurrence.count(start, middle) + recurrence.count(middle, end)
    following = recurrence.next(start)
    assert (whole > 0) == (following is not None and following <= end)


# croniter itself gives up on a day with a weekday of a number in the month
QUIET = CRONS.filter(
    lambda cron: cron.timezone == "Asia/Kathmandu" and not ("#" in cron.expression or "l5" in cron.expression)
)


@given(QUIET, INSTANTS)
def test_without_clock_changes_it_agrees_with_croniter(cron: Cron, at: Instant) -> None:
    six = cron.expression.count(" ") == 5
    tz = ZoneInfo(cron.timezone)
    wall = datetime.fromtimestamp(at // SECOND, tz).replace(tzinfo=None)
    expected = croniter(cron.expression, wall, second_at_beginning=six).get_next(datetime)
    following = cron.next(at // SECOND * SECOND)
    assert following is not None
    assert datetime.fromtimestamp(following / SECOND, tz).replace(tzinfo=None) == expected


def test_a_year_of_a_per_second_schedule_is_counted_not_walked() -> None:
    start = parse_instant("2027-01-01T00:00:00Z")
    assert parse_cron("* * * * * *").count(start, start + 365 * DAY) == 365 * 86_400
    assert Every(1).count(start, start + 365 * DAY) == 365 * 86_400


# --- refused and accepted expressions ---


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("R * * * *", "jitter_seconds"),
        ("H * * * *", "jitter_seconds"),
        ("5-1 * * * *", "backwards"),
        ("0 22-3 * * *", "backwards"),
        ("0 0 * DEC-FEB *", "backwards"),
        ("0 0 * * SAT-MON", "backwards"),
        ("*/61 * * * *", "step of 61"),
        ("*/0 * * * *", "step of 0"),
        ("10-12/5 * * * *", "step of 5"),
        ("6/1 * * * *", "write 6-59/1"),
        ("59/1 * * * *", "write 59"),
        ("5-5 * * * *", "write 5"),
        ("60 * * * *", "expected 0..59, got 60"),
        ("0 0 0 * *", "expected 1..31, got 0"),
        ("0 0 31 2 *", "no such date"),
        ("0 0 30 feb *", "no such date"),
        ("0 0 * * * 30", "the first is the seconds"),
        ("0 0 */2 * 1", "list them"),
        ("0 0 1-31 * 1", "write \\*"),
        ("0 0 \u0663 * *", "ASCII"),
        ("@reboot", "@startup"),
        ("* * * *", "expected 5 fields"),
        ("0 0 1 1 * * 2027", "expected 5 fields"),
        ("", "expected 5 fields"),
        ("1,,2 * * * *", "cannot be read"),
        ("a * * * *", "no such minute"),
    ],
)
def test_a_surprising_expression_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidError, match=reason):
        parse_cron(text)


@given(st.text(alphabet="0123456789*/,-?lLRH# @amjnfeb", max_size=20))
def test_any_text_is_read_or_refused_never_a_crash(text: str) -> None:
    try:
        cron = parse_recurrence(text)
    except InvalidError:
        return
    assert cron.describe()


def test_a_zone_that_does_not_exist_is_refused() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "", "\0"):
        with pytest.raises(InvalidError, match="no such zone"):
            parse_cron("0 0 * * *", name)


def test_aliases_intervals_and_starts_are_read() -> None:
    assert all(parse_cron(alias).expression == meaning for alias, meaning in ALIASES.items())
    assert parse_every("90s") == Every(90)
    assert isinstance(parse_recurrence("@startup"), Startup)
    for wrong in ("", "s", "0s", "-5m", "1.5h", "5 m", "400d", "\u0661s"):
        with pytest.raises(InvalidError):
            parse_every(wrong)


def test_descriptions_and_warnings_are_in_plain_english() -> None:
    assert parse_cron("0 */6 * * *").describe() == "Every 6 hours"


@pytest.mark.parametrize("spoken", [(None, None), ("de_DE", "UTF-8"), ("en_GB", "UTF-8")])
def test_a_description_is_the_same_wherever_the_daemon_runs(
    monkeypatch: pytest.MonkeyPatch, spoken: tuple[str | None, str | None]
) -> None:
    monkeypatch.setattr(locale, "getlocale", lambda *_: spoken)
    assert parse_cron("30 14 * * 1-5").describe() == "At 14:30, Monday through Friday"
    assert parse_cron("0 0 1 * 1").warnings() == ["with both a day of the month and a weekday, either is enough"]
    assert "shorter" in parse_cron("*/7 * * * *").warnings()[0]
    assert parse_cron("*/15 * * * *").warnings() == []


def test_six_fields_have_the_seconds_first() -> None:
    cron = parse_cron("*/30 0 6 * * *")
    start = parse_instant("2026-05-01T00:00:00Z")
    assert cron.next(start) == start + 6 * HOUR
    assert cron.next(start + 6 * HOUR) == start + 6 * HOUR + MINUTE // 2


@pytest.mark.parametrize("expression", ["not cron at all", ""])
def test_an_expression_that_cannot_be_described_is_shown_as_it_is(expression: str) -> None:
    assert Cron(expression, "UTC", DstGap.SHIFT, DstFold.FIRST).describe() == expression
