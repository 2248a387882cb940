"""The slip ledger and the stated NETs in launches.db: their writes inside a transaction, and how rows become values."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from launchd import sql
from launchd.clock import Instant
from launchd.db.database import Connection, Row
from launchd.launches.launch import FLOWN, Launch, LaunchStatus, Net, Precision, Sighting
from launchd.launches.override import SOURCE as OVERRIDE
from launchd.launches.scorecard import LAUNCHD
from launchd.launches.slip_ledger import UNSCHEDULED, Look, MoveRow, classify, reference
from launchd.values.rows import log_unreadable

_SQL = sql.statements("launches", "ledger")
_OVER = FLOWN | {LaunchStatus.IN_FLIGHT}


class Looks(NamedTuple):
    """The readings of the sources in one transaction: when each was read before, and how often it is."""

    at: Instant
    last: Mapping[str, Instant | None]
    periods: Mapping[str, Instant]

    def of(self, source: str) -> Look:
        """The reading of a source; an operator was never away."""
        last = None if source == OVERRIDE else self.last.get(source)
        return Look(self.at, last, self.periods.get(source, UNSCHEDULED))


def looks(db: Connection, sources: Collection[str], periods: Mapping[str, Instant], now: Instant) -> Looks:
    """The readings of these sources; the present pulls are not recorded yet."""
    last = {name: db.execute(_SQL["last_look"], (name,)).fetchone() for name in sources}
    return Looks(now, {name: row["last_success"] for name, row in last.items() if row is not None}, periods)


def launch_of(db: Connection, sighting: Sighting) -> str | None:
    """The launch that a stored sighting belongs to; None for a new one."""
    row = db.execute(_SQL["launch_of"], (sighting.source, sighting.source_id)).fetchone()
    return None if row is None else str(row["launch_id"])


def put_stated(db: Connection, sighting: Sighting, seen_at: Instant, look: Look) -> None:
    """Record the NET that a source states, if it is another than before."""
    _state(db, (sighting.source, sighting.source_id), sighting.net, sighting.status, look._replace(at=seen_at))


def put_served(db: Connection, before: Launch | None, after: Launch, seen: Looks, *, regrouped: bool = False) -> None:
    """Record the NET that a launch is served with, and its move in the ledger, if the NET is another than before."""
    origin = after.provenance.get("net")
    source = origin.source if origin is not None else ""
    look = seen.of(source)
    _state(db, (LAUNCHD, after.id), after.net, after.status, look)
    if before is None or before.net == after.net:
        return
    own = [(_net(row, "old")[0], _net(row, "new")[0]) for row in db.execute(_SQL["own_moves"], {"id": after.id})]
    move = classify(before, after, look, reference=reference(own, before.net), regrouped=regrouped)
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


def _state(db: Connection, key: tuple[str, str], net: Net | None, status: LaunchStatus | None, look: Look) -> None:
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
