"""Locks in jobs.db: the built-in backend, for one daemon. Keeps the contract of `launchd.lock.Locks`."""

import secrets
from collections.abc import Sequence

from launchd import sql
from launchd.clock import SECOND, Clock
from launchd.db import Connection, Database, Row
from launchd.lock import LEASE_SECONDS, Lock

_SQL = sql.statements("jobs", "locks")


class SqliteLocks:
    """A lock backend that needs no server."""

    def __init__(self, db: Database, clock: Clock, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._db = db
        self._clock = clock
        self._lease = int(lease_seconds * SECOND)

    async def acquire(self, name: str, *, owner: str, job_id: str | None, ttl_seconds: float) -> Lock:
        """Take the lock if it is free or lapsed; otherwise tell who holds it."""
        token = secrets.token_hex(16)

        def act(connection: Connection) -> Lock:
            now = self._clock.now()
            held = connection.execute(_SQL["current"], (name,)).fetchone()
            if held is not None and held["expires_at"] > now:
                return _lock(held)
            ends_at = now + int(ttl_seconds * SECOND)
            values = {
                "name": name,
                "token": token,
                "owner": owner,
                "job_id": job_id,
                "fence": connection.execute(_SQL["next_fence"]).fetchone()[0],
                "since": now,
                "expires_at": min(now + self._lease, ends_at),
                "ends_at": ends_at,
            }
            connection.execute(_SQL["take"], values)
            return _lock(connection.execute(_SQL["current"], (name,)).fetchone())

        return await self._db.write(act)

    async def renew(self, held: Sequence[Lock]) -> list[Lock]:
        """Extend the leases that still stand."""

        def act(connection: Connection) -> list[Lock]:
            now = self._clock.now()
            renewed = []
            for lock in held:
                values = {"name": lock.name, "token": lock.token, "fence": lock.fence}
                values |= {"now": now, "expires_at": now + self._lease}
                row = connection.execute(_SQL["renew"], values).fetchone()
                if row is not None:
                    renewed.append(lock._replace(expires_at=row["expires_at"]))
            return renewed

        return await self._db.write(act)

    async def release(self, lock: Lock) -> bool:
        """Give it back; False when it was no longer the caller's."""
        values = (lock.name, lock.token, lock.fence)
        return await self._db.write(lambda connection: connection.execute(_SQL["release"], values).rowcount == 1)

    async def list(self) -> list[Lock]:
        """All locks that are held now."""
        return [_lock(row) for row in await self._db.read(_SQL["all"], (self._clock.now(),))]

    async def force_release(self, name: str) -> Lock | None:
        """Take the lock from its holder; the fence counter is raised, so that what the holder still writes is late."""

        def act(connection: Connection) -> Lock | None:
            row = connection.execute(_SQL["force_release"], (name,)).fetchone()
            if row is None:
                return None
            connection.execute(_SQL["next_fence"]).fetchone()
            return _lock(row)

        return await self._db.write(act)

    async def void_others(self, owner: str) -> int:
        """Drop what dead instances held: the state directory has one daemon. Returns how many."""
        return await self._db.write(lambda connection: connection.execute(_SQL["void_others"], (owner,)).rowcount)


def _lock(row: Row) -> Lock:
    return Lock(*row)
