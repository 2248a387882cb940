"""Locks in jobs.db: the built-in backend, for one daemon. Keeps the contract of `launchd.lock.Locks`.

Leases are measured by the boot clock, so that a wall clock that is put forward takes no lock from its holder.
"""

import secrets
from collections.abc import Callable, Sequence

from launchd import sql
from launchd.clock import SECOND, Clock
from launchd.db.database import Connection, Database, Row
from launchd.lock import LEASE_SECONDS, Lock

_SQL = sql.statements("jobs", "locks")


class SqliteLocks:
    """A lock backend that needs no server."""

    def __init__(self, db: Database, clock: Clock, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._db = db
        self._clock = clock
        self._lease = int(lease_seconds * SECOND)

    async def acquire(
        self, name: str, *, owner: str, job_id: str | None, ttl_seconds: float, token: str | None = None
    ) -> Lock:
        """Take the lock if it is free or expired; otherwise return the present holder's lock."""
        token = token or secrets.token_hex(16)

        def act(connection: Connection) -> Lock:
            now, boot = self._clock.now(), self._boot()
            held = connection.execute(_SQL["current"], (name,)).fetchone()
            if held is not None and held["lease_until"] > boot:
                return _lock(held)
            ends_at = boot + int(ttl_seconds * SECOND)
            lease_until = min(boot + self._lease, ends_at)
            values = {
                "name": name,
                "token": token,
                "owner": owner,
                "job_id": job_id,
                "fence": connection.execute(_SQL["next_fence"]).fetchone()[0],
                "since": now,
                "expires_at": now + lease_until - boot,
                "ends_at": ends_at,
                "lease_until": lease_until,
            }
            connection.execute(_SQL["take"], values)
            return _lock(connection.execute(_SQL["current"], (name,)).fetchone())

        return await self._db.write(act)

    async def renew(self, held: Sequence[Lock]) -> list[Lock]:
        """Extend the leases of the locks that are still held, and return those locks."""

        def act(connection: Connection) -> list[Lock]:
            now, boot = self._clock.now(), self._boot()
            renewed = []
            for lock in held:
                values = {"name": lock.name, "token": lock.token, "fence": lock.fence}
                values |= {"now": now, "boot": boot, "lease_until": boot + self._lease}
                row = connection.execute(_SQL["renew"], values).fetchone()
                if row is not None:
                    renewed.append(lock._replace(expires_at=row["expires_at"]))
            return renewed

        return await self._db.write(act)

    async def release(self, lock: Lock) -> bool:
        """Release the lock; False if it was no longer the caller's."""
        values = (lock.name, lock.token)
        return await self._db.write(lambda connection: connection.execute(_SQL["release"], values).rowcount == 1)

    async def list(self) -> list[Lock]:
        """All locks that are held now."""
        return [_lock(row) for row in await self._db.read(_SQL["all"], (self._boot(),))]

    async def force_release(self, name: str) -> Lock | None:
        """Take the lock from its holder and raise the fence, so that later writes of the holder are refused."""

        def act(connection: Connection) -> Lock | None:
            row = connection.execute(_SQL["force_release"], (name,)).fetchone()
            if row is None:
                return None
            connection.execute(_SQL["next_fence"]).fetchone()
            return _lock(row)

        return await self._db.write(act)

    async def void_others(self, owner: str) -> int:
        """Delete the locks of all other instances, which are dead: the state directory has one daemon."""
        return await self._db.write(lambda connection: connection.execute(_SQL["void_others"], (owner,)).rowcount)

    async def watch(self, on_free: Callable[[], None], on_return: Callable[[], None]) -> None:
        """Nothing to do: every release happens in this process."""

    async def raise_fence(self, fence: int) -> None:
        """Give only fences above this one, which another backend gave."""
        await self._db.write(lambda connection: connection.execute(_SQL["raise_fence"], {"fence": fence}))

    def _boot(self) -> int:
        """The boot clock in microseconds."""
        return int(self._clock.boot() * SECOND)


def _lock(row: Row) -> Lock:
    return Lock(*(row[name] for name in Lock._fields))
