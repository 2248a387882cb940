"""Launches that approach: each is announced once for each mark, T-24 h and T-1 h.

An announcement is on disk before it is sent, so a restart repeats none. A launch that passed a mark while the daemon
was down is announced at the next start, unless it has lifted off. A launch that slips by more than a quarter of a mark
is announced again. A NET that is vaguer than a mark gives no announcement for it.
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
# Hours before the NET, the last mark first.
MARKS = (1, 24)
BACKOFF_SECONDS = 60.0

# The id of a launch, and the hours before its NET.
Mark = tuple[str, int]


class Approach(NamedTuple):
    """The marks to announce now, to record as announced and to forget, and the instant of the next check."""

    announce: tuple[Mark, ...]
    record: frozenset[Mark]
    forget: frozenset[Mark]
    again_at: Instant


def approach(near: Sequence[Near], announced: Collection[Mark], now: Instant) -> Approach:
    """Decide the announcements. Of several marks that a launch has passed only the last is announced. Pure."""
    announce: list[Mark] = []
    passed, kept, turns = set[Mark](), set[Mark](), [now + LOOK]
    for one in near:
        distance = one.earliest - now
        marks = [(one.id, hours) for hours in MARKS if one.latest - one.earliest <= hours * HOUR]
        here = [mark for mark in marks if 0 < distance <= mark[1] * HOUR]
        if here and here[0] not in announced:
            announce.append(here[0])
        passed.update(here)
        kept.update(mark for mark in announced if mark[0] == one.id and 4 * distance <= 5 * mark[1] * HOUR)
        turns += [turn for mark in marks if (turn := one.earliest - mark[1] * HOUR) > now]
    forget = frozenset(announced) - kept - passed
    return Approach(tuple(announce), frozenset(passed.difference(announced)), forget, min(turns))


class Approaches:
    """Announces launches that approach. Owned by the control loop; `publish` gets the events once they are on disk."""

    def __init__(self, clock: Clock, db: Database, publish: Callable[[Sequence[Event]], None]) -> None:
        self._clock = clock
        self._db = db
        self._publish = publish
        self._changed = asyncio.Event()

    async def near(self, first: Instant, last: Instant) -> list[Near]:
        """The launches still to fly whose NET meets [first, last]; wider NETs are left out."""
        return [Near(*row) for row in await self._db.read(_SQL["near"], {"first": first, "last": last})]

    def look_again(self) -> None:
        """Check again at once, because a NET may have changed."""
        self._changed.set()

    async def run(self) -> None:
        """Check whenever a mark is passed or launches have changed."""
        while True:
            self._changed.clear()
            try:
                again_at = await self.run_once()
            except LaunchdError as error:
                _log.error("approach_failed", error=error.detail)
                again_at = self._clock.now() + int(BACKOFF_SECONDS * SECOND)
            await until(self._changed, self._clock.sleep_until(again_at))

    async def run_once(self) -> Instant:
        """Announce the launches that have passed a mark; returns the instant of the next check."""
        now = self._clock.now()
        found, launches = await self._db.write(lambda db: _decided(db, now))
        events = [approaching_event(launches[one], hours, now) for one, hours in found.announce if one in launches]
        for event in events:
            _log.info("launch_approaching", launch=event.data["id"], name=event.data["name"], hours=event.data["hours"])
        if events:
            self._publish(events)
        return found.again_at


def _decided(db: Connection, now: Instant) -> tuple[Approach, dict[str, Launch]]:
    """Decide and record the announcements in one transaction; also returns the launches to announce."""
    last = now + max(MARKS) * HOUR + LOOK
    near = [Near(*row) for row in db.execute(_SQL["near"], {"first": now, "last": last})]
    found = approach(near, [(row["launch_id"], row["hours"]) for row in db.execute(_SQL["announced"])], now)
    db.executemany(_SQL["forget"], found.forget)
    db.executemany(_SQL["announce"], [(*mark, now) for mark in found.record])
    bodies = {one: db.execute(_SQL["body"], (one,)).fetchone()["body"] for one, _ in found.announce}
    launches = {one: decoded(body, Launch) for one, body in bodies.items()}
    return found, {one: launch for one, launch in launches.items() if launch is not None}
