"""Grouping sightings by launch. Pure, linear in time blocks, and independent of the order of the sources.

All sightings are compared again each time, so later evidence can merge two launches and split one. A bond (two
sightings that were one launch before) holds where the present evidence decides nothing, as after a slip that only one
source knows of. Time alone does not break a bond; a name, an identifier or a contradiction does. Sightings that were
one launch only because less was known at the time have no bond: the order in which sources come must not matter.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from launchd.clock import DAY, Instant
from launchd.launches.launch import Net, Sighting
from launchd.launches.matching import names
from launchd.launches.matching.evidence import EARLIER, NEAR, SLIP, Key, Strength, Traits, compare, contradicts, traits

# Half of NEAR on either side, so that two sightings that are near each other share a day.
_REACH = NEAR // 2
_YEAR = 366 * DAY
_JUST_NOW = 1 << 62


class Known(NamedTuple):
    """The stored launch of a sighting, when the sighting was first seen, and when its content was."""

    launch_id: str
    first_seen: Instant
    seen_at: Instant


class Pair(NamedTuple):
    """Two sightings and the strength of their match."""

    strength: Strength
    first: Key
    second: Key


class Assignment(NamedTuple):
    """Groups of sightings that are one launch, and pairs of members of two groups that may be one."""

    groups: tuple[tuple[Key, ...], ...]
    doubtful: tuple[Pair, ...]


def key(sighting: Sighting) -> Key:
    """The key of a sighting: its source and its id there."""
    return sighting.source, sighting.source_id


def assign(sightings: Iterable[Sighting], known: Mapping[Key, Known]) -> Assignment:
    """Group all sightings. `known` holds the stored launch of each; no group holds two sightings of one source."""
    ordered = {one.key: one for one in map(traits, sorted(sightings, key=key))}
    pairs = _pairs(ordered)
    bonds = _bonds(ordered, pairs, known)
    groups = _Groups(ordered)
    held = _held(pairs, bonds)
    doubtful: list[tuple[Key, Key]] = []
    for strength in sorted(Strength, reverse=True)[:-2]:
        found = [pair for pair, one in pairs.items() if one is strength]
        doubtful += groups.merge(found, held if strength <= Strength.TIME else frozenset())
    for first, second in bonds:
        groups.join(first, second)
    doubtful += [pair for pair, one in pairs.items() if one is Strength.DOUBTFUL]
    apart = [Pair(pairs[one], *one) for one in dict.fromkeys(doubtful) if groups.may_join(*one)]
    return Assignment(groups.listed(), tuple(sorted(apart)))


def _bonds(
    ordered: Mapping[Key, Traits], pairs: Iterable[tuple[Key, Key]], known: Mapping[Key, Known]
) -> list[tuple[Key, Key]]:
    """The pairs that were one launch, that nothing contradicts, and that a fresh comparison may miss.

    It may miss a pair of which one sighting has changed since it was first seen, or has got a rival since.
    """
    newest: dict[tuple[Key, str], Instant] = defaultdict(int)
    for pair in pairs:
        for one, other in (pair, pair[::-1]):
            arrived = known[other].first_seen if other in known else _JUST_NOW
            newest[one, other[0]] = max(newest[one, other[0]], arrived)
    stored: dict[str, list[Key]] = defaultdict(list)
    for one in ordered:
        if one in known:
            stored[known[one].launch_id].append(one)

    def lasts(first: Key, second: Key) -> bool:
        changed = any(known[one].seen_at > known[one].first_seen for one in (first, second))
        since = max(known[first].first_seen, known[second].first_seen)
        rivalled = max(newest[first, second[0]], newest[second, first[0]]) > since
        return (changed or rivalled) and contradicts(ordered[first], ordered[second]) is None

    pairs_of = (pair for members in stored.values() for pair in combinations(members, 2))
    return [(first, second) for first, second in pairs_of if first[0] != second[0] and lasts(first, second)]


def _held(pairs: Iterable[tuple[Key, Key]], bonds: Iterable[tuple[Key, Key]]) -> frozenset[tuple[Key, Key]]:
    """The pairs that would take a sighting from its bonded partner of that source; time alone does not do that."""
    partner: dict[tuple[Key, str], Key] = {}
    for first, second in bonds:
        partner[first, second[0]], partner[second, first[0]] = second, first
    return frozenset(
        (first, second)
        for first, second in pairs
        if partner.get((first, second[0]), second) != second or partner.get((second, first[0]), first) != first
    )


class _Groups:
    """The sightings merged so far: each group by its smallest key, with at most one sighting of each source."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._root = {one: one for one in keys}
        self._members = {one: [one] for one in self._root}
        self._sources = {one: {one[0]} for one in self._root}

    def may_join(self, first: Key, second: Key) -> bool:
        """True if the two are in different groups that share no source."""
        left, right = self._root[first], self._root[second]
        return left != right and self._sources[left].isdisjoint(self._sources[right])

    def join(self, first: Key, second: Key) -> None:
        """Merge the groups of the two, if they may join."""
        if not self.may_join(first, second):
            return
        left, right = sorted((self._root[first], self._root[second]))
        for one in self._members[right]:
            self._root[one] = left
        self._members[left] += self._members.pop(right)
        self._sources[left] |= self._sources.pop(right)

    def merge(self, pairs: Sequence[tuple[Key, Key]], held: frozenset[tuple[Key, Key]]) -> list[tuple[Key, Key]]:
        """Join the groups of all pairs that are unambiguous and not held; returns the other pairs.

        A pair is ambiguous if a group has two partners that exclude each other because they share a source, or if a
        chain of pairs would bring two sightings of one source together.
        """
        links: dict[tuple[Key, Key], list[tuple[Key, Key]]] = defaultdict(list)
        partners: dict[Key, set[Key]] = defaultdict(set)
        for first, second in pairs:
            if self.may_join(first, second):
                left, right = sorted((self._root[first], self._root[second]))
                links[left, right].append((first, second))
                partners[left].add(right)
                partners[right].add(left)
        free = (link for link, found in links.items() if held.isdisjoint(found))
        clear = {link for link in free if not self._has_rival(*link, partners)}
        for chain in _chains(clear):
            sources = [source for root in chain for source in self._sources[root]]
            if len(sources) > len(set(sources)):
                clear = {link for link in clear if link[0] not in chain}
        for link in sorted(clear):
            self.join(*link)
        return [pair for link, found in links.items() if link not in clear for pair in found]

    def _has_rival(self, left: Key, right: Key, partners: Mapping[Key, set[Key]]) -> bool:
        """True if one end has partners that exclude each other, and the other end is one of them or is paired with one.

        A pair with one of the rivals decides nothing: the source may lack the other only because it does not know it.
        """
        for end, mine in ((left, right), (right, left)):
            disputed = self._disputed(partners[end])
            if mine in disputed or not disputed.isdisjoint(partners[mine]):
                return True
        return False

    def _disputed(self, candidates: set[Key]) -> set[Key]:
        """The candidates that share a source with another candidate."""
        counts = Counter(source for one in candidates for source in self._sources[one])
        return {one for one in candidates if any(counts[source] > 1 for source in self._sources[one])}

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
    # a launch that flew on a known day is found by that day; its name is needed only for launches that have not flown
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
    """The blocks of a sighting: its identifiers, and its day with each value that it may share.

    A block is a hash, which keeps it small; a collision costs one more comparison.
    """
    sighting = one.sighting
    if sighting.designator:
        yield hash(("designator", sighting.designator))
    if one.series:
        yield hash(("series", one.series))
    yield hash(one.key)
    for linked in sighting.cross_ids.items():
        yield hash(linked)
    if one.net is not None:
        for day in _days(one, one.net):
            for shared in _shared(one):
                yield hash((day, shared))


def _named(one: Traits) -> Iterator[int]:
    """The blocks of a sighting by its name, in each year to which it may belong."""
    words: list[object] = [(mission.numbers, text) for mission in one.missions for text in mission.words]
    if one.series:
        words.append(one.series)
    words += names.lone_words(one.missions)
    if one.net is not None and words:
        for year in _years(one, one.net):
            for word in words:
                yield hash((year, word))


def _shared(one: Traits) -> set[object]:
    """The values of which two sightings of one launch share at least one, besides the day."""
    return {value for value in (one.family, one.provider, one.pad, *one.words) if value}


def _days(one: Traits, net: Net) -> range:
    return range((net.earliest - _REACH) // DAY, (net.latest + _REACH) // DAY + 1) if one.dated else range(0)


def _years(one: Traits, net: Net) -> range:
    """The years in which the same name may be the same launch; more for a launch that has not flown."""
    if one.lifted:
        return range(net.earliest // _YEAR, net.latest // _YEAR + 1)
    return range((net.earliest - EARLIER) // _YEAR, (net.latest + SLIP) // _YEAR + 1)
