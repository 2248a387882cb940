"""The details in a launch of Launch Library 2, versions 2.0.0 to 2.3.0, modes normal and detailed.

2.3.0 renamed fields and made objects of texts: a landing's `location` is `landing_location`, `spacecraft_stage` is a
list, `turn_around_time_days` is an ISO duration `turn_around_time`, a picture is an object with its licence.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from launchd.clock import DAY, SECOND
from launchd.launches import details as nouns
from launchd.launches.details import (
    Booster,
    CrewMember,
    Details,
    Landing,
    Part,
    Payload,
    Picture,
    Update,
    Webcast,
)
from launchd.launches.sources import launch_library_shape as shape
from launchd.launches.sources.fields import Fields, decoded, objects
from launchd.launches.validate import MAX_URLS, Report

# https://ll.thespacedevs.com/2.3.0/config/video_url_types/, the best to watch first; then null, live feeds and recaps.
_VIDEO_ORDER = {1: 0, 2: 1, 5: 2, 3: 3, 4: 4, 7: 6, 6: 7}
_VIDEO_KINDS = {
    1: "Official Webcast",
    2: "Official Re-stream",
    3: "Unofficial Webcast",
    4: "Unofficial Re-stream",
    5: "Technical Webcast",
    6: "Recap",
    7: "24/7 Live Feed",
}
_OTHER_VIDEO = 5
# The words by which Launch Library says that it does not know something.
_UNKNOWN = frozenset({"n/a", "none", "tbd", "tba"})
T = TypeVar("T")
_MAX_COUNT, _MAX_MASS, _MAX_KM = 100_000, 10_000_000, 100_000
_LONGEST_TURNAROUND_DAYS = 40_000
# The parts of the details, by the field of the record that holds them; a record without the field does not say.
_HOLDERS: tuple[tuple[tuple[str, ...], tuple[Part, ...]], ...] = (
    (("mission",), (Part.MISSION_TYPE, Part.MISSION_DESCRIPTION)),
    (("probability",), (Part.PROBABILITY,)),
    (("weather_concerns",), (Part.WEATHER_CONCERNS,)),
    (("holdreason",), (Part.HOLD_REASON,)),
    (("failreason",), (Part.FAIL_REASON,)),
    (("webcast_live",), (Part.WEBCAST_LIVE,)),
    (("updates",), (Part.UPDATES,)),
    (("vid_urls", "old_vid_urls"), (Part.WEBCASTS, Part.URLS)),
    (("program",), (Part.PROGRAMMES,)),
    (("image", "infographic"), (Part.PICTURES,)),
    (("mission_patches",), (Part.PATCHES,)),
    (("pad_turnaround",), (Part.PAD_TURNAROUND,)),
)
_STAGES = (Part.BOOSTERS, Part.PAYLOADS, Part.CREWED, Part.CREW)
EVERYTHING = tuple(Part)


class DetailsReader:
    """Reads the details of one record."""

    def __init__(self, record: shape.Details, key: str, report: Report) -> None:
        self._record = record
        self._key = key
        self._report = report
        self._rocket = self._object("rocket", Part.BOOSTERS)
        self._mission = self._object("mission", Part.MISSION_TYPE)

    def details(self) -> Details:
        """The details; of parts that the record's form lacks it says so."""
        mission = self._mission
        crew, crewed = self._crew()
        agencies = mission.part(Part.CUSTOMERS).items("agencies", nouns.MAX_NAMES, "name")
        return Details(
            mission_type=_known(mission.named("type")),
            mission_description=mission.text("description", longest=nouns.MAX_DESCRIPTION),
            customers=_names(agencies),
            payloads=tuple(self._payloads()),
            boosters=tuple(self._boosters()),
            crewed=crewed,
            crew=crew,
            webcasts=tuple(self._webcasts()),
            webcast_live=self._plain("webcast_live").flag("webcast_live"),
            probability=self._probability(),
            weather_concerns=self._plain("weather_concerns").text("weather_concerns", longest=nouns.MAX_NOTE),
            hold_reason=self._plain("holdreason", Part.HOLD_REASON).text("holdreason", longest=nouns.MAX_NOTE),
            fail_reason=self._plain("failreason", Part.FAIL_REASON).text("failreason", longest=nouns.MAX_NOTE),
            updates=tuple(self._updates()),
            programmes=self._programmes(),
            pictures=self._pictures(),
            patches=self._patches(),
            pad_turnaround=self._plain("pad_turnaround").seconds("pad_turnaround"),
            unsaid=self._unsaid(),
        )

    def urls(self) -> tuple[str, ...]:
        """Videos and pages, those of the lowest `priority` number first."""
        videos = (self._list(name, Part.WEBCASTS, "url", quiet=True) for name in ("vid_urls", "old_vid_urls"))
        pages = (self._list(name, Part.URLS, "url") for name in ("info_urls", "old_info_urls"))
        links = [one for each in (*videos, *pages) for one in each]
        ranked = sorted(links, key=_priority)
        return tuple(dict.fromkeys(_each(one.url("url") for one in ranked)))[:MAX_URLS]

    def _unsaid(self) -> tuple[Part, ...]:
        """The parts for which the record has no field."""
        absent = {
            part
            for names, parts in _HOLDERS
            if all(getattr(self._record, name) is msgspec.UNSET for name in names)
            for part in parts
        }
        if not self._rocket.has("launcher_stage"):
            absent |= set(_STAGES)
        if not self._mission.has("agencies") and isinstance(self._record.updates, msgspec.UnsetType):
            absent.add(Part.CUSTOMERS)
        return tuple(part for part in Part if part in absent)

    def _value(self, name: str, part: str) -> Any:  # noqa: ANN401 - JSON
        return decoded(getattr(self._record, name), self._key, part, self._report)

    def _plain(self, name: str, part: str | None = None) -> Fields:
        """A field of the record itself."""
        return Fields({name: self._value(name, part or name)}, self._key, part or name, self._report)

    def _object(self, name: str, part: str) -> Fields:
        value = self._value(name, part)
        return Fields(value if isinstance(value, dict) else {}, self._key, part, self._report)

    def _list(self, name: str, part: str, needed: str, most: int = MAX_URLS, *, quiet: bool = False) -> list[Fields]:
        """The objects of a list; `quiet` reports nothing, for a list that is read twice."""
        report = Report(self._report.source) if quiet else self._report
        value = decoded(getattr(self._record, name), self._key, part, report)
        if value is not None and not isinstance(value, list):
            report.reject(self._key, f"{name}: expected a list", part)
            value = None
        return list(objects(value or [], most, self._key, part, report, needed))

    def _probability(self) -> int | None:
        """The probability of good weather in percent; -1 means that it is not known."""
        field = self._plain("probability")
        return None if field.peek("probability") == -1 else field.whole("probability", 0, 100)

    def _payloads(self) -> Iterator[Payload]:
        rocket = self._rocket.part(Part.PAYLOADS)
        for stage in rocket.items("spacecraft_stage", nouns.MAX_NAMES, "spacecraft"):
            craft = stage.inner("spacecraft", "name")
            name = craft.text("name") if craft else None
            if craft and name:
                kind = craft.inner("spacecraft_config", "type", "agency") or craft.inner("config", "type", "agency")
                yield Payload(
                    name=name,
                    type=kind.named("type") if kind else None,
                    orbit=_known(stage.text("destination")),
                    manufacturer=kind.named("agency") if kind else None,
                )
        for flight in rocket.items("payloads", nouns.MAX_PAYLOADS - nouns.MAX_NAMES, "payload"):
            carried = flight.inner("payload", "name")
            name = carried.text("name") if carried else None
            if carried and name:
                operator = carried.named("operator")
                yield Payload(
                    name=name,
                    type=carried.named("type"),
                    mass_kg=carried.number("mass", 0, _MAX_MASS) or None,
                    amount=flight.whole("amount", 0, _MAX_COUNT),
                    orbit=_known(flight.text("destination")),
                    manufacturer=carried.named("manufacturer"),
                    customers=(operator,) if operator else (),
                )

    def _boosters(self) -> Iterator[Booster]:
        for stage in self._rocket.items("launcher_stage", nouns.MAX_BOOSTERS, "launcher"):
            launcher = stage.inner("launcher", "serial_number")
            serial = None if launcher is None or launcher.flag("is_placeholder") else launcher.text("serial_number")
            days = stage.number("turn_around_time_days", 0, _LONGEST_TURNAROUND_DAYS)
            yield Booster(
                serial=_known(serial),
                role=stage.named("type"),
                flight=stage.whole("launcher_flight_number", 0, _MAX_COUNT),
                reused=stage.flag("reused"),
                previous_flight=stage.instant("previous_flight_date"),
                turnaround=stage.seconds("turn_around_time") if days is None else round(days * (DAY // SECOND)),
                landing=_landing(stage),
            )

    def _crew(self) -> tuple[tuple[CrewMember, ...], bool | None]:
        """The crew, and True if there is one; None if the record's form has no stages."""
        rocket = self._rocket.part(Part.CREW)
        found: list[CrewMember] = []
        for stage in rocket.items("spacecraft_stage", nouns.MAX_NAMES):
            for seat in stage.items("launch_crew", nouns.MAX_NAMES, "astronaut"):
                person, role = seat.inner("astronaut", "name"), seat.inner("role", "role")
                name = person.text("name") if person else None
                if person and name:
                    agency, word = person.named("agency"), role.text("role") if role else None
                    found.append(CrewMember(name=name, role=word, agency=agency))
        crew = tuple(found[: nouns.MAX_NAMES])
        return crew, bool(crew) if rocket.has("launcher_stage") else None

    def _webcasts(self) -> list[Webcast]:
        videos = [one for name in ("vid_urls", "old_vid_urls") for one in self._list(name, Part.WEBCASTS, "url")]
        found: dict[str, Webcast] = {}
        for one in sorted(videos, key=_video_order):
            url = one.url("url")
            if url is not None:
                found.setdefault(url, _webcast(one, url))
        return list(found.values())[: nouns.MAX_WEBCASTS]

    def _updates(self) -> list[Update]:
        """The newest notes, the newest first; Launch Library does not sort them."""
        found: dict[str, Update] = {}
        for one in self._list("updates", Part.UPDATES, "comment", 10 * nouns.MAX_UPDATES):
            number, text = one.whole("id", 0, 2**53), one.text("comment", longest=nouns.MAX_NOTE)
            if text is None or number is None:
                continue
            at, author, url = one.instant("created_on"), one.text("created_by"), one.url("info_url")
            found[str(number)] = Update(id=str(number), text=text, at=at, author=author, url=url)
        return sorted(found.values(), key=lambda one: (-(one.at or 0), one.id))[: nouns.MAX_UPDATES]

    def _programmes(self) -> tuple[str, ...]:
        return _names(self._list("program", Part.PROGRAMMES, "name", nouns.MAX_NAMES))

    def _patches(self) -> tuple[Picture, ...]:
        listed = self._list("mission_patches", Part.PATCHES, "image_url", nouns.MAX_PICTURES)
        return tuple(_each(_picture(one) for one in listed))

    def _pictures(self) -> tuple[Picture, ...]:
        """The picture and the infographic: an object since 2.3.0, before that the address alone."""
        found: list[Picture | None] = []
        where = (self._key, Part.PICTURES, self._report)
        for name in ("image", "infographic"):
            value = self._value(name, Part.PICTURES)
            if isinstance(value, dict):
                found += [_picture(one) for one in objects([value], 1, *where, "image_url")]
            elif value is not None:
                url = Fields({name: value}, *where).url(name)
                found.append(Picture(url=url) if url else None)
        return tuple(_each(found))


def _each(found: Iterable[T | None]) -> Iterator[T]:
    return (one for one in found if one is not None)


def _names(listed: Iterable[Fields]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_each(one.text("name") for one in listed)))


def _known(text: str | None) -> str | None:
    """The text, unless it says that nothing is known: "Unknown F9", "N/A"."""
    low = (text or "").casefold()
    return None if low.startswith("unknown") or low in _UNKNOWN else text


def _landing(stage: Fields) -> Landing | None:
    landing = stage.inner("landing", "attempt")
    if landing is None:
        return None
    kind = landing.inner("type", "abbrev", "name")
    place = landing.inner("landing_location", "name") or landing.inner("location", "name")
    return Landing(
        attempt=landing.flag("attempt"),
        success=landing.flag("success"),
        type=_known(kind.text("abbrev", "name")) if kind else None,
        place=_known(place.text("name")) if place else None,
        description=landing.text("description", longest=nouns.MAX_NOTE),
        downrange_km=landing.number("downrange_distance", 0, _MAX_KM),
    )


def _webcast(one: Fields, url: str) -> Webcast:
    kind, language = one.inner("type", "name", "id"), one.inner("language", "code", "name")
    number = kind.whole("id", 0, _MAX_COUNT) if kind else None
    word = None if number is None else _VIDEO_KINDS.get(number)
    return Webcast(
        url=url,
        title=one.text("title"),
        publisher=one.text("publisher", "source"),
        kind=(kind.text("name") if kind else None) or word,
        language=language.text("code") if language else None,
        start=one.instant("start_time"),
        end=one.instant("end_time"),
        live=one.flag("live"),
    )


def _picture(one: Fields) -> Picture | None:
    url = one.url("image_url")
    licence = one.inner("license", "name", "link")
    if url is None:
        return None
    return Picture(
        url=url,
        thumbnail=one.url("thumbnail_url"),
        name=one.text("name"),
        credit=one.text("credit"),
        licence=_known(licence.text("name")) if licence else None,
        licence_url=licence.url("link") if licence else None,
    )


def _video_order(one: Fields) -> tuple[int, float]:
    kind = one.peek("type")
    number = kind.get("id") if isinstance(kind, dict) else None
    return (_VIDEO_ORDER.get(number, _OTHER_VIDEO) if isinstance(number, int) else _OTHER_VIDEO), _priority(one)


def _priority(one: Fields) -> float:
    """The priority of a link; one without any comes last."""
    found = one.number("priority", -_MAX_COUNT, _MAX_COUNT)
    return _MAX_COUNT if found is None else found
