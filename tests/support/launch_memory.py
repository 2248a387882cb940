"""Gives tests of pure rules the knowledge that a store would have after a plan, without a database."""

from launchd.launches.ingest import Plan, Stored


def remembered(stored: Stored, made: Plan) -> Stored:
    """The knowledge after the plan was carried out."""
    gone = {young for young, _ in made.merged}
    launches = {one: launch for one, launch in stored.launches.items() if one not in gone}
    merged = dict(made.merged)
    moved = {
        one: seen._replace(launch_id=merged.get(seen.launch_id, seen.launch_id)) for one, seen in stored.seen.items()
    }
    seen = {(one.sighting.source, one.sighting.source_id): one for one in made.seen}
    return Stored({**moved, **seen}, {**launches, **{one.id: one for one in made.launches}})
