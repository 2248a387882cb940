"""The slips of a launch, counted from its history."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import DAY, MINUTE, SECOND, Instant, parse_instant
from launchd.launches.dates import net_at
from launchd.launches.launch import HistoryRow, Launch, Net, Precision
from launchd.launches.reconcile import shown
from launchd.launches.slips import Slips, slips


def net(text: str, precision: str = "minute") -> Net:
    return net_at(parse_instant(text), Precision(precision))


def history(*nets: Net) -> list[HistoryRow]:
    """The rows that the reconciler writes when the NET goes through these values."""
    rows = []
    for at, (before, after) in enumerate(pairwise(Launch(id="x", name="x", net=one) for one in nets)):
        for field in ("status", "net", "net_precision"):
            old, new = shown(before, field), shown(after, field)
            if old != new:
                rows.append(HistoryRow(field, old, new, "launch_library", at))
    return rows


def told(*nets: Net) -> Slips:
    return slips(history(*nets), nets[-1])


def test_three_slips_of_eleven_days_in_all_are_counted_and_summed() -> None:
    found = told(
        net("2027-04-20T10:00:00Z"),
        net("2027-04-22T10:00:00Z"),
        net("2027-04-23T10:00:00Z"),
        net("2027-05-01T10:00:00Z"),
    )
    assert found == Slips(3, 11 * DAY, 0)
    assert found.sentence() == "slipped 3 times, 11 days in all"


def test_a_vague_date_made_precise_within_itself_is_no_slip() -> None:
    assert told(net("2027-04-01T00:00:00Z", "month"), net("2027-04-20T10:00:00Z")).sentence() == "has not slipped"


def test_a_date_that_becomes_vague_around_itself_is_no_slip() -> None:
    assert told(net("2027-04-20T10:00:00Z"), net("2027-04-01T00:00:00Z", "month")).later == 0


def test_a_precise_date_that_becomes_a_later_month_slips_at_least_to_its_beginning() -> None:
    found = told(net("2027-04-20T00:00:00Z", "day"), net("2027-05-01T00:00:00Z", "month"))
    assert found == Slips(1, 11 * DAY, 0)
    assert found.sentence() == "slipped once, 11 days"


def test_a_period_that_still_shares_a_day_with_the_one_before_is_no_slip() -> None:
    assert told(net("2027-04-26T00:00:00Z", "week"), net("2027-05-01T00:00:00Z", "month")).later == 0


def test_a_move_to_an_earlier_time_is_no_slip_and_is_counted_apart() -> None:
    assert told(net("2027-04-20T10:00:00Z"), net("2027-04-19T10:00:00Z")) == Slips(0, 0, 1)


def test_the_correction_of_a_lift_off_by_seconds_is_no_slip() -> None:
    assert told(net("2027-04-20T10:00:00Z", "second"), net("2027-04-20T10:00:30Z", "second")).later == 0


def test_a_date_that_was_unknown_for_a_while_is_compared_with_the_last_known_one() -> None:
    rows = [
        HistoryRow("net", "2027-04-20T10:00:00Z", None, "a", 1),
        HistoryRow("net_precision", "minute", None, "a", 1),
        HistoryRow("net", None, "2027-04-22T10:00:00Z", "a", 2),
        HistoryRow("net_precision", None, "minute", "a", 2),
    ]
    assert slips(rows, net("2027-04-22T10:00:00Z")) == Slips(1, 2 * DAY, 0)


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=12))
def test_of_precise_dates_the_sum_is_every_step_forward(minutes: list[Instant]) -> None:
    start = parse_instant("2027-01-01T00:00:00Z")
    nets = [net_at(start + minute * MINUTE, Precision.MINUTE) for minute in minutes]
    forward = [b - a for a, b in pairwise(minutes) if b > a]
    backward = [b - a for a, b in pairwise(minutes) if b < a]
    assert told(*nets) == Slips(len(forward), sum(forward) * MINUTE, len(backward))


@given(st.lists(st.tuples(st.integers(0, 4 * 366), st.sampled_from(Precision)), min_size=1, max_size=8))
def test_any_history_is_read_without_error_and_no_slip_is_negative(days: list[tuple[int, Precision]]) -> None:
    start = parse_instant("2027-01-01T00:00:00Z")
    nets = [net_at(start + day * DAY, precision) for day, precision in days]
    found = told(*nets)
    assert 0 <= found.later + found.earlier < len(nets)
    assert (found.total >= found.later * 60 * SECOND) is True
