"""Sources in launches.db: state, traffic and circuit of each, its last answers and its payloads for a replay."""

from collections.abc import Sequence
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Database
from launchd.launches.circuit import Circuit

_SQL = sql.statements("launches", "sources")


class FetchedPage(NamedTuple):
    """The last answer at one URL: the validators of the next conditional request and the digest of the body."""

    url: str
    etag: str | None
    last_modified: str | None
    sha256: str


class Traffic(NamedTuple):
    """The traffic of a pull: requests (with redirects), bytes as they arrived, seconds until all were read."""

    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def __add__(self, other: tuple[object, ...]) -> "Traffic":
        if not isinstance(other, Traffic):
            return NotImplemented
        return Traffic(self.requests + other.requests, self.bytes + other.bytes, self.seconds + other.seconds)


class StoredPayload(NamedTuple):
    """A payload as it is stored: `body` is compressed (zlib), `size` its bytes before that."""

    url: str
    size: int
    body: bytes


class PayloadTotals(NamedTuple):
    """The stored payloads of a source together: pages, bytes before (`size`) and after compression (`stored`)."""

    pages: int
    size: int
    stored: int
    fetched_at: Instant


class SourceState(NamedTuple):
    """The state of a source. `last_error` is None after a success that leaves no doubt about its answer.

    `total` and `last` are its traffic.
    """

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
    """One pull of a source, successful or not."""

    source: str
    at: Instant
    traffic: Traffic


class SourceStore:
    """The state of the sources of one daemon.

    `states` reads on the loop that opened the database; the rest may be called from any loop.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def pages(self, source: str, revision: int) -> dict[str, FetchedPage]:
        """The answers of the last successful pull of a source by URL; none for an older `revision`."""
        rows = await self._db.write(lambda db: db.execute(_SQL["pages"], (source, revision)).fetchall())
        return {row["url"]: FetchedPage(row["url"], row["etag"], row["last_modified"], row["sha256"]) for row in rows}

    async def last_requests(self) -> dict[str, int]:
        """The number of requests of the last pull of each source."""
        rows = await self._db.write(lambda db: db.execute(_SQL["last_requests"]).fetchall())
        return {row["name"]: row["last_requests"] for row in rows}

    async def circuit(self, source: str) -> tuple[Circuit, str | None]:
        """The circuit of a source and the error of its last pull."""
        row = await self._db.write(lambda db: db.execute(_SQL["circuit"], (source,)).fetchone())
        if row is None:
            return Circuit(), None
        return Circuit(row["failures"], row["retry_at"]), row["last_error"]

    async def succeeded(
        self,
        attempt: FetchAttempt,
        revision: int,
        pages: Sequence[FetchedPage],
        counts: tuple[int, int],
        doubt: str | None = None,
    ) -> None:
        """Record a pull whose sightings are stored: the next one is conditional on it. `counts`: records, rejected.

        A `doubt` is recorded as the error of the source, and the next pull reads every page again.
        """
        if doubt is not None:
            pages = ()

        def act(db: Connection) -> None:
            source = attempt.source
            db.execute(_SQL["drop_pages"], (source,))
            db.executemany(
                _SQL["put_page"],
                [(source, page.url, revision, page.etag, page.last_modified, page.sha256) for page in pages],
            )
            _attempted(db, attempt)
            db.execute(_SQL["answered"], {"name": source, "at": attempt.at, "doubt": doubt})
            db.execute(_SQL["counted"], {"name": source, "records": counts[0], "rejected": counts[1]})

        await self._db.write(act)

    async def unchanged(self, attempt: FetchAttempt) -> None:
        """Record a pull that brought nothing new."""

        def act(db: Connection) -> None:
            _attempted(db, attempt)
            db.execute(_SQL["answered"], {"name": attempt.source, "at": attempt.at, "doubt": None})

        await self._db.write(act)

    async def not_after(self, now: Instant) -> None:
        """Correct the times of sources that lie after `now`, once the clock was set back to it."""
        await self._db.write(lambda connection: connection.execute(_SQL["not_after"], {"now": now}))

    async def failed(self, attempt: FetchAttempt, error: str, circuit: Circuit) -> None:
        """Record a failed pull and the circuit after it."""

        def act(db: Connection) -> None:
            _attempted(db, attempt)
            values = {"name": attempt.source, "error": error, "failures": circuit.failures}
            db.execute(_SQL["failed"], values | {"retry_at": circuit.retry_at})

        await self._db.write(act)

    async def replayed(self, source: str, counts: tuple[int, int]) -> None:
        """Record the counts of a replay: records, rejected. No pull is recorded."""
        values = {"name": source, "records": counts[0], "rejected": counts[1]}
        await self._db.write(lambda db: db.execute(_SQL["counted"], values))

    async def keep(self, source: str, payloads: Sequence[StoredPayload], now: Instant) -> None:
        """Replace the stored payloads of a source."""
        rows = [(source, number, one.url, now, one.size, one.body) for number, one in enumerate(payloads)]

        def act(db: Connection) -> None:
            db.execute(_SQL["drop_payloads"], (source,))
            db.executemany(_SQL["put_payload"], rows)

        await self._db.write(act)

    async def payloads(self, source: str) -> list[tuple[str, bytes]]:
        """The stored payloads of a source (URL, compressed body), in the order of their fetch."""
        rows = await self._db.write(lambda db: db.execute(_SQL["payloads"], (source,)).fetchall())
        return [(row["url"], row["body"]) for row in rows]

    async def states(self) -> dict[str, SourceState]:
        """The state of each source that was ever pulled."""
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
