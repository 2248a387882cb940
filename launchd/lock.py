"""A lock, which at most one job holds at a time: its noun, and the contract of every backend.

A running job holds a lock under a random token, for the length of a lease; a lease that is not renewed expires. The
fence of a lock is a number that only grows over all locks of a backend: a write under a lower fence than one already
seen is refused (https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html).
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from launchd.clock import Instant

# The length of a lease; it is renewed at a third of this.
LEASE_SECONDS = 60.0


class Lock(NamedTuple):
    """A lock that is held. `expires_at` is the end of the present lease; `token` is the holder's secret.

    `owner` is `<state directory>:<instance>`, each an opaque id; `token` is empty in answers to others than the holder.
    """

    name: str
    token: str
    owner: str
    job_id: str | None
    fence: int
    since: Instant
    expires_at: Instant


class Locks(Protocol):
    """A lock backend. All methods raise UnavailableError if the backend does not answer: fail closed."""

    async def acquire(
        self, name: str, *, owner: str, job_id: str | None, ttl_seconds: float, token: str | None = None
    ) -> Lock:
        """Acquire the lock under this token (None: a new one) if it is free or expired, without waiting.

        Returns the lock as it is held now: the caller's own if `owner` and `job_id` match, else the present holder's.
        `ttl_seconds` is the ceiling on the whole hold, however often it is renewed.
        """

    async def renew(self, held: list[Lock]) -> list[Lock]:
        """Extend the leases; returns the locks still held, with their new `expires_at`. The others are lost."""

    async def release(self, lock: Lock) -> bool:
        """Release the lock; False if it was no longer the caller's."""

    async def list(self) -> list[Lock]:
        """All locks that are held now."""

    async def force_release(self, name: str) -> Lock | None:
        """Take a lock from its holder and raise the fence counter; returns the holder's lock, None if it was free."""

    async def void_others(self, owner: str) -> int:
        """Delete the locks of dead instances of the owner's state directory; returns how many. Called at the start."""

    async def watch(self, on_free: Callable[[], None], on_return: Callable[[], None]) -> None:
        """Call `on_free` when a lock may have become free without a release in this process. Runs for ever, or returns.

        `on_return` is called when the backend answers again after an outage: held locks may be lost.
        """
