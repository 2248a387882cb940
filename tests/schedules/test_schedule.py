"""The plan of a schedule: every occurrence gets exactly one verdict, whatever happens to the daemon or the clock."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import DAY, HOUR, MINUTE, SECOND, Instant, from_datetime, parse_instant
from launchd.schedules.cron import parse_cron
from launchd.schedules.recurrence import Every, Startup, occurrences
from launchd.schedules.schedule import (
    CATCHUP_CAP,
    Catchup,
    Fire,
    FireOutcome,
    Plan,
    Schedule,
    correct,
    grace,
    jitter,
    plan,
    without,
)

NOON = parse_instant("2026-06-01T12:00:00Z")
MINUTELY = parse_cron("* * * * *")


def schedule(recurrence: object = MINUTELY, **settings: object) -> Schedule:
    return Schedule(name="s", task="t", recurrence=recurrence, spec="", **settings)  # type: ignore[arg-type] # by name


def shown(made: Plan) -> list[tuple[str, int]]:
    return [(fire.outcome.value, fire.count) for fire in made.fires]


RECURRENCES = st.one_of(
    st.sampled_from(["* * * * *", "*/10 * * * * *", "30 2 * * *", "0 */6 * * *", "0 9 * * 1-5"]).flatmap(
        lambda text: st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]).map(
            lambda zone: parse_cron(text, zone)
        )
    ),
    st.integers(1, 200_000).map(Every),
)
SCHEDULES = st.builds(
    schedule,
    RECURRENCES,
    catchup=st.sampled_from(list(Catchup)),
    grace_seconds=st.none() | st.floats(0, 7200),
)
STARTS = st.integers(NOON, NOON + 400 * DAY)
# outages short enough to be walked by the test
PAUSES = st.integers(0, 4000).flatmap(lambda steps: st.integers(0, steps * SECOND * 20))


@given(SCHEDULES, STARTS, st.lists(PAUSES, min_size=1, max_size=6), st.booleans())
def test_every_occurrence_gets_exactly_one_verdict_however_the_time_is_cut(
    one: Schedule, start: Instant, steps: list[Instant], paused: bool
) -> None:
    cursor, now = start, start
    covered: list[Instant] = []
    for step in steps:
        now += step
        made = plan(one, cursor, now, paused=paused)
        for fire in made.fires:
            until = fire.fire_time if fire.until is None else fire.until
            inside = []
            for instant in occurrences(one.recurrence, fire.fire_time - 1):
                if instant > until:
                    break
                inside.append(instant)
            assert len(inside) == fire.count
            covered += inside
        cursor = made.cursor
        assert cursor <= now
        assert made.next_fire == one.recurrence.next(now)
    expected = []
    for instant in occurrences(one.recurrence, start):
        if instant > now:
            break
        expected.append(instant)
    assert covered == expected


@given(SCHEDULES, STARTS, PAUSES)
def test_what_is_fired_late_depends_on_the_catch_up_alone(one: Schedule, start: Instant, step: Instant) -> None:
    now = start + step
    made = plan(one, start, now)
    fired = [fire.fire_time for fire in made.fires if fire.outcome is FireOutcome.FIRED]
    late = [at for at in fired if now - at > grace(one, start) * SECOND]
    if one.catchup is Catchup.SKIP:
        assert not late
    if one.catchup in {Catchup.LATEST, Catchup.SKIP}:
        assert len(fired) <= 1
    if one.catchup is Catchup.LATEST and made.fires:
        assert fired == [one.recurrence.previous(now)]
    if one.catchup is Catchup.EARLIEST and late:
        assert late == [one.recurrence.next(start)]
    if one.catchup is Catchup.ALL:
        assert len(fired) == min(one.recurrence.count(start, now), CATCHUP_CAP)
    assert all(first < second for first, second in pairwise(fired))


def test_an_outage_of_26_hours_is_one_catch_up_and_one_range_row() -> None:
    for seconds in (0, 30, 59):
        made = plan(schedule(), NOON, NOON + 26 * HOUR + seconds * SECOND)
        assert shown(made) == [("missed", 1559), ("fired", 1)]
        assert made.fires[0].fire_time == NOON + MINUTE
        assert made.fires[0].until == NOON + 26 * HOUR - MINUTE


def test_a_year_of_a_per_second_schedule_is_two_rows() -> None:
    made = plan(schedule(parse_cron("* * * * * *")), NOON, NOON + 365 * DAY)
    assert shown(made) == [("missed", 365 * 86_400 - 1), ("fired", 1)]


def test_catch_up_all_fires_each_of_them_up_to_a_hundred() -> None:
    assert shown(plan(schedule(catchup=Catchup.ALL), NOON, NOON + 5 * MINUTE)) == [("fired", 1)] * 5
    assert shown(plan(schedule(catchup=Catchup.ALL), NOON, NOON + HOUR * 3)) == [("missed", 80)] + [("fired", 1)] * 100


def test_catch_up_earliest_fires_the_first_and_the_one_that_is_on_time() -> None:
    made = plan(schedule(catchup=Catchup.EARLIEST), NOON, NOON + HOUR + SECOND)
    assert shown(made) == [("fired", 1), ("missed", 58), ("fired", 1)]
    assert (made.fires[0].catch_up, made.fires[2].catch_up) == (True, False)


def test_catch_up_skip_fires_no_missed_occurrence() -> None:
    daily = schedule(parse_cron("0 6 * * *"), catchup=Catchup.SKIP)
    assert shown(plan(daily, NOON, NOON + 3 * DAY)) == [("missed", 3)]


def test_paused_time_is_never_caught_up() -> None:
    assert shown(plan(schedule(), NOON, NOON + HOUR, paused=True)) == [("paused", 60)]


def test_a_clock_put_back_fires_nothing_again() -> None:
    made = plan(schedule(), NOON, NOON - 2 * HOUR)
    assert (made.fires, made.cursor, made.next_fire) == ((), NOON, NOON + MINUTE)


def test_a_correction_records_skipped_occurrences_and_goes_on_from_now() -> None:
    forward = correct(schedule(), NOON, NOON + 5 * HOUR)
    assert (shown(forward), forward.cursor) == ([("missed", 300)], NOON + 5 * HOUR)
    back = correct(schedule(), NOON, NOON - 5 * HOUR)
    assert (shown(back), back.cursor) == ([], NOON - 5 * HOUR)


def test_a_start_of_the_daemon_is_never_missed() -> None:
    assert plan(schedule(Startup()), NOON, NOON + DAY) == Plan((), NOON, None)


@pytest.mark.parametrize(("text", "seconds"), [("* * * * * *", 60), ("*/10 * * * *", 300), ("0 6 * * *", 3600)])
def test_the_grace_is_half_a_period_within_a_minute_and_an_hour(text: str, seconds: float) -> None:
    assert grace(schedule(parse_cron(text)), NOON) == seconds
    assert grace(schedule(parse_cron(text), grace_seconds=7.0), NOON) == 7.0


@given(RECURRENCES, STARTS, st.floats(0, 100_000))
def test_jitter_is_the_same_each_time_and_ends_before_the_next_fire(
    recurrence: Every, at: Instant, seconds: float
) -> None:
    one = schedule(recurrence, jitter_seconds=seconds)
    fire_time = recurrence.next(at)
    assert fire_time is not None
    following = recurrence.next(fire_time)
    assert following is not None
    later = jitter(one, fire_time)
    assert later == jitter(one, fire_time)
    assert 0 <= later <= seconds * SECOND
    assert later == 0 or fire_time + later < following


def test_jitter_spreads_schedules_that_are_due_together() -> None:
    names = [Schedule(name=f"s{n}", task="t", recurrence=MINUTELY, spec="", jitter_seconds=60) for n in range(100)]
    delays = {jitter(one, NOON) // SECOND for one in names}
    assert len(delays) > 40


@given(
    RECURRENCES,
    st.integers(from_datetime(datetime(2026, 1, 1, tzinfo=UTC)), from_datetime(datetime(2027, 1, 1, tzinfo=UTC))),
    st.integers(2, 50),
    st.data(),
)
def test_the_rest_of_a_range_row_is_all_but_the_removed_occurrences(
    recurrence: Every, start: Instant, count: int, data: st.DataObject
) -> None:
    inside = []
    for instant in occurrences(recurrence, start):
        inside.append(instant)
        if len(inside) == count:
            break
    row = Fire(inside[0], FireOutcome.MISSED, "late", until=inside[-1], count=count)
    first = data.draw(st.integers(inside[0] - SECOND, inside[-1] + SECOND))
    last = data.draw(st.integers(first, inside[-1] + 2 * SECOND))
    parts = without(recurrence, row, first, last)
    taken = [at for at in inside if first <= at <= last]
    assert sum(part.count for part in parts) == count - len(taken)
    for part in parts:
        assert part.until is not None
        assert all(not part.fire_time <= at <= part.until for at in taken)
