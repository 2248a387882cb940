"""The evidence that two sightings are of one launch, or that they are not. Pure.

Rules, the strongest first: identifiers; the same time with the same vehicle or pad; a name with a time near by. A name
alone or a day alone is never enough. A contradiction (another designator, another number of the same series, another
site) outweighs all agreement. Another vehicle is none, since a launch may change it until it flies.
"""

from enum import IntEnum
from typing import NamedTuple

from launchd.clock import DAY, HOUR, MINUTE
from launchd.launches.launch import FLOWN, LaunchStatus, Net, Precision, Sighting
from launchd.launches.matching import names

Key = tuple[str, str]
# Two timed NETs this close are one lift-off; the closest real pair of a family flew 66 minutes apart (2024-154, -155).
SLACK = 10 * MINUTE
# A scrub of a day, a wrong zone and a local day lie within it; flown launches further apart are different ones.
NEAR = 36 * HOUR
# How far apart a name still counts for a launch that has not flown; slips are longer than moves to an earlier date.
SLIP, EARLIER = 730 * DAY, 60 * DAY
_TIMED = (Precision.SECOND, Precision.MINUTE, Precision.HOUR)
_DATED = (*_TIMED, Precision.DAY)
_LIFTED = FLOWN | {LaunchStatus.IN_FLIGHT}


class Strength(IntEnum):
    """The strength of a match; `DOUBTFUL` is never merged, only listed."""

    NONE = 0
    DOUBTFUL = 1
    NAME = 2
    CIRCUMSTANCES = 3
    TIME = 4
    TIME_AND_NAME = 5
    IDENTIFIERS = 6


class When(IntEnum):
    """The relation of two times; `SAME_PERIOD` is an hour or a day, which two launches may share."""

    APART = 0
    SLIPPED = 1
    VAGUE = 2
    NEAR = 3
    SAME_PERIOD = 4
    SAME_TIME = 5


class Traits(NamedTuple):
    """A sighting in comparable form. `lifted` is False until the launch has flown.

    `missions`, `series` and `words` are read from its names.
    """

    key: Key
    sighting: Sighting
    net: Net | None
    timed: bool
    dated: bool
    lifted: bool
    family: str | None
    vehicle: str | None
    provider: str | None
    pad: names.Pad | None
    series: tuple[str, str, str] | None
    missions: tuple[names.Mission, ...]
    words: frozenset[str]


def traits(sighting: Sighting) -> Traits:
    """The comparable form of a sighting."""
    net, vehicle, called = sighting.net, sighting.vehicle, (sighting.name, *sighting.names)
    return Traits(
        key=(sighting.source, sighting.source_id),
        sighting=sighting,
        net=net,
        timed=net is not None and net.precision in _TIMED,
        dated=net is not None and net.precision in _DATED,
        lifted=sighting.status in _LIFTED,
        family=names.vehicle_family(vehicle) if vehicle else None,
        vehicle=names.plain(vehicle) if vehicle else None,
        provider=names.provider_name(sighting.provider) if sighting.provider else None,
        pad=names.pad_of(sighting.pad, sighting.location.name if sighting.location else None),
        series=next((one for name in called if (one := names.series_number(name))), None),
        missions=tuple(dict.fromkeys(one for name in called for one in names.missions(name, vehicle))),
        words=frozenset().union(*(names.words(name, vehicle) for name in called)),
    )


def contradicts(a: Traits, b: Traits) -> str | None:
    """The reason why two sightings cannot be one launch, whatever else they share; None without one."""
    one, other = a.sighting, b.sighting
    if one.designator and other.designator:
        same = one.designator == other.designator
        return None if same else f"designators {one.designator} and {other.designator}"
    if a.series and b.series and a.series[0] == b.series[0] and a.series != b.series:
        return f"groups {'-'.join(a.series[1:])} and {'-'.join(b.series[1:])}"
    if a.lifted and b.lifted and a.dated and b.dated and when(a, b) is When.APART:
        return "flown on different days"
    return None


def when(a: Traits, b: Traits) -> When:
    """The relation of the times of two sightings."""
    if a.net is None or b.net is None:
        return When.APART
    gap = max(a.net.earliest - b.net.latest, b.net.earliest - a.net.latest, 0)
    if a.timed and b.timed and abs(a.net.earliest - b.net.earliest) <= SLACK:
        return When.SAME_TIME
    if a.dated and b.dated and gap <= NEAR:
        return When.SAME_PERIOD if gap == 0 else When.NEAR
    if gap == 0:
        return When.VAGUE
    return When.SLIPPED if _slipped(a, b) or _slipped(b, a) else When.APART


def _slipped(stale: Traits, other: Traits) -> bool:
    """True if `stale` may be an outdated record of the launch of `other`."""
    if stale.lifted or stale.net is None or other.net is None:
        return False
    return other.net.earliest - stale.net.latest >= -EARLIER and other.net.earliest - stale.net.earliest <= SLIP


