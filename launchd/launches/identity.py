"""The id of a launch while its sightings are merged, split and merged again. Pure.

Each id was made for one sighting, its founder: the sighting that was seen first; of several, that of the source with
the highest priority. An id follows its founder. A group takes the oldest id that its members founded (UUIDv7 sorts by
age); its other ids redirect to that one, and are used again once their founder is split off. A group without a founder
gets a new id.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from launchd.launches.matching.evidence import Key
from launchd.launches.reconcile import StoredSighting


class Identities(NamedTuple):
    """The launch of each sighting (`launch`), and the id that the sighting founded or came with (`origin`).

    `merged` pairs an id with the one it redirects to from now on; `revived` are ids that redirected until now.
    """

    launch: dict[Key, str]
    origin: dict[Key, str]
    merged: tuple[tuple[str, str], ...]
    revived: tuple[str, ...]


def identify(
    groups: Sequence[Sequence[Key]],
    seen: Mapping[Key, StoredSighting],
    priorities: Mapping[str, int],
    new_id: Callable[[], str],
) -> Identities:
    """Give every group its id; `seen` holds the stored sightings."""
    founders = _founders(seen, priorities)
    found = Identities({}, {}, (), ())
    merged: list[tuple[str, str]] = []
    revived: list[str] = []
    for members in groups:
        claims = sorted({seen[one].origin for one in members if one in seen and founders[seen[one].origin] == one})
        launch_id = claims[0] if claims else new_id()
        for one in members:
            origin = seen[one].origin if one in seen else launch_id
            found.launch[one] = launch_id
            found.origin[one] = origin if origin in claims else launch_id
        for claim in claims:
            target = seen[founders[claim]].launch_id
            if target == launch_id:
                continue
            if claim == launch_id:
                revived.append(claim)
            else:
                merged.append((claim, launch_id))
    return found._replace(merged=tuple(merged), revived=tuple(revived))


def _founders(seen: Mapping[Key, StoredSighting], priorities: Mapping[str, int]) -> dict[str, Key]:
    """The founder of each id that was ever given."""
    ranked = sorted(seen.items(), key=lambda item: (item[1].first_seen, -priorities.get(item[0][0], 0), item[0]))
    founders: dict[str, Key] = {}
    for one, sight in ranked:
        founders.setdefault(sight.origin, one)
    return founders
