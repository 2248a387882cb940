"""Launches in launches.db: what was sighted, the reconciled records, their history, and how the sources fare."""

from typing import NamedTuple

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db import Connection, Database, Row
from launchd.errors import InvalidError, NotFoundError, StaleFenceError
from launchd.launches.ingest import Plan, Stored
from launchd.launches.launch import Conflict, Launch, Parsed, Sighting, Status
from launchd.launches.reconcile import Seen

_SQL = sql.statements("launches", "launches")
_FLOWN = "('success', 'partial_failure', 'failure', 'cancelled')"


class Page(NamedTuple):
    """What a source answered last time: the validators of a conditional request and the digest of the body."""

    url: str
    etag: str | None
    last_modified: str | None
    sha256: str


class SourceState(NamedTuple):
    """How a source fared. `last_error` is None after a success."""

    name: str
    last_attempt: Instant | None
    last_success: Instant | None
    last_error: str | None
    records: int
    rejected: int


class LaunchQuery(NamedTuple):
    """Which launches to list: `upcoming` soonest first, else newest first. Text filters match parts, in any case."""

    when: str | None = None
    provider: str | None = None
    status: str | None = None
    source: str | None = None
    q: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: int = 50
    cursor: str | None = None


class Record(NamedTuple):
    """A launch and when its record changed last."""

    launch: Launch
    updated_at: Instant


class LaunchPage(NamedTuple):
    """One page of launches and the cursor of the next (None at the end)."""

    items: tuple[Record, ...]
    next: str | None


class HistoryRow(NamedTuple):
    """One field of a launch that got another value."""

    field: str
    old: str | None
    new: str | None
    source: str
    seen_at: Instant


class Detail(NamedTuple):
    """All that is known of one launch."""

    record: Record
    sightings: tuple[Seen, ...]
    history: tuple[HistoryRow, ...]
    conflicts: tuple[Conflict, ...]


