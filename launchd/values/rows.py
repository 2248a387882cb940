"""Database rows as nouns: a value that its field cannot hold costs that field alone, never the row or its neighbours.

Another program, an older or newer launchd, or a failing disk may have written values that this version never writes.
Such a value is replaced by an empty value of the field's type, its column is named in the noun's `unreadable`, and the
log reports it once. Nothing here raises because of a row's content.
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
# The field in which a noun lists its columns that could not be read.
FIELD = "unreadable"
# The most rows that are remembered as logged; the oldest is forgotten first.
_MAX_LOGGED = 1000
_logged: OrderedDict[tuple[str, str, tuple[str, ...]], None] = OrderedDict()
_PLAIN: dict[Any, Any] = {str: UNREADABLE, int: 0, float: 0.0, bool: False, bytes: b"", list: [], dict: {}, tuple: ()}


class Reader(Generic[T]):
    """Makes the noun of a row.

    `kind` is a Struct or a NamedTuple with a field `unreadable`; the columns `key` name the row in the log.
    """

    def __init__(self, kind: type[T], table: str, *key: str) -> None:
        self._kind = kind
        self._table = table
        self._key = key
        hints = typing.get_type_hints(kind, include_extras=True)
        self._types = {name: hint for name, hint in hints.items() if name != FIELD}
        self._names = tuple(self._types)
        # a NamedTuple is made from its values in order, a Struct from values by name; either is one call into C
        self._by_name = issubclass(kind, msgspec.Struct)

    def __call__(self, row: Any) -> T:  # noqa: ANN401 - a sqlite3.Row, or anything else that is read by name
        """The noun of a row; never raises because of its values."""
        values = [row[name] for name in self._names]
        given = dict(zip(self._names, values, strict=True)) if self._by_name else values
        try:
            return msgspec.convert(given, self._kind)
        except msgspec.ValidationError:
            return self._salvaged(row)

    def _salvaged(self, row: Any) -> T:  # noqa: ANN401 - the same
        found: dict[str, Any] = {}
        unreadable: list[str] = []
        for name, kind in self._types.items():
            try:
                found[name] = msgspec.convert(row[name], kind)
            except msgspec.ValidationError:
                found[name] = empty_value(kind)
                unreadable.append(name)
        log_unreadable(self._table, " ".join(str(row[name]) for name in self._key), unreadable)
        return self._kind(**found, **{FIELD: tuple(unreadable)})


def decoded(text: str | bytes | None, kind: type[T]) -> T | None:
    """The value of stored JSON; None if the text is None, not JSON or not of that type. Never raises."""
    try:
        return None if text is None else msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError, TypeError):
        return None


def empty_value(kind: Any) -> Any:  # noqa: ANN401 - any type, and a value of it
    """An empty value of a type: None if that is allowed, else no items, 0, or the text UNREADABLE.

    An enumeration gets the text as well: each of launchd's is a StrEnum, so comparing and printing it work.
    """
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return empty_value(typing.get_args(kind)[0])
    if origin in {typing.Union, UnionType}:
        options = typing.get_args(kind)
        return None if type(None) in options else empty_value(options[0])
    if kind is Any or kind is None:
        return None
    if origin is typing.Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return UNREADABLE
    plain = _PLAIN.get(origin or kind)
    return plain.copy() if isinstance(plain, (list, dict)) else plain


def log_unreadable(table: str, row: str, unreadable: Iterable[str]) -> tuple[str, ...]:
    """Log that columns of a row cannot be read, once for each row and set of columns; returns the columns."""
    names = tuple(unreadable)
    key = (table, row[:200], names)
    if key in _logged:
        return names
    _logged[key] = None
    if len(_logged) > _MAX_LOGGED:
        _logged.popitem(last=False)
    get_logger("launchd.rows").warning(
        "row_unreadable", table=table, row=row[:200], values=list(names), detail="shown without these values"
    )
    return names
