"""Launches in launches.db: what was sighted, the reconciled records, their history, conflicts and overrides."""

import uuid
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec

from launchd import sql
from launchd.clock import FOREVER, UNREADABLE, Instant
from launchd.cursor import SMALLEST, invalid_cursor, parse_cursor
from launchd.db.database import Connection, Database, Row
from launchd.errors import ConflictError, NotFoundError, StaleFenceError
from launchd.launches import override
from launchd.launches.ingest import Plan, Stored
from launchd.launches.launch import Change, Conflict, Launch, Sighting
from launchd.launches.offload import aside
from launchd.launches.override import Override
from launchd.launches.query import NEXT_END, LaunchQuery, cursor, selection
from launchd.launches.reconcile import Seen
from launchd.launches.slips import Slips, slips
from launchd.values.rows import decoded, log_unreadable

_SQL = sql.statements("launches", "launches")
_RECORD = "id, name, net_earliest, body, updated_at, revision"
_NOTHING: tuple[str, ...] = ()
# What becomes of the younger of two launches that are one, in this order.
_MERGE = (
    "follow_redirects",
    "redirect",
    "move_changes",
    "move_overrides",
    "drop_overrides",
    "move_retired",
    "move_approaches",
    "drop_approaches",
    "drop_launch",
)


class Record(NamedTuple):
    """A launch, when its record changed last, and how often it has changed.

    One whose record cannot be read (`unreadable` says so) has its id and its name, and nothing else.
    """

    launch: Launch
    updated_at: Instant
    revision: int
    unreadable: tuple[str, ...] = ()


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
    overrides: tuple[Override, ...]
    slips: Slips


class OpenConflict(NamedTuple):
    """A disagreement that is open, with the names of the launches it is about."""

    conflict: Conflict
    since: Instant
    name: str
    other_name: str | None


class ChangedLaunch(NamedTuple):
    """What changed of one launch at one moment."""

    record: Record
    at: Instant
    rows: tuple[HistoryRow, ...]


