"""Odd exceptions, made from a plain description inside the task."""

import asyncio
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from launchd import Cancel, Retry, Snooze
from launchd.errors import InvalidError, NotFoundError
from tests.fuzz.values import Spec, make


def _broken(*_: object, **__: object) -> NoReturn:
    raise TypeError("this text cannot be made")


def _exits(*_: object, **__: object) -> NoReturn:
    raise SystemExit("from inside a text")


def _kind(name: str, base: type[BaseException] = Exception, **methods: Any) -> type[BaseException]:  # noqa: ANN401 - methods of any signature
    return type(name, (base,), methods)


class _Meta(type):
    def __getattribute__(cls, name: str) -> object:
        if name in {"__name__", "__qualname__", "__module__"}:
            raise RuntimeError("no name")
        return super().__getattribute__(name)

    def __repr__(cls) -> str:
        raise RuntimeError("no name")


class NamelessError(Exception, metaclass=_Meta):
    pass


class _OddlyNamed(type):
    def __getattribute__(cls, name: str) -> object:
        return "caf\udce9" if name in {"__name__", "__qualname__", "__module__"} else super().__getattribute__(name)


class OddlyNamedError(Exception, metaclass=_OddlyNamed):
    pass


class Timed(Retry):
    """A Retry or Snooze whose attribute is a property."""

    after = property(_broken, lambda _self, _value: None)


class SnoozeWithoutInit(Snooze):
    def __init__(self, *_: object) -> None:
        pass


class RetryWithoutInit(Retry):
    def __init__(self, *_: object) -> None:
        pass


class ExitingCancel(Cancel):
    def __str__(self) -> str:
        raise SystemExit(1)


def _deep_group(depth: int, args: tuple[Any, ...]) -> BaseException:
    made: Exception = ValueError(*args)
    for _ in range(depth):
        made = ExceptionGroup("deep", [made])
    return made


def _recursion(*_: object) -> NoReturn:
    _recursion()


