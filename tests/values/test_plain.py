"""Values of foreign code made plain: never an exception, always bounded, always clean."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.job import MAX_TRACEBACK_BYTES, JobError
from launchd.values.failure import MAX_CHAIN, describe, trace_of
from launchd.values.plain import MAX_ITEMS, bounded, plain_text, plain_value, type_name
from tests.support.odd_values import ANY_TEXT, VALUES, Broken, Refuser, Text, UnreadableError, nested, raised, real


@given(VALUES)
def test_every_value_becomes_json_that_any_reader_takes(value: object) -> None:
    data = msgspec.json.encode(plain_value(real(value)))
    assert json.loads(data.decode()) == msgspec.json.decode(data)


@given(VALUES, st.integers(30, 200), st.sampled_from(["start", "end"]))
def test_every_value_has_a_text_within_its_bound(value: object, limit: int, keep: str) -> None:
    text = plain_text(real(value), limit, keep=keep)
    assert type(text) is str
    assert len(text.encode()) <= limit
    assert "\0" not in text


@given(ANY_TEXT)
def test_a_clean_text_that_fits_is_kept_as_it_is(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode().replace("\0", "?")
    assert bounded(clean, 10_000) == clean


def test_an_object_that_cannot_be_read_is_named_with_the_reason() -> None:
    assert plain_text(Broken()) == "<Broken: its text cannot be read: SystemExit>"
    assert plain_value({"a": Refuser()}) == {"a": "<Refuser: it cannot be read: OSError>"}
    assert plain_value(Text("as held")) == "as held"


def test_a_value_that_refers_to_itself_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "..." in json.dumps(plain_value(loop))
    assert len(plain_value(list(range(10_000)))) == MAX_ITEMS


def test_a_metaclass_cannot_lie_about_the_name_of_its_class() -> None:
    class Meta(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise ValueError

    assert type_name(Meta("Real", (), {})()) == "Real"
    assert len(type_name(type("x" * 10_000, (), {})())) == 200


# --- exceptions ---


def chained(length: int) -> BaseException:
    first = error = ValueError("first")
    for number in range(length):
        error.__cause__ = ValueError(str(number))
        error = error.__cause__
    return first


def noted(notes: object) -> BaseException:
    error = ValueError("noted")
    error.__notes__ = notes  # type: ignore[assignment]
    return error


def cyclic() -> BaseException:
    error = ValueError("cyclic")
    error.__cause__, error.__context__ = error, error
    return error


@pytest.mark.parametrize(
    "error",
    [
        UnreadableError(),
        nested(1000),
        ExceptionGroup("wide", [ValueError(str(number)) for number in range(10_000)]),
        chained(100_000),
        cyclic(),
        noted(5),
        noted([Broken(), "caf\udce9"]),
        SystemExit(Broken()),
        ValueError("x" * 1_000_000),
        type("x" * 100_000, (Exception,), {})("\ud800\0"),
    ],
    ids=lambda error: type(error).__name__[:20],
)
def test_every_exception_becomes_a_plain_bounded_error(error: BaseException) -> None:
    described = describe(raised(error), "note")
    assert msgspec.json.decode(msgspec.json.encode(described), type=JobError) == described
    assert len(described.message.encode()) <= 4096
    assert described.traceback is not None
    assert len(described.traceback.encode()) <= MAX_TRACEBACK_BYTES


def test_a_broken_text_leaves_the_type_and_the_frames() -> None:
    described = describe(raised(UnreadableError()))
    assert described.message == "<UnreadableError: its text cannot be read: TypeError>"
    assert "in raised" in (described.traceback or "")


def test_an_ordinary_chain_is_shown_whole_and_an_endless_one_is_not_walked() -> None:
    assert "first" in (trace_of(raised(chained(3))) or "")
    assert f"more than {MAX_CHAIN} linked" in (trace_of(raised(chained(MAX_CHAIN + 1))) or "")


def test_an_exception_that_was_never_raised_has_no_traceback() -> None:
    assert describe(ValueError("made, not raised")) == JobError("ValueError", "made, not raised", None)
