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
MAX_REASON = 500
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXT_FIELDS = ("provider", "vehicle", "pad", "mission", "orbit", "designator", "status_word")


class Report:
    """Collects the rejections of one source's payloads."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.rejections: list[Rejection] = []

    def reject(self, record: str, reason: str, field: str | None = None) -> None:
        """Report that a record, or one field of it, is rejected."""
        shown = plain(record)[:MAX_TEXT] or "?"
        why = plain(reason)[:MAX_REASON]  # it may quote the payload
        self.rejections.append(Rejection(source=self.source, record=shown, field=field, reason=why))


def plain(text: str) -> str:
    """Text without control characters and lone surrogates, white space folded."""
    return " ".join(_CONTROL.sub("", text).split())


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
    changes["urls"] = tuple(_CONTROL.sub("", url)[:2000] for url in urls)
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
