"""Events: something that happened, published on the bus to all listeners. An event is never the only record.

`TYPES` lists all types. A filter may name the noun before the dot in place of all its types.
"""

from typing import Any, NamedTuple

import msgspec

from launchd.clock import Instant

TYPES = (
    # a job: created; an attempt began; an attempt ended the job; an attempt ended and the job waits again; progress
    *("job.made", "job.started", "job.ended", "job.returned", "job.progress", "job.requeued", "job.cancel_requested"),
    # a schedule: the outcome of an occurrence (passed_over: it was paused), and an operator's acts
    *("schedule.fired", "schedule.coalesced", "schedule.missed", "schedule.overlap_skipped", "schedule.passed_over"),
    *("schedule.backfilled", "schedule.paused", "schedule.resumed"),
    *("queue.paused", "queue.resumed", "queue.resized"),
    *("lock.taken", "lock.released", "lock.lost"),
    # a source, after a pull; a launch, after a scrape (imported: one event for a large number of new launches)
    *("source.read", "source.failed"),
    *("launch.made", "launch.imported", "launch.slipped", "launch.moved_forward", "launch.status_changed"),
    *("launch.merged", "launch.approaching"),
    "health.changed",
    "config.reloaded",
)
NOUNS = tuple(dict.fromkeys(name.partition(".")[0] for name in TYPES))


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `type` is `<noun>.<past participle>`, such as `job.ended`; `data` is small and plain."""

    type: str
    at: Instant
    job_id: str | None = None
    data: dict[str, Any] = {}

    def event(self) -> "Event":
        """Return itself: the same method as `JobEnd.event`."""
        return self


class JobEnd(NamedTuple):
    """The end of an attempt. `state` is its job's state now: a final one, or `queued` for another attempt.

    It ran for `seconds` and had waited for `waited` seconds; None if it never started. `task` and `queue` are "" if
    unknown.
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
        """`job.returned` if the job waits again, else `job.ended`."""
        return "job.returned" if self.state == "queued" else "job.ended"

    def event(self) -> Event:
        """The same as an Event, made only if a listener wants it."""
        data = {"task": self.task, "queue": self.queue, "state": self.state, "seconds": self.seconds}
        return Event(type=self.type, at=self.at, job_id=self.job_id, data=data | {"waited": self.waited})


# The bus carries events, and job ends that become events on demand.
Happening = Event | JobEnd
