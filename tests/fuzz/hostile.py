"""Objects that raise, lie or never end when they are read."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn


def _broken(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("hostile")


def _exits(*_: object, **__: object) -> NoReturn:
    raise SystemExit(3)


def _interrupts(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


def _recurses(self: object, *_: object) -> str:
    return repr(self) + str(self)


def _with(**methods: Any) -> Callable[[], Any]:  # noqa: ANN401 - methods of any signature
    return type("Hostile", (), methods)


class _Long:
    """A very long iterable. An endless one would fill the memory inside the task, which no engine can prevent."""

    def __iter__(self) -> Iterator[int]:
        yield from range(100_000)


class _Wide(dict[str, Any]):
    def __len__(self) -> int:
        return -1  # noqa: PLE0303 - broken on purpose

    def items(self) -> Any:  # noqa: ANN401 - broken on purpose
        raise RuntimeError("hostile")


class _OddList(list[int]):
    def __iter__(self) -> Iterator[int]:
        raise RuntimeError("hostile")

    def __len__(self) -> int:
        raise SystemExit(4)


class _OddText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("hostile")

    def encode(self, *_: object) -> bytes:
        raise RuntimeError("hostile")

    def __getitem__(self, _key: object) -> str:
        raise RuntimeError("hostile")


class _OddInt(int):
    def __int__(self) -> int:
        raise RuntimeError("hostile")

    def __index__(self) -> int:
        raise RuntimeError("hostile")

    def __repr__(self) -> str:
        raise RuntimeError("hostile")

    def __mul__(self, _other: object) -> int:
        raise RuntimeError("hostile")

    def __lt__(self, _other: object) -> bool:
        raise RuntimeError("hostile")


class _OddFloat(float):
    def __float__(self) -> float:
        raise RuntimeError("hostile")

    def __mul__(self, _other: object) -> float:
        raise RuntimeError("hostile")

    def __le__(self, _other: object) -> bool:
        raise SystemExit(5)

    def __format__(self, _spec: str) -> str:
        raise RuntimeError("hostile")


class _Meta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("hostile")

    def __instancecheck__(cls, _other: object) -> bool:
        raise RuntimeError("hostile")

    def __repr__(cls) -> str:
        raise RuntimeError("hostile")


class _OfMeta(metaclass=_Meta):
    pass


class _Finalizer:
    def __del__(self) -> None:
        raise RuntimeError("hostile finalizer")


class _Mapping:
    """Looks like a mapping to code that calls `keys`."""

    def keys(self) -> Any:  # noqa: ANN401 - broken on purpose
        raise KeyboardInterrupt

    def __getitem__(self, key: object) -> object:
        if type(key) is int and key > len("mapping"):  # the same: whoever walks it comes to an end
            raise IndexError
        return key


HOSTILE: dict[str, Callable[[], Any]] = {
    "broken repr": _with(__repr__=_broken),
    "broken str": _with(__str__=_broken),
    "exits in repr": _with(__repr__=_exits),
    "exits in str": _with(__str__=_exits),
    "interrupts in repr": _with(__repr__=_interrupts),
    "recursive repr": _with(__repr__=_recurses),
    "repr is not a text": _with(__repr__=lambda _self: 7),
    "surrogate repr": _with(__repr__=lambda _self: "\udce9\x00"),
    "broken class": _with(__class__=property(_broken)),
    "lying class": _with(__class__=property(lambda _self: dict)),
    "lying error class": _with(__class__=property(lambda _self: KeyboardInterrupt)),
    "broken getattribute": _with(__getattribute__=_broken),
    "exits in getattribute": _with(__getattribute__=_exits),
    "answers everything": _with(__getattr__=lambda self, _name: self, __call__=lambda self, *_: self),
    "broken iter": _with(__iter__=_broken, __len__=_broken),
    "long iter": _Long,
    "broken dict": _with(__dict__=property(_broken)),
    "broken hash": _with(__hash__=_broken, __eq__=_broken),
    "broken bool": _with(__bool__=_broken, __len__=_broken),
    "broken float": _with(__float__=_exits, __int__=_exits, __index__=_exits),
    "broken format": _with(__format__=_broken),
    "broken reduce": _with(__reduce__=_broken, __reduce_ex__=_broken, __deepcopy__=_broken),
    "msgspec fields": _with(__struct_fields__=_broken, __dataclass_fields__=7, __attrs_attrs__=7),
    "odd dict": lambda: _Wide(a=1),
    "odd list": lambda: _OddList([1]),
    "odd text": lambda: _OddText("odd"),
    "odd int": lambda: _OddInt(7),
    "odd float": lambda: _OddFloat(7.0),
    "odd metaclass": _OfMeta,
    "class of odd metaclass": lambda: _OfMeta,
    "finalizer": _Finalizer,
    "mapping": _Mapping,
}
