"""From new sightings and the stored ones to a plan, which the store carries out in one transaction. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from launchd.clock import Instant
from launchd.launches.details import lacking
from launchd.launches.doubts import doubted, unreadable
from launchd.launches.identity import Identities, identify
from launchd.launches.keep import keep, same_values
from launchd.launches.launch import Change, Conflict, Launch, Rejection, Sighting
from launchd.launches.matching.evidence import Key, explain
from launchd.launches.matching.match import Assignment, Known, assign, key
from launchd.launches.reconcile import StoredSighting, reconcile
from launchd.launches.reconcile_details import carried
from launchd.launches.retire import gone, present, renamed, without
from launchd.launches.search import former_names, said_by


class Stored(NamedTuple):
    """The stored sightings and launches."""

    seen: Mapping[Key, StoredSighting]
    launches: Mapping[str, Launch]


class IngestPlan(NamedTuple):
    """The rows to write. `merged` pairs a launch id with the id it now redirects to; ids in `revived` redirect no more.

    `gone` are launches all of whose records are retired. `conflicts` holds all open conflicts of the launches in
    `launches`. The counters count records by source. `doubts` has a sentence for each source whose answer does not
    confirm what it gave before. `said` has the words of the sources
    of each launch in `launches`, for its search.
    """

    seen: tuple[StoredSighting, ...]
    launches: tuple[Launch, ...]
    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    merged: tuple[tuple[str, str], ...]
    revived: tuple[str, ...]
    created: Counter[str]
    updated: Counter[str]
    unchanged: Counter[str]
    gone: tuple[str, ...] = ()
    doubts: Mapping[str, str] = MappingProxyType({})
    said: Mapping[str, tuple[str, ...]] = {}

    def counts(self, source: str) -> dict[str, int]:
        """The part of a source's statistics that the ingest accounts for."""
        return {
            "created": self.created[source],
            "updated": self.updated[source],
            "unchanged": self.unchanged[source],
            "retired": sum(one.retired_at is not None and one.sighting.source == source for one in self.seen),
            "conflicts": sum(source in conflict.values for conflict in self.conflicts),
        }


class _Compared(NamedTuple):
    """The sightings of a scrape by key, when the content of those that changed was first seen, and the counts."""

    sent: Mapping[Key, Sighting]
    changed: dict[Key, Instant]
    created: Counter[str]
    updated: Counter[str]
    unchanged: Counter[str]


def plan(
    stored: Stored,
    sightings: Iterable[Sighting],
    priorities: Mapping[str, int],
    now: Instant,
    new_id: Callable[[], str],
    *,
    complete: Collection[str] = (),
    rejections: Sequence[Rejection] = (),
) -> IngestPlan:
    """The changes that the sightings cause. A missing sighting is retired only for a source with a `complete` list.

    A record that was rejected is not missing.
    """
    compared = _compared(stored, sightings, rejections, now)
    changed, counts = compared.changed, (compared.created, compared.updated, compared.unchanged)
    known = present(stored.seen, compared.sent)
    unread = unreadable(known, compared.sent, rejections)
    retired, short = gone(known, {*compared.sent, *unread}, complete)
    doubts = doubted(compared.sent.values(), unread, rejections, short)
    if not changed and not retired:
        return IngestPlan((), (), (), (), (), (), *counts, doubts=doubts)
    known = renamed(known, retired, {one: compared.sent[one] for one in changed if one not in stored.seen})
    left = without(known, retired)
    everything = {one: seen.sighting for one, seen in left.items()} | {one: compared.sent[one] for one in changed}
    assignment = assign(everything.values(), _known(left, changed))
    identities = identify(assignment.groups, left, priorities, new_id)
    touched = _touched(known, left, everything, changed, identities)
    reconciled = [
        reconcile(launch_id, touched[launch_id], priorities, stored.launches.get(launch_id), now)
        for launch_id in sorted(touched)
    ]
    conflicts = [conflict for one in reconciled for conflict in one.conflicts]
    conflicts += _duplicates(assignment, identities.launch, touched, everything)
    written = [one for members in touched.values() for one in members]
    written += [known[one]._replace(retired_at=now) for one in sorted(retired)]
    return IngestPlan(
        tuple(written),
        tuple(one.launch for one in reconciled),
        tuple(change for one in reconciled for change in one.changes),
        tuple(conflicts),
        identities.merged,
        identities.revived,
        *counts,
        gone=tuple(sorted({known[one].launch_id for one in retired}.difference(identities.launch.values()))),
        doubts=doubts,
        said=_said(written, stored, identities),
    )


