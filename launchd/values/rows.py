"""Rows as nouns, totally: a value that its noun cannot hold costs that value alone, never the row or its neighbours.

Another program, an older or a newer launchd, or a bad disk may have written what no code of this version writes. Such a
value is replaced by a neutral one of its type, its name stands in the noun's `unreadable`, and the log says so once.
"""

import typing
from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum
from types import UnionType
from typing import Any, Generic, TypeVar

import msgspec

from launchd.clock import UNREADABLE
from launchd.logger import get_logger

T = TypeVar("T")
# The name under which a noun lists its values that could not be read.
FIELD = "unreadable"
# So many rows are remembered as told; the oldest is forgotten first.
_MOST_TOLD = 1000
_told: OrderedDict[tuple[str, str, tuple[str, ...]], None] = OrderedDict()
_PLAIN: dict[Any, Any] = {str: UNREADABLE, int: 0, float: 0.0, bool: False, bytes: b"", list: [], dict: {}, tuple: ()}


class Reader(Generic[T]):
    """Makes the noun of a row: `kind` is a Struct or a NamedTuple with a field `unreadable`, `key` names the row."""

    def __init__(self, kind: type[T], table: str, *key: str) -> None:
        self._kind = kind
        self._table = table
        self._key = key
        hints = typing.get_type_hints(kind, include_extras=True)
        self._types = {name: hint for name, hint in hints.items() if name != FIELD}
        self._names = tuple(self._types)
        # a NamedTuple is made of its values in order, a Struct of values by name; either is one call into C
        self._by_name = issubclass(kind, msgspec.Struct)

    def __call__(self, row: Any) -> T:  # noqa: ANN401 - a sqlite3.Row, or anything else that is read by name
        """The noun of a row; never raises for what is in it."""
        values = [row[name] for name in self._names]
        given = dict(zip(self._names, values, strict=True)) if self._by_name else values
        try:
            return msgspec.convert(given, self._kind)
        except msgspec.ValidationError:
            return self._salvaged(row)

    def _salvaged(self, row: Any) -> T:  # noqa: ANN401 - the same
        found: dict[str, Any] = {}
        lost = []
        for name, kind in self._types.items():
            try:
                found[name] = msgspec.convert(row[name], kind)
            except msgspec.ValidationError:
                found[name] = neutral(kind)
                lost.append(name)
        tell(self._table, " ".join(str(row[name]) for name in self._key), lost)
        return self._kind(**found, **{FIELD: tuple(lost)})


def decoded(text: str | bytes | None, kind: type[T]) -> T | None:
    """The value of stored JSON; None where it is none, or not of that kind. Never raises."""
    try:
        return None if text is None else msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError, TypeError):
        return None


def neutral(kind: Any) -> Any:  # noqa: ANN401 - any type, and a value of it
    """A value of a type that says nothing: None where that is allowed, no items, 0, or the text UNREADABLE.

    An enumeration gets that text as well: each of ours is a StrEnum, so whoever compares or prints it goes on.
    """
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return neutral(typing.get_args(kind)[0])
    if origin in {typing.Union, UnionType}:
        options = typing.get_args(kind)
        return None if type(None) in options else neutral(options[0])
    if kind is Any or kind is None:
        return None
    if origin is typing.Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return UNREADABLE
    plain = _PLAIN.get(origin or kind)
    return plain.copy() if isinstance(plain, (list, dict)) else plain


def tell(table: str, row: str, lost: Iterable[str]) -> tuple[str, ...]:
    """Log that values of a row cannot be read: once for each row and each set of values. Returns their names."""
    names = tuple(lost)
    key = (table, row[:200], names)
    if key in _told:
        return names
    _told[key] = None
    if len(_told) > _MOST_TOLD:
        _told.popitem(last=False)
    get_logger("launchd.rows").warning(
        "row_unreadable", table=table, row=row[:200], values=list(names), detail="shown without these values"
    )
    return names
