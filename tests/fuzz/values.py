"""Odd values, made inside the task from a plain description: `["number", "nan"]`, `["list", [...]]`."""

import asyncio
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import io
import json
import pathlib
import re
import sys
import threading
import types
import uuid
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NoReturn

import msgspec

from tests.fuzz.hostile import HOSTILE

Spec = list[Any]
NUMBERS: dict[str, Callable[[], Any]] = {
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "-0.0": lambda: -0.0,
    "0": lambda: 0,
    "5": lambda: 5,
    "-5": lambda: -5,
    "0.5": lambda: 0.5,
    "tiny": lambda: sys.float_info.min / 4,
    "largest": lambda: sys.float_info.max,
    "2**63": lambda: 2**63,
    "-2**63-1": lambda: -(2**63) - 1,
    "2**64": lambda: 2**64,
    "10**400": lambda: 10**400,
    "10**5000": lambda: 10**5000,
    "epoch": lambda: 1_764_446_400,
    "epoch_ms": lambda: 1_764_446_400_000,
    "1e12": lambda: 1e12,
    "366 days": lambda: 366 * 86_400,
    "true": lambda: True,
    "decimal": lambda: decimal.Decimal("1.10"),
    "decimal nan": lambda: decimal.Decimal("NaN"),
    "decimal snan": lambda: decimal.Decimal("sNaN"),
    "fraction": lambda: fractions.Fraction(1, 3),
    "complex": lambda: 1 + 2j,
    "timedelta": lambda: dt.timedelta(minutes=5),
    "timedelta.max": lambda: dt.timedelta.max,
    "timedelta.min": lambda: dt.timedelta.min,
    "text 30": lambda: "30",
}


class Colour(enum.Enum):
    RED = "\udce9"


class Level(enum.IntEnum):
    HIGH = 9


class Struct(msgspec.Struct):
    """One field that cannot be encoded."""

    value: Any


@dataclasses.dataclass
class Data:
    value: Any = None


def _generator() -> Iterator[int]:
    yield 1


async def _async_generator() -> AsyncIterator[int]:
    yield 1


async def _coroutine() -> int:
    return 1


def _closed_coroutine() -> Any:  # noqa: ANN401 - a coroutine that nobody awaits, and that does not warn of it
    made = _coroutine()
    made.close()
    return made


def _recursive_list() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def _recursive_dict() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["self"] = made
    return made


def _tangled() -> list[Any]:
    """A list that holds itself two hundred times: a copy bounded by depth alone would take for ever."""
    made: list[Any] = []
    made.extend([made] * 200)
    return made


def _deep(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


def _odd_keys() -> dict[Any, Any]:
    return {1: "a", None: "b", (1, 2): "c", b"d": "d", float("nan"): "e", "\udce9": "f"}


def _raise() -> NoReturn:
    raise ValueError("called")


ODD: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "ellipsis": lambda: ...,
    "not implemented": lambda: NotImplemented,
    "bytes": lambda: b"\xff\x00caf\xe9",
    "bytearray": lambda: bytearray(b"\xff"),
    "memoryview": lambda: memoryview(b"abc"),
    "set": lambda: {1, "two"},
    "set of bytes": lambda: {b"\xff"},
    "recursive list": _recursive_list,
    "recursive dict": _recursive_dict,
    "tangled list": _tangled,
    "deep list": lambda: _deep(500),
    "deepest list": lambda: _deep(50_000),
    "wide list": lambda: list(range(100_000)),
    "odd keys": _odd_keys,
    "generator": _generator,
    "coroutine": _closed_coroutine,
    "async generator": _async_generator,
    "lambda": lambda: lambda: 1,
    "type": lambda: int,
    "module": lambda: json,
    "path": lambda: pathlib.Path("caf\udce9"),
    "pattern": lambda: re.compile("a"),
    "uuid": lambda: uuid.UUID(int=7),
    "datetime": lambda: dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
    "offset": lambda: dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=23))),
    "naive": lambda: dt.datetime(2026, 1, 1),  # noqa: DTZ001 - meant
    "enum": lambda: Colour.RED,
    "int enum": lambda: Level.HIGH,
    "struct": lambda: Struct(object()),
    "struct surrogate": lambda: Struct("\udce9"),
    "dataclass": lambda: Data({1, 2}),
    "namespace": lambda: types.SimpleNamespace(a=1),
    "lock": threading.Lock,
    "weak": lambda: weakref.ref(Colour),
    "stream": lambda: io.StringIO("x"),
    "raw": lambda: msgspec.Raw(b"{not json"),
    "raw nothing": lambda: msgspec.Raw(b""),
    "raw lines": lambda: msgspec.Raw(b"1\n2"),
    "raw bytes": lambda: msgspec.Raw(b'"\xff"'),
    "exception": lambda: ValueError("returned, not raised"),
    "exception type": lambda: KeyboardInterrupt,
    "future": lambda: asyncio.Future,
    "partial": lambda: _raise,
} | HOSTILE


def text(spec: str) -> str:
    """A text as the description carries it: ASCII, with Python's escapes."""
    return str(json.loads(spec))


def make(spec: Spec) -> Any:  # noqa: ANN401, PLR0911 - anything, that is the purpose
    """The value of a description."""
    match spec:
        case ["plain", value]:
            return value
        case ["text", escaped]:
            return text(escaped)
        case ["repeat", escaped, times]:
            return text(escaped) * times
        case ["number", name]:
            return NUMBERS[name]()
        case ["list", items]:
            return [make(item) for item in items]
        case ["tuple", items]:
            return tuple(make(item) for item in items)
        case ["dict", pairs]:
            return {text(key): make(value) for key, value in pairs}
        case ["odd", name]:
            return ODD[name]()
        case _:
            raise AssertionError(f"no such value: {spec}")
