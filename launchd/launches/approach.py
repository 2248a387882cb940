"""What comes near is told once for each mark, T-24 h and T-1 h, whatever becomes of this process meanwhile.

What was told is on disk before it is told: a restart tells nothing twice, and what came near while the daemon was away
is told when it is back, if it has not lifted off. A launch that slips by more than a quarter of a mark is told again.
A NET that is vaguer than a mark says nothing that fine.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from launchd import sql
from launchd.clock import HOUR, SECOND, Clock, Instant, until
from launchd.db.database import Connection, Database
from launchd.errors import LaunchdError
from launchd.event import Event
from launchd.launches.launch import Launch
from launchd.launches.news import approaching_event
from launchd.logger import get_logger
from launchd.schedules.tighten import LOOK, Near
from launchd.values.rows import decoded

_log = get_logger("launchd.approach")
_SQL = sql.statements("launches", "approaches")
# Hours before the NET, the last first.
MARKS = (1, 24)
BACKOFF_SECONDS = 60.0

# The id of a launch, and the hours before its NET.
Mark = tuple[str, int]


class Approach(NamedTuple):
    """What is to be told now, what is known as told from now on and what no longer, and when to look again."""

    tell: tuple[Mark, ...]
    told: frozenset[Mark]
    forget: frozenset[Mark]
    again_at: Instant


def approach(near: Sequence[Near], told: Collection[Mark], now: Instant) -> Approach:
    """What has come near. Of several marks that a launch has passed only the last is told. Pure."""
    tell: list[Mark] = []
    passed, kept, turns = set[Mark](), set[Mark](), [now + LOOK]
    for one in near:
        distance = one.earliest - now
        marks = [(one.id, hours) for hours in MARKS if one.latest - one.earliest <= hours * HOUR]
        here = [mark for mark in marks if 0 < distance <= mark[1] * HOUR]
        if here and here[0] not in told:
            tell.append(here[0])
        passed.update(here)
        kept.update(mark for mark in told if mark[0] == one.id and 4 * distance <= 5 * mark[1] * HOUR)
        turns += [turn for mark in marks if (turn := one.earliest - mark[1] * HOUR) > now]
    return Approach(tuple(tell), frozenset(passed.difference(told)), frozenset(told) - kept - passed, min(turns))


class Approaches:
    """Knows and tells what comes near. Owned by the control loop; `tell` gets the events once they are on record."""

    def __init__(self, clock: Clock, db: Database, tell: Callable[[Sequence[Event]], None]) -> None:
        self._clock = clock
        self._db = db
        self._tell = tell
        self._changed = asyncio.Event()

    async def near(self, first: Instant, last: Instant) -> list[Near]:
        """The launches that are not done and whose NET meets [first, last]; none whose NET is wider than that span."""
        return [Near(*row) for row in await self._db.read(_SQL["near"], {"first": first, "last": last})]

    def look_again(self) -> None:
        """A NET may be another."""
        self._changed.set()

    async def run(self) -> None:
        """Look whenever a mark is passed or launches have changed."""
        while True:
            self._changed.clear()
            try:
                again_at = await self.run_once()
            except LaunchdError as error:
                _log.error("approach_failed", error=error.detail)
                again_at = self._clock.now() + int(BACKOFF_SECONDS * SECOND)
            await until(self._changed, self._clock.sleep_until(again_at))

    async def run_once(self) -> Instant:
        """Tell what has come near; when to look again."""
        now = self._clock.now()
        found, launches = await self._db.write(lambda db: _decided(db, now))
        told = [approaching_event(launches[one], hours, now) for one, hours in found.tell if one in launches]
        for event in told:
            _log.info("launch_approaching", launch=event.data["id"], name=event.data["name"], hours=event.data["hours"])
        if told:
            self._tell(told)
        return found.again_at


def _decided(db: Connection, now: Instant) -> tuple[Approach, dict[str, Launch]]:
    """Decide, and remember that, in one transaction; the launches that are to be told of."""
    last = now + max(MARKS) * HOUR + LOOK
    near = [Near(*row) for row in db.execute(_SQL["near"], {"first": now, "last": last})]
    found = approach(near, [(row["launch_id"], row["hours"]) for row in db.execute(_SQL["announced"])], now)
    db.executemany(_SQL["forget"], found.forget)
    db.executemany(_SQL["announce"], [(*mark, now) for mark in found.told])
    bodies = {one: db.execute(_SQL["body"], (one,)).fetchone()["body"] for one, _ in found.tell}
    launches = {one: decoded(body, Launch) for one, body in bodies.items()}
    return found, {one: launch for one, launch in launches.items() if launch is not None}
