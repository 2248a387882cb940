"""Idempotency keys in jobs.db: a key that comes again within 24 h gives the jobs that it made the first time.

The rules are those of the Idempotency-Key header (IETF draft-ietf-httpapi-idempotency-key-header). A key is stored in
the transaction that makes its jobs, so neither exists without the other.
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
    """A client's key and the digest of its request.

    `recall` sets `ids`, the jobs of the earlier request, and `replayed` if it finds the key.
    """

    key: str
    digest: str
    ids: list[str] = field(default_factory=list)
    replayed: bool = False


def recall(connection: Connection, idempotency: Idempotency | None, now: Instant) -> bool:
    """True if this request was made in the last 24 h; its job ids are then in `idempotency.ids`.

    Raises IdempotencyError if the key came with another request.
    """
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
    """Store the key with the ids of its jobs."""
    if idempotency is not None:
        connection.execute(_SQL["idempotency_put"], (idempotency.key, idempotency.digest, " ".join(ids), now))
