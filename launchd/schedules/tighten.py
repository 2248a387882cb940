"""A schedule that tightens itself while something is near: more fires, by rule, beside those of its recurrence. Pure.

What is near is an interval with a name (a launch and its NET); who knows of such things tells it. A rule is in force
from `within` before the interval begins until `within` after its end, but no longer than `AFTER`: what is late then is
later than that. An interval wider than `within` tells nothing that fine, and puts no rule in force.

The additional occurrences are those of a fixed interval, so a restart does not shift them. They come to be only while
the daemon sees that they are due: an outage has none, and nothing of them is made up for.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from launchd.clock import HOUR, SECOND, Instant
from launchd.errors import InvalidError
from launchd.schedules.recurrence import Every, occurrences
from launchd.schedules.schedule import Fire, FireOutcome, Plan, Schedule, TightenRule, grace_of

# How long after its time something still counts as near.
AFTER = 3 * HOUR
# What is near may be told anew at any time; it is asked for again at least this often.
LOOK = HOUR
_MOST = 1000
_SHORTEST_SECONDS = 60


class Near(NamedTuple):
    """Something that is to happen in [earliest, latest], and what it is called."""

    earliest: Instant
    latest: Instant
    id: str
    name: str


class Tightening(NamedTuple):
    """The rule in force, what puts it in force, and from when until when it does."""

    rule: TightenRule
    near: Near
    since: Instant
    until: Instant


class Look(NamedTuple):
    """What is in force, and when that may be another by the mere passing of time."""

    tightening: Tightening | None
    again_at: Instant


def check_rule(within: Every, every: Every) -> None:
    """Raises InvalidError for a rule that cannot be meant."""
    if every.seconds < _SHORTEST_SECONDS:
        raise InvalidError(f"every: at least {_SHORTEST_SECONDS} s")
    if not every.seconds <= within.seconds <= _MOST * every.seconds:
        raise InvalidError(f"within: expected once to {_MOST} times `every`")


def near_window(rules: Sequence[TightenRule], now: Instant) -> tuple[Instant, Instant]:
    """Where something must be to put a rule in force now, or before it is looked again."""
    reach = max(rule.within for rule in rules) * SECOND
    return now - min(reach, AFTER), now + reach + LOOK


def look(rules: Sequence[TightenRule], near: Sequence[Near], now: Instant) -> Look:
    """The tightest rule that is in force; of several things near, the first."""
    possible = [_between(rule, one) for rule in rules for one in near if _width(one) <= rule.within * SECOND]
    found = [one for one in possible if one.since <= now < one.until]
    turns = [turn for one in possible for turn in (one.since, one.until) if turn > now]
    best = min(found, key=lambda one: (one.rule.every.seconds, one.near.earliest, one.near.id), default=None)
    return Look(best, min([*turns, now + LOOK]))


def tightened(made: Plan, look: Look, due: Instant | None, now: Instant, *, paused: bool) -> Plan:
    """The plan of a schedule with the additional fire that is due at `now`, if one is: `due` is the next there was.

    Where the plan fires anyway, or what is due is later than its grace, there is none; of several the last is fired.
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
    """The first additional occurrence after `after`, None when there is none while the rule is in force."""
    return next(_extras(look, after), None)


def coming(schedule: Schedule, look: Look, after: Instant) -> Iterator[Instant]:
    """All occurrences after `after`, as far as is known now; each once."""
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
