"""The three clocks: the effects of a wall clock that was set, of a suspend and of another boot."""

from launchd.clock import DAY, HOUR, SECOND, Reading, SystemClock, reading, set_by
from launchd.store.clock import new_clock
from launchd.testing import START, VirtualClock

YEAR = 365 * DAY


def test_the_boot_of_this_machine_has_a_name_and_it_is_the_same_each_time() -> None:
    assert SystemClock().boot_id() == SystemClock().boot_id() != ""


def test_a_wall_clock_that_is_set_moves_against_the_boot_clock() -> None:
    clock = VirtualClock()
    before = reading(clock)
    clock.move(3600)
    assert set_by(before, reading(clock)) == 0
    clock.jump(-2 * 3600)
    assert set_by(before, reading(clock)) == -2 * HOUR
    clock.jump(10 * 365 * 86400)
    assert set_by(before, reading(clock)) == 10 * YEAR - 2 * HOUR


def test_a_suspend_moves_wall_and_boot_time_and_leaves_monotonic_time_alone() -> None:
    clock = VirtualClock()
    before, monotonic = reading(clock), clock.monotonic()
    clock.suspend(8 * 3600)
    after = reading(clock)
    assert (after.wall - before.wall, after.boot - before.boot) == (8 * HOUR, 8 * HOUR)
    assert clock.monotonic() == monotonic
    assert set_by(before, after) == 0


def test_a_drift_is_no_correction() -> None:
    clock = VirtualClock()
    before = reading(clock)
    clock.jump(-1.5)
    assert set_by(before, reading(clock)) == 0


def test_over_another_boot_only_a_wall_clock_that_went_back_is_known_to_be_set() -> None:
    before = Reading(START, 500 * SECOND, "one")
    assert set_by(before, Reading(START + YEAR, 5 * SECOND, "two")) == 0
    assert set_by(before, Reading(START - YEAR, 900 * SECOND, "two")) == -YEAR


def test_a_boot_clock_that_went_back_is_another_boot_even_with_the_same_name() -> None:
    before = Reading(START, 500 * SECOND, "one")
    assert set_by(before, Reading(START + HOUR, 5 * SECOND, "one")) == 0


def test_times_that_the_old_clock_cannot_have_written_are_the_new_clocks() -> None:
    since, upto = new_clock(YEAR, START)
    assert since == START - YEAR + 1
    assert upto > START
    since, upto = new_clock(-YEAR, START)
    assert since < START == upto
