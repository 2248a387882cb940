"""The store of launches, for the scraper, for operators and for clients."""

import uuid
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec

from launchd import sql
from launchd.clock import FOREVER, Instant
from launchd.cursor import SMALLEST, invalid_cursor, parse_cursor
from launchd.db.database import Connection, Database, Row
from launchd.errors import NotFoundError
from launchd.launches.ingest import IngestPlan, Stored
from launchd.launches.launch import HistoryRow
from launchd.launches.net_history import net_moves
from launchd.launches.offload import offload
from launchd.launches.override import Override
from launchd.launches.query import NEXT_END, LaunchQuery, cursor, selection
from launchd.launches.scorecard import Scorecard, Statement, scorecards
from launchd.launches.slip_groups import Group, GroupSlips, LaunchSlips, group_slips
from launchd.launches.slips import NONE, Slips
from launchd.launches.store import ledger, writes
from launchd.launches.store.records import (
    ChangedLaunch,
    Detail,
    LaunchPage,
    Ledger,
    OpenConflict,
    Record,
    candidate_in,
    conflict_in,
    override_in,
    record_in,
    seen_in,
    stored_in,
)
from launchd.launches.unknown import UnknownName, unknown

_SQL = sql.statements("launches", "launches")
_LEDGER = sql.statements("launches", "ledger")
_RECORD = "id, name, net_earliest, net_latest, body, updated_at, revision"


