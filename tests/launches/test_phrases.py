"""Dates and changes of launches as a person would say them, and the NETs that a history had."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import DAY, HOUR, format_instant, parse_instant
from launchd.launches.dates import net_from
from launchd.launches.launch import HistoryRow, Net, Precision
from launchd.launches.net_history import NetMove, net_moves
from launchd.launches.phrases import change_phrases, move_phrase, net_phrase


def net(at: str, precision: str = "minute") -> Net:
    return net_from(parse_instant(f"{at}:00Z"), Precision(precision))


@pytest.mark.parametrize(
    ("at", "precision", "said"),
    [
        ("2027-04-20T10:00", "second", "20 April 2027, 10:00:00 UTC"),
        ("2027-04-20T10:00", "minute", "20 April 2027, 10:00 UTC"),
        ("2027-04-20T10:00", "hour", "20 April 2027, about 10:00 UTC"),
        ("2027-04-20T10:00", "day", "20 April 2027"),
        ("2027-04-21T10:00", "week", "the week of 19 April 2027"),
        ("2027-12-31T00:00", "month", "December 2027"),
        ("2029-09-30T00:00", "quarter", "Q3 2029"),
        ("2029-09-30T00:00", "half", "the second half of 2029"),
        ("2029-09-30T00:00", "year", "2029"),
        ("2029-09-30T00:00", "decade", "the 2020s"),
    ],
)
def test_a_date_is_said_to_its_precision(at: str, precision: str, said: str) -> None:
    assert net_phrase(net(at, precision)) == said


def test_a_doubtful_period_is_said_by_its_ends() -> None:
    april = net("2027-04-01T00:00", "month")
    assert net_phrase(Net(april.earliest, april.latest + 31 * DAY, Precision.MONTH)) == (
        "between 1 April 2027 and 31 May 2027"
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (("2029-07-01T00:00", "quarter"), ("2029-10-01T00:00", "quarter"), "slipped from Q3 2029 to Q4 2029"),
        (
            ("2029-10-01T00:00", "quarter"),
            ("2029-07-01T00:00", "quarter"),
            "was brought forward from Q4 2029 to Q3 2029",
        ),
        (
            ("2027-04-01T00:00", "month"),
            ("2027-04-20T10:00", "minute"),
            "has a more exact date: 20 April 2027, 10:00 UTC (it was April 2027)",
        ),
        (
            ("2027-04-20T10:00", "minute"),
            ("2027-04-01T00:00", "month"),
            "has a less exact date: April 2027 (it was 20 April 2027, 10:00 UTC)",
        ),
        (("2027-04-20T10:00", "day"), ("2027-04-20T10:00", "day"), "is still expected no earlier than 20 April 2027"),
        (None, ("2027-04-20T10:00", "quarter"), "is expected in Q2 2027"),
        (None, ("2027-04-20T10:00", "minute"), "is expected no earlier than 20 April 2027, 10:00 UTC"),
        (("2027-04-20T10:00", "year"), None, "has no date any more (it was 2027)"),
        (None, None, "has another date"),
    ],
)
def test_a_change_of_the_date_is_a_sentence(
    before: tuple[str, str] | None, after: tuple[str, str] | None, said: str
) -> None:
    move = NetMove(net(*before) if before else None, net(*after) if after else None)
    assert move_phrase(move) == said


@pytest.mark.parametrize(
    ("field", "old", "new", "said"),
    [
        ("status", "tbc", "go", "is go for launch"),
        ("status", "in_flight", "success", "was a success"),
        ("status", "go", None, "has no status any more"),
        ("status", "go", "of another program", "has no status any more"),
        ("name", "Unknown Payload", "Crew-20", "is now named Crew-20 (it was Unknown Payload)"),
        ("vehicle", "Vulcan", "Falcon 9", "changed its vehicle from Vulcan to Falcon 9"),
        ("pad", None, "SLC-40", "now has the pad SLC-40"),
        ("orbit", "LEO", None, "has no orbit any more (it was LEO)"),
        ("window_end", None, "2027-04-20T12:00:00Z", "has a window that closes on 20 April 2027, 12:00 UTC"),
        ("window_start", "2027-04-20T12:00:00Z", None, "has no known time any more at which its window opens"),
        ("urls", "https://a.example", "https://b.example", "has other links"),
        ("field_of_a_later_release", "1", "2", "changed its field of a later release from 1 to 2"),
    ],
)
def test_every_other_change_is_a_sentence_too(field: str, old: str | None, new: str | None, said: str) -> None:
    ((_, phrase),) = change_phrases([HistoryRow(field, old, new, "gcat", 0)], None)
    assert phrase == said


def test_the_date_comes_first_and_its_rows_are_said_together() -> None:
    rows = [
        HistoryRow("pad", "A", "B", "gcat", 0),
        HistoryRow("net_precision", "month", "day", "gcat", 0),
        HistoryRow("net", "x", "y", "gcat", 0),
    ]
    said = [phrase for _, phrase in change_phrases(rows, NetMove(None, net("2027-04-20T10:00", "day")))]
    assert said == ["is expected no earlier than 20 April 2027", "changed its pad from A to B"]


def rows_of(before: Net | None, after: Net | None, at: int) -> list[HistoryRow]:
    """The rows that the history has for a change: only the texts that differ."""
    old, new = (
        (None, None) if one is None else (format_instant(one.earliest), one.precision.value) for one in (before, after)
    )
    fields = zip(("net", "net_precision"), old, new, strict=True)
    return [HistoryRow(field, a, b, "gcat", at) for field, a, b in fields if a != b]


NETS = st.one_of(
    st.none(),
    st.builds(
        net_from,
        st.integers(0, 20_000).map(lambda hours: parse_instant("2026-01-01T00:00:00Z") + hours * HOUR),
        st.sampled_from(Precision),
    ),
)


@given(st.lists(NETS, min_size=2, max_size=8))
def test_the_history_gives_back_every_net_that_led_to_the_present_one(nets: list[Net | None]) -> None:
    nets = [one for one, _ in itertools.groupby(nets)]
    changes = list(enumerate(itertools.pairwise(nets)))
    rows = [row for at, (before, after) in changes for row in rows_of(before, after, at)]
    assert net_moves(rows, nets[-1]) == {at: NetMove(*pair) for at, pair in changes}


def test_a_row_of_another_program_costs_its_own_net_alone() -> None:
    rows = [HistoryRow("net", "nonsense", "2027-04-20T10:00:00Z", "gcat", 1)]
    assert net_moves(rows, net("2027-04-20T10:00")) == {1: NetMove(None, net("2027-04-20T10:00"))}
