"""Retired records, which their source no longer has: kept with their launch, but no longer matched. Pure.

Absence counts only for a source whose whole list was read, and it never means that a launch was cancelled. A row of
such a list that is renamed comes back under another key, and the old record must not hold its place. A launch keeps its
id when the record that founded it is retired, and it stays when all of its records are.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from launchd.launches.matching.evidence import Key
from launchd.launches.reconcile import StoredSighting

# A list that lacks more than half of a source's records, and more than these few, counts as incomplete.
FEW = 10


def present(seen: Mapping[Key, StoredSighting], sent: Collection[Key]) -> dict[Key, StoredSighting]:
    """The sightings to match: those not retired, and retired ones that return to a launch without any other."""
    found = {one: known for one, known in seen.items() if known.retired_at is None}
    held = {known.launch_id for known in found.values()}
    back = {one: seen[one] for one in sent if one in seen and one not in found and seen[one].launch_id not in held}
    return found | {one: known._replace(retired_at=None) for one, known in back.items()}


def gone(known: Collection[Key], sent: Collection[Key], complete: Collection[str]) -> set[Key]:
    """The keys that are missing from the lists of the sources in `complete`."""
    found: set[Key] = set()
    for source in complete:
        mine = {one for one in known if one[0] == source}
        missing = mine.difference(sent)
        if len(missing) <= max(FEW, len(mine) // 2):
            found |= missing
    return found


def without(known: Mapping[Key, StoredSighting], retired: Collection[Key]) -> dict[Key, StoredSighting]:
    """The sightings without the retired ones; the oldest record left of a launch inherits the id of its founder."""
    left = {one: seen for one, seen in known.items() if one not in retired}
    of_launch: dict[str, list[Key]] = defaultdict(list)
    for one, seen in left.items():
        of_launch[seen.launch_id].append(one)
    for launch_id in {known[one].launch_id for one in retired}:
        members = of_launch[launch_id]
        if members and all(left[one].origin != launch_id for one in members):
            heir = min(members, key=lambda one: (left[one].first_seen, one))
            left[heir] = left[heir]._replace(origin=launch_id)
    return left