class LaunchStore:
    """The launches of one daemon.

    What the scraper calls may be called from any loop; the rest reads on the loop that opened the database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    # --- for the scraper ---

    async def stored(self, fence: int | None = None) -> Stored:
        """All sightings and records, as the last commit left them; raises StaleFenceError.

        Reading counts as much as writing: whoever held the lock before cannot write any more, so that what is planned
        from here is planned on the last word.
        """

        def act(db: Connection) -> tuple[list[Row], list[Row]]:
            check_fence(db, fence)
            return db.execute(_SQL["all_sightings"]).fetchall(), db.execute(_SQL["all_launches"]).fetchall()

        return await aside(_stored, *await self._db.write(act))

    async def fence(self) -> int:
        """The highest fence that has written; 0 before any."""
        row = await self._db.read_one(_SQL["fence"])
        return 0 if row is None else int(row["fence"])

    async def apply(self, plan: Plan, fence: int | None, now: Instant) -> None:
        """Write a plan in one transaction; raises StaleFenceError when a newer holder of the lock has written since.

        A plan that changes nothing is not written at all.
        """
        if not plan.seen:
            return

        def act(db: Connection) -> None:
            check_fence(db, fence)
            for one in plan.seen:
                sighting = one.sighting
                body = msgspec.json.encode(sighting)
                row = (
                    sighting.source,
                    sighting.source_id,
                    one.launch_id,
                    one.first_seen,
                    one.seen_at,
                    body,
                    one.origin,
                    one.retired_at,
                )
                db.execute(_SQL["put_sighting"], row)
            for young, old in plan.merged:
                for step in _MERGE:
                    db.execute(_SQL[step], {"young": young, "old": old})
            for launch_id in plan.revived:
                for step in ("drop_redirect", "return_changes", "return_overrides"):
                    db.execute(_SQL[step], {"id": launch_id})
            rows = _put_launches(db, plan, now)
            db.executemany(_SQL["put_change"], (msgspec.structs.astuple(one) for one in rows))
            _put_conflicts(db, plan, now)

        await self._db.write(act)

    # --- for operators ---

    async def override(self, launch_id: str, given: Sequence[Override], now: Instant) -> Detail:
        """Set fields of a launch, in the place of what its sources say, until that is taken back.

        Raises NotFoundError, and InvalidError when the window would end before it starts.
        """

        def act(db: Connection) -> str:
            found = _resolved(db, launch_id)
            for one in given:
                row = (found, one.field, one.encoded(), one.actor, one.reason, one.at)
                db.execute(_SQL["put_override"], row)
            override.check_window(_reapply(db, found, [one.field for one in given], now))
            return found

        return await self.get(await self._db.write(act))

    async def take_back(self, launch_id: str, fields: Sequence[str], now: Instant) -> tuple[Detail, tuple[str, ...]]:
        """Let the sources speak again for these fields (none: for all that are set); the launch and the fields.

        Raises NotFoundError when one of them is not set.
        """

        def act(db: Connection) -> tuple[str, tuple[str, ...]]:
            found = _resolved(db, launch_id)
            known = [row["field"] for row in db.execute(_SQL["overrides_of"], (found,))]
            missing = [field for field in fields if field not in known]
            if missing or not known:
                raise NotFoundError(f"launch {found} has no override of {', '.join(missing) or 'any field'}")
            gone = tuple(fields or known)
            db.executemany(_SQL["drop_override"], [(found, field) for field in gone])
            _reapply(db, found, gone, now)
            return found, gone

        found, gone = await self._db.write(act)
        return await self.get(found), gone

    # --- for those who ask ---

    async def list(self, query: LaunchQuery, now: Instant) -> LaunchPage:
        """Launches by NET; raises InvalidError for a filter that cannot be meant."""
        wanted = selection(query, now)
        most = -1 if query.limit is None else query.limit + 1  # SQLite takes -1 for no limit
        statement = f"SELECT {_RECORD} FROM launches WHERE {wanted.where} ORDER BY {wanted.order} LIMIT ?"  # noqa: S608 - the parts are constants of query.py
        rows = await self._db.read(statement, [*wanted.values, most])
        items = tuple(_record(row) for row in rows[: query.limit])
        more = query.limit is not None and len(rows) > query.limit
        return LaunchPage(items, cursor(rows[len(items) - 1]["net_earliest"], items[-1].launch.id) if more else None)

    async def same_until(self, query: LaunchQuery, now: Instant) -> Instant:
        """Until when a query selects the same launches as now, as long as none of them changes.

        Only `when` depends on the time: a launch to come is upcoming up to the last moment of its NET.
        """
        if query.when is None:
            return FOREVER
        row = await self._db.read_one(NEXT_END, (now,))
        return FOREVER if row is None or row["at"] is None else row["at"] + 1

    def version(self) -> int | None:
        """Another number after each change of launch data; see Database.version."""
        return self._db.version()

    async def slips_of(self, records: Sequence[Record]) -> tuple[Slips, ...]:
        """How often and how far each of these launches has slipped, in their order."""
        ids = msgspec.json.encode([one.launch.id for one in records]).decode()
        rows = await self._db.read(_SQL["moves_of"], (ids,))
        moves = {key: [HistoryRow(*row[1:]) for row in group] for key, group in groupby(rows, itemgetter("launch_id"))}
        return tuple(slips(moves.get(one.launch.id, ()), one.launch.net) for one in records)

    async def changed(self, query: LaunchQuery, now: Instant) -> tuple[ChangedLaunch, ...]:
        """What changed last, the newest first, of the launches that a query selects; its limit counts moments."""
        wanted = selection(query, now)
        moments = (
            f"SELECT {_RECORD}, seen_at FROM launches JOIN (SELECT DISTINCT launch_id, seen_at FROM changes)"  # noqa: S608 - the same
            f" ON launch_id = launches.id WHERE {wanted.where} ORDER BY seen_at DESC, launches.id DESC LIMIT ?"
        )
        found = []
        for row in await self._db.read(moments, [*wanted.values, -1 if query.limit is None else query.limit]):
            rows = await self._db.read(_SQL["changes_at"], (row["id"], row["seen_at"]))
            found.append(ChangedLaunch(_record(row), row["seen_at"], tuple(HistoryRow(*one) for one in rows)))
        return tuple(found)

    async def feed_id(self) -> str:
        """The UUID of this database's feed of changes."""
        row = await self._db.read_one(_SQL["feed"])
        return str(uuid.UUID(hex=row["id"] if row else "", version=4))

    async def conflicts(
        self, *, kind: str | None, source: str | None, limit: int, after: str | None
    ) -> tuple[tuple[OpenConflict, ...], str | None]:
        """The open disagreements, the newest first, and the cursor of the next page; raises InvalidError."""
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
            OpenConflict(_conflict(row, row["launch_id"]), row["since"], row["name"], row["other_name"])
            for row in rows[:limit]
        )
        last = rows[limit - 1] if len(rows) > limit else None
        parts = ("since", "launch_id", "kind", "other_id")
        return items, None if last is None else "~".join(str(last[part]) for part in parts)

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
        overrides = await self._db.read(_SQL["overrides_of"], (launch_id,))
        record = _record(row)
        history = tuple(HistoryRow(*one) for one in changes)
        return Detail(
            record,
            tuple(_seen(one, launch_id) for one in sightings),
            history,
            tuple(_conflict(one, launch_id) for one in conflicts),
            tuple(_override(one) for one in overrides),
            slips(history, record.launch.net),
        )


