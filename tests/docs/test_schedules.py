"""The tables of schedules.md are what the code does with these expressions."""

from itertools import takewhile

import pytest

from launchd.clock import format_instant, parse_instant
from launchd.config import DEFAULT_SCHEDULES
from launchd.errors import InvalidError
from launchd.schedules.cron import DstFold, DstGap
from launchd.schedules.recurrence import occurrences, parse_recurrence
from tests.docs.pages import DOCS, codes, table

SCHEDULES = DOCS / "schedules.md"


def test_the_shipped_schedules_are_those_of_the_code() -> None:
    told = {codes(cells[0])[0]: (codes(cells[1])[0], codes(cells[2])[0]) for cells in table(SCHEDULES, "schedule")}
    assert told == {name: (one.cron, one.task) for name, one in DEFAULT_SCHEDULES.items()}


def test_every_expression_that_is_said_to_be_refused_is_refused_for_that_reason() -> None:
    for refused, reason, *_ in table(SCHEDULES, "refused"):
        with pytest.raises(InvalidError) as caught:
            parse_recurrence(refused.strip("`"), "UTC")
        assert reason in caught.value.detail, refused


def test_every_expression_that_is_said_to_be_accepted_is_described_so() -> None:
    for accepted, description, *_ in table(SCHEDULES, "accepted"):
        assert parse_recurrence(accepted.strip("`"), "UTC").describe() == description, accepted


@pytest.mark.parametrize(("column", "day"), [(2, "2027-03-28"), (3, "2027-10-31")])
def test_the_table_of_clock_changes_is_what_the_rules_give(column: int, day: str) -> None:
    after, until = (parse_instant(f"{day}T00:00:00Z") + hours * 3_600_000_000 for hours in (-1, 3))
    for expression, setting, *columns in table(SCHEDULES, "in Europe/Berlin"):
        words = setting.replace("`", "").split()
        chosen = dict(zip(words[::3], words[2::3], strict=False))
        recurrence = parse_recurrence(
            expression.strip("`"),
            "Europe/Berlin",
            gap=DstGap(chosen.get("dst_gap", "shift").strip('"')),
            fold=DstFold(chosen.get("dst_fold", "first").strip('"')),
        )
        due = takewhile(lambda one: one <= until, occurrences(recurrence, after))
        found = [format_instant(one)[11:16] for one in due]
        assert columns[column - 2] == (", ".join(found) or "none"), expression
