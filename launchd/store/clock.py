"""The clocks as they last were, in jobs.db, and what is written anew when the wall clock was set.

Waiting jobs are shifted in batches, by the primary key; how far that has come is on disk, so a daemon that dies in the
middle goes on where it was, and shifts no job twice.
"""

from typing import NamedTuple

from launchd import sql
from launchd.clock import FOREVER, MINUTE, Instant, Reading
from launchd.db.database import Connection, Database

_SQL = sql.statements("jobs", "clock")
# Rows that one commit looks at: the writer is free again after a few milliseconds.
BATCH = 2000
# A clock that is put back is noticed within this time; what counts from so short a time ago was written after that.
_NOTICED = MINUTE


class Shifted(NamedTuple):
    """A batch of a correction: how many waiting jobs it moved, and whether there is more to do."""

    jobs: int
    more: bool


def new_clock(delta: Instant, now: Instant) -> tuple[Instant, Instant]:
    """The first and the last moment that the clock as it is since it was set by `delta` can have written. Pure.

    The old clock stands at `now - delta`: where that is before now, what lies after it is the new clock's. Where it is
    after now, the old clock wrote every moment up to there, but hardly one of the last minute.
    """
    return (now - delta + 1, FOREVER) if delta > 0 else (now - _NOTICED, now)


class ClockStore:
    """Remembers the last reading, and corrects what is measured by the wall clock."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def last(self) -> Reading | None:
        """The last reading; where none was kept, that of the newest job, in a boot nobody knows."""
        row = await self._db.read_one(_SQL["last"])
        if row is not None:
            return Reading(row["wall"], row["boot"], row["boot_id"])
        newest = await self._db.read_one(_SQL["newest"])
        return None if newest is None else Reading(newest["created_at"], 0, "")

    async def note(self, reading: Reading) -> None:
        """Keep a reading."""
        await self._db.write(lambda connection: connection.execute(_SQL["note"], reading._asdict()))

    async def begin(self, delta: Instant, reading: Reading) -> None:
        """Record that the clock was set by `delta`: correct the small tables now; `shift_some` moves the jobs."""
        values = {"delta": delta, "now": reading.wall}

        def act(connection: Connection) -> None:
            connection.execute(_SQL["note"], reading._asdict())
            connection.execute(_SQL["begin_shift"], values)
            connection.execute(_SQL["shift_keys"], values)
            connection.execute(_SQL["shift_alerts"], values)
            connection.execute(_SQL["shift_troubles"], values)
            ahead = connection.execute(_SQL["starts_ahead"], values).fetchall()
            connection.execute(_SQL["forget_starts_ahead"], values)
            connection.executemany(_SQL["put_start"], [{**values, **dict(row)} for row in ahead])

        await self._db.write(act)

    async def shift_some(self) -> Shifted:
        """Let the next few waiting jobs wait as long by the new clock as they had to by the old one."""
        return await self._db.write(_shift_some)


def _shift_some(connection: Connection) -> Shifted:
    pending = connection.execute(_SQL["pending_shift"]).fetchone()
    if pending is None:
        return Shifted(0, more=False)
    delta, now, after, last = pending
    bound = connection.execute(_SQL["bound"], {"after": after, "last": last, "rows": BATCH - 1}).fetchone()
    until = last if bound is None else bound["seq"]
    since, upto = new_clock(delta, now)
    values = {"delta": delta, "now": now, "after": after, "until": until, "since": since, "upto": upto}
    connection.execute(_SQL["shift_expiry"], values)
    moved = connection.execute(_SQL["shift_waits"], values).rowcount
    connection.execute(_SQL["shift_creation"], values)
    connection.execute(_SQL["advance_shift"], values)
    return Shifted(moved, more=until < last)
