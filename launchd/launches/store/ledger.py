"""The slip ledger and the stated NETs in launches.db: their writes inside a transaction, and how rows become values."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Row
from launchd.launches.launch import FLOWN, Launch, LaunchStatus, Net, Precision
from launchd.launches.override import SOURCE as OVERRIDE
from launchd.launches.reconcile import StoredSighting
from launchd.launches.scorecard import LAUNCHD
from launchd.launches.slip_ledger import UNSCHEDULED, LastRead, MoveRow, classify, reference
from launchd.values.rows import log_unreadable

_SQL = sql.statements("launches", "ledger")
_OVER = FLOWN | {LaunchStatus.IN_FLIGHT}


class News(NamedTuple):
    """The changes of one transaction: when each source was read before, and how often it is.

    `changed` holds the sources with new data of each launch; the launches in `regrouped` lost or gained records.
    """

    at: Instant
    last: Mapping[str, Instant | None]
    periods: Mapping[str, Instant]
    changed: Mapping[str, Collection[str]]
    regrouped: Collection[str]

    def look(self, source: str) -> LastRead:
        """The reading of a source; an operator was never away."""
        last = None if source == OVERRIDE else self.last.get(source)
        return LastRead(self.at, last, self.periods.get(source, UNSCHEDULED))

    def look_at(self, launch: Launch, source: str) -> LastRead:
        """The reading that changed the NET of a launch to that of `source`, which may have stated it before."""
        changed = self.changed.get(launch.id, ())
        if source == OVERRIDE or source in changed or not changed:
            return self.look(source)
        return max(map(self.look, sorted(changed)), key=lambda look: look.at if look.last is None else look.last)


def by_hand(now: Instant) -> News:
    """The news of an operator."""
    return News(now, {}, {}, {}, ())


def news(db: Connection, seen: Collection[StoredSighting], periods: Mapping[str, Instant], now: Instant) -> News:
    """The news of these sightings. Call it before they are written; the pulls that brought them are recorded later."""
    changed: dict[str, set[str]] = defaultdict(set)
    regrouped: set[str] = set()
    for one in seen:
        if one.seen_at == now:
            changed[one.launch_id].add(one.sighting.source)
        row = db.execute(_SQL["launch_of"], (one.sighting.source, one.sighting.source_id)).fetchone()
        if row is not None and row["launch_id"] != one.launch_id:
            regrouped |= {row["launch_id"], one.launch_id}
    last = {name: db.execute(_SQL["last_look"], (name,)).fetchone() for name in {one.sighting.source for one in seen}}
    known = {name: row["last_success"] for name, row in last.items() if row is not None}
    return News(now, known, periods, changed, regrouped)


def put_stated(db: Connection, one: StoredSighting, of: News) -> None:
    """Record the NET that a source states, if it is another than before."""
    sighting = one.sighting
    look = of.look(sighting.source)._replace(at=one.seen_at)
    _state(db, (sighting.source, sighting.source_id), sighting.net, sighting.status, look)


def put_served(db: Connection, before: Launch | None, after: Launch, of: News) -> None:
    """Record the NET that a launch is served with, and its move in the ledger, if the NET is another than before."""
    origin = after.provenance.get("net")
    source = origin.source if origin is not None else ""
    look = of.look_at(after, source)
    _state(db, (LAUNCHD, after.id), after.net, after.status, look)
    if before is None or before.net == after.net:
        return
    own = [(_net(row, "old")[0], _net(row, "new")[0]) for row in db.execute(_SQL["own_moves"], {"id": after.id})]
    base = reference(own, before.net)
    move = classify(before, after, look, reference=base, regrouped=after.id in of.regrouped)
    if move is not None:
        values = (after.id, look.at, look.last, look.late, source, move.kind.value, move.counts, move.size)
        db.execute(_SQL["put_move"], (*values, *_columns(before.net), *_columns(after.net)))


def merge(db: Connection, young: str, old: str) -> None:
    """Move the ledger of a launch to the one that it is merged into."""
    db.execute(_SQL["move_moves"], {"young": young, "old": old})


def split(db: Connection, launch_id: str) -> None:
    """Return its ledger to a launch that is split from another."""
    db.execute(_SQL["return_moves"], {"id": launch_id})


def move_in(row: Row, launch_id: str) -> MoveRow:
    """The row of the ledger in a row of `net_moves`."""
    (old, lost_old), (new, lost_new) = _net(row, "old"), _net(row, "new")
    lost = tuple(name for name, bad in (("old", lost_old), ("new", lost_new)) if bad)
    if lost:
        log_unreadable("net_moves", f"{launch_id} {row['seen_at']}", lost)
    origin = row["origin_id"] if row["origin_id"] != launch_id else None
    times = (row["seen_at"], row["last_look"], bool(row["late"]))
    return MoveRow(*times, row["source"], row["kind"], bool(row["counts"]), row["size"], old, new, origin, lost)


def _state(db: Connection, key: tuple[str, str], net: Net | None, status: LaunchStatus | None, look: LastRead) -> None:
    earliest, latest, precision = _columns(net)
    values = {"source": key[0], "source_id": key[1], "seen_at": look.at, "away_since": look.away_since}
    stated = {"earliest": earliest, "latest": latest, "precision": precision}
    db.execute(_SQL["state_net"], values | stated | {"first": status not in _OVER})


def _columns(net: Net | None) -> tuple[Instant | None, Instant | None, str | None]:
    return (None, None, None) if net is None else (net.earliest, net.latest, net.precision.value)


def _net(row: Row, which: str) -> tuple[Net | None, bool]:
    """The old or new NET of a row, and True if its columns cannot be read."""
    found = [row[f"{which}_{name}"] for name in ("earliest", "latest", "precision")]
    if found == [None, None, None]:
        return None, False
    if found[0] is None or found[1] is None or found[2] not in set(Precision):
        return None, True
    return Net(found[0], found[1], Precision(found[2])), False
