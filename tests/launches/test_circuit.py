"""The circuit of a source: pauses after failures, and the pull after a pause."""

from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import DAY, MINUTE, SECOND
from launchd.launches.circuit import FIRST_PAUSE, LONGEST_PAUSE, THRESHOLD, Circuit, CircuitState

NOW = 1_800_000_000 * SECOND


def after(failures: int) -> Circuit:
    circuit = Circuit()
    for _ in range(failures):
        circuit = circuit.failed(NOW)
    return circuit


def test_failures_below_the_threshold_change_nothing() -> None:
    assert after(THRESHOLD - 1).state(NOW) is CircuitState.CLOSED


def test_the_threshold_opens_the_circuit_for_the_first_pause_and_then_one_pull_decides() -> None:
    circuit = after(THRESHOLD)
    assert circuit.state(NOW + FIRST_PAUSE - 1) is CircuitState.OPEN
    assert circuit.state(NOW + FIRST_PAUSE) is CircuitState.HALF_OPEN
    again = circuit.failed(NOW + FIRST_PAUSE)
    assert again.retry_at == NOW + FIRST_PAUSE + 2 * FIRST_PAUSE


@given(st.integers(0, 500))
def test_pauses_never_shrink_and_have_a_ceiling(failures: int) -> None:
    first, second = after(failures), after(failures).failed(NOW)
    assert (first.retry_at or NOW) <= (second.retry_at or NOW) <= NOW + LONGEST_PAUSE


def test_a_source_is_left_alone_for_as_long_as_it_asks_from_its_first_failure_on_but_a_day_at_most() -> None:
    assert Circuit().failed(NOW, 90.0).retry_at == NOW + 90 * SECOND
    assert Circuit().failed(NOW, 1e9).retry_at == NOW + DAY
    assert after(THRESHOLD).failed(NOW, 1.0).retry_at == NOW + 2 * FIRST_PAUSE


def test_a_clock_that_was_set_back_does_not_keep_a_circuit_open() -> None:
    assert Circuit(9, NOW).state(NOW - 2 * DAY) is CircuitState.HALF_OPEN
    assert Circuit(9, NOW).state(NOW - MINUTE) is CircuitState.OPEN
