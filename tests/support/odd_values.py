"""Gives a test objects that raise, lie about their type or never end when they are read."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from hypothesis import strategies as st

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates and NUL included


class Broken:
    def __str__(self) -> str:
        raise SystemExit


class Liar:
    """Its `__class__` is str, though it is no text."""

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
    """A placeholder for an odd value, which the test itself makes: hypothesis must not read the value."""

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
    """The drawn value with its placeholders replaced by odd values."""
    if isinstance(drawn, Odd):
        return ODD[drawn.number]()
    if isinstance(drawn, list):
        return [real(one) for one in drawn]
    return {key: real(one) for key, one in drawn.items()} if isinstance(drawn, dict) else drawn


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