def check_fence(db: Connection, fence: int | None) -> None:
    """Refuse a lower fence than one that was here before; None is for what needs no lock."""
    if fence is None:
        return
    row = db.execute(_SQL["fence"]).fetchone()
    if row is not None and row["fence"] > fence:
        raise StaleFenceError(f"fence {fence} is older than {row['fence']}, which was here since")
    db.execute(_SQL["raise_fence"], (fence,))


def _stored(seen: Sequence[Row], launches: Sequence[Row]) -> Stored:
    """All that can be read: what cannot is written anew as soon as a source says it again."""
    sightings = {(row["source"], row["source_id"]): _seen(row) for row in seen}
    records = {one.launch.id: one for one in (_record(row) for row in launches)}
    return Stored(
        {key: one for key, one in sightings.items() if not one.unreadable},
        {key: one.launch for key, one in records.items() if not one.unreadable},
    )


def _seen(row: Row, launch_id: str | None = None) -> Seen:
    sighting, lost = decoded(row["body"], Sighting), _NOTHING
    if sighting is None:
        sighting = Sighting(source=row["source"], source_id=row["source_id"], name=UNREADABLE)
        lost = log_unreadable("sightings", f"{row['source']} {row['source_id']}", ("body",))
    launch_id = launch_id or row["launch_id"]
    return Seen(
        launch_id, sighting, row["first_seen"], row["seen_at"], row["origin_id"] or launch_id, row["retired_at"], lost
    )


def _record(row: Row) -> Record:
    launch, lost = decoded(row["body"], Launch), _NOTHING
    if launch is None or launch.id != row["id"]:
        launch, lost = Launch(id=row["id"], name=row["name"]), log_unreadable("launches", row["id"], ("body",))
    return Record(launch, row["updated_at"], row["revision"], lost)


def _override(row: Row) -> Override:
    found = (row["field"], None, row["actor"], row["reason"], row["at"])
    try:
        return Override(*found)._replace(value=override.decoded(row["field"], row["value"]))
    except (KeyError, msgspec.MsgspecError, ValueError):
        return Override(*found, log_unreadable("overrides", f"{row['launch_id']} {row['field']}", ("value",)))


def _conflict(row: Row, launch_id: str) -> Conflict:
    values, lost = decoded(row["evidence"], dict[str, str]), _NOTHING
    if values is None:
        values, lost = {}, log_unreadable("conflicts", f"{launch_id} {row['kind']}", ("evidence",))
    other = row["other_id"] or None
    return Conflict(launch_id=launch_id, kind=row["kind"], values=values, other_id=other, unreadable=lost)


def _resolved(db: Connection, launch_id: str) -> str:
    """The id of a launch, or of the one it was merged into; raises NotFoundError."""
    if db.execute(_SQL["bodies"], (launch_id,)).fetchone() is not None:
        return launch_id
    target = db.execute(_SQL["redirected"], (launch_id,)).fetchone()
    if target is None:
        raise NotFoundError(f"no launch {launch_id}")
    return str(target["to_id"])


