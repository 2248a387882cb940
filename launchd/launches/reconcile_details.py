"""From the details of all sightings of a launch to those of its record: a source is chosen for each field. Pure.

A field has the value of the first source that gives one, in the order of the caller. Webcasts and updates of all
sources are put together. What holds for one date only (weather, webcasts) is not taken from a sighting of another date.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from launchd.launches.details import (
    FIELDS,
    MAX_UPDATES,
    MAX_WEBCASTS,
    NOTHING,
    Booster,
    Details,
    Update,
    Webcast,
    filled,
)
from launchd.launches.launch import FieldSource, Launch, Sighting

# Provenance names a field of the details with this prefix ("details.webcasts").
PREFIX = "details."
# The history has rows for these alone: each is shown by the text of the field of the details.
HISTORY = {"webcast": "webcasts", "probability": "probability", "booster": "boosters"}
_OF_THE_DAY = frozenset({"webcasts", "webcast_live", "probability", "weather_concerns", "weather", "hold_reason"})
_MERGED = frozenset({"webcasts", "updates"})


class SourceDetails(NamedTuple):
    """The details of one sighting. `is_current` is False if the sighting has another date than the launch."""

    details: Details
    origin: FieldSource
    is_current: bool


def reconciled(ranked: Sequence[SourceDetails]) -> tuple[Details | None, dict[str, FieldSource]]:
    """The details of a launch and the source of each field; the best source comes first."""
    values: dict[str, Any] = {}
    provenance: dict[str, FieldSource] = {}
    for field in FIELDS:
        of_the_day = field in _OF_THE_DAY
        said = [one for one in ranked if _is_said(getattr(one.details, field)) and (one.is_current or not of_the_day)]
        if said:
            values[field] = _merged(field, said) if field in _MERGED else getattr(said[0].details, field)
            provenance[PREFIX + field] = said[0].origin
    return (Details(**values) if values else None), provenance


def carried(known: Sighting | None, sent: Sighting) -> Sighting:
    """A record in a short form with the known values of what its form lacks; any other record as it is."""
    details = sent.details
    if known is None or details is None or not details.unsaid:
        return sent
    urls = known.urls if "urls" in details.unsaid else sent.urls
    return msgspec.structs.replace(sent, details=filled(known.details, details), urls=urls)


def shown(launch: Launch, field: str) -> str | None:
    """A field of HISTORY as the history shows it."""
    details = launch.details or NOTHING
    if field == "probability":
        return None if details.probability is None else f"{details.probability} %"
    if field == "webcast":
        return details.webcasts[0].url if details.webcasts else None
    return "; ".join(filter(None, map(_booster_words, details.boosters))) or None


def _is_said(value: object) -> bool:
    return value is not None and value != ()


def _merged(field: str, said: Sequence[SourceDetails]) -> tuple[object, ...]:
    if field == "webcasts":
        videos: dict[str, Webcast] = {}
        for one in said:
            for video in one.details.webcasts:
                videos.setdefault(video.url, video)
        return tuple(videos.values())[:MAX_WEBCASTS]
    notes = {one.id: one for one in _notes(said)}
    return tuple(sorted(notes.values(), key=lambda one: (-(one.at or 0), one.id)))[:MAX_UPDATES]


def _notes(said: Sequence[SourceDetails]) -> Iterator[Update]:
    """The notes of all sources; those of the others carry their source in the id, so that no two are taken for one."""
    for number, one in enumerate(said):
        for note in one.details.updates:
            yield msgspec.structs.replace(note, id=f"{one.origin.source}:{note.id}") if number else note


def _booster_words(one: Booster) -> str | None:
    """One booster: "B1067 flight 32, ASDS A Shortfall of Gravitas: success"."""
    name = one.serial or (one.role if one.landing is not None else None)
    if name is None:
        return None
    landing = one.landing
    text = name if one.flight is None else f"{name} flight {one.flight}"
    if landing is None:
        return text
    where = " ".join(word for word in (landing.type, landing.place) if word)
    return f"{text}, {where}: {landing.outcome}" if where else f"{text}: {landing.outcome}"
