"""The details of a launch, which people watch for: payloads, boosters, webcasts, running notes, pictures. Pure values.

A source may send a launch in a short form (Launch Library's modes `list` and `normal`). Such a record names the parts
that its form lacks in `unsaid`, and `carried` keeps the stored values of these parts. All lists and texts are bounded.
Like the nouns in launch.py they hold no cycles (`gc=False`).
"""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from launchd.clock import Instant

MAX_DESCRIPTION, MAX_NOTE, MAX_URL = 4_000, 1_000, 2_000
MAX_PAYLOADS, MAX_BOOSTERS, MAX_WEBCASTS, MAX_UPDATES, MAX_PICTURES, MAX_NAMES = 50, 12, 20, 50, 10, 20


class LandingOutcome(StrEnum):
    """The outcome of the landing of a booster. `pending`: an attempt without a result yet."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    EXPENDED = "expended"
    UNKNOWN = "unknown"


class Part(StrEnum):
    """The parts of a record that a short form may lack; all but `urls` are fields of `Details`."""

    MISSION_TYPE = "mission_type"
    MISSION_DESCRIPTION = "mission_description"
    CUSTOMERS = "customers"
    PAYLOADS = "payloads"
    BOOSTERS = "boosters"
    CREWED = "crewed"
    CREW = "crew"
    WEBCASTS = "webcasts"
    WEBCAST_LIVE = "webcast_live"
    PROBABILITY = "probability"
    WEATHER_CONCERNS = "weather_concerns"
    WEATHER = "weather"
    HOLD_REASON = "hold_reason"
    FAIL_REASON = "fail_reason"
    UPDATES = "updates"
    PROGRAMMES = "programmes"
    TAGS = "tags"
    PICTURES = "pictures"
    PATCHES = "patches"
    PAD_TURNAROUND = "pad_turnaround"
    URLS = "urls"


class Payload(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """Something that is carried. `amount` counts pieces of the same kind; `orbit` may be a destination ("ISS")."""

    name: str
    type: str | None = None
    mass_kg: float | None = None
    amount: int | None = None
    orbit: str | None = None
    manufacturer: str | None = None
    customers: tuple[str, ...] = ()


class Landing(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """The landing of a booster. `attempt` is False for an expended one; `success` is None without a result."""

    attempt: bool | None = None
    success: bool | None = None
    type: str | None = None
    place: str | None = None
    description: str | None = None
    downrange_km: float | None = None

    @property
    def outcome(self) -> LandingOutcome:
        """The outcome in one word."""
        if self.attempt is False:
            return LandingOutcome.EXPENDED
        if self.success is not None:
            return LandingOutcome.SUCCESS if self.success else LandingOutcome.FAILURE
        return LandingOutcome.PENDING if self.attempt else LandingOutcome.UNKNOWN


class Booster(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """A stage that may land. `flight` is the number of its flight on this launch; `turnaround` is in seconds."""

    serial: str | None = None
    role: str | None = None
    flight: int | None = None
    reused: bool | None = None
    previous_flight: Instant | None = None
    turnaround: int | None = None
    landing: Landing | None = None


class Webcast(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """A video of the launch. `language` is the source's own code, which need not be ISO 639."""

    url: str
    title: str | None = None
    publisher: str | None = None
    kind: str | None = None
    language: str | None = None
    start: Instant | None = None
    end: Instant | None = None
    live: bool | None = None


class Update(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """A running note on the launch. `id` is unique within its source."""

    id: str
    text: str
    at: Instant | None = None
    author: str | None = None
    url: str | None = None


class Picture(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """The address of a picture, with its credit and licence as the source gives them."""

    url: str
    thumbnail: str | None = None
    name: str | None = None
    credit: str | None = None
    licence: str | None = None
    licence_url: str | None = None


class CrewMember(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """A person on board."""

    name: str
    role: str | None = None
    agency: str | None = None


class Details(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """The details of one launch, by one source or reconciled. None and () mean that nothing is known.

    `webcasts` has the best first, `updates` the newest. `probability` is that of good weather, in percent.
    `pad_turnaround` is the time since the last launch from this pad, in seconds.
    """

    mission_type: str | None = None
    mission_description: str | None = None
    customers: tuple[str, ...] = ()
    payloads: tuple[Payload, ...] = ()
    boosters: tuple[Booster, ...] = ()
    crewed: bool | None = None
    crew: tuple[CrewMember, ...] = ()
    webcasts: tuple[Webcast, ...] = ()
    webcast_live: bool | None = None
    probability: int | None = None
    weather_concerns: str | None = None
    weather: str | None = None
    hold_reason: str | None = None
    fail_reason: str | None = None
    updates: tuple[Update, ...] = ()
    programmes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    patches: tuple[Picture, ...] = ()
    pad_turnaround: int | None = None
    unsaid: tuple[Part, ...] = ()

    def is_live(self) -> bool | None:
        """True if a webcast is live now; None if no source says."""
        said = [one for one in (self.webcast_live, *(each.live for each in self.webcasts)) if one is not None]
        return any(said) if said else None


FIELDS = tuple(part.value for part in Part if part is not Part.URLS)
NOTHING = Details()


def stated(details: Details) -> Details | None:
    """The details; None if they hold nothing, not even a part that the record's form lacks."""
    return None if details == NOTHING else details


def lacking(sent: Details | None, refused: Collection[str]) -> Details | None:
    """The details in which parts that were refused, and have no other value, are marked as unsaid.

    `refused` holds names of parts. The links of a launch are read from the lists of its webcasts.
    """
    said = sent or NOTHING
    parts: set[Part] = {part for part in Part if part in refused and part is not Part.URLS and not _has(said, part)}
    if Part.WEBCASTS in parts:
        parts.add(Part.URLS)
    if not parts:
        return sent
    return msgspec.structs.replace(said, unsaid=tuple(part for part in Part if part in parts or part in said.unsaid))


def _has(details: Details, part: Part) -> bool:
    return getattr(details, part.value) not in (None, ())


def filled(known: Details | None, sent: Details) -> Details:
    """The details that a source sent, with the known values of the parts that the form of its record lacks."""
    if known is None or not sent.unsaid:
        return sent
    kept = {part.value: getattr(known, part) for part in sent.unsaid if part is not Part.URLS}
    return msgspec.structs.replace(sent, **kept, unsaid=tuple(part for part in sent.unsaid if part in known.unsaid))