def _overrides(db: Connection) -> dict[str, list[Override]]:
    """All overrides, by launch: there are as many as operators have set by hand."""
    found: dict[str, list[Override]] = {}
    for row in db.execute(_SQL["all_overrides"]).fetchall():
        one = _override(row)
        if not one.unreadable:
            found.setdefault(row["launch_id"], []).append(one)
    return found


def _put_launches(db: Connection, plan: Plan, now: Instant) -> list[Change]:
    """Write the records of a plan, with what operators say of them; the rows of history that show.

    A merge may have brought a launch an override, and a split may have taken one away.
    """
    overrides, set_by_hand, rows = _overrides(db), dict[str, set[str]](), list[Change]()
    for launch in plan.launches:
        given = overrides.get(launch.id, ())
        row = db.execute(_SQL["bodies"], (launch.id,)).fetchone()
        served = _put_launch(db, launch, given, now)
        if row is not None and (given or row["overridden"]):
            before = decoded(row["body"], Launch) or served
            set_by_hand[launch.id] = override.overridden(before) | override.overridden(served)
            rows += override.changes(before, served, sorted(set_by_hand[launch.id]), now)
    return override.visible(plan.changes, set_by_hand) + rows


def _put_launch(db: Connection, launch: Launch, overrides: Sequence[Override], now: Instant) -> Launch:
    """Write a record as the sources have it, and as operators want it served; the latter."""
    served = override.apply(launch, overrides)
    net = served.net
    earliest, latest = (net.earliest, net.latest) if net else (None, None)
    status = served.status.value if served.status else None
    reconciled = msgspec.json.encode(launch) if overrides else None
    columns = (served.id, earliest, latest, status, served.provider, served.name, now)
    db.execute(_SQL["put_launch"], (*columns, msgspec.json.encode(served), reconciled))
    return served


def _reapply(db: Connection, launch_id: str, fields: Sequence[str], now: Instant) -> Launch:
    """Serve a launch with its present overrides, and tell what became of these fields in its history."""
    row = db.execute(_SQL["bodies"], (launch_id,)).fetchone()
    reconciled = decoded(row["reconciled"], Launch)
    if reconciled is None:
        raise ConflictError(f"the record of launch {launch_id} cannot be read: refresh its sources with force")
    before = decoded(row["body"], Launch) or reconciled
    overrides = [_override(one) for one in db.execute(_SQL["overrides_of"], (launch_id,)).fetchall()]
    served = _put_launch(db, reconciled, [one for one in overrides if not one.unreadable], now)
    rows = override.changes(before, served, fields, now)
    db.executemany(_SQL["put_change"], (msgspec.structs.astuple(one) for one in rows))
    return served


def _conflict_cursor(text: str | None) -> tuple[int | None, str, str, str]:
    if text is None:
        return None, "", "", ""
    parts = text.split("~")
    if len(parts) != 4:  # noqa: PLR2004 - as many as the key has columns
        raise invalid_cursor()
    return parse_cursor(parts[0], least=SMALLEST), parts[1], parts[2], parts[3]


def _put_conflicts(db: Connection, plan: Plan, now: Instant) -> None:
    """Open what is new, close what has vanished, for the launches that the plan is about."""
    about = {launch.id for launch in plan.launches} | {young for young, _ in plan.merged}
    about |= {one.launch_id for one in plan.seen if one.retired_at is not None}
    opened = {(one.launch_id, one.kind, one.other_id or "") for one in plan.conflicts}
    for row in db.execute(_SQL["all_conflicts"]).fetchall():
        key = (row["launch_id"], row["kind"], row["other_id"])
        if key not in opened and (row["launch_id"] in about or row["other_id"] in about):
            db.execute(_SQL["drop_conflict"], key)
    for one in plan.conflicts:
        evidence = msgspec.json.encode(one.values, order="sorted")
        db.execute(_SQL["put_conflict"], (one.launch_id, one.kind, one.other_id or "", evidence, now))
