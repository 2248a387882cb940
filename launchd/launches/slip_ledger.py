"""The slip ledger: each change of the NET of a launch under one kind, with its size and if it counts as a slip. Pure.

The kinds, and their reasons:

- `corrected`: the NET of a launch that had lifted off, of one whose records were merged or split, or a NET of the same
  precision that overlaps the one before or is less than a minute away. No plan changed.
- `firmed` and `loosened`: a finer or a vaguer NET that may be the same ("April" becomes 20 April), the first NET, or
  none any more. Nothing was moved.
- `pull_in`: a NET that ends before the one before begins.
- `placeholder`: "April" becomes "May" in the last week of April or later, and no finer NET was given before. A launch
  that has no day a week before its month ends cannot fly in it: the date ran out, and nobody moved a launch.
- `scrub`: a NET with a time of day moves by half a day or more, or loses its time of day, after that time has passed or
  less than a day before it with status go or hold. Recorded countdowns go on within 5 hours, or are called off for 19
  and more.
- `slip`: every other move to a later NET.

`slip` and `scrub` count if they have a size; a scrub without a new date is followed by a slip to that date. A vague
NET that follows a fine one does not hide a slip: "20 April", "April", "25 April" has slipped by five days, because a
move is measured from the finest NET that the launch has not moved away from yet.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from launchd.clock import DAY, HOUR, Instant
from launchd.launches.dates import TIMED
from launchd.launches.launch import FLOWN, Launch, LaunchStatus, Net, Precision
from launchd.launches.slips import moved

# A countdown is called off if the NET moves by this much or more.
SCRUB_LEAST = 12 * HOUR
# With status go, a countdown is on from this long before the NET.
COUNTDOWN = DAY
# A month or a vaguer period in which a launch has no day yet, this long before its end, has run out.
RUN_OUT = 7 * DAY
# A source that was not read for more than this many of its periods was away.
AWAY_PERIODS = 2
# The period of a source that no schedule reads.
UNSCHEDULED = DAY

_VAGUE = frozenset({Precision.MONTH, Precision.QUARTER, Precision.HALF, Precision.YEAR, Precision.DECADE})
_LIFTED = FLOWN | {LaunchStatus.IN_FLIGHT}
_COUNTING = frozenset({LaunchStatus.GO, LaunchStatus.HOLD})
_FINENESS = {precision: rank for rank, precision in enumerate(Precision)}


class MoveKind(StrEnum):
    """The kind of a change of a NET."""

    SLIP = "slip"
    SCRUB = "scrub"
    PULL_IN = "pull_in"
    PLACEHOLDER = "placeholder"
    FIRMED = "firmed"
    LOOSENED = "loosened"
    CORRECTED = "corrected"


COUNTED = frozenset({MoveKind.SLIP, MoveKind.SCRUB})


class LastRead(NamedTuple):
    """A reading of a source at `at`. The one before was at `last` (None: there was none); they come every `period`."""

    at: Instant
    last: Instant | None = None
    period: Instant = UNSCHEDULED

    @property
    def late(self) -> bool:
        """True if the source had not been read for more than twice its period: changes were found late."""
        return self.last is not None and self.at - self.last > AWAY_PERIODS * self.period

    @property
    def away_since(self) -> Instant | None:
        """The last reading before a late one; None if this one is not late."""
        return self.last if self.late else None

    @property
    def held_until(self) -> Instant:
        """The last instant at which the values before this reading are known to have been stated."""
        return self.at if self.last is None or not self.late else self.last


class Move(NamedTuple):
    """The kind of a change of a NET, and its size in microseconds: negative for a move to an earlier time."""

    kind: MoveKind
    size: int = 0

    @property
    def counts(self) -> bool:
        """True if the change counts as a slip: a scrub without a new date counts once it has one."""
        return self.kind in COUNTED and self.size > 0


class MoveRow(NamedTuple):
    """A row of the ledger as it is stored. `merged_from` is the launch it was written for, if that was merged."""

    seen_at: Instant
    last_look: Instant | None
    late: bool
    source: str
    kind: str
    counts: bool
    size: int
    old: Net | None
    new: Net | None
    merged_from: str | None = None
    unreadable: tuple[str, ...] = ()


def classify(
    before: Launch, after: Launch, look: LastRead, *, reference: Net | None = None, regrouped: bool = False
) -> Move | None:
    """The move from one record of a launch to the next; None if the NET is the same.

    `reference` is the NET from which the move is measured, if it is not that of `before`. `regrouped` says that the
    launch lost or gained records that another launch had.
    """
    old, new = before.net, after.net
    if old == new:
        return None
    base = reference or old
    size = 0 if base is None or new is None else moved(base, new)
    if regrouped or (before.status in _LIFTED and after.status in _LIFTED):
        return Move(MoveKind.CORRECTED, size)
    if size < 0:
        return Move(MoveKind.PULL_IN, size)
    if _called_off(before, after, look.held_until):
        return Move(MoveKind.SCRUB, size)
    if size == 0:
        return Move(_same_time(old, new))
    return Move(MoveKind.PLACEHOLDER if _ran_out(base, new, look.held_until) else MoveKind.SLIP, size)


def reference(moves: Iterable[tuple[Net | None, Net | None]], present: Net | None) -> Net | None:
    """The finest NET that a launch has not moved away from, by its moves (old and new NET), oldest first."""
    found: Net | None = None
    last: Net | None = present
    for old, new in moves:
        base = found or old
        found, last = (base if base is not None and _keeps(base, new) else new), new
    return found if last == present and found is not None else present


def _keeps(base: Net, new: Net | None) -> bool:
    """True if a new NET only says less than the one before."""
    if new is None:
        return True
    return _FINENESS[new.precision] > _FINENESS[base.precision] and moved(base, new) == 0


def _same_time(old: Net | None, new: Net | None) -> MoveKind:
    """The kind of a change to a NET that may be the same."""
    if old is None or (new is not None and _FINENESS[new.precision] < _FINENESS[old.precision]):
        return MoveKind.FIRMED
    if new is None or _FINENESS[new.precision] > _FINENESS[old.precision]:
        return MoveKind.LOOSENED
    return MoveKind.CORRECTED


def _called_off(before: Launch, after: Launch, held_until: Instant) -> bool:
    """True if a countdown was on while the NET before was known to be stated, and the new NET is for another day."""
    old, new = before.net, after.net
    if old is None or new is None or old.precision not in TIMED:
        return False
    # without a time of day the date is given up, even where the new period holds it
    ended = moved(old, new) >= SCRUB_LEAST if new.precision in TIMED else after.status not in _LIFTED
    counting = before.status in _COUNTING and held_until > old.earliest - COUNTDOWN
    return ended and (counting or held_until > old.earliest)


def _ran_out(base: Net | None, new: Net | None, held_until: Instant) -> bool:
    """True if one vague period follows another whose end had come while the launch had no day in it."""
    if base is None or new is None or base.precision not in _VAGUE or new.precision not in _VAGUE:
        return False
    return held_until > base.latest - RUN_OUT
