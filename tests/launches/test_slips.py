"""The kinds of changes of a NET, the slips that they count, and the sentence about them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import DAY, HOUR, MINUTE, Instant, parse_instant
from launchd.launches.dates import net_at, net_from
from launchd.launches.launch import Launch, LaunchStatus, Net, Precision
from launchd.launches.slip_ledger import COUNTED, LastRead, Move, MoveKind, classify, reference
from launchd.launches.slips import Slips

LONG_BEFORE = parse_instant("2027-01-01T00:00:00Z")


def net(text: str, precision: str = "minute") -> Net:
    return net_at(parse_instant(text), Precision(precision))


def moves(*nets: Net | None, at: Instant = LONG_BEFORE) -> list[Move]:
    """The rows of the ledger when the NET goes through these values, all seen long before the launch."""
    found, own = [], list[tuple[Net | None, Net | None]]()
    for before, after in pairwise(nets):
        one, other = (Launch(id="x", name="x", net=each, status=LaunchStatus.TBC) for each in (before, after))
        move = classify(one, other, LastRead(at), reference=reference(own, before))
        if move is not None:
            found.append(move)
            own.append((before, after))
    return found


def counted(*nets: Net | None) -> Slips:
    rows = moves(*nets)
    sizes = [row.size for row in rows if row.counts]
    return Slips(len(sizes), sum(sizes), sum(row.kind is MoveKind.PULL_IN for row in rows))


def kind(
    before: tuple[str, str, str],
    after: tuple[str, str, str],
    seen: str,
    *,
    last: str | None = None,
    regrouped: bool = False,
) -> MoveKind | None:
    """The kind of a change from one (NET, precision, status) to the next, by a source that is read each hour."""
    one, other = (
        Launch(id="x", name="x", net=net_from(parse_instant(at), Precision(precision)), status=LaunchStatus(status))
        for at, precision, status in (before, after)
    )
    look = LastRead(parse_instant(seen), None if last is None else parse_instant(last), HOUR)
    found = classify(one, other, look, regrouped=regrouped)
    return None if found is None else found.kind


def test_three_slips_of_eleven_days_in_all_are_counted_and_summed() -> None:
    found = counted(
        net("2027-04-20T10:00:00Z"),
        net("2027-04-22T10:00:00Z"),
        net("2027-04-23T10:00:00Z"),
        net("2027-05-01T10:00:00Z"),
    )
    assert found == Slips(3, 11 * DAY, 0)
    assert found.sentence() == "slipped 3 times, 11 days in all"


def test_a_vague_date_made_precise_within_itself_is_firmed_and_no_slip() -> None:
    nets = (net("2027-04-01T00:00:00Z", "month"), net("2027-04-20T10:00:00Z"))
    assert moves(*nets) == [Move(MoveKind.FIRMED)]
    assert counted(*nets).sentence() == "has not slipped"


def test_a_date_that_becomes_vague_around_itself_is_loosened_and_no_slip() -> None:
    assert moves(net("2027-04-20T10:00:00Z"), net("2027-04-01T00:00:00Z", "month")) == [Move(MoveKind.LOOSENED)]


def test_a_date_that_was_vague_in_between_slips_from_the_last_exact_one() -> None:
    vague = net("2027-04-01T00:00:00Z", "month"), net("2027-04-01T00:00:00Z", "quarter")
    rows = moves(net("2027-04-20T10:00:00Z"), *vague, net("2027-04-25T10:00:00Z"))
    assert rows == [Move(MoveKind.LOOSENED), Move(MoveKind.LOOSENED), Move(MoveKind.SLIP, 5 * DAY)]
    again = moves(net("2027-04-20T10:00:00Z"), *vague, net("2027-04-20T10:00:00Z"))
    assert again == [Move(MoveKind.LOOSENED), Move(MoveKind.LOOSENED), Move(MoveKind.FIRMED)]


def test_a_precise_date_that_becomes_a_later_month_slips_at_least_to_its_beginning() -> None:
    found = counted(net("2027-04-20T00:00:00Z", "day"), net("2027-05-01T00:00:00Z", "month"))
    assert found == Slips(1, 11 * DAY, 0)
    assert found.sentence() == "slipped once, 11 days"


def test_a_period_that_still_shares_a_day_with_the_one_before_is_no_slip() -> None:
    assert counted(net("2027-04-26T00:00:00Z", "week"), net("2027-05-01T00:00:00Z", "month")).later == 0


def test_a_move_to_an_earlier_time_is_no_slip_and_is_counted_apart() -> None:
    nets = (net("2027-04-20T10:00:00Z"), net("2027-04-19T10:00:00Z"))
    assert moves(*nets) == [Move(MoveKind.PULL_IN, -DAY)]
    assert counted(*nets) == Slips(0, 0, 1)


def test_the_correction_of_a_date_by_seconds_is_no_slip() -> None:
    assert moves(net("2027-04-20T10:00:00Z", "second"), net("2027-04-20T10:00:30Z", "second")) == [
        Move(MoveKind.CORRECTED)
    ]


def test_a_date_that_was_unknown_for_a_while_is_compared_with_the_last_known_one() -> None:
    rows = moves(net("2027-04-20T10:00:00Z"), None, net("2027-04-22T10:00:00Z"))
    assert rows == [Move(MoveKind.LOOSENED), Move(MoveKind.SLIP, 2 * DAY)]
    assert moves(None, net("2027-04-22T10:00:00Z")) == [Move(MoveKind.FIRMED)]


GO = ("2027-04-20T10:00:00Z", "minute", "go")


@pytest.mark.parametrize(
    ("after", "seen", "wanted"),
    [
        (("2027-04-21T10:00:00Z", "minute", "go"), "2027-04-20T09:58:00Z", MoveKind.SCRUB),
        (("2027-04-21T10:00:00Z", "minute", "go"), "2027-04-19T10:30:00Z", MoveKind.SCRUB),
        (("2027-04-21T10:00:00Z", "minute", "go"), "2027-04-19T09:30:00Z", MoveKind.SLIP),
        (("2027-04-21T00:00:00Z", "day", "tbd"), "2027-04-20T10:30:00Z", MoveKind.SCRUB),
        (("2027-04-01T00:00:00Z", "month", "tbd"), "2027-04-20T10:30:00Z", MoveKind.SCRUB),
        (("2027-04-01T00:00:00Z", "month", "tbd"), "2027-04-15T10:30:00Z", MoveKind.LOOSENED),
        (("2027-04-20T14:00:00Z", "minute", "go"), "2027-04-20T09:58:00Z", MoveKind.SLIP),
        (("2027-04-20T10:23:11Z", "second", "in_flight"), "2027-04-20T10:30:00Z", MoveKind.SLIP),
        (("2027-04-20T10:00:11Z", "second", "success"), "2027-04-20T10:30:00Z", MoveKind.FIRMED),
    ],
)
def test_a_countdown_is_scrubbed_if_its_date_moves_by_half_a_day_or_is_given_up(
    after: tuple[str, str, str], seen: str, wanted: MoveKind
) -> None:
    assert kind(GO, after, seen) is wanted


def test_a_date_that_passed_without_a_go_was_a_scrub_but_not_a_day_before() -> None:
    before = ("2027-04-20T10:00:00Z", "minute", "tbc")
    after = ("2027-04-22T10:00:00Z", "minute", "tbc")
    assert kind(before, after, "2027-04-20T11:00:00Z") is MoveKind.SCRUB
    assert kind(before, after, "2027-04-20T09:00:00Z") is MoveKind.SLIP


def test_a_move_found_late_is_a_scrub_only_if_the_countdown_was_seen() -> None:
    after = ("2027-04-27T10:00:00Z", "minute", "go")
    assert kind(GO, after, "2027-04-24T10:00:00Z", last="2027-04-19T11:00:00Z") is MoveKind.SCRUB
    assert kind(GO, after, "2027-04-24T10:00:00Z", last="2027-04-18T11:00:00Z") is MoveKind.SLIP


def test_a_month_without_a_day_a_week_before_its_end_ran_out_and_was_a_placeholder() -> None:
    before, after = ("2027-04-30T00:00:00Z", "month", "tbd"), ("2027-05-31T00:00:00Z", "month", "tbd")
    assert kind(before, after, "2027-04-25T00:00:00Z") is MoveKind.PLACEHOLDER
    assert kind(before, after, "2027-05-03T00:00:00Z") is MoveKind.PLACEHOLDER
    assert kind(before, after, "2027-04-20T00:00:00Z") is MoveKind.SLIP
    assert kind(before, ("2027-05-09T10:00:00Z", "minute", "tbc"), "2027-04-25T00:00:00Z") is MoveKind.SLIP


def test_a_month_that_ran_out_after_an_exact_date_is_a_slip() -> None:
    nets = net("2027-04-20T10:00:00Z"), net("2027-04-01T00:00:00Z", "month"), net("2027-05-01T00:00:00Z", "month")
    rows = moves(*nets, at=parse_instant("2027-04-28T00:00:00Z"))
    assert [row.kind for row in rows][1:] == [MoveKind.SLIP]
    assert rows[1].counts is True


def test_changes_after_lift_off_and_by_regrouped_records_are_corrections() -> None:
    flown = ("2027-04-20T10:00:11Z", "second", "in_flight")
    assert kind(flown, ("2027-04-20T14:00:11Z", "second", "success"), "2027-04-20T16:00:00Z") is MoveKind.CORRECTED
    after = ("2027-04-25T10:00:00Z", "minute", "go")
    assert kind(GO, after, "2027-04-01T00:00:00Z", regrouped=True) is MoveKind.CORRECTED
    assert Move(MoveKind.CORRECTED, 5 * DAY).counts is False
    assert kind(flown, ("2027-04-21T10:00:00Z", "minute", "tbc"), "2027-04-20T10:40:00Z") is MoveKind.SCRUB


def test_a_scrub_without_a_new_date_counts_once_when_the_date_is_given() -> None:
    before, lost, after = (
        Launch(id="x", name="x", net=one, status=LaunchStatus(status))
        for one, status in (
            (net("2027-04-20T10:00:00Z"), "go"),
            (net("2027-04-01T00:00:00Z", "month"), "tbd"),
            (net("2027-04-25T10:00:00Z"), "go"),
        )
    )
    scrub = classify(before, lost, LastRead(parse_instant("2027-04-20T10:05:00Z")))
    assert scrub == Move(MoveKind.SCRUB, 0)
    assert scrub.counts is False
    base = reference([(before.net, lost.net)], lost.net)
    slip = classify(lost, after, LastRead(parse_instant("2027-04-22T10:05:00Z")), reference=base)
    assert slip == Move(MoveKind.SLIP, 5 * DAY)
    assert slip.counts is True


def test_the_same_date_is_no_move() -> None:
    assert kind(GO, ("2027-04-20T10:00:00Z", "minute", "hold"), "2027-04-20T09:58:00Z") is None


def test_a_look_is_late_after_more_than_two_periods() -> None:
    assert LastRead(10 * HOUR, 8 * HOUR, HOUR).late is False
    late = LastRead(10 * HOUR + 1, 8 * HOUR, HOUR)
    assert (late.late, late.away_since, late.held_until) == (True, 8 * HOUR, 8 * HOUR)
    assert LastRead(10 * HOUR, None, HOUR).late is False


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=12))
def test_of_precise_dates_the_sum_is_every_step_forward(minutes: list[Instant]) -> None:
    start = parse_instant("2027-01-02T00:00:00Z")
    nets = [net_at(start + minute * MINUTE, Precision.MINUTE) for minute in minutes]
    forward = [b - a for a, b in pairwise(minutes) if b > a]
    backward = [b - a for a, b in pairwise(minutes) if b < a]
    assert counted(*nets) == Slips(len(forward), sum(forward) * MINUTE, len(backward))


@given(
    st.lists(st.none() | st.tuples(st.integers(0, 4 * 366), st.sampled_from(Precision)), min_size=1, max_size=8),
    st.integers(-40, 5 * 366),
)
def test_any_history_is_classified_and_only_later_moves_count(
    days: list[tuple[int, Precision] | None], seen: int
) -> None:
    start = parse_instant("2027-01-01T00:00:00Z")
    nets = [None if one is None else net_at(start + one[0] * DAY, one[1]) for one in days]
    rows = moves(*nets, at=start + seen * DAY)
    assert len(rows) == sum(a != b for a, b in pairwise(nets))
    for row in rows:
        assert row.counts is (row.kind in COUNTED and row.size >= MINUTE)
        assert (row.size < 0) is (row.kind is MoveKind.PULL_IN)
        assert row.size == 0 or row.kind not in {MoveKind.FIRMED, MoveKind.LOOSENED}
