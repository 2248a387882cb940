"""Scorecards: how well the NETs stated before a launch agreed with its lift-off. Pure, linear in the statements.

At each horizon before the lift-off of a flown launch, the NET that held then is compared with the lift-off. The error
is 0 if the lift-off lies within the interval of the NET, else the distance between them: positive if the launch lifted
off later than stated. A vague NET is seldom wrong: read the share within the NET beside the precision it claims.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from launchd.clock import DAY, HOUR, Instant

# The name under which launchd's own NETs are scored, beside those of the sources.
LAUNCHD = "launchd"
HORIZONS = {"30d": 30 * DAY, "7d": 7 * DAY, "1d": DAY, "1h": HOUR}
# With fewer launches a percentile says nothing.
LEAST = 30


class Statement(NamedTuple):
    """A NET that a source stated of a launch from `seen_at` on, and the launch's provider, vehicle and lift-off.

    `earliest` is None where the source withdrew the NET. From `away_since` to `seen_at` nobody read the source.
    """

    source: str
    launch_id: str
    provider: str | None
    vehicle: str | None
    lift_off: Instant
    lift_off_latest: Instant
    seen_at: Instant
    away_since: Instant | None
    earliest: Instant | None
    latest: Instant | None


class Score(NamedTuple):
    """The errors at one horizon in microseconds, by nearest rank; None with a `reason` for fewer than LEAST launches.

    `low` and `high` are the 10th and the 90th percentile. `within` is the share of launches that lifted off within the
    interval that was stated. `n` counts the launches.
    """

    horizon: str
    n: int
    median: int | None = None
    low: int | None = None
    high: int | None = None
    within: float | None = None
    reason: str | None = None


class Scorecard(NamedTuple):
    """The scores of a source, a provider or a vehicle, the longest horizon first."""

    name: str
    scores: tuple[Score, ...]


def scorecards(statements: Iterable[Statement], name_of: Callable[[Statement], str | None]) -> tuple[Scorecard, ...]:
    """A card for each name, by the statements of each source on each launch, oldest first; no name, no card."""
    errors: dict[str, dict[str, list[int]]] = defaultdict(lambda: {horizon: [] for horizon in HORIZONS})
    for _, group in groupby(statements, lambda one: one[:2]):
        history = list(group)
        name = name_of(history[0])
        if name is None:
            continue
        for horizon, before in HORIZONS.items():
            held = held_at(history, history[0].lift_off - before)
            if held is not None:
                errors[name][horizon].append(error(held))
    found = [Scorecard(name, tuple(map(score, of, of.values()))) for name, of in errors.items() if any(of.values())]
    return tuple(sorted(found))


def held_at(history: Sequence[Statement], at: Instant) -> Statement | None:
    """The statement that held at an instant; None if there was none, or if nobody read the source then."""
    held: Statement | None = None
    for one in history:
        if one.seen_at > at:
            if one.away_since is not None and one.away_since < at:
                return None
            break
        held = one
    return held if held is not None and held.earliest is not None else None


def error(stated: Statement) -> int:
    """The microseconds from the stated NET to the lift-off: 0 within it, negative for a lift-off before it."""
    if stated.earliest is None or stated.latest is None:
        return 0
    if stated.lift_off > stated.latest:
        return stated.lift_off - stated.latest
    return min(stated.lift_off_latest - stated.earliest, 0)


def score(horizon: str, errors: Sequence[int]) -> Score:
    """The score of a horizon."""
    count = len(errors)
    if count < LEAST:
        return Score(horizon, count, reason=f"cannot tell from {count}: a score needs {LEAST} launches")
    ordered = sorted(errors)
    low, median, high = (ordered[math.ceil(share * count) - 1] for share in (0.1, 0.5, 0.9))
    return Score(horizon, count, median, low, high, sum(one == 0 for one in ordered) / count)
