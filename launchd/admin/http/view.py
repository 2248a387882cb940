"""Views of stored rows. A value that cannot be shown is named in the `unreadable` of its row; no view ever raises.

A stored row may hold anything: another program, a bad disk or another version of launchd wrote it. One such row must
not break a whole list, and an operator must see which row it is.
"""

import functools
import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import msgspec
from msgspec import Meta

from launchd.clock import UNREADABLE
from launchd.values.rows import decoded, empty_value, log_unreadable

_ENCODER = msgspec.json.Encoder()
T = TypeVar("T")
P = ParamSpec("P")


class View(msgspec.Struct, kw_only=True):
    """A JSON object of the API."""


Unreadable = Annotated[
    tuple[str, ...], Meta(description="the fields whose stored values cannot be shown; left out where there are none")
]


class RowView(View, kw_only=True):
    """A stored row. A time out of range, an unknown word of an enumeration and a lost text read "unreadable"."""

    unreadable: Unreadable | msgspec.UnsetType = msgspec.UNSET


# Stored as JSON text and passed on as it is (msgspec.Raw); always an object.
JsonObject = Annotated[Any, Meta(extra_json_schema={"type": "object"})]
V = TypeVar("V", bound=RowView)
S = TypeVar("S", bound=msgspec.Struct)


def total(
    kind: type[V], key: Callable[[Any], dict[str, Any]]
) -> Callable[[Callable[Concatenate[T, P], V]], Callable[Concatenate[T, P], V]]:
    """Make a function that never raises: if it raises for a row, the view has the row's `key` and nothing else."""

    def decorate(show: Callable[Concatenate[T, P], V]) -> Callable[Concatenate[T, P], V]:
        @functools.wraps(show)
        def shown(one: T, /, *args: P.args, **kwargs: P.kwargs) -> V:
            try:
                return show(one, *args, **kwargs)
            except Exception:  # noqa: BLE001 - a row may hold anything, and the other rows of the list must be shown
                known = key(one)
                view = _blank(kind, known)
                lost = tuple(name for name in kind.__struct_fields__ if name not in known and name != "unreadable")
                view.unreadable = log_unreadable(kind.__name__, " ".join(str(value) for value in known.values()), lost)
                return view

        return shown

    return decorate


def lost(names: Iterable[str]) -> Unreadable | msgspec.UnsetType:
    """The `unreadable` of a view; left out if there are no names."""
    return tuple(dict.fromkeys(names)) or msgspec.UNSET


def json_text(text: str | None, name: str, missing: list[str], *, is_object: bool = False) -> Any:  # noqa: ANN401
    """Stored JSON, passed on as it is; text that is not JSON becomes null (or {}) and is named in `missing`."""
    if text is None:
        return None
    try:
        value = msgspec.json.decode(text)  # whole: a client's decoder refuses 1e999, which is JSON by its grammar
    except (msgspec.MsgspecError, ValueError, RecursionError):
        value = msgspec.UNSET
    if value is msgspec.UNSET or (is_object and not isinstance(value, dict)):
        missing.append(name)
        return {} if is_object else None
    return msgspec.Raw(text.encode("utf-8", "replace"))


def member(text: str | None, kind: type[T], name: str, missing: list[str]) -> T | None:
    """The value of stored JSON; None if it is not JSON of that type, which is named in `missing`."""
    found = decoded(text, kind)
    if text is not None and found is None:
        missing.append(name)
    return found


def word(value: str, known: Iterable[str], name: str, missing: list[str]) -> str:
    """A word of an enumeration; UNREADABLE for an unknown word, which is named in `missing`."""
    if value in known:
        return value
    if name not in missing:
        missing.append(name)
    return UNREADABLE


def finite(value: float) -> float:
    """A number that JSON can express; 0 for nan and the infinities."""
    return value if math.isfinite(value) else 0.0


def cleaned(value: Any) -> Any:  # noqa: ANN401, PLR0911 - anything that is about to be encoded; one line a kind
    """The value with everything replaced that JSON cannot express; used only after the encoder has refused it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {cleaned(str(name)): cleaned(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [cleaned(one) for one in value]
    if isinstance(value, msgspec.Raw):
        return value if decoded(bytes(value), msgspec.Raw) is not None else UNREADABLE
    if isinstance(value, msgspec.Struct):
        fields = zip(value.__struct_encode_fields__, msgspec.structs.astuple(value), strict=True)
        return {name: cleaned(one) for name, one in fields if one is not msgspec.UNSET}
    try:
        msgspec.json.encode(value)
    except Exception:  # noqa: BLE001 - an integer of 5,000 digits, an object of a task's own
        return UNREADABLE
    return value


def _blank(kind: type[S], known: dict[str, Any]) -> S:
    """A view with neutral values in all fields except those known; optional fields are left out."""
    found = dict(known)
    for field in msgspec.structs.fields(kind):
        if field.name not in found and field.required:
            is_view = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
            found[field.name] = _blank(field.type, {}) if is_view else empty_value(field.type)
    return kind(**found)


def encode(view: object) -> bytes:
    """JSON with a final newline, for terminals. Never raises: a value that JSON cannot express is replaced."""
    return encode_line(view) + b"\n"


def encode_line(view: object) -> bytes:
    """JSON without a final newline. Never raises."""
    try:
        return _ENCODER.encode(view)
    except (ValueError, TypeError, OverflowError, RecursionError):  # UnicodeEncodeError is a ValueError
        return _ENCODER.encode(cleaned(view))
