"""An event: what happened. Told on the bus to whoever listens; never the only record of anything."""

from typing import Any

import msgspec

from launchd.clock import Instant


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `type` is `<noun>.<past participle>`, such as `job.ended`; `data` is small and plain."""

    type: str
    at: Instant
    job_id: str | None = None
    data: dict[str, Any] = {}
