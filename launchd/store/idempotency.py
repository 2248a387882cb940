"""Idempotency keys in jobs.db: the same key within a day stands for the same jobs, and for no other request.

A key is kept in the transaction that makes its jobs, so neither is ever there without the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from launchd import sql
from launchd.clock import SECOND, Instant
from launchd.db.database import Connection
from launchd.errors import IdempotencyError

_SQL = sql.statements("jobs", "jobs")
IDEMPOTENCY_SECONDS = 24 * 3600


@dataclass(slots=True)
class Idempotency:
    """A client's key and the digest of its request. `ids` are the jobs of an earlier request, once one was found."""

    key: str
    digest: str
    ids: list[str] = field(default_factory=list)
    replayed: bool = False


def recall(connection: Connection, idempotency: Idempotency | None, now: Instant) -> bool:
    """Was this request made before? Then its ids are in `idempotency`. Raises IdempotencyError if another one was."""
    if idempotency is None:
        return False
    horizon = now - IDEMPOTENCY_SECONDS * SECOND
    earlier = connection.execute(_SQL["idempotency_get"], (idempotency.key, horizon)).fetchone()
    if earlier is None:
        return False
    if earlier["digest"] != idempotency.digest:
        raise IdempotencyError("use a new Idempotency-Key for a new request")
    idempotency.ids, idempotency.replayed = earlier["job_id"].split(), True
    return True


def remember(connection: Connection, idempotency: Idempotency | None, ids: Sequence[str], now: Instant) -> None:
    """Keep the key with the jobs that it stands for."""
    if idempotency is not None:
        connection.execute(_SQL["idempotency_put"], (idempotency.key, idempotency.digest, " ".join(ids), now))
