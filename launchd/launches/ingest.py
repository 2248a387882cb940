"""What new sightings mean for what is stored: a plan, which the store carries out in one transaction. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from launchd.clock import Instant
from launchd.launches.evidence import Key, explain
from launchd.launches.identity import Identities, identify
from launchd.launches.launch import Change, Conflict, Launch, Sighting
from launchd.launches.match import Assignment, Known, assign, key
from launchd.launches.reconcile import Seen, reconcile


class Stored(NamedTuple):
    """All that is remembered of launches."""

    seen: Mapping[Key, Seen]
    launches: Mapping[str, Launch]


class Plan(NamedTuple):
    """What to write. `merged` pairs a launch id with the one it redirects to; `revived` redirected until now.

    `conflicts` are all that are open for the launches in `launches`. Counts are of records, by source.
    """

    seen: tuple[Seen, ...]
    launches: tuple[Launch, ...]
    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    merged: tuple[tuple[str, str], ...]
    revived: tuple[str, ...]
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
        return Plan((), (), (), (), (), (), created, updated, unchanged)
    assignment = assign(everything.values(), _known(stored, changed, now))
    identities = identify(assignment.groups, stored.seen, priorities, new_id)
    touched = _touched(stored, everything, changed, identities, now)
    records: list[Launch] = []
    changes: list[Change] = []
    conflicts: list[Conflict] = []
    for launch_id in sorted(touched):
        result = reconcile(launch_id, touched[launch_id], priorities, stored.launches.get(launch_id))
        records.append(result.launch)
        changes += result.changes
        conflicts += result.conflicts
    conflicts += _duplicates(assignment, identities.launch, touched, everything)
    written = tuple(one for members in touched.values() for one in members)
    return Plan(
        written,
        tuple(records),
        tuple(changes),
        tuple(conflicts),
        identities.merged,
        identities.revived,
        created,
        updated,
        unchanged,
    )


def _known(stored: Stored, changed: set[Key], now: Instant) -> dict[Key, Known]:
    return {
        one: Known(seen.launch_id, seen.first_seen, now if one in changed else seen.seen_at)
        for one, seen in stored.seen.items()
    }


def _same(known: Sighting, sighting: Sighting) -> bool:
    """Whether two records say the same; sources touch `modified` without any visible change."""
    return msgspec.structs.replace(known, modified=None) == msgspec.structs.replace(sighting, modified=None)


def _touched(
    stored: Stored, everything: Mapping[Key, Sighting], changed: set[Key], identities: Identities, now: Instant
) -> dict[str, list[Seen]]:
    """The sightings of each launch that must be reconciled anew: one changed, one came, or one went."""
    before: dict[str, set[Key]] = defaultdict(set)
    for one, seen in stored.seen.items():
        before[seen.launch_id].add(one)
    after: dict[str, set[Key]] = defaultdict(set)
    for one, launch_id in identities.launch.items():
        after[launch_id].add(one)
    touched = {}
    for launch_id, members in after.items():
        if members == before.get(launch_id) and changed.isdisjoint(members):
            continue
        touched[launch_id] = [
            _seen(stored.seen.get(one), everything[one], one, identities, now if one in changed else None)
            for one in sorted(members)
        ]
    return touched


def _seen(
    before: Seen | None, sighting: Sighting, one: Key, identities: Identities, changed_at: Instant | None
) -> Seen:
    """A sighting as it is remembered; one that was never seen before has changed."""
    if before is not None and changed_at is None:
        first_seen, seen_at = before.first_seen, before.seen_at
    else:
        seen_at = changed_at or 0
        first_seen = before.first_seen if before is not None else seen_at
    return Seen(identities.launch[one], sighting, first_seen, seen_at, identities.origin[one])


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
            pairs[first, second]["evidence"] = explain(everything[pair.first], everything[pair.second])
    return [
        Conflict(launch_id=first, kind="possible_duplicate", values=values, other_id=second)
        for (first, second), values in pairs.items()
    ]
