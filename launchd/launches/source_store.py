"""Sources in launches.db: what each answered last, how it fares, its circuit, and its last payloads for a replay."""

from collections.abc import Sequence
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Database
from launchd.launches.circuit import Circuit

_SQL = sql.statements("launches", "sources")


class FetchedPage(NamedTuple):
    """What a source answered last time: the validators of a conditional request and the digest of the body."""

    url: str
    etag: str | None
    last_modified: str | None
    sha256: str


class Traffic(NamedTuple):
    """What was asked of a source: requests (redirects included), bytes as they came, seconds until all were read."""

    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def __add__(self, other: tuple[object, ...]) -> "Traffic":
        if not isinstance(other, Traffic):
            return NotImplemented
        return Traffic(self.requests + other.requests, self.bytes + other.bytes, self.seconds + other.seconds)


class StoredPayload(NamedTuple):
    """A payload to keep: `body` is compressed (zlib), `size` its bytes before."""

    url: str
    size: int
    body: bytes


class PayloadTotals(NamedTuple):
    """What is kept of a source for a replay: bytes before and after compression."""

    pages: int
    size: int
    stored: int
    fetched_at: Instant


class SourceState(NamedTuple):
    """How a source fared. `last_error` is None after a success; `total` and `last` are its traffic."""

    name: str
    last_attempt: Instant | None
    last_success: Instant | None
    last_error: str | None
    records: int
    rejected: int
    circuit: Circuit
    total: Traffic
    last: Traffic
    etag: str | None
    kept: PayloadTotals | None


class FetchAttempt(NamedTuple):
    """One pull of a source, whatever became of it."""

    source: str
    at: Instant
    traffic: Traffic


class SourceStore:
    """How the sources of one daemon fare.

    `states` reads on the loop that opened the database; the rest may be called from any loop.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def pages(self, source: str, revision: int) -> dict[str, FetchedPage]:
        """What the last successful pull of a source was answered, by URL; empty after a change of its parser."""
        rows = await self._db.write(lambda db: db.execute(_SQL["pages"], (source, revision)).fetchall())
        return {row["url"]: FetchedPage(row["url"], row["etag"], row["last_modified"], row["sha256"]) for row in rows}

    async def last_requests(self) -> dict[str, int]:
        """How many requests the last pull of each source took."""
        rows = await self._db.write(lambda db: db.execute(_SQL["last_requests"]).fetchall())
        return {row["name"]: row["last_requests"] for row in rows}

    async def circuit(self, source: str) -> tuple[Circuit, str | None]:
        """Whether a source may be asked, and why not."""
        row = await self._db.write(lambda db: db.execute(_SQL["circuit"], (source,)).fetchone())
        if row is None:
            return Circuit(), None
        return Circuit(row["failures"], row["retry_at"]), row["last_error"]

    async def succeeded(
        self, attempt: FetchAttempt, revision: int, pages: Sequence[FetchedPage], counts: tuple[int, int]
    ) -> None:
        """Remember a pull that is stored: the next one is conditional on it. `counts`: records, rejected."""

        def act(db: Connection) -> None:
            source = attempt.source
            db.execute(_SQL["drop_pages"], (source,))
            db.executemany(
                _SQL["put_page"],
                [(source, page.url, revision, page.etag, page.last_modified, page.sha256) for page in pages],
            )
            _attempted(db, attempt)
            db.execute(_SQL["answered"], {"name": source, "at": attempt.at})
            db.execute(_SQL["counted"], {"name": source, "records": counts[0], "rejected": counts[1]})

        await self._db.write(act)

    async def unchanged(self, attempt: FetchAttempt) -> None:
        """Remember that a source answered, with nothing new."""

        def act(db: Connection) -> None:
            _attempted(db, attempt)
            db.execute(_SQL["answered"], {"name": attempt.source, "at": attempt.at})

        await self._db.write(act)

    async def not_after(self, now: Instant) -> None:
        """The clock was put back to now: believe no time of a source that is later."""
        await self._db.write(lambda connection: connection.execute(_SQL["not_after"], {"now": now}))

    async def failed(self, attempt: FetchAttempt, error: str, circuit: Circuit) -> None:
        """Remember that a source could not be read, and when it is asked again."""

        def act(db: Connection) -> None:
            _attempted(db, attempt)
            values = {"name": attempt.source, "error": error, "failures": circuit.failures}
            db.execute(_SQL["failed"], values | {"retry_at": circuit.retry_at})

        await self._db.write(act)

    async def replayed(self, source: str, counts: tuple[int, int]) -> None:
        """Remember what a replay read: records, rejected. The source itself was not asked."""
        values = {"name": source, "records": counts[0], "rejected": counts[1]}
        await self._db.write(lambda db: db.execute(_SQL["counted"], values))

    async def keep(self, source: str, payloads: Sequence[StoredPayload], now: Instant) -> None:
        """Keep these payloads of a source in the place of the earlier ones."""
        rows = [(source, number, one.url, now, one.size, one.body) for number, one in enumerate(payloads)]

        def act(db: Connection) -> None:
            db.execute(_SQL["drop_payloads"], (source,))
            db.executemany(_SQL["put_payload"], rows)

        await self._db.write(act)

    async def payloads(self, source: str) -> list[tuple[str, bytes]]:
        """The payloads kept of a source (URL, compressed body), in the order they came."""
        rows = await self._db.write(lambda db: db.execute(_SQL["payloads"], (source,)).fetchall())
        return [(row["url"], row["body"]) for row in rows]

    async def states(self) -> dict[str, SourceState]:
        """How each source that was ever tried fared."""
        kept = {row["source"]: PayloadTotals(*tuple(row)[1:]) for row in await self._db.read(_SQL["kept"])}
        found = {}
        for row in await self._db.read(_SQL["sources"]):
            found[row["name"]] = SourceState(
                name=row["name"],
                last_attempt=row["last_attempt"],
                last_success=row["last_success"],
                last_error=row["last_error"],
                records=row["records"],
                rejected=row["rejected"],
                circuit=Circuit(row["failures"], row["retry_at"]),
                total=Traffic(row["requests"], row["bytes"], row["seconds"]),
                last=Traffic(row["last_requests"], row["last_bytes"], row["last_seconds"]),
                etag=row["etag"],
                kept=kept.get(row["name"]),
            )
        return found


def _attempted(db: Connection, attempt: FetchAttempt) -> None:
    db.execute(_SQL["attempted"], {"name": attempt.source, "at": attempt.at} | attempt.traffic._asdict())