def compare(a: Traits, b: Traits) -> Strength:
    """The strength of the match of two sightings; two of one source never match."""
    if a.key[0] == b.key[0] or contradicts(a, b):
        return Strength.DOUBTFUL if a.key[0] != b.key[0] and _flown_twice(a, b) else Strength.NONE
    if a.sighting.designator and a.sighting.designator == b.sighting.designator:
        return Strength.IDENTIFIERS
    time = when(a, b)
    if time is When.APART:
        return Strength.NONE
    shared = _shared(a, b)
    if shared.elsewhere and not (shared.name and not (a.lifted and b.lifted)):
        return Strength.DOUBTFUL if shared.vehicle and time is When.SAME_TIME else Strength.NONE
    if _linked(a, b) and not shared.other_vehicle:
        return Strength.IDENTIFIERS
    return _at_one_time(shared) if time is When.SAME_TIME else _near(shared, time)


def _flown_twice(a: Traits, b: Traits) -> bool:
    """True if both have flown under one number of a series, which happens once: one of the dates or names is wrong."""
    known = a.sighting.designator and b.sighting.designator
    return a.lifted and b.lifted and a.series is not None and a.series == b.series and not known


def explain(one: Sighting, other: Sighting) -> str:
    """The evidence in words, for the operator who decides what the rules leave open."""
    a, b = traits(one), traits(other)
    shared, time = _shared(a, b), when(a, b)
    same = [field for field in ("vehicle", "pad", "provider", "name") if getattr(shared, field)]
    differs = [field for field in ("vehicle", "pad", "name") if getattr(shared, f"other_{field}")]
    words = [time.name.lower().replace("_", " ")]
    words += [f"same {', '.join(same)}"] if same else []
    words += [f"other {', '.join(differs)}"] if differs else []
    return "; ".join(words)


class _Shared(NamedTuple):
    """The fields in which two sightings agree, and those in which they differ.

    `word`: their names share a word; `alike`: one name is the other with something added.
    """

    vehicle: bool
    pad: bool
    provider: bool
    name: bool
    word: bool
    other_vehicle: bool
    other_pad: bool
    other_name: bool
    elsewhere: bool
    lifted: bool
    alike: bool


def _shared(a: Traits, b: Traits) -> _Shared:
    pads = a.pad and b.pad and a.pad.pad and b.pad.pad
    word = not a.words.isdisjoint(b.words)
    series = a.series is not None and a.series == b.series
    return _Shared(
        vehicle=a.family is not None and a.family == b.family,
        pad=bool(pads) and a.pad == b.pad,
        provider=a.provider is not None and a.provider == b.provider,
        name=series or names.same_mission(a.missions, b.missions),
        word=word,
        other_vehicle=bool(a.family and b.family) and a.family != b.family,
        other_pad=bool(pads) and a.pad != b.pad,
        other_name=_tells(a) and _tells(b) and not word,
        elsewhere=a.pad is not None and b.pad is not None and a.pad.site != b.pad.site,
        lifted=a.lifted and b.lifted,
        alike=names.alike(a.missions, b.missions),
    )


def _tells(one: Traits) -> bool:
    return bool(one.missions) or one.series is not None


def _linked(a: Traits, b: Traits) -> bool:
    """True if one has the other's key. Some sources find such links by the nearest time, so this is no proof alone."""
    linked = a.sighting.cross_ids.get(b.key[0]) == b.key[1]
    return linked or b.sighting.cross_ids.get(a.key[0]) == a.key[1]


def _at_one_time(shared: _Shared) -> Strength:
    """The strength when two timed NETs agree: one vehicle or one pad has one lift-off at a time.

    A launch that has not flown may still move to another pad, but two launches may also wait for the same minute.
    """
    supported = shared.vehicle or shared.pad or shared.provider
    if shared.other_vehicle:
        if shared.name or shared.pad:
            return Strength.CIRCUMSTANCES
        return Strength.DOUBTFUL if supported else Strength.NONE
    if shared.name:
        return Strength.TIME_AND_NAME
    if shared.other_pad and shared.other_name and not shared.lifted:
        return Strength.NONE
    return Strength.TIME if supported or shared.word else Strength.DOUBTFUL


def _near(shared: _Shared, time: When) -> Strength:
    """The strength when the times are less close: the name or the pad must agree."""
    near = time in {When.SAME_PERIOD, When.NEAR}
    if shared.name:
        if shared.other_vehicle or not (shared.vehicle or shared.pad or shared.provider):
            return Strength.DOUBTFUL
        return Strength.TIME if near else Strength.NAME
    if not near or not shared.vehicle or shared.other_pad:
        alike = shared.alike and shared.vehicle and not shared.other_pad and not shared.lifted
        return Strength.DOUBTFUL if alike else Strength.NONE
    if shared.other_name and not shared.lifted:
        return Strength.NONE
    if shared.pad or time is When.SAME_PERIOD:
        return Strength.CIRCUMSTANCES
    return Strength.DOUBTFUL
