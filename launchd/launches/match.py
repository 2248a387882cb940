"""Which sightings are of one launch: pure, linear in time blocks, the same for any order of the sources.

All sightings are compared anew each time, so later evidence can merge what was apart and split what was one. A bond
(sightings that were one launch before) holds where the present evidence says neither, as after a slip that only one
source knows of; it weighs like circumstances, never against a contradiction.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from launchd.clock import DAY
from launchd.launches.evidence import EARLIER, NEAR, SLIP, Key, Strength, Traits, compare, contradicts, traits
from launchd.launches.launch import Net, Sighting

# Half of what lies near on either side: two sightings that are near each other then share a day.
_REACH = NEAR // 2
_YEAR = 366 * DAY


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


def assign(sightings: Iterable[Sighting], known: Mapping[Key, str]) -> Assignment:
    """Group all sightings. `known` says which launch each was of until now; no group holds two of one source."""
    ordered = {one.key: one for one in map(traits, sorted(sightings, key=key))}
    bonds = _bonds(ordered, known)
    pairs = _pairs(ordered)
    for bond in bonds:
        pairs[bond] = max(pairs.get(bond, Strength.NONE), Strength.TIME)
    groups = _Groups(ordered)
    doubtful: list[tuple[Key, Key]] = []
    for strength in sorted(Strength, reverse=True)[:-2]:
        doubtful += groups.merge([pair for pair, found in pairs.items() if found is strength])
    for first, second in bonds:
        groups.join(first, second)
    doubtful += [pair for pair, found in pairs.items() if found is Strength.DOUBTFUL]
    apart = [Pair(pairs[one], *one) for one in dict.fromkeys(doubtful) if groups.may_join(*one)]
    return Assignment(groups.listed(), tuple(sorted(apart)))


def _bonds(ordered: Mapping[Key, Traits], known: Mapping[Key, str]) -> list[tuple[Key, Key]]:
    """The pairs that were of one launch and that nothing contradicts."""
    stored: dict[str, list[Key]] = defaultdict(list)
    for one in ordered:
        if one in known:
            stored[known[one]].append(one)
    return [
        (first, second)
        for members in stored.values()
        for first, second in combinations(members, 2)
        if first[0] != second[0] and contradicts(ordered[first], ordered[second]) is None
    ]


class _Groups:
    """Sightings merged so far: each group by its smallest key, never two sightings of one source in it."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._root = {one: one for one in keys}
        self._members = {one: [one] for one in self._root}
        self._sources = {one: {one[0]} for one in self._root}

    def may_join(self, first: Key, second: Key) -> bool:
        """Whether the two are of different groups that share no source."""
        left, right = self._root[first], self._root[second]
        return left != right and self._sources[left].isdisjoint(self._sources[right])

    def join(self, first: Key, second: Key) -> None:
        """Make the groups of the two one, if they may be."""
        if not self.may_join(first, second):
            return
        left, right = sorted((self._root[first], self._root[second]))
        for one in self._members[right]:
            self._root[one] = left
        self._members[left] += self._members.pop(right)
        self._sources[left] |= self._sources.pop(right)

    def merge(self, pairs: Sequence[tuple[Key, Key]]) -> list[tuple[Key, Key]]:
        """Join the groups of all pairs that leave no choice; returns the pairs that do.

        A choice is a group with two partners that exclude each other, since they share a source; or a chain of pairs
        that would bring two sightings of one source together.
        """
        links: dict[tuple[Key, Key], list[tuple[Key, Key]]] = defaultdict(list)
        partners: dict[Key, set[Key]] = defaultdict(set)
        for first, second in pairs:
            if self.may_join(first, second):
                left, right = sorted((self._root[first], self._root[second]))
                links[left, right].append((first, second))
                partners[left].add(right)
                partners[right].add(left)
        clear = {link for link in links if not self._has_rival(*link, partners)}
        for chain in _chains(clear):
            sources = [source for root in chain for source in self._sources[root]]
            if len(sources) > len(set(sources)):
                clear = {link for link in clear if link[0] not in chain}
        for link in sorted(clear):
            self.join(*link)
        return [pair for link, found in links.items() if link not in clear for pair in found]

    def _has_rival(self, left: Key, right: Key, partners: Mapping[Key, set[Key]]) -> bool:
        """Whether either end has another partner that shares a source with this one."""
        return any(
            other != mine and not self._sources[other].isdisjoint(self._sources[mine])
            for end, mine in ((left, right), (right, left))
            for other in partners[end]
        )

    def listed(self) -> tuple[tuple[Key, ...], ...]:
        """All groups, each sorted, in order."""
        return tuple(sorted(tuple(sorted(members)) for members in self._members.values()))


