"""An event: what happened. Told on the bus to whoever listens; never the only record of anything.

`TYPES` is the whole vocabulary. The noun before the dot stands for all of its types where types are chosen.
"""

from typing import Any, NamedTuple

import msgspec

from launchd.clock import Instant

TYPES = (
    # a job: made; began an attempt; its attempt ended it; its attempt ended and it waits again; says how far it is
    *("job.made", "job.started", "job.ended", "job.returned", "job.progress", "job.requeued", "job.cancel_requested"),
    # a schedule: what became of an occurrence (passed_over: while it was paused), and what an operator did
    *("schedule.fired", "schedule.coalesced", "schedule.missed", "schedule.overlap_skipped", "schedule.passed_over"),
    *("schedule.backfilled", "schedule.paused", "schedule.resumed"),
    *("queue.paused", "queue.resumed", "queue.resized"),
    *("lock.taken", "lock.released", "lock.lost"),
    # a source, after a pull; a launch, after a scrape (imported: so many at once that they are told as one)
    *("source.read", "source.failed"),
    *("launch.made", "launch.imported", "launch.slipped", "launch.moved_forward", "launch.status_changed"),
    *("launch.merged", "launch.approaching"),
    "health.changed",
    "config.reloaded",
)
NOUNS = tuple(dict.fromkeys(name.partition(".")[0] for name in TYPES))


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `type` is `<noun>.<past participle>`, such as `job.ended`; `data` is small and plain."""

    type: str
    at: Instant
    job_id: str | None = None
    data: dict[str, Any] = {}

    def event(self) -> "Event":
        """Itself."""
        return self


class JobEnd(NamedTuple):
    """The end of an attempt. `state` is where its job is now: a final state, or `queued` for another attempt.

    `seconds` it ran and `waited` before, None where it never started; `task` and `queue` may be unknown ("").
    """

    at: Instant
    job_id: str
    state: str
    task: str = ""
    queue: str = ""
    seconds: float | None = None
    waited: float | None = None

    @property
    def type(self) -> str:
        """The type of its event."""
        return "job.returned" if self.state == "queued" else "job.ended"

    def event(self) -> Event:
        """The same as an event, for those who want to hear of each."""
        data = {"task": self.task, "queue": self.queue, "state": self.state, "seconds": self.seconds}
        return Event(type=self.type, at=self.at, job_id=self.job_id, data=data | {"waited": self.waited})


# Whatever the bus tells of: an event, or what can be made one once somebody wants to see it.
Happening = Event | JobEnd
