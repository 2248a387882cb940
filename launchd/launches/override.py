"""Overrides: fields of a launch that an operator sets, applied after reconciling. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from launchd.clock import Instant, parse_instant
from launchd.errors import InvalidError, Problem
from launchd.launches.dates import net_at
from launchd.launches.launch import Change, FieldSource, Launch, LaunchStatus, Net, Precision
from launchd.launches.reconcile import shown
from launchd.launches.validate import MAX_TEXT, plain

# Provenance and history give this as the source of a value that an operator has set.
SOURCE = "override"
_TEXTS = ("name", "provider", "vehicle", "pad", "mission", "orbit", "designator")
_TIMES = ("window_start", "window_end")
FIELDS = (*_TEXTS, *_TIMES, "status", "net")
# A NET is one field with two rows of history.
_SHOWN_AS = {"net": ("net", "net_precision")}
_TYPES: dict[str, Any] = (
    dict.fromkeys(_TEXTS, str | None)
    | dict.fromkeys(_TIMES, int | None)
    | {"status": LaunchStatus | None, "net": Net | None}
)


class Override(NamedTuple):
    """A field's value as an operator set it (None: not known), with the actor, reason and time."""

    field: str
    value: Any
    actor: str
    reason: str | None
    at: Instant
    unreadable: tuple[str, ...] = ()

    def encoded(self) -> bytes:
        """The value as the store keeps it."""
        return msgspec.json.encode(self.value)


def decoded(field: str, value: bytes) -> Any:  # noqa: ANN401 - a field's own type
    """The value of a field as the store keeps it."""
    return msgspec.json.decode(value, type=_TYPES[field])


def values(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request as a launch has them; a NET comes with its precision, as the API serves it.

    Raises InvalidError with every invalid path.
    """
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for name, value in wanted.items():
        if name in {"net", "net_precision"}:
            continue
        try:
            found[name] = _value(name, value)
        except InvalidError as error:
            problems.append(Problem(f"fields.{name}", error.detail))
    if "net" in wanted or "net_precision" in wanted:
        try:
            found["net"] = _net(wanted.get("net"), wanted.get("net_precision"))
        except InvalidError as error:
            problems.append(Problem("fields.net", error.detail))
    if not wanted:
        problems.append(Problem("fields", f"expected one or more of {', '.join(FIELDS)}, net_precision"))
    if problems:
        raise InvalidError("; ".join(f"{one.path}: {one.message}" for one in problems), errors=problems)
    return found


def apply(launch: Launch, overrides: Iterable[Override]) -> Launch:
    """The launch with the overrides applied."""
    changes: dict[str, Any] = {}
    provenance = dict(launch.provenance)
    for one in overrides:
        changes[one.field] = one.value
        provenance[one.field] = FieldSource(SOURCE, one.at)
    return msgspec.structs.replace(launch, **changes, provenance=provenance) if changes else launch


def check_window(launch: Launch) -> None:
    """Raises InvalidError for a window that ends before it starts."""
    if launch.window_start is not None and launch.window_end is not None and launch.window_start > launch.window_end:
        raise InvalidError.at("fields.window_start", "the window would end before it starts")


def changes(before: Launch, after: Launch, fields: Iterable[str], now: Instant) -> list[Change]:
    """The history rows of fields whose override an operator has set or removed."""
    found = []
    for field in fields:
        origin = after.provenance.get(field)
        source = origin.source if origin else SOURCE
        for name in _SHOWN_AS.get(field, (field,)):
            old, new = shown(before, name), shown(after, name)
            if old != new:
                found.append(Change(launch_id=after.id, field=name, old=old, new=new, source=source, seen_at=now))
    return found


def overridden(launch: Launch) -> set[str]:
    """The fields of a record that an operator has set."""
    return {field for field, origin in launch.provenance.items() if origin.source == SOURCE}


def visible(rows: Iterable[Change], hidden: Mapping[str, Collection[str]]) -> list[Change]:
    """The visible changes by sources: those of overridden fields (`hidden`, by launch) are left out."""
    names = {
        (launch_id, name)
        for launch_id, fields in hidden.items()
        for field in fields
        for name in _SHOWN_AS.get(field, (field,))
    }
    return [row for row in rows if (row.launch_id, row.field) not in names]


def _value(name: str, value: object) -> object:
    if name not in FIELDS:
        raise InvalidError(f"no such field; known: {', '.join(FIELDS)}, net_precision")
    if value is None and name != "name":
        return None
    if not isinstance(value, str):
        raise InvalidError("expected text" + ("" if name == "name" else " or null"))
    if name in _TIMES:
        return net_at(parse_instant(value), Precision.SECOND).earliest
    if name == "status":
        return _member(LaunchStatus, value)
    text = plain(value)
    if not 1 <= len(text) <= MAX_TEXT:
        raise InvalidError(f"expected 1..{MAX_TEXT} characters")
    return text


def _net(instant: object, precision: object) -> Net | None:
    if instant is None and precision is None:
        return None
    if not isinstance(instant, str) or not isinstance(precision, str):
        raise InvalidError("expected net (a time) and net_precision together, or null for both")
    return net_at(parse_instant(instant), _member(Precision, precision))


def _member(kind: Any, value: str) -> Any:  # noqa: ANN401 - one of two enumerations
    if value not in set(kind):
        raise InvalidError(f"expected one of {', '.join(kind)}, got {value!r}")
    return kind(value)
