"""The addresses of feeds in jobs.db: each with the hash of its token, its filters, and how often it was read."""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Database
from launchd.errors import ConflictError, NotFoundError
from launchd.values.rows import Reader

_SQL = sql.statements("jobs", "feed_addresses")
# Each request compares its token with that of every address.
MAX_ADDRESSES = 200


class FeedAddress(NamedTuple):
    """An address of a feed. `filters` and `formats` are JSON; `alarm` is in minutes, None for no reminders."""

    name: str
    token_hash: bytes
    filters: str
    formats: str
    alarm: int | None
    created_by: str
    created_at: Instant
    requests: int = 0
    last_used_at: Instant | None = None
    unreadable: tuple[str, ...] = ()


class FeedUse(NamedTuple):
    """So many requests of an address, the last of them at `last_used_at`."""

    name: str
    token_hash: bytes
    requests: int
    last_used_at: Instant


_address = Reader(FeedAddress, "feed_addresses", "name")


class FeedAddressStore:
    """Keeps the addresses of feeds."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(self) -> tuple[FeedAddress, ...]:
        """Every address, by name. One whose token cannot be read is among them and has an empty hash."""
        return tuple(_address(row) for row in await self._db.read(_SQL["all"]))

    async def add(self, address: FeedAddress) -> None:
        """Store a new address; raises ConflictError if the name is taken, or if there are too many addresses."""
        values = address._asdict()

        def act(connection: Connection) -> None:
            if len(connection.execute(_SQL["all"]).fetchall()) >= MAX_ADDRESSES:
                raise ConflictError(f"there are {MAX_ADDRESSES} feeds already: revoke one")
            try:
                connection.execute(_SQL["add"], values)
            except sqlite3.IntegrityError as error:
                raise ConflictError(f"there is a feed {address.name} already: revoke it, or choose a name") from error

        await self._db.write(act)

    async def remove(self, name: str) -> None:
        """Remove an address; raises NotFoundError."""

        def act(connection: Connection) -> None:
            if connection.execute(_SQL["remove"], {"name": name}).rowcount == 0:
                raise NotFoundError(f"no feed {name}")

        await self._db.write(act)

    async def count(self, uses: Sequence[FeedUse]) -> None:
        """Add requests to the counts of addresses; those that were removed meanwhile are left out."""
        values: list[dict[str, Any]] = [use._asdict() for use in uses]
        await self._db.write(lambda connection: connection.executemany(_SQL["count"], values))


def encoded(value: object) -> str:
    """A value as the columns `filters` and `formats` hold it."""
    return msgspec.json.encode(value).decode()
