"""A lock: who may do it now. The nouns and the contract that every backend keeps.

A lock is held by one owner (a running job) under a random token. Its fence is a number that only grows over all locks
of a backend: what is written under a lower fence than one already seen is refused. A lease that is not renewed lapses.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from launchd.clock import Instant

# A holder that is not heard of for this long has lost its lock; renewal happens at a third of it.
LEASE_SECONDS = 60.0


class Lock(NamedTuple):
    """A lock that is held. `expires_at` is the end of the present lease; `token` is the holder's secret.

    `owner` is `<state directory>:<instance>`, each an opaque id; `token` is empty where it is not the asker's to know.
    """

    name: str
    token: str
    owner: str
    job_id: str | None
    fence: int
    since: Instant
    expires_at: Instant


class Locks(Protocol):
    """A lock backend. All methods raise UnavailableError when the backend cannot be asked: fail closed."""

    async def acquire(
        self, name: str, *, owner: str, job_id: str | None, ttl_seconds: float, token: str | None = None
    ) -> Lock:
        """Take the lock under this token (None: a new one) if it is free or lapsed, without waiting.

        Returns the lock now held: the caller's own if its `owner` and `job_id` match, else the present holder's.
        `ttl_seconds` is the ceiling on the whole hold, however often it is renewed.
        """

    async def renew(self, held: list[Lock]) -> list[Lock]:
        """Extend the leases; returns those that still stand, with their new ends. The rest is lost."""

    async def release(self, lock: Lock) -> bool:
        """Give it back; False when it was no longer the caller's."""

    async def list(self) -> list[Lock]:
        """All locks that are held now."""

    async def force_release(self, name: str) -> Lock | None:
        """Take a lock from its holder and raise the fence counter; returns who held it, None if nobody did."""

    async def void_others(self, owner: str) -> int:
        """Drop what dead instances of the owner's state directory held; returns how many. Called once, at the start."""

    async def watch(self, on_free: Callable[[], None], on_return: Callable[[], None]) -> None:
        """Call `on_free` when a lock may have become free without a release in this process. Runs for ever, or returns.

        `on_return` is called when the backend is heard (again) after it was not: what is held may be lost.
        """
