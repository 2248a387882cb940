"""The changes of launches.db, each inside a transaction of the caller: plans, overrides, conflicts, the fence."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection
from launchd.errors import ConflictError, NotFoundError, StaleFenceError
from launchd.launches import canonical, override, search
from launchd.launches.ingest import IngestPlan
from launchd.launches.launch import Change, Launch
from launchd.launches.override import Override
from launchd.launches.reconcile import StoredSighting
from launchd.launches.store import ledger
from launchd.launches.store.records import override_in, seen_in
from launchd.values.rows import decoded

_SQL = sql.statements("launches", "launches")
# The steps of a merge: `old` takes over the rows of `young`, in this order.
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


def check_fence(db: Connection, fence: int | None) -> None:
    """Refuse a fence below the highest that has written; None is for work that needs no lock."""
    if fence is None:
        return
    row = db.execute(_SQL["fence"]).fetchone()
    if row is not None and row["fence"] > fence:
        raise StaleFenceError(f"fence {fence} is older than {row['fence']}, which has written since")
    db.execute(_SQL["raise_fence"], (fence,))


def apply_plan(db: Connection, plan: IngestPlan, now: Instant, periods: Mapping[str, Instant]) -> None:
    """Carry out the plan of an ingest. `periods` says how often each source is read."""
    news = ledger.news(db, plan.seen, periods, now)
    for one in plan.seen:
        _put_sighting(db, one)
        ledger.put_stated(db, one, news)
    for young, old in plan.merged:
        for step in _MERGE:
            db.execute(_SQL[step], {"young": young, "old": old})
        ledger.merge(db, young, old)
    for launch_id in plan.revived:
        for step in ("drop_redirect", "return_changes", "return_overrides"):
            db.execute(_SQL[step], {"id": launch_id})
        ledger.split(db, launch_id)
    _put_changes(db, _put_launches(db, plan, news))
    db.executemany(_SQL["put_gone"], [(0, one.id) for one in plan.launches] + [(1, one) for one in plan.gone])
    _put_conflicts(db, plan, now)


def put_overrides(db: Connection, launch_id: str, given: Sequence[Override], now: Instant) -> str:
    """Set fields of a launch by hand; returns its id, which is another if the launch was merged."""
    found = _resolved(db, launch_id)
    for one in given:
        db.execute(_SQL["put_override"], (found, one.field, one.encoded(), one.actor, one.reason, one.at))
    override.check_window(_serve_again(db, found, [one.field for one in given], now))
    return found


def drop_overrides(db: Connection, launch_id: str, fields: Sequence[str], now: Instant) -> tuple[str, tuple[str, ...]]:
    """Remove overrides of a launch (no fields: all of them); returns its id and the fields.

    Raises NotFoundError when one of the fields has no override.
    """
    found = _resolved(db, launch_id)
    known = [row["field"] for row in db.execute(_SQL["overrides_of"], (found,))]
    missing = [field for field in fields if field not in known]
    if missing or not known:
        raise NotFoundError(f"launch {found} has no override of {', '.join(missing) or 'any field'}")
    gone = tuple(fields or known)
    db.executemany(_SQL["drop_override"], [(found, field) for field in gone])
    _serve_again(db, found, gone, now)
    return found, gone


def _resolved(db: Connection, launch_id: str) -> str:
    """The id of a launch, or of the one it was merged into; raises NotFoundError."""
    if db.execute(_SQL["bodies"], (launch_id,)).fetchone() is not None:
        return launch_id
    target = db.execute(_SQL["redirected"], (launch_id,)).fetchone()
    if target is None:
        raise NotFoundError(f"no launch {launch_id}")
    return str(target["to_id"])


def _put_sighting(db: Connection, one: StoredSighting) -> None:
    sighting = one.sighting
    body = msgspec.json.encode(sighting)
    key = (sighting.source, sighting.source_id, one.launch_id)
    former = msgspec.json.encode(one.former) if one.former else None
    db.execute(_SQL["put_sighting"], (*key, one.first_seen, one.seen_at, body, one.origin, one.retired_at, former))


def _put_changes(db: Connection, rows: Iterable[Change]) -> None:
    db.executemany(_SQL["put_change"], (msgspec.structs.astuple(one) for one in rows))


def _all_overrides(db: Connection) -> dict[str, list[Override]]:
    """All readable overrides by launch; operators set few, so they are read at once."""
    found: dict[str, list[Override]] = {}
    for row in db.execute(_SQL["all_overrides"]).fetchall():
        one = override_in(row)
        if not one.unreadable:
            found.setdefault(row["launch_id"], []).append(one)
    return found


def _put_launches(db: Connection, plan: IngestPlan, news: ledger.News) -> list[Change]:
    """Write the records of a plan with their overrides; returns the history rows that are visible.

    A merge may have brought a launch an override, and a split may have taken one away.
    """
    overrides, set_by_hand, rows = _all_overrides(db), dict[str, set[str]](), list[Change]()
    for launch in plan.launches:
        given = overrides.get(launch.id, ())
        row = db.execute(_SQL["bodies"], (launch.id,)).fetchone()
        served = _put_launch(db, launch, given, plan.said.get(launch.id, ()), news.at)
        stored = None if row is None else decoded(row["body"], Launch)
        ledger.put_served(db, stored, served, news)
        if row is not None and (given or row["overridden"]):
            before = stored or served
            set_by_hand[launch.id] = override.overridden(before) | override.overridden(served)
            rows += override.changes(before, served, sorted(set_by_hand[launch.id]), news.at)
    return override.visible(plan.changes, set_by_hand) + rows


def _put_launch(
    db: Connection, launch: Launch, overrides: Sequence[Override], said: Sequence[str], now: Instant
) -> Launch:
    """Write a record: `reconciled` as the sources have it, `body` with its overrides. Returns the latter.

    `said` are the words of its sources, for the search.
    """
    served = override.apply(launch, overrides)
    net = served.net
    earliest, latest = (net.earliest, net.latest) if net else (None, None)
    status = served.status.value if served.status else None
    reconciled = msgspec.json.encode(launch) if overrides else None
    found = canonical.entries(served)
    columns = (served.id, earliest, latest, status, *_name_columns(served, found), served.name, now)
    db.execute(_SQL["put_launch"], (*columns, msgspec.json.encode(served), reconciled))
    db.execute(_SQL["put_words"], (served.id, search.text(served, found, said)))
    return served


def _name_columns(served: Launch, found: canonical.Entries) -> tuple[str | None, ...]:
    """The names that lists filter by: those of the registry (`found`), else the words as they are served."""
    location = served.location.name if served.location else None
    return (
        found.provider.name if found.provider else served.provider,
        found.vehicle.name if found.vehicle else served.vehicle,
        found.vehicle.family if found.vehicle else None,
        found.pad.name if found.pad else served.pad,
        found.site.name if found.site else location,
    )


def _serve_again(db: Connection, launch_id: str, fields: Sequence[str], now: Instant) -> Launch:
    """Write a launch with its present overrides, and a history row for each of these fields that changed."""
    row = db.execute(_SQL["bodies"], (launch_id,)).fetchone()
    reconciled = decoded(row["reconciled"], Launch)
    if reconciled is None:
        raise ConflictError(f"the record of launch {launch_id} cannot be read: refresh its sources with force")
    before = decoded(row["body"], Launch) or reconciled
    overrides = [override_in(one) for one in db.execute(_SQL["overrides_of"], (launch_id,)).fetchall()]
    seen = [seen_in(one, launch_id) for one in db.execute(_SQL["sightings_of"], (launch_id,)).fetchall()]
    said = search.said_by(one for one in seen if "body" not in one.unreadable)
    served = _put_launch(db, reconciled, [one for one in overrides if not one.unreadable], said, now)
    ledger.put_served(db, before, served, ledger.by_hand(now))
    _put_changes(db, override.changes(before, served, fields, now))
    return served


def _put_conflicts(db: Connection, plan: IngestPlan, now: Instant) -> None:
    """Open the plan's conflicts and close the others, among the launches that the plan is about."""
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
