"""Which sightings are of one launch: pure, linear in time blocks, the same for any order of the sources."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import IntEnum
from itertools import combinations, product
from typing import NamedTuple

from launchd.clock import SECOND
from launchd.launches import names
from launchd.launches.launch import Precision, Sighting

Key = tuple[str, str]
_DAY = 86_400 * SECOND
# Two timed NETs this close are one lift-off; the closest real pair of a family flew 66 minutes apart (2024-154, -155).
_SLACK = 10 * 60 * SECOND
_TIMED = (Precision.SECOND, Precision.MINUTE, Precision.HOUR)
_DATED = (*_TIMED, Precision.DAY)


class Strength(IntEnum):
    """How strongly two sightings are one launch, by what they share."""

    NONE = 0
    DOUBTFUL = 1
    CIRCUMSTANCES = 2
    IDENTIFIERS = 3


class Pair(NamedTuple):
    """Two sightings and how strongly they are one launch."""

    strength: Strength
    first: Key
    second: Key


class Assignment(NamedTuple):
    """Groups of sightings that are one launch, and pairs of groups' members that may be."""

    groups: tuple[tuple[Key, ...], ...]
    doubtful: tuple[Pair, ...]


def key(sighting: Sighting) -> Key:
    """What identifies a sighting."""
    return sighting.source, sighting.source_id


def compare(a: Sighting, b: Sighting) -> Strength:  # noqa: PLR0911 - a list of rules, the strongest first
    """How strongly two sightings are one launch. Two of one source never are."""
    if a.source == b.source:
        return Strength.NONE
    if a.cross_ids.get(b.source) == b.source_id or b.cross_ids.get(a.source) == a.source_id:
        return Strength.IDENTIFIERS
    if a.designator and b.designator:
        return Strength.IDENTIFIERS if a.designator == b.designator else Strength.NONE
    if a.net is None or b.net is None or not a.net.overlaps(b.net, slack=_SLACK):
        return Strength.NONE
    if _contradict(a, b):
        return Strength.NONE
    same_name = bool(names.mission_name(a.name)) and names.mission_name(a.name) == names.mission_name(b.name)
    same_vehicle = bool(a.vehicle and b.vehicle)  # a difference was a contradiction
    timed = a.net.precision in _TIMED and b.net.precision in _TIMED
    if same_vehicle and (timed or same_name):
        return Strength.CIRCUMSTANCES
    return Strength.DOUBTFUL if timed or same_name else Strength.NONE


def _contradict(a: Sighting, b: Sighting) -> bool:
    if a.vehicle and b.vehicle and names.vehicle_family(a.vehicle) != names.vehicle_family(b.vehicle):
        return True
    first, second = names.series_number(a.name), names.series_number(b.name)
    return first is not None and second is not None and first != second


def assign(sightings: Iterable[Sighting], known: Mapping[Key, str]) -> Assignment:
    """Group all sightings; those that `known` puts in one launch stay together whatever they say now."""
    ordered = {key(one): one for one in sorted(sightings, key=key)}
    groups: dict[Key, list[Key]] = {}
    stored: dict[str, list[Key]] = defaultdict(list)
    for one in ordered:
        stored[known.get(one, "\0".join(one))].append(one)
    for members in stored.values():
        groups.update(dict.fromkeys(members, members))
    pairs = _pairs(ordered)
    partners: dict[tuple[Key, str], int] = defaultdict(int)
    for pair in pairs:
        if pair.strength is Strength.CIRCUMSTANCES:
            partners[pair.first, pair.second[0]] += 1
            partners[pair.second, pair.first[0]] += 1
    doubtful = []
    for pair in pairs:
        left, right = groups[pair.first], groups[pair.second]
        if left is right:
            continue
        alone = max(partners[pair.first, pair.second[0]], partners[pair.second, pair.first[0]]) <= 1
        shared = {one[0] for one in left} & {one[0] for one in right}
        if shared:
            continue
        if pair.strength is Strength.DOUBTFUL or (pair.strength is Strength.CIRCUMSTANCES and not alone):
            doubtful.append(pair)
            continue
        left.extend(right)
        groups.update(dict.fromkeys(right, left))
    unique = {id(group): tuple(sorted(group)) for group in groups.values()}
    apart = tuple(pair for pair in doubtful if groups[pair.first] is not groups[pair.second])
    return Assignment(tuple(sorted(unique.values())), apart)


def _pairs(ordered: Mapping[Key, Sighting]) -> list[Pair]:
    """All pairs that may be one launch; only sightings of different sources are ever compared."""
    blocks: dict[object, dict[str, list[Key]]] = defaultdict(lambda: defaultdict(list))
    for one, sighting in ordered.items():
        for block in _blocks(sighting):
            blocks[block][one[0]].append(one)
    found = set()
    for by_source in blocks.values():
        for left, right in combinations(by_source.values(), 2):
            for first, second in product(left, right):
                strength = compare(ordered[first], ordered[second])
                if strength:
                    found.add(Pair(strength, first, second))
    return sorted(found, key=lambda pair: (-pair.strength, pair.first, pair.second))


def _blocks(sighting: Sighting) -> Iterable[object]:
    if sighting.designator:
        yield "designator", sighting.designator
    yield "id", sighting.source, sighting.source_id
    for source, source_id in sighting.cross_ids.items():
        yield "id", source, source_id
    if name := names.mission_name(sighting.name):
        yield "name", name
    if sighting.net and sighting.net.precision in _DATED:
        for day in range((sighting.net.earliest - _SLACK) // _DAY, (sighting.net.latest + _SLACK) // _DAY + 1):
            yield "day", day