class LaunchStore:
    """The launches of one daemon.

    `stored`, `apply` and writes may be called from any loop; the other reads belong to the loop that opened the
    database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._unknown: tuple[int | None, tuple[UnknownName, ...]] = (None, ())  # as of a version of the database

    # --- for the scraper ---

    async def stored(self, fence: int | None = None) -> Stored:
        """All sightings and records of the last commit; raises StaleFenceError.

        A read raises the fence as a write does: earlier holders of the lock can no longer write, so a plan made from
        these rows is made from the newest ones.
        """

        def act(db: Connection) -> tuple[list[Row], list[Row]]:
            writes.check_fence(db, fence)
            return db.execute(_SQL["all_sightings"]).fetchall(), db.execute(_SQL["all_launches"]).fetchall()

        return await offload(stored_in, *await self._db.write(act))

    async def fence(self) -> int:
        """The highest fence that has written; 0 before any."""
        row = await self._db.read_one(_SQL["fence"])
        return 0 if row is None else int(row["fence"])

    async def apply(
        self, plan: IngestPlan, fence: int | None, now: Instant, periods: Mapping[str, Instant] | None = None
    ) -> None:
        """Write a plan in one transaction; raises StaleFenceError when a newer holder of the lock has written since.

        A plan without sightings changes nothing and is not written. `periods` says how often each source is read.
        """
        if not plan.seen:
            return

        def act(db: Connection) -> None:
            writes.check_fence(db, fence)
            writes.apply_plan(db, plan, now, periods or {})

        await self._db.write(act)

    # --- for operators ---

    async def override(self, launch_id: str, given: Sequence[Override], now: Instant) -> Detail:
        """Set fields of a launch, whatever its sources say, until the override is removed.

        Raises NotFoundError, and InvalidError when the window would end before it starts.
        """
        return await self.get(await self._db.write(lambda db: writes.put_overrides(db, launch_id, given, now)))

    async def take_back(self, launch_id: str, fields: Sequence[str], now: Instant) -> tuple[Detail, tuple[str, ...]]:
        """Remove the overrides of these fields (no fields: of all); returns the launch and the fields.

        Raises NotFoundError when one of them has no override.
        """
        found, gone = await self._db.write(lambda db: writes.drop_overrides(db, launch_id, fields, now))
        return await self.get(found), gone

    # --- for clients ---

    async def list(self, query: LaunchQuery, now: Instant) -> LaunchPage:
        """A page of launches in the order of the query; raises InvalidError for an invalid filter."""
        wanted = selection(query, now)
        most = -1 if query.limit is None else query.limit + 1  # SQLite takes -1 for no limit
        statement = f"SELECT {_RECORD} FROM launches WHERE {wanted.where} ORDER BY {wanted.order} LIMIT ?"  # noqa: S608 - the parts are constants of query.py
        rows = await self._db.read(statement, [*wanted.values, most])
        items = tuple(record_in(row) for row in rows[: query.limit])
        more = query.limit is not None and len(rows) > query.limit
        if not more:
            return LaunchPage(items, None)
        last = rows[len(items) - 1]
        return LaunchPage(items, cursor(query, (last["net_earliest"], last["net_latest"]), last["name"], last["id"]))

    async def next_launch(self, query: LaunchQuery, now: Instant) -> Record | None:
        """The next launch that the filter selects and whose day is known; None if there is none.

        A vaguer launch may fly earlier, but nobody can count down to it.
        """
        page = await self.list(query._replace(when="upcoming", countable=True, limit=1, cursor=None), now)
        return page.items[0] if page.items else None

    async def same_until(self, query: LaunchQuery, now: Instant) -> Instant:
        """The instant until which a query selects the same launches, if none of them changes.

        Only `when` depends on the time: a launch is upcoming until the last moment of its NET.
        """
        if query.when is None:
            return FOREVER
        row = await self._db.read_one(NEXT_END, (now,))
        return FOREVER if row is None or row["at"] is None else row["at"] + 1

    def version(self) -> int | None:
        """A number that changes with each change of launch data; see Database.version."""
        return self._db.version()

    async def slips_of(self, records: Sequence[Record]) -> tuple[Slips, ...]:
        """The slips of each of these launches, in their order."""
        ids = msgspec.json.encode([one.launch.id for one in records]).decode()
        found = {row["launch_id"]: Slips(*row[1:]) for row in await self._db.read(_LEDGER["slips_of"], (ids,))}
        return tuple(found.get(one.launch.id, NONE) for one in records)

    async def ledger_of(self, launch_id: str) -> Ledger:
        """The slip ledger of a launch, oldest row first; raises NotFoundError."""
        record = await self._record(launch_id)
        (slips,) = await self.slips_of([record])
        rows = await self._db.read(_LEDGER["moves_of"], (record.launch.id,))
        return Ledger(record.launch, slips, tuple(ledger.move_in(row, record.launch.id) for row in rows))

    async def slips_by(self, kind: Group) -> tuple[GroupSlips, ...]:
        """The slips of each provider or vehicle family, those with the most launches first."""
        rows = await self._db.read(_LEDGER["slips_by_launch"])
        return await offload(group_slips, [LaunchSlips(*row) for row in rows], kind)

    async def scorecards(self, kind: Group | None, source: str | None) -> tuple[Scorecard, ...]:
        """The scorecards of the sources (no `kind`), or of providers or vehicle families by what a source stated."""
        rows = await self._db.read(_LEDGER["statements"], {"source": source})
        name_of = (lambda one: one.source) if kind is None else kind.name_of
        return await offload(lambda: scorecards(map(Statement._make, rows), name_of))

    async def _net_histories(self, records: Sequence[Record]) -> dict[str, tuple[HistoryRow, ...]]:
        """The history of the NETs of these launches by their ids, each launch's oldest first."""
        ids = msgspec.json.encode([one.launch.id for one in records]).decode()
        rows = await self._db.read(_SQL["net_histories"], (ids,))
        groups = groupby(rows, itemgetter("launch_id"))
        return {key: tuple(HistoryRow(*row[1:]) for row in group) for key, group in groups}

    async def count(self, query: LaunchQuery, now: Instant) -> int:
        """The number of launches that a query selects, whatever its limit."""
        wanted = selection(query._replace(cursor=None), now)
        row = await self._db.read_one(f"SELECT count(*) AS count FROM launches WHERE {wanted.where}", wanted.values)  # noqa: S608 - the same
        return 0 if row is None else int(row["count"])

    async def changed(self, query: LaunchQuery, now: Instant) -> tuple[ChangedLaunch, ...]:
        """The changes of the selected launches, newest first; the limit of the query counts moments of change."""
        wanted = selection(query, now)
        moments = (
            f"SELECT {_RECORD}, seen_at FROM launches JOIN (SELECT DISTINCT launch_id, seen_at FROM changes)"  # noqa: S608 - the same
            f" ON launch_id = launches.id WHERE {wanted.where} ORDER BY seen_at DESC, launches.id DESC LIMIT ?"
        )
        found = []
        for row in await self._db.read(moments, [*wanted.values, -1 if query.limit is None else query.limit]):
            rows = await self._db.read(_SQL["changes_at"], (row["id"], row["seen_at"]))
            found.append(ChangedLaunch(record_in(row), row["seen_at"], tuple(HistoryRow(*one) for one in rows)))
        moves = await self._net_histories([one.record for one in found])
        nets = {one.launch.id: net_moves(moves.get(one.launch.id, ()), one.launch.net) for one, *_ in found}
        return tuple(one._replace(move=nets[one.record.launch.id].get(one.at)) for one in found)

    async def unknown_names(self) -> tuple[UnknownName, ...]:
        """The words of present records that the registry of names does not have, the most frequent first."""
        version = self._db.version()
        if version is None or version != self._unknown[0]:
            rows = await self._db.read(_SQL["unknown_candidates"])
            self._unknown = version, await offload(unknown, [candidate_in(row) for row in rows])
        return self._unknown[1]

    async def feed_id(self) -> str:
        """The UUID of this database's feed of changes."""
        row = await self._db.read_one(_SQL["feed"])
        return str(uuid.UUID(hex=row["id"] if row else "", version=4))

    async def conflicts(
        self, *, kind: str | None, source: str | None, limit: int, after: str | None
    ) -> tuple[tuple[OpenConflict, ...], str | None]:
        """The open conflicts, newest first, and the cursor of the next page; raises InvalidError."""
        since, launch_id, after_kind, other_id = _conflict_cursor(after)
        values = {
            "kind": kind,
            "source": None if source is None else f'$."{source}"',
            "since": since,
            "launch_id": launch_id,
            "after_kind": after_kind,
            "other_id": other_id,
            "limit": limit + 1,
        }
        rows = await self._db.read(_SQL["open_conflicts"], values)
        items = tuple(
            OpenConflict(conflict_in(row, row["launch_id"]), row["since"], row["name"], row["other_name"])
            for row in rows[:limit]
        )
        last = rows[limit - 1] if len(rows) > limit else None
        parts = ("since", "launch_id", "kind", "other_id")
        return items, None if last is None else "~".join(str(last[part]) for part in parts)

    async def get(self, launch_id: str) -> Detail:
        """One launch, by its id or by the id of a launch that was merged into it; raises NotFoundError."""
        record = await self._record(launch_id)
        launch_id = record.launch.id
        sightings = await self._db.read(_SQL["sightings_of"], (launch_id,))
        changes = await self._db.read(_SQL["changes_of"], (launch_id,))
        conflicts = await self._db.read(_SQL["conflicts_of"], {"id": launch_id})
        overrides = await self._db.read(_SQL["overrides_of"], (launch_id,))
        (slips,) = await self.slips_of([record])
        return Detail(
            record,
            tuple(seen_in(one, launch_id) for one in sightings),
            tuple(HistoryRow(*one) for one in changes),
            tuple(conflict_in(one, launch_id) for one in conflicts),
            tuple(override_in(one) for one in overrides),
            slips,
        )

    async def _record(self, launch_id: str) -> Record:
        row = await self._db.read_one(_SQL["get"], (launch_id,))
        if row is not None:
            return record_in(row)
        target = await self._db.read_one(_SQL["redirected"], (launch_id,))
        if target is None:
            raise NotFoundError(f"no launch {launch_id}")
        return await self._record(target["to_id"])


def _conflict_cursor(text: str | None) -> tuple[int | None, str, str, str]:
    if text is None:
        return None, "", "", ""
    parts = text.split("~")
    if len(parts) != 4:  # noqa: PLR2004 - the key has four columns
        raise invalid_cursor()
    return parse_cursor(parts[0], least=SMALLEST), parts[1], parts[2], parts[3]
