"""Jobs: the state machine, retries, the claim order and ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.clock import MINUTE, SECOND
from launchd.job import (
    FINAL,
    TRANSITIONS,
    IdMaker,
    JobState,
    Verb,
    claim_order,
    retry_delay,
)
from launchd.values.plain import bounded
from tests.support.paths import ROOT

PAGE = ROOT / "etc" / "docs" / "jobs.md"


def test_every_verb_applies_somewhere_and_final_states_are_left_only_by_requeue() -> None:
    assert {verb for _, verb in TRANSITIONS} == set(Verb)
    for state in FINAL:
        assert {verb for verb in Verb if (state, verb) in TRANSITIONS} == {Verb.REQUEUE}


def test_the_diagram_in_jobs_md_is_the_table() -> None:
    drawn = set(re.findall(r"^ *(\w+) -- (\w+) --> (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE))
    table = {(state.value, verb.value, to.value) for (state, verb), to in TRANSITIONS.items()}
    assert drawn == table


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 60), (2, 120), (3, 240), (7, 3600), (40, 3600)])
def test_retries_wait_1_2_4_minutes_and_at_most_an_hour_within_ten_percent(attempt: int, seconds: float) -> None:
    assert seconds * 0.9 <= retry_delay("job", attempt) <= seconds * 1.1


def test_jobs_that_fail_together_do_not_retry_together() -> None:
    assert len({retry_delay(f"job {number}", 1) for number in range(100)}) > 90


@given(st.integers(0, 2**50), st.integers(0, 9), st.integers(0, 2**50), st.integers(0, 9))
def test_a_step_of_priority_is_worth_a_minute_of_waiting(run_a: int, low: int, run_b: int, high: int) -> None:
    before = claim_order(run_a, low) < claim_order(run_b, high)
    assert before == (run_a - run_b < (low - high) * MINUTE)


@given(st.lists(st.integers(0, 2**47), min_size=2, max_size=50))
def test_ids_are_uuid7_and_sort_in_the_order_they_were_made_even_when_the_clock_goes_back(instants: list[int]) -> None:
    maker = IdMaker()
    made = [maker(instant * 1000) for instant in instants]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in made
    )


def test_an_id_carries_the_time_it_was_made() -> None:
    made = IdMaker()(1_700_000_000 * SECOND)
    assert int(made.replace("-", "")[:12], 16) == 1_700_000_000_000


CLEAN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)


@given(CLEAN, st.integers(60, 200), st.sampled_from(["start", "end"]))
def test_bounded_text_fits_and_says_that_it_was_cut(text: str, limit: int, keep: str) -> None:
    cut = bounded(text, limit, keep=keep)
    assert len(cut.encode("utf-8", "replace")) <= limit
    assert (cut == text) or ("[cut:" in cut)


def test_all_states_are_reachable() -> None:
    assert set(TRANSITIONS.values()) == set(JobState)