def _chains(links: Iterable[tuple[Key, Key]]) -> list[set[Key]]:
    """The connected parts of a graph."""
    neighbours: dict[Key, list[Key]] = defaultdict(list)
    for left, right in links:
        neighbours[left].append(right)
        neighbours[right].append(left)
    chains, seen = [], set[Key]()
    for start in neighbours:
        if start in seen:
            continue
        chain, waiting = {start}, [start]
        while waiting:
            fresh = [one for one in neighbours[waiting.pop()] if one not in chain]
            chain.update(fresh)
            waiting += fresh
        seen |= chain
        chains.append(chain)
    return chains


def _pairs(ordered: Mapping[Key, Traits]) -> dict[tuple[Key, Key], Strength]:
    """All pairs that may be one launch; only sightings of different sources in one block are ever compared."""
    listed = list(ordered.values())
    # what flew on a known day is found by that day; its name is of use only where another has not flown
    awaited = {block for one in listed if not (one.lifted and one.dated) for block in _named(one)}
    lonely: dict[int, int] = {}
    blocks: dict[int, list[int]] = {}
    for number, one in enumerate(listed):
        for block in (*_blocks(one), *(named for named in _named(one) if named in awaited)):
            before = lonely.setdefault(block, number)
            if before != number:
                blocks.setdefault(block, [before]).append(number)
    near: set[tuple[int, int]] = set()
    for members in blocks.values():
        near.update(
            (first, second)
            for first, second in combinations(members, 2)
            if listed[first].key[0] != listed[second].key[0]
        )
    found = {}
    for first, second in sorted(near):
        a, b = listed[first], listed[second]
        if strength := compare(a, b):
            found[a.key, b.key] = strength
    return found


def _blocks(one: Traits) -> Iterator[int]:
    """Where a sighting is looked for: by its identifiers, and by its day with what it may share.

    A block is a hash, which keeps it small; two that collide cost a comparison more.
    """
    sighting = one.sighting
    if sighting.designator:
        yield hash(("designator", sighting.designator))
    yield hash(one.key)
    for linked in sighting.cross_ids.items():
        yield hash(linked)
    if one.net is not None:
        for day in _days(one, one.net):
            for shared in _shared(one):
                yield hash((day, shared))


def _named(one: Traits) -> Iterator[int]:
    """Where a sighting is looked for by its name, in the years that it may be of."""
    told: list[object] = [(mission.numbers, word) for mission in one.missions for word in mission.words]
    if one.series:
        told.append(one.series)
    if one.net is not None and told:
        for year in _years(one, one.net):
            for what in told:
                yield hash((year, what))


def _shared(one: Traits) -> set[object]:
    """What two sightings of one launch have in common at the least, besides the day."""
    return {value for value in (one.family, one.provider, one.pad, *one.words) if value}


def _days(one: Traits, net: Net) -> range:
    return range((net.earliest - _REACH) // DAY, (net.latest + _REACH) // DAY + 1) if one.dated else range(0)


def _years(one: Traits, net: Net) -> range:
    """The years in which the same name may be the same launch; wider for what has not flown."""
    if one.lifted:
        return range(net.earliest // _YEAR, net.latest // _YEAR + 1)
    return range((net.earliest - EARLIER) // _YEAR, (net.latest + SLIP) // _YEAR + 1)
