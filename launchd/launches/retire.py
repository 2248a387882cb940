"""Retired records, which their source no longer has: kept with their launch, but no longer matched. Pure.

Absence counts only for a source whose whole list was read, and it never means that a launch was cancelled. A row of
such a list that is renamed comes back under another key, and the old record must not hold its place. A launch keeps its
id when the record that founded it is retired, and it stays when all of its records are.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from launchd.launches.launch import Precision, Sighting
from launchd.launches.matching.evidence import Key
from launchd.launches.reconcile import StoredSighting

# A list that lacks more than a tenth of a source's records, and more than these few, is not believed to be complete.
FEW, SHARE = 4, 10
_DATED = frozenset({Precision.SECOND, Precision.MINUTE, Precision.HOUR, Precision.DAY})


def present(seen: Mapping[Key, StoredSighting], sent: Collection[Key]) -> dict[Key, StoredSighting]:
    """The sightings to match: those not retired, and retired ones that return to a launch without any other."""
    found = {one: known for one, known in seen.items() if known.retired_at is None}
    held = {known.launch_id for known in found.values()}
    back = {one: seen[one] for one in sent if one in seen and one not in found and seen[one].launch_id not in held}
    return found | {one: known._replace(retired_at=None) for one, known in back.items()}


def gone(
    known: Collection[Key], sent: Collection[Key], complete: Collection[str]
) -> tuple[set[Key], dict[str, tuple[int, int]]]:
    """The keys that are missing from the lists of the sources in `complete`, and the lists that are too short.

    Of each short list there are the number of missing records and that of the known ones; none of them is retired.
    """
    found: set[Key] = set()
    short: dict[str, tuple[int, int]] = {}
    for source in complete:
        mine = {one for one in known if one[0] == source}
        missing = mine.difference(sent)
        if len(missing) <= max(FEW, len(mine) // SHARE):
            found |= missing
        else:
            short[source] = len(missing), len(mine)
    return found, short


def renamed(
    known: Mapping[Key, StoredSighting], retired: Collection[Key], new: Mapping[Key, Sighting]
) -> dict[Key, StoredSighting]:
    """The sightings with each new record that a retired one was renamed to, in the place of that one.

    It is the same row where all but its name agrees, its day is known, and no other record of the source is like it.
    """
    alike: dict[object, tuple[list[Key], list[Key]]] = defaultdict(lambda: ([], []))
    for one in retired:
        alike[_nameless(known[one].sighting)][0].append(one)
    for one, sighting in new.items():
        alike[_nameless(sighting)][1].append(one)
    pairs = [(old[0], young[0]) for row, (old, young) in alike.items() if row and len(old) == len(young) == 1]
    return dict(known) | {young: known[old]._replace(sighting=new[young]) for old, young in pairs}


def _nameless(sighting: Sighting) -> tuple[object, ...] | None:
    """All that a record says besides its names; None for one without a known day."""
    if sighting.net is None or sighting.net.precision not in _DATED:
        return None
    place = (sighting.vehicle, sighting.pad, sighting.location, sighting.orbit, sighting.provider)
    when = (sighting.net, sighting.status, sighting.window_start, sighting.window_end)
    return (sighting.source, *place, *when, sighting.designator)


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
