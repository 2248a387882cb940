"""The nouns of launch data: Net, Sighting, Launch, Change, and the vocabularies of status and precision.

Pure values; nothing here reads a clock, a file or a network. Instants are microseconds since the Unix epoch, UTC.
They hold no cycles and come in tens of thousands, so the collector need not walk them (`gc=False`).
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from launchd.clock import Instant
from launchd.launches.details import Details


class Precision(StrEnum):
    """The precision of a NET, finest first."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"
    DECADE = "decade"


class LaunchStatus(StrEnum):
    """The status of a launch. It may go backwards after a scrub, which is history and no error."""

    GO = "go"
    TBC = "tbc"
    TBD = "tbd"
    HOLD = "hold"
    IN_FLIGHT = "in_flight"
    SUCCESS = "success"
    PARTIAL_FAILURE = "partial_failure"
    FAILURE = "failure"
    CANCELLED = "cancelled"


FLOWN = frozenset({LaunchStatus.SUCCESS, LaunchStatus.PARTIAL_FAILURE, LaunchStatus.FAILURE})


class Net(msgspec.Struct, frozen=True, order=True, gc=False):
    """No Earlier Than: a closed interval with a precision, never a bare instant.

    `earliest` and `latest` are the first and the last instant that the source allows (for `minute`, hh:mm:00 to
    hh:mm:59.999999). Sources put a vague date at either end of its period, so the intervals are compared.
    """

    earliest: Instant
    latest: Instant
    precision: Precision

    def overlaps(self, other: "Net", *, slack: int = 0) -> bool:
        """True if the two intervals lie no more than `slack` microseconds apart."""
        return self.earliest <= other.latest + slack and other.earliest <= self.latest + slack


class Place(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The site of a launch. Degrees, north and east positive."""

    name: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Sighting(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One source's record of one launch, validated. None means that the source gives no value.

    `source_id` is the source's own stable key. `cross_ids` holds other sources' keys for the same launch
    (`{"launch_library": uuid}`). `designator` is the COSPAR launch id in its modern form ("1957-001", "2024-237") or
    GCAT's own tag where COSPAR has none ("2024-F05"). `status_word` is the source's own word for the status.
    `modified` is the time at which the source says it changed the record. `live` is False for frozen archives.
    `names` are other names of the launch in this record.

    `refused` names the fields that could not be read, and `kept` those of them that have the value of an earlier record
    of the source (launches/keep.py). `stated` is the instant of a NET whose precision could not be read.
    """

    source: str
    source_id: str
    name: str
    net: Net | None = None
    status: LaunchStatus | None = None
    status_word: str | None = None
    provider: str | None = None
    vehicle: str | None = None
    pad: str | None = None
    location: Place | None = None
    mission: str | None = None
    orbit: str | None = None
    window_start: Instant | None = None
    window_end: Instant | None = None
    designator: str | None = None
    cross_ids: dict[str, str] = {}
    urls: tuple[str, ...] = ()
    modified: Instant | None = None
    suborbital: bool = False
    live: bool = True
    names: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    stated: Instant | None = None
    details: Details | None = None


class Rejection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record or field that was rejected, and the reason. `field` is None when the whole record was rejected."""

    source: str
    record: str
    field: str | None
    reason: str


class Parsed(msgspec.Struct, frozen=True):
    """A parser's result: sightings, and rejections of the rest. `rows` counts the records of the payloads.

    `complete` says that the source has no other records: stored ones that are missing here are retired. `fault` is the
    reason why none of it is believed, as when a file was cut off or has lost a column. `blank` says that a page of the
    answer holds no records.
    """

    sightings: tuple[Sighting, ...]
    rejections: tuple[Rejection, ...] = ()
    rows: int = 0
    complete: bool = False
    fault: str | None = None
    blank: bool = False


class FieldSource(msgspec.Struct, frozen=True, gc=False):
    """The origin of a field's value: its source, and when that value was first seen."""

    source: str
    seen_at: Instant


class Launch(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """The reconciled record of one launch. `id` is a UUIDv7 that the daemon makes and never changes."""

    id: str
    name: str
    net: Net | None = None
    status: LaunchStatus | None = None
    provider: str | None = None
    vehicle: str | None = None
    pad: str | None = None
    location: Place | None = None
    mission: str | None = None
    orbit: str | None = None
    window_start: Instant | None = None
    window_end: Instant | None = None
    designator: str | None = None
    urls: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    provenance: dict[str, FieldSource] = {}
    details: Details | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change of one field of a launch: one row of its history."""

    launch_id: str
    field: str
    old: str | None
    new: str | None
    source: str
    seen_at: Instant


class HistoryRow(NamedTuple):
    """One row of a launch's history as the store serves it: a `Change` without the launch's id."""

    field: str
    old: str | None
    new: str | None
    source: str
    seen_at: Instant


class Conflict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Sources that disagree beyond tolerance (`kind` = the field), or two launches that may be one.

    For a field, `values` maps source to value; for `possible_duplicate`, `other_id` is the second launch and `values`
    holds the evidence.
    """

    launch_id: str
    kind: str
    values: dict[str, str]
    other_id: str | None = None
    unreadable: tuple[str, ...] = ()