KINDS: dict[str, Callable[..., BaseException]] = {
    one.__name__: one
    for one in (
        ValueError, KeyError, OSError, UnicodeError, StopIteration, StopAsyncIteration, MemoryError, RecursionError,
        TimeoutError, AssertionError, ImportError, SyntaxError, BaseException, SystemExit, KeyboardInterrupt,
        GeneratorExit,
        asyncio.CancelledError, asyncio.InvalidStateError, asyncio.QueueFull,
        asyncio.IncompleteReadError, msgspec.ValidationError, InvalidError, NotFoundError,
        Warning, EOFError, BrokenPipeError,
    )
}  # fmt: skip
KINDS |= {
    "broken str": _kind("Bad", __str__=_broken),
    "broken repr": _kind("Bad", __repr__=_broken),
    "broken both": _kind("Bad", __str__=_broken, __repr__=_broken),
    "exits in str": _kind("Exits", __str__=_exits, __repr__=_exits),
    "str is not a text": _kind("Number", __str__=lambda _self: 7),
    "surrogate str": _kind("Surrogate", __str__=lambda _self: "caf\udce9"),
    "endless str": _kind("Endless", __str__=lambda _self: "x" * (4 << 20)),
    "broken class": _kind("Classless", __class__=property(_broken)),
    "lying class": _kind("Liar", __class__=property(lambda _self: Snooze)),
    "lying cancel": _kind("Liar", __class__=property(lambda _self: asyncio.CancelledError)),
    "broken getattribute": _kind("Closed", __getattribute__=_broken),
    "broken reduce": _kind("Unpicklable", __reduce__=_broken, __reduce_ex__=_broken),
    "broken traceback": _kind("Traceless", __traceback__=property(_broken)),
    "broken cause": _kind("Causeless", __cause__=property(_broken), __context__=property(_broken)),
    "odd traceback": _kind("Traceless", __traceback__=7),
    "broken notes": _kind("Noted", __notes__=property(_broken)),
    "base": _kind("Base", BaseException),
    "base broken": _kind("Base", BaseException, __str__=_broken, __repr__=_broken),
    "surrogate name": OddlyNamedError,
    "escape name": _kind("Red\x1b[31m\n"),
    "long name": _kind("N" * (1 << 20)),
    "nameless": NamelessError,
    "exit subclass": _kind("Leave", SystemExit, __str__=_broken),
    "interrupt subclass": _kind("Stop", KeyboardInterrupt),
    "cancelled subclass": _kind("Gone", asyncio.CancelledError, __str__=_broken),
    "stop subclass": _kind("End", StopIteration, value=property(_broken)),
    "group": lambda *args: BaseExceptionGroup("group", [ValueError(*args), KeyboardInterrupt(), SystemExit(2)]),
    "group of wishes": lambda *_: ExceptionGroup("wishes", [Retry("r", after=1), Snooze(5), Cancel("c")]),
    "deep group": lambda *args: _deep_group(1000, args),
    "deepest group": lambda *args: _deep_group(10_000, args),
    "wide group": lambda *args: ExceptionGroup("wide", [ValueError(*args) for _ in range(5_000)]),
    "group surrogate": lambda *_: ExceptionGroup("caf\udce9", [ValueError("caf\udce9")]),
    "Retry": Retry,
    "Snooze": Snooze,
    "Cancel": Cancel,
    "Timed": Timed,
    "SnoozeWithoutInit": SnoozeWithoutInit,
    "RetryWithoutInit": RetryWithoutInit,
    "ExitingCancel": ExitingCancel,
    "broken Snooze": _kind("BadSnooze", Snooze, __str__=_broken, __repr__=_broken),
    "broken Retry": _kind("BadRetry", Retry, __str__=_broken, __repr__=_broken),
    "broken Cancel": _kind("BadCancel", Cancel, __str__=_broken, __repr__=_broken),
    "real recursion": _recursion,
    "unicode decode": lambda *_: UnicodeDecodeError("utf-8", b"caf\xe9", 3, 4, "unexpected end of data"),
    "syntax": lambda *_: SyntaxError("caf\udce9", ("caf\udce9.py", 10**9, -5, "x" * 100_000)),
    "key of odd": lambda *_: KeyError(make(["odd", "broken repr"])),
    "name error": lambda *_: NameError("name 'x'", name="caf\udce9"),
    "attribute error": lambda *_: AttributeError("odd", name="ab", obj=make(["odd", "broken getattribute"])),
}  # fmt: skip


def build(kind: str, args: list[Spec], keywords: dict[str, Spec], trims: list[list[Any]]) -> BaseException:
    """The exception of a description; an error of its constructor is raised."""
    made = KINDS[kind](*(make(one) for one in args), **{name: make(one) for name, one in keywords.items()})
    for trim in trims:
        _trim(made, trim)
    return made


def _trim(error: BaseException, trim: list[Any]) -> None:  # noqa: C901 - a table of ten lines
    """Change an exception after it was made, if it allows that."""
    match trim:
        case ["set", name, value]:
            setattr(error, name, make(value))
        case ["cause", kind]:
            error.__cause__ = Snooze(5) if kind == "Snooze" else KINDS[kind]()
        case ["cause cycle"]:
            error.__cause__ = other = ValueError("other")
            other.__cause__ = error
        case ["context cycle"]:
            error.__context__ = other = ValueError("other")
            other.__context__ = error
        case ["long chain", length]:
            last = error
            for number in range(length):
                last.__context__ = ValueError(number)
                last = last.__context__
        case ["note", value]:
            error.add_note(make(value))
        case ["notes", value]:
            error.__notes__ = make(value)
        case ["no traceback"]:
            error.__traceback__ = None
        case ["foreign traceback"]:
            error.__traceback__ = _foreign()
        case _:
            raise AssertionError(f"no such trim: {trim}")


def _foreign() -> types.TracebackType:
    """A traceback whose file name and source cannot be read."""
    code = compile("def f():\n raise ValueError\nf()", "caf\udce9\x00.py", "exec")
    try:
        exec(code, {"__loader__": 7, "__name__": 7})  # noqa: S102 - fixed text
    except ValueError as error:
        trace = error.__traceback__
    return trace or types.TracebackType(None, sys._getframe(), 0, 1)
