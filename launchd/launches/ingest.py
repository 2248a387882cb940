"""What new sightings mean for what is stored: a plan, which the store carries out in one transaction. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from launchd.clock import Instant
from launchd.launches.evidence import Key
from launchd.launches.launch import Change, Conflict, Launch, Sighting
from launchd.launches.match import Assignment, assign, key
from launchd.launches.reconcile import Seen, reconcile


class Stored(NamedTuple):
    """All that is remembered of launches."""

    seen: Mapping[Key, Seen]
    launches: Mapping[str, Launch]


class Plan(NamedTuple):
    """What to write. `merged` pairs a younger launch id with the older one it now redirects to.

    `conflicts` are all that are open for the launches in `launches`. Counts are of records, by source.
    """

    seen: tuple[Seen, ...]
    launches: tuple[Launch, ...]
    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    merged: tuple[tuple[str, str], ...]
    created: Counter[str]
    updated: Counter[str]
    unchanged: Counter[str]


def plan(
    stored: Stored,
    sightings: Iterable[Sighting],
    priorities: Mapping[str, int],
    now: Instant,
    new_id: Callable[[], str],
) -> Plan:
    """What the sightings change. Absence from a feed changes nothing."""
    created: Counter[str] = Counter()
    updated: Counter[str] = Counter()
    unchanged: Counter[str] = Counter()
    everything = {one: seen.sighting for one, seen in stored.seen.items()}
    changed: set[Key] = set()
    for sighting in sightings:
        one = key(sighting)
        known = everything.get(one)
        if known is not None and _same(known, sighting):
            unchanged[sighting.source] += 1
            continue
        (created if known is None else updated)[sighting.source] += 1
        everything[one] = sighting
        changed.add(one)
    if not changed:
        return Plan((), (), (), (), (), created, updated, unchanged)
    assignment = assign(everything.values(), {one: seen.launch_id for one, seen in stored.seen.items()})
    seen, merged, touched = _attach(stored, everything, changed, assignment, now, new_id)
    records: list[Launch] = []
    changes: list[Change] = []
    conflicts: list[Conflict] = []
    for launch_id in sorted(touched):
        result = reconcile(launch_id, touched[launch_id], priorities, stored.launches.get(launch_id))
        records.append(result.launch)
        changes += result.changes
        conflicts += result.conflicts
    conflicts += _duplicates(assignment, seen, touched, everything)
    written = tuple(one for members in touched.values() for one in members)
    return Plan(written, tuple(records), tuple(changes), tuple(conflicts), tuple(merged), created, updated, unchanged)


def _same(known: Sighting, sighting: Sighting) -> bool:
    """Whether two records say the same; sources touch `modified` without any visible change."""
    return msgspec.structs.replace(known, modified=None) == msgspec.structs.replace(sighting, modified=None)


def _attach(  # noqa: PLR0917 - one caller, beside it
    stored: Stored,
    everything: Mapping[Key, Sighting],
    changed: set[Key],
    assignment: Assignment,
    now: Instant,
    new_id: Callable[[], str],
) -> tuple[dict[Key, str], list[tuple[str, str]], dict[str, list[Seen]]]:
    """The launch id of every sighting, the merges, and the sightings of each launch that must be reconciled anew.

    Of several ids that turn out to be one launch the oldest stays (UUIDv7 sorts by age).
    """
    owner: dict[Key, str] = {}
    merged: list[tuple[str, str]] = []
    touched: dict[str, list[Seen]] = {}
    for members in assignment.groups:
        ids = sorted({stored.seen[one].launch_id for one in members if one in stored.seen})
        launch_id = ids[0] if ids else new_id()
        merged += [(young, launch_id) for young in ids[1:]]
        owner.update(dict.fromkeys(members, launch_id))
        if len(ids) > 1 or not changed.isdisjoint(members):
            touched[launch_id] = [
                _seen(stored.seen.get(one), everything[one], launch_id, one in changed, now) for one in members
            ]
    return owner, merged, touched


def _seen(before: Seen | None, sighting: Sighting, launch_id: str, is_changed: bool, now: Instant) -> Seen:  # noqa: FBT001 - one caller, beside it
    first_seen = now if before is None else before.first_seen
    return Seen(launch_id, sighting, first_seen, now if before is None or is_changed else before.seen_at)


def _duplicates(
    assignment: Assignment,
    owner: Mapping[Key, str],
    touched: Mapping[str, object],
    everything: Mapping[Key, Sighting],
) -> list[Conflict]:
    """Pairs of launches that may be one; left apart and listed."""
    pairs: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for pair in assignment.doubtful:
        first, second = sorted((owner[pair.first], owner[pair.second]))
        if first != second and (first in touched or second in touched):
            for one in (pair.first, pair.second):
                pairs[first, second][one[0]] = f"{one[1]}: {everything[one].name}"
    return [
        Conflict(launch_id=first, kind="possible_duplicate", values=values, other_id=second)
        for (first, second), values in pairs.items()
    ]
