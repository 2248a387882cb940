"""An event: what happened. Told on the bus to whoever listens; never the only record of anything."""

from typing import Any, NamedTuple

import msgspec

from launchd.clock import Instant


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `type` is `<noun>.<past participle>`, such as `job.ended`; `data` is small and plain."""

    type: str
    at: Instant
    job_id: str | None = None
    data: dict[str, Any] = {}


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

    def event(self) -> Event:
        """The same as an event, for those who want to hear of each."""
        data = {"task": self.task, "queue": self.queue, "state": self.state, "seconds": self.seconds}
        return Event(type="job.ended", at=self.at, job_id=self.job_id, data=data | {"waited": self.waited})
