"""The last reading of the clocks in jobs.db, and the correction of stored times after the wall clock was set.

Waiting jobs are shifted in batches along the primary key. The progress is on disk, so a daemon that is killed in the
middle continues there after its restart and shifts no job twice.
"""

from typing import NamedTuple

from launchd import sql
from launchd.clock import FOREVER, MINUTE, Instant, Reading
from launchd.db.database import Connection, Database

_SQL = sql.statements("jobs", "clock")
# Rows that one commit reads: the writer is free again after a few milliseconds.
BATCH = 2000
# A clock that is put back is noticed within this time: a moment as recent as this was written by the new clock.
_NOTICED = MINUTE


class Shifted(NamedTuple):
    """One batch of a correction: how many waiting jobs it moved; `more` is True if rows are left."""

    jobs: int
    more: bool


def new_clock(delta: Instant, now: Instant) -> tuple[Instant, Instant]:
    """The first and last moments that the clock can have written since it was set by `delta` microseconds. Pure.

    The old clock now shows `now - delta`. If that is before `now`, later moments are the new clock's. If it is after
    `now`, the old clock may have written any moment up to there, but hardly one of the last minute.
    """
    return (now - delta + 1, FOREVER) if delta > 0 else (now - _NOTICED, now)


class ClockStore:
    """Keeps the last reading of the clocks, and corrects the stored times that the wall clock measured."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def last(self) -> Reading | None:
        """The last reading; without one, the creation time of the newest job, with an unknown boot; else None."""
        row = await self._db.read_one(_SQL["last"])
        if row is not None:
            return Reading(row["wall"], row["boot"], row["boot_id"])
        newest = await self._db.read_one(_SQL["newest"])
        return None if newest is None else Reading(newest["created_at"], 0, "")

    async def note(self, reading: Reading) -> None:
        """Store a reading."""
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
        """Shift the next batch of waiting jobs, so that each waits as long by the new clock as by the old one."""
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
