"""What the daemon and a task's process say to each other: lines of JSON through pipes. Pure."""

from typing import Any

import msgspec

from launchd.job import JobError


class Request(msgspec.Struct, frozen=True):
    """The one line that starts the work: where the function is, its arguments and what its Context says."""

    module: str
    qualname: str
    arguments: dict[str, Any]
    context: dict[str, Any]
    path: list[str]
    timeout: float


class FromChild(msgspec.Struct, frozen=True, kw_only=True):
    """One line from the process; `kind` is ready, progress, log, trigger, returned, raised, cancel, snooze or retry."""

    kind: str
    progress: tuple[float, float | None, str | None] | None = None
    level: str = "info"
    event: str = ""
    fields: dict[str, Any] = {}
    task: str = ""
    delay: float = 0.0
    priority: int | None = None
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: JobError | None = None
    seconds: float | None = None
    reason: str = ""


class ToChild(msgspec.Struct, frozen=True):
    """The answer to a trigger: the id of the job, or why there is none."""

    job_id: str | None = None
    error: str | None = None