class LaunchStore:
    """The launches of one daemon.

    What the scraper calls may be called from any loop; the rest reads on the loop that opened the database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    # --- for the scraper ---

    async def stored(self) -> Stored:
        """All sightings and records, as the last commit left them."""
        seen, launches = await self._db.write(
            lambda db: (db.execute(_SQL["all_sightings"]).fetchall(), db.execute(_SQL["all_launches"]).fetchall())
        )
        records = (msgspec.json.decode(row["body"], type=Launch) for row in launches)
        return Stored({(row["source"], row["source_id"]): _seen(row) for row in seen}, {one.id: one for one in records})

    async def apply(self, plan: Plan, fence: int | None, now: Instant) -> None:
        """Write a plan in one transaction; raises StaleFenceError when a newer holder of the lock has written since."""

        def act(db: Connection) -> None:
            check_fence(db, fence)
            for one in plan.seen:
                sighting = one.sighting
                body = msgspec.json.encode(sighting)
                row = (sighting.source, sighting.source_id, one.launch_id, one.first_seen, one.seen_at, body)
                db.execute(_SQL["put_sighting"], row)
            for young, old in plan.merged:
                for step in ("follow_redirects", "redirect", "move_changes", "drop_launch"):
                    db.execute(_SQL[step], {"young": young, "old": old})
            db.executemany(_SQL["put_launch"], (_launch_row(launch, now) for launch in plan.launches))
            db.executemany(_SQL["put_change"], (msgspec.structs.astuple(one) for one in plan.changes))
            _put_conflicts(db, plan, now)

        await self._db.write(act)

    async def pages(self, source: str, revision: int) -> dict[str, Page]:
        """What the last successful pull of a source was answered, by URL; empty after a change of its parser."""
        rows = await self._db.write(lambda db: db.execute(_SQL["pages"], (source, revision)).fetchall())
        return {row["url"]: Page(row["url"], row["etag"], row["last_modified"], row["sha256"]) for row in rows}

    async def succeeded(self, source: str, revision: int, pages: list[Page], parsed: Parsed, now: Instant) -> None:
        """Remember a pull that is stored: only now may the next one be conditional on it."""

        def act(db: Connection) -> None:
            db.execute(_SQL["drop_pages"], (source,))
            db.executemany(
                _SQL["put_page"],
                [(source, page.url, revision, page.etag, page.last_modified, page.sha256) for page in pages],
            )
            counts = {"records": len(parsed.sightings), "rejected": len(parsed.rejections)}
            db.execute(_SQL["attempt_succeeded"], {"name": source, "at": now, **counts})

        await self._db.write(act)

    async def unchanged(self, source: str, now: Instant) -> None:
        """Remember that a source answered, with nothing new."""
        await self._db.write(lambda db: db.execute(_SQL["attempt_unchanged"], {"name": source, "at": now}))

    async def failed(self, source: str, error: str, now: Instant) -> None:
        """Remember that a source could not be read."""
        values = {"name": source, "at": now, "error": error}
        await self._db.write(lambda db: db.execute(_SQL["attempt_failed"], values))

    # --- for those who ask ---

    async def sources(self) -> dict[str, SourceState]:
        """How each source that was ever tried fared."""
        return {row["name"]: SourceState(*row) for row in await self._db.read(_SQL["sources"])}

    async def list(self, query: LaunchQuery, now: Instant) -> LaunchPage:
        """Launches by NET; raises InvalidError for a filter that cannot be meant."""
        where, values, order = _filters(query, now)
        statement = f"SELECT body, updated_at, net_earliest, id FROM launches WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608 - the parts are constants of this module
        rows = await self._db.read(statement, [*values, query.limit + 1])
        items = tuple(_record(row) for row in rows[: query.limit])
        more = len(rows) > query.limit
        return LaunchPage(items, f"{rows[query.limit - 1]['net_earliest']}~{items[-1].launch.id}" if more else None)

    async def get(self, launch_id: str) -> Detail:
        """One launch by its id, or by one that was merged into it; raises NotFoundError."""
        row = await self._db.read_one(_SQL["get"], (launch_id,))
        if row is None:
            target = await self._db.read_one(_SQL["redirected"], (launch_id,))
            if target is None:
                raise NotFoundError(f"no launch {launch_id}")
            return await self.get(target["to_id"])
        sightings = await self._db.read(_SQL["sightings_of"], (launch_id,))
        changes = await self._db.read(_SQL["changes_of"], (launch_id,))
        conflicts = await self._db.read(_SQL["conflicts_of"], {"id": launch_id})
        return Detail(
            _record(row),
            tuple(_seen(one, launch_id) for one in sightings),
            tuple(HistoryRow(*one) for one in changes),
            tuple(
                Conflict(
                    launch_id=launch_id,
                    kind=one["kind"],
                    values=msgspec.json.decode(one["evidence"]),
                    other_id=one["other_id"] or None,
                )
                for one in conflicts
            ),
        )


def check_fence(db: Connection, fence: int | None) -> None:
    """Refuse a write under a lower fence than one that has written; None is a write that needs no lock."""
    if fence is None:
        return
    row = db.execute(_SQL["fence"]).fetchone()
    if row is not None and row["fence"] > fence:
        raise StaleFenceError(f"fence {fence} is older than {row['fence']}, which has written")
    db.execute(_SQL["raise_fence"], (fence,))


def _seen(row: Row, launch_id: str | None = None) -> Seen:
    sighting = msgspec.json.decode(row["body"], type=Sighting)
    return Seen(launch_id or row["launch_id"], sighting, row["first_seen"], row["seen_at"])


def _record(row: Row) -> Record:
    return Record(msgspec.json.decode(row["body"], type=Launch), row["updated_at"])


def _launch_row(launch: Launch, now: Instant) -> tuple[object, ...]:
    net = launch.net
    earliest, latest = (net.earliest, net.latest) if net else (None, None)
    status = launch.status.value if launch.status else None
    return (launch.id, earliest, latest, status, launch.provider, launch.name, now, msgspec.json.encode(launch))


def _put_conflicts(db: Connection, plan: Plan, now: Instant) -> None:
    """Open what is new, close what has vanished, for the launches that the plan is about."""
    about = {launch.id for launch in plan.launches} | {young for young, _ in plan.merged}
    opened = {(one.launch_id, one.kind, one.other_id or "") for one in plan.conflicts}
    for row in db.execute(_SQL["all_conflicts"]).fetchall():
        key = (row["launch_id"], row["kind"], row["other_id"])
        if key not in opened and (row["launch_id"] in about or row["other_id"] in about):
            db.execute(_SQL["drop_conflict"], key)
    for one in plan.conflicts:
        evidence = msgspec.json.encode(one.values, order="sorted")
        db.execute(_SQL["put_conflict"], (one.launch_id, one.kind, one.other_id or "", evidence, now))


def _filters(query: LaunchQuery, now: Instant) -> tuple[str, list[object], str]:  # noqa: C901 - one line a filter
    parts, values = ["1"], list[object]()

    def need(condition: str, *given: object) -> None:
        parts.append(condition)
        values.extend(given)

    if query.when not in (None, "upcoming", "past"):
        raise InvalidError(f"when: expected upcoming or past, got {query.when!r}")
    upcoming = f"(coalesce(status, '') NOT IN {_FLOWN} AND net_latest >= ?)"
    if query.when is not None:
        need(upcoming if query.when == "upcoming" else f"NOT {upcoming}", now)
    if query.status is not None:
        if query.status not in set(Status):
            raise InvalidError(f"status: expected one of {', '.join(Status)}, got {query.status!r}")
        need("status = ?", query.status)
    for column, text in (("provider", query.provider), ("name", query.q)):
        if text is not None:
            need(f"{column} LIKE ? ESCAPE '\\'", f"%{_escaped(text)}%")
    if query.source is not None:
        need("id IN (SELECT launch_id FROM sightings WHERE source = ?)", query.source)
    if query.since is not None:
        need("net_latest >= ?", query.since)
    if query.until is not None:
        need("net_earliest <= ?", query.until)
    ascending = query.when == "upcoming"
    if query.cursor is not None:
        need(f"(net_earliest, id) {'>' if ascending else '<'} (?, ?)", *_cursor(query.cursor))
    way = "ASC" if ascending else "DESC"
    return " AND ".join(parts), values, f"net_earliest {way}, id {way}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _cursor(text: str) -> tuple[int, str]:
    instant, _, launch_id = text.partition("~")
    if not instant.lstrip("-").isdigit() or not launch_id:
        raise InvalidError("cursor: expected the `next` of an earlier page")
    return int(instant), launch_id
