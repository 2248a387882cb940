"""Views are made of nouns by the names of their fields."""

from typing import NamedTuple

import msgspec
import pytest

from launchd.admin.api.mapper import Seconds, Time, mapper
from launchd.admin.http.view import RowView, View, encode_line
from launchd.clock import LAST_INSTANT, Instant


class Noun(NamedTuple):
    at: Instant
    ended_at: Instant | None
    number: int
    unreadable: tuple[str, ...] = ()

    @property
    def half(self) -> float:
        return self.number / 2


class NounView(RowView):
    at: Time
    ended_at: Time | None
    number: int
    half: Seconds


class GivenView(View):
    at: Time
    extra: str


def test_fields_of_the_same_name_are_taken_and_times_are_formatted() -> None:
    make = mapper(NounView, Noun)
    assert encode_line(make(Noun(0, 1_500_000, 3))) == (
        b'{"at":"1970-01-01T00:00:00Z","ended_at":"1970-01-01T00:00:01.500000Z","number":3,"half":1.5}'
    )


def test_an_optional_time_that_is_missing_is_null() -> None:
    assert mapper(NounView, Noun)(Noun(0, None, 3)).ended_at is None


def test_a_time_beyond_the_year_9999_reads_unreadable() -> None:
    assert mapper(NounView, Noun)(Noun(LAST_INSTANT + 1, None, 3)).at == "unreadable"


def test_the_fields_of_a_row_that_cannot_be_read_are_named_and_left_out_where_there_are_none() -> None:
    make = mapper(NounView, Noun)
    assert make(Noun(0, None, 3, ("number",))).unreadable == ("number",)
    assert make(Noun(0, None, 3)).unreadable is msgspec.UNSET


def test_a_given_field_is_taken_from_the_call() -> None:
    assert mapper(GivenView, Noun, "extra")(Noun(0, None, 3), extra="more").extra == "more"


def test_a_field_that_is_neither_in_the_noun_nor_given_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="GivenView: Noun has no extra; name them as given"):
        mapper(GivenView, Noun)


def test_a_given_field_that_a_call_leaves_out_is_refused() -> None:
    with pytest.raises(TypeError, match="extra"):
        mapper(GivenView, Noun, "extra")(Noun(0, None, 3))
