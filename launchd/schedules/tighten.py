"""Tightening: additional fires of a schedule, by rules, while an event is near. Pure.

A near event is an interval with a name: a launch and its NET. launchd/launches/approach.py supplies them. A rule is in
force from `within` before the interval begins until `within` after it ends, but at most `AFTER` after its end. An
interval wider than `within` is too vague for the rule and does not put it in force.

The additional occurrences are those of a fixed interval, so a restart does not shift them. They exist only while the
daemon runs: an outage has none, and there is no catch-up for them.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from launchd.clock import HOUR, SECOND, Instant
from launchd.errors import InvalidError
from launchd.schedules.recurrence import Every, occurrences
from launchd.schedules.schedule import Fire, FireOutcome, Plan, Schedule, TightenRule, grace_of

# The longest time after its end that an event counts as near, in microseconds.
AFTER = 3 * HOUR
# The longest time between two queries for near events, in microseconds.
LOOK = HOUR
_MOST = 1000
_SHORTEST_SECONDS = 60


class Near(NamedTuple):
    """An event expected in [earliest, latest], with its id and name."""

    earliest: Instant
    latest: Instant
    id: str
    name: str


class Tightening(NamedTuple):
    """The rule in force, the event that puts it in force, and the interval [since, until) in which it does."""

    rule: TightenRule
    near: Near
    since: Instant
    until: Instant


class Look(NamedTuple):
    """The tightening in force now, if any, and the time at which to look again."""

    tightening: Tightening | None
    again_at: Instant


def check_rule(within: Every, every: Every) -> None:
    """Raise InvalidError unless `every` is at least 60 s and `within` is 1 to 1000 times `every`."""
    if every.seconds < _SHORTEST_SECONDS:
        raise InvalidError(f"every: expected at least {_SHORTEST_SECONDS} s")
    if not every.seconds <= within.seconds <= _MOST * every.seconds:
        raise InvalidError(f"within: expected 1 to {_MOST} times `every`")


def near_window(rules: Sequence[TightenRule], now: Instant) -> tuple[Instant, Instant]:
    """The interval in which an event must lie to put a rule in force now or before the next look."""
    reach = max(rule.within for rule in rules) * SECOND
    return now - min(reach, AFTER), now + reach + LOOK


def look(rules: Sequence[TightenRule], near: Sequence[Near], now: Instant) -> Look:
    """The rule in force with the shortest `every`; of several near events, the first."""
    possible = [_between(rule, one) for rule in rules for one in near if _width(one) <= rule.within * SECOND]
    found = [one for one in possible if one.since <= now < one.until]
    turns = [turn for one in possible for turn in (one.since, one.until) if turn > now]
    best = min(found, key=lambda one: (one.rule.every.seconds, one.near.earliest, one.near.id), default=None)
    return Look(best, min([*turns, now + LOOK]))


def tightened(made: Plan, look: Look, due: Instant | None, now: Instant, *, paused: bool) -> Plan:
    """The plan with the additional fire that is due at `now`; `due` is the next one that was announced.

    There is none if the plan fires anyway, or if it is later than its grace; of several due ones the last is fired.
    """
    found = look.tightening
    if found is None or due is None or due > now or paused:
        return made
    at = max(due, found.rule.every.previous(now) or due)
    late = now - at > int(grace_of(found.rule.every.seconds) * SECOND)
    if late or at <= made.cursor or any(fire.outcome is FireOutcome.FIRED for fire in made.fires):
        return made
    reason = f"{found.rule.in_words()} of {found.near.name} ({found.near.id})"
    extra = Fire(at, FireOutcome.FIRED, reason, args=found.rule.args)
    return made._replace(fires=(*made.fires, extra), cursor=at)


def next_extra(look: Look, after: Instant) -> Instant | None:
    """The first additional occurrence after `after`; None if the rule is in force for none."""
    return next(_extras(look, after), None)


def coming(schedule: Schedule, look: Look, after: Instant) -> Iterator[Instant]:
    """All occurrences after `after` by present knowledge, each once, ascending."""
    last = None
    for at in merge(occurrences(schedule.recurrence, after), _extras(look, after)):
        if at != last:
            yield at
        last = at


def _extras(look: Look, after: Instant) -> Iterator[Instant]:
    found = look.tightening
    if found is None:
        return
    for at in occurrences(found.rule.every, max(after, found.since - 1)):
        if at >= found.until:
            return
        yield at


def _between(rule: TightenRule, near: Near) -> Tightening:
    reach = rule.within * SECOND
    return Tightening(rule, near, near.earliest - reach, near.latest + min(reach, AFTER))


def _width(near: Near) -> Instant:
    return near.latest - near.earliest