def _said(written: Collection[StoredSighting], stored: Stored, identities: Identities) -> dict[str, tuple[str, ...]]:
    """The words of the sources of each launch that is written, those of retired sightings among them."""
    members: dict[str, dict[Key, StoredSighting]] = defaultdict(dict)
    merged = dict(identities.merged)
    for one in written:
        members[merged.get(one.launch_id, one.launch_id)][key(one.sighting)] = one
    current = {key(one.sighting) for one in written}
    for own, one in stored.seen.items():
        launch_id = merged.get(one.launch_id, one.launch_id)
        if one.retired_at is not None and own not in current and launch_id in members:
            members[launch_id][own] = one
    return {launch_id: said_by(seen.values()) for launch_id, seen in members.items()}


def _compared(
    stored: Stored, sightings: Iterable[Sighting], rejections: Iterable[Rejection], now: Instant
) -> _Compared:
    """Compare the sightings with the stored ones; a record that was retired and comes back counts as updated."""
    sent: dict[Key, Sighting] = {}
    refused: dict[Key, set[str]] = defaultdict(set)
    for each in rejections:
        if each.field is not None:
            refused[each.source, each.record].add(each.field)
    found = _Compared(sent, {}, Counter(), Counter(), Counter())
    for one, raw in {key(sighting): sighting for sighting in sightings}.items():
        before = stored.seen.get(one)
        sent[one] = sighting = _completed(None if before is None else before.sighting, raw, refused.get(one, ()))
        if before is not None and before.retired_at is None and _same(before.sighting, sighting):
            found.unchanged[sighting.source] += 1
            continue
        (found.created if before is None else found.updated)[sighting.source] += 1
        alike = before is not None and before.retired_at is None and same_values(before.sighting, sighting)
        found.changed[one] = before.seen_at if before is not None and alike else now
    return found


def _completed(before: Sighting | None, sighting: Sighting, refused: Collection[str]) -> Sighting:
    """The record with what its form lacks, and with what could not be read in it, from the source's earlier record."""
    details = lacking(sighting.details, refused)
    if details is not sighting.details:
        sighting = msgspec.structs.replace(sighting, details=details)
    return keep(before, carried(before, sighting))


def _known(seen: Mapping[Key, StoredSighting], changed: Mapping[Key, Instant]) -> dict[Key, Known]:
    return {
        one: Known(before.launch_id, before.first_seen, changed.get(one, before.seen_at))
        for one, before in seen.items()
    }


def _same(known: Sighting, sighting: Sighting) -> bool:
    """True if two records differ in nothing but `modified`, which sources touch without any visible change."""
    return msgspec.structs.replace(known, modified=None) == msgspec.structs.replace(sighting, modified=None)


def _touched(
    known: Mapping[Key, StoredSighting],
    left: Mapping[Key, StoredSighting],
    everything: Mapping[Key, Sighting],
    changed: Mapping[Key, Instant],
    identities: Identities,
) -> dict[str, list[StoredSighting]]:
    """The sightings of each launch that must be reconciled again, because one was changed, added or removed."""
    before: dict[str, set[Key]] = defaultdict(set)
    for one, seen in known.items():
        before[seen.launch_id].add(one)
    after: dict[str, set[Key]] = defaultdict(set)
    for one, launch_id in identities.launch.items():
        after[launch_id].add(one)
    touched = {}
    for launch_id, members in after.items():
        if members == before.get(launch_id) and members.isdisjoint(changed):
            continue
        touched[launch_id] = [
            _seen(left.get(one), everything[one], one, identities, changed.get(one)) for one in sorted(members)
        ]
    return touched


def _seen(
    before: StoredSighting | None, sighting: Sighting, one: Key, identities: Identities, changed_at: Instant | None
) -> StoredSighting:
    """A sighting as it is stored, with its times; `changed_at` is None for an unchanged one."""
    if before is not None and changed_at is None:
        first_seen, seen_at = before.first_seen, before.seen_at
    else:
        seen_at = changed_at or 0
        first_seen = before.first_seen if before is not None else seen_at
    former = former_names(before, sighting) if before is not None else ()
    return StoredSighting(identities.launch[one], sighting, first_seen, seen_at, identities.origin[one], former=former)


def _duplicates(
    assignment: Assignment,
    owner: Mapping[Key, str],
    touched: Mapping[str, object],
    everything: Mapping[Key, Sighting],
) -> list[Conflict]:
    """The pairs of launches that may be one, as conflicts; they are not merged."""
    pairs: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for pair in assignment.doubtful:
        first, second = sorted((owner[pair.first], owner[pair.second]))
        if first != second and (first in touched or second in touched):
            for one in (pair.first, pair.second):
                pairs[first, second][one[0]] = f"{one[1]}: {everything[one].name}"
            pairs[first, second]["evidence"] = explain(everything[pair.first], everything[pair.second])
    return [
        Conflict(launch_id=first, kind="possible_duplicate", values=values, other_id=second)
        for (first, second), values in pairs.items()
    ]
