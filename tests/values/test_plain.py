"""Foreign values made plain: never an exception, always bounded, always clean."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchd.job import MAX_TRACEBACK_BYTES, JobError
from launchd.values.failure import MAX_CHAIN, describe, trace_of
from launchd.values.plain import MAX_ITEMS, bounded, plain_text, plain_value, type_name

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates and NUL included


class Broken:
    def __str__(self) -> str:
        raise SystemExit


class Liar:
    """Says that it is a text."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return str


class Refuser:
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise OSError


class Text(str):
    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        raise ValueError

    def __str__(self) -> str:
        raise ValueError


class Wicked(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        raise KeyError(key)

    def __iter__(self) -> Any:  # noqa: ANN401
        raise MemoryError

    def __len__(self) -> int:
        return 1


class Number(float):
    __slots__ = ()

    def __add__(self, other: object) -> float:
        raise ValueError

    def __repr__(self) -> str:
        raise ValueError


class Odd(NamedTuple):
    """Stands for an odd value until the test itself makes it: what draws and reports examples must not meet it."""

    number: int


ODD: list[Callable[[], object]] = [
    *(Broken, Liar, Refuser, Wicked, Text, lambda: Number(2), lambda: 10**5000, lambda: -(10**400)),
    *(lambda: 2**64, lambda: math.nan, lambda: -math.inf, lambda: iter([1]), lambda: print, lambda: nested(50)),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.builds(Odd, st.integers(0, len(ODD) - 1)),
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT | st.integers(), inner),
    max_leaves=20,
)


def real(drawn: Any) -> Any:  # noqa: ANN401
    """The value that was drawn, odd ones made."""
    if isinstance(drawn, Odd):
        return ODD[drawn.number]()
    if isinstance(drawn, list):
        return [real(one) for one in drawn]
    return {key: real(one) for key, one in drawn.items()} if isinstance(drawn, dict) else drawn


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


def raised(error: BaseException) -> BaseException:
    try:
        throw(error)
    except BaseException as caught:  # noqa: BLE001 - it is what is tested
        return caught


def throw(error: BaseException) -> NoReturn:
    raise error


class UnreadableError(Exception):
    __cause__ = property(lambda _self: 1 / 0)
    __notes__ = property(lambda _self: 1 / 0)

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307 - it is what is tested


def nested(depth: int) -> BaseException:
    error: Exception = ValueError("inmost")
    for _ in range(depth):
        error = ExceptionGroup("group", [error])
    return error


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
