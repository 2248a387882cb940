"""The values that the store reads, and how rows become them. A row that cannot be read costs only itself."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from launchd.clock import UNREADABLE, Instant
from launchd.db.database import Row
from launchd.launches import override
from launchd.launches.ingest import Stored
from launchd.launches.launch import Conflict, HistoryRow, Launch, Sighting
from launchd.launches.net_history import NetMove
from launchd.launches.override import Override
from launchd.launches.reconcile import StoredSighting
from launchd.launches.slip_ledger import MoveRow
from launchd.launches.slips import Slips
from launchd.launches.unknown import Names
from launchd.values.rows import decoded, log_unreadable

# Of a row that can be read, no column is unreadable.
_READABLE: tuple[str, ...] = ()


class Record(NamedTuple):
    """A launch, when its record changed last, and how often it has changed.

    A record that cannot be read (`unreadable` names the column) has its id and name alone.
    """

    launch: Launch
    updated_at: Instant
    revision: int
    unreadable: tuple[str, ...] = ()


class LaunchPage(NamedTuple):
    """One page of launches and the cursor of the next (None at the end)."""

    items: tuple[Record, ...]
    next: str | None


class Detail(NamedTuple):
    """A launch with its sightings, history, conflicts, overrides and slips."""

    record: Record
    sightings: tuple[StoredSighting, ...]
    history: tuple[HistoryRow, ...]
    conflicts: tuple[Conflict, ...]
    overrides: tuple[Override, ...]
    slips: Slips


class Ledger(NamedTuple):
    """The slip ledger of a launch, oldest row first, and the slips that it counts."""

    launch: Launch
    slips: Slips
    rows: tuple[MoveRow, ...]


class OpenConflict(NamedTuple):
    """An open conflict, with the names of the launches it is about."""

    conflict: Conflict
    since: Instant
    name: str
    other_name: str | None


class ChangedLaunch(NamedTuple):
    """The changes of one launch at one moment; `move` is that of its NET, if it changed."""

    record: Record
    at: Instant
    rows: tuple[HistoryRow, ...]
    move: NetMove | None = None


def record_in(row: Row) -> Record:
    """The record in a row of `launches`."""
    launch, lost = decoded(row["body"], Launch), _READABLE
    if launch is None or launch.id != row["id"]:
        launch, lost = Launch(id=row["id"], name=row["name"]), log_unreadable("launches", row["id"], ("body",))
    return Record(launch, row["updated_at"], row["revision"], lost)


def seen_in(row: Row, launch_id: str | None = None) -> StoredSighting:
    """The sighting in a row of `sightings`; `launch_id` stands in for a column that was not read."""
    sighting, lost = decoded(row["body"], Sighting), _READABLE
    if sighting is None:
        sighting = Sighting(source=row["source"], source_id=row["source_id"], name=UNREADABLE)
        lost = log_unreadable("sightings", f"{row['source']} {row['source_id']}", ("body",))
    former = () if row["former_names"] is None else decoded(row["former_names"], tuple[str, ...])
    if former is None:
        former = ()
        lost += log_unreadable("sightings", f"{row['source']} {row['source_id']}", ("former_names",))
    launch_id, times = launch_id or row["launch_id"], (row["first_seen"], row["seen_at"])
    return StoredSighting(launch_id, sighting, *times, row["origin_id"] or launch_id, row["retired_at"], lost, former)


def override_in(row: Row) -> Override:
    """The override in a row of `overrides`."""
    found = (row["field"], None, row["actor"], row["reason"], row["at"])
    try:
        return Override(*found)._replace(value=override.decoded(row["field"], row["value"]))
    except (KeyError, msgspec.MsgspecError, ValueError):
        return Override(*found, log_unreadable("overrides", f"{row['launch_id']} {row['field']}", ("value",)))


def conflict_in(row: Row, launch_id: str) -> Conflict:
    """The conflict in a row of `conflicts`."""
    values, lost = decoded(row["evidence"], dict[str, str]), _READABLE
    if values is None:
        values, lost = {}, log_unreadable("conflicts", f"{launch_id} {row['kind']}", ("evidence",))
    other = row["other_id"] or None
    return Conflict(launch_id=launch_id, kind=row["kind"], values=values, other_id=other, unreadable=lost)


def candidate_in(row: Row) -> tuple[str, Names, int]:
    """The source, the names and the number of some records; a name that is no text counts as missing."""
    return row["source"], Names(*(one if isinstance(one, str) else None for one in tuple(row)[1:-1])), row["records"]


def stored_in(seen: Sequence[Row], launches: Sequence[Row]) -> Stored:
    """The readable rows of `sightings` and `launches`; the next scrape that has an unreadable one writes it again."""
    sightings = {(row["source"], row["source_id"]): seen_in(row) for row in seen}
    records = {one.launch.id: one for one in (record_in(row) for row in launches)}
    return Stored(
        {key: one for key, one in sightings.items() if "body" not in one.unreadable},
        {key: one.launch for key, one in records.items() if not one.unreadable},
    )
