"""Validation of sightings: bad fields are dropped and reported. Pure.

A record is rejected only when it has no key or no name; a bad field costs only itself.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from launchd.errors import InvalidError
from launchd.launches.dates import net_at
from launchd.launches.launch import Place, Precision, Rejection, Sighting

MAX_TEXT = 300
MAX_URLS = 20
MAX_NAMES = 20
MAX_REASON = 500
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Zero-width and bidirectional format characters: text that holds them is not what it looks like.
_HIDDEN = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]")
# The names under which sources have fields of a sighting.
_ALIASES = {
    "t0": "net",
    "net_precision": "net",
    "win_open": "window_start",
    "win_close": "window_end",
    "last_updated": "modified",
}
_TEXT_FIELDS = ("provider", "vehicle", "pad", "mission", "orbit", "designator", "status_word")


# Fields of a sighting that may have to be kept.
_KEPT = frozenset(Sighting.__struct_fields__) - {"source", "source_id", "refused", "kept", "stated", "live"}


class Report:
    """Collects the rejections of one source's payloads."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.rejections: list[Rejection] = []
        self._refused: dict[str, set[str]] = {}

    def reject(self, record: str, reason: str, field: str | None = None) -> None:
        """Report that a record, or one field of it, is rejected."""
        shown = plain(record)[:MAX_TEXT] or "?"
        why = plain(reason)[:MAX_REASON]  # it may quote the payload
        self.rejections.append(Rejection(source=self.source, record=shown, field=field, reason=why))
        if field is not None:
            self.miss(record, field)

    def miss(self, record: str, *fields: str) -> None:
        """Note that the payload says nothing about these fields of a record, which is no fault of the record."""
        self._refused.setdefault(record, set()).update(_ALIASES.get(field, field) for field in fields)

    def refused(self, record: str) -> set[str]:
        """The fields of a record that were rejected or missed."""
        return self._refused.get(record, set())


def plain(text: str) -> str:
    """Text without control, zero-width and bidirectional characters and lone surrogates, white space folded."""
    return " ".join(_HIDDEN.sub("", _CONTROL.sub("", text)).split())


def text_or_none(value: object) -> str | None:
    """The text of a field that may be missing, empty, or not text at all."""
    if not isinstance(value, str):
        return None
    return plain(value) or None


def clean(sighting: Sighting, report: Report) -> Sighting | None:
    """The sighting without its bad fields; None if the record is rejected."""
    name, source_id = plain(sighting.name), plain(sighting.source_id)
    if not source_id:
        report.reject(name or "?", "it has no key")
        return None
    if not name:
        report.reject(source_id, "it has no name")
        return None
    changes: dict[str, Any] = {"name": name[:MAX_TEXT], "source_id": source_id[:MAX_TEXT]}
    for field in _TEXT_FIELDS:
        value = getattr(sighting, field)
        if value is not None:
            changes[field] = plain(value)[:MAX_TEXT] or None

    def drop(field: str, reason: str) -> None:
        changes[field] = None
        report.reject(source_id, reason, field)

    _check_times(sighting, drop)
    changes["location"] = _place(sighting.location, drop)
    urls = tuple(url for url in sighting.urls[:MAX_URLS] if url.startswith(("https://", "http://")))
    changes["urls"] = tuple(_HIDDEN.sub("", _CONTROL.sub("", url))[:2000] for url in urls)
    others = (plain(one)[:MAX_TEXT] for one in sighting.names)
    changes["names"] = tuple(dict.fromkeys(one for one in others if one and one != name))[:MAX_NAMES]
    if sighting.urls and not urls:
        report.miss(sighting.source_id, "urls")
    changes["refused"] = tuple(
        sorted({*sighting.refused, *report.refused(source_id), *report.refused(sighting.source_id)} & _KEPT)
    )
    return msgspec.structs.replace(sighting, **changes)


Drop = Callable[[str, str], None]


def _check_times(sighting: Sighting, drop: Drop) -> None:
    start, end = sighting.window_start, sighting.window_end
    for field, value in (("window_start", start), ("window_end", end), ("modified", sighting.modified)):
        if value is not None and not _plausible(value):
            drop(field, "the year is not plausible")
    if start is not None and end is not None and start > end:
        drop("window_start", "the window ends before it starts")
        drop("window_end", "the window ends before it starts")


def _plausible(instant: int) -> bool:
    try:
        net_at(instant, Precision.SECOND)
    except InvalidError:
        return False
    return True


def _place(place: Place | None, drop: Drop) -> Place | None:
    if place is None:
        return None
    name = plain(place.name)[:MAX_TEXT] or None if place.name else None
    latitude, longitude = place.latitude, place.longitude
    if latitude is None or longitude is None:
        return Place(name) if name else None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # noqa: PLR2004 - degrees; NaN is in no range
        drop("location", f"{latitude:g}, {longitude:g} are not coordinates")
        return Place(name) if name else None
    return Place(name, round(latitude, 6), round(longitude, 6))
