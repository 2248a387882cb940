"""The stored state after plans, without a store: for tests of pure rules and for measurements."""

from itertools import count

from launchd.launches.ingest import IngestPlan, Stored, plan
from launchd.launches.launch import Launch, Sighting
from launchd.launches.matching.match import key
from tests.support.sightings import PRIORITIES


def remembered(stored: Stored, made: IngestPlan) -> Stored:
    """The sightings and launches after the plan was carried out."""
    gone = {young for young, _ in made.merged}
    launches = {one: launch for one, launch in stored.launches.items() if one not in gone}
    merged = dict(made.merged)
    moved = {
        one: seen._replace(launch_id=merged.get(seen.launch_id, seen.launch_id)) for one, seen in stored.seen.items()
    }
    seen = {(one.sighting.source, one.sighting.source_id): one for one in made.seen}
    return Stored({**moved, **seen}, {**launches, **{one.id: one for one in made.launches}})


class MemoryTracker:
    """Scrapes into memory; ids are counted, so a younger one is larger."""

    def __init__(self) -> None:
        self.stored = Stored({}, {})
        self.last: IngestPlan | None = None
        self._ids = count(1)
        self._now = count(1)

    def scrape(self, *sightings: Sighting, now: int | None = None) -> IngestPlan:
        at_ = next(self._now) if now is None else now
        made = plan(self.stored, sightings, PRIORITIES, at_, lambda: f"{next(self._ids):04d}")
        self.stored = remembered(self.stored, made)
        self.last = made
        return made

    def launch_of(self, sighting: Sighting) -> str:
        return self.stored.seen[key(sighting)].launch_id

    def launch(self, sighting: Sighting) -> Launch:
        return self.stored.launches[self.launch_of(sighting)]
