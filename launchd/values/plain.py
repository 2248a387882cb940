"""Values of tasks, sources and requests made plain: any object as bounded, clean UTF-8 or JSON.

Every function here accepts any object, never raises, and runs as little foreign code as it can: an object's own
`__str__` is called once, and all that it raises is caught, `KeyboardInterrupt` and `SystemExit` included. A value that
cannot be read becomes a text that says so: `<Bad: its text cannot be read: TypeError>`.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, cast

# The longest text of one value, in bytes of UTF-8; the greatest depth, width and number of values of a nested copy.
MAX_TEXT_BYTES = 256 * 1024
MAX_DEPTH, MAX_ITEMS, MAX_NODES = 6, 200, 5_000
_NAME_BYTES = 200
# The integers that JSON readers with 64 bits accept.
_MIN_INT, _MAX_INT = -(2**63), 2**64 - 1
_name_of = type.__dict__["__name__"].__get__


def bounded(text: str, limit: int, *, keep: str = "start") -> str:
    r"""`text` in at most `limit` bytes of clean UTF-8; a cut text says how many bytes the whole had.

    `keep` is the end that is kept, "start" or "end". Lone surrogates become "?" and NUL becomes U+FFFD, because not
    every store accepts them.

    >>> bounded("caf\udce9", 10)
    'caf?'
    """
    if type(text) is not str:
        text = str.__str__(text)  # a subclass may override its methods; this is the text that it holds
    data = text.encode("utf-8", "replace")
    if b"\0" in data:
        data = data.replace(b"\0", "\N{REPLACEMENT CHARACTER}".encode())
    if len(data) <= limit:
        return data.decode()
    mark = f"... [cut: {len(data)} bytes]"
    room = max(limit - len(mark), 0)
    if keep == "end":
        return mark + data[len(data) - room :].decode("utf-8", "ignore")
    return data[:room].decode("utf-8", "ignore") + mark


def plain_text(value: object, limit: int = MAX_TEXT_BYTES, *, keep: str = "start") -> str:
    """The text of any object, bounded as by `bounded`; if its `str()` fails, a text with the type and the reason.

    >>> plain_text(10 ** 2)
    '100'
    """
    try:
        text = cast("str", value) if issubclass(type(value), str) else str(value)
    except BaseException as error:  # noqa: BLE001 - foreign code may raise anything, and nothing of it may go on
        text = f"<{type_name(value)}: its text cannot be read: {type_name(error)}>"
    return bounded(text, limit, keep=keep)


def type_name(value: object) -> str:
    """The name of an object's class, bounded and clean, even if its metaclass overrides `__name__`."""
    return bounded(_name_of(type(value)), _NAME_BYTES)


def plain_value(value: object) -> Any:  # noqa: ANN401 - text, a number, a list or a dict
    """A bounded copy of any object, made of texts, numbers, lists and dicts that JSON can carry.

    Integers beyond 64 bits, NaN and infinities become texts. A list or dict deeper than `MAX_DEPTH` becomes a text with
    its length. At most `MAX_ITEMS` items of each and `MAX_NODES` values in all are copied.

    >>> plain_value({"when": (1, float("inf"))})
    {'when': [1, 'inf']}
    """
    return _copy(value, 0, iter(range(MAX_NODES)))


def _copy(value: object, depth: int, room: Iterator[int]) -> Any:  # noqa: ANN401 - as above
    """The copy of a value at a depth; `room` yields once for each further value that may be copied."""
    if value is None or type(value) is bool:
        return value
    try:
        if isinstance(value, int):
            return _number(int.__add__(value, 0))
        if isinstance(value, float):
            return _number(float.__add__(value, 0.0))
        return _nested(value, depth, room)
    except BaseException as error:  # noqa: BLE001 - as in plain_text
        return f"<{type_name(value)}: it cannot be read: {type_name(error)}>"


def _nested(value: object, depth: int, room: Iterator[int]) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str):
        return plain_text(value)
    if depth >= MAX_DEPTH and isinstance(value, Mapping | list | tuple | set | frozenset):
        return f"<{type_name(value)} of {len(value)} ...>"  # not its text: that of a list within itself may be endless
    if isinstance(value, Mapping):
        items = islice(value.items(), MAX_ITEMS)
        return {plain_text(key): _copy(inner, depth + 1, room) for _, (key, inner) in zip(room, items, strict=False)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_copy(one, depth + 1, room) for _, one in zip(room, islice(value, MAX_ITEMS), strict=False)]
    return plain_text(value)


def _number(value: float) -> int | float | str:
    """An int or float, or its text if JSON cannot carry it."""
    if type(value) is int:
        return value if _MIN_INT <= value <= _MAX_INT else plain_text(value)
    return value if math.isfinite(value) else str(value)
