"""All errors that launchd raises on purpose: one tree, a stable `code` for each class, the HTTP status of each code.

They are sent as problem details (RFC 9457): the first line of the class docstring is the title; `detail` describes this
occurrence and says what to do.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

# The most characters of a source's error text that are kept.
_LONGEST_SOURCE = 1000


class Problem(NamedTuple):
    """One fault of an input: its path, such as `queues.scraping.concurrency`, and what is allowed there."""

    path: str
    message: str


class LaunchdError(Exception):
    """Something went wrong inside launchd."""

    code: ClassVar[str] = "internal"

    def __init__(self, detail: str = "", *, errors: Sequence[Problem] = ()) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)

    @property
    def title(self) -> str:
        """The sentence that is the same for every occurrence."""
        return (type(self).__doc__ or "").split("\n", 1)[0]


class InvalidError(LaunchdError):
    """The request is understood but its content is not valid."""

    code = "invalid"

    @classmethod
    def at(cls, path: str, message: str) -> Self:
        """The error of one part of an input."""
        return cls(f"{path}: {message}", errors=[Problem(path, message)])


class ConfigError(InvalidError):
    """The configuration is not valid."""

    code = "config_invalid"


class MalformedError(LaunchdError):
    """The request body is not JSON."""

    code = "malformed"


class UnauthorizedError(LaunchdError):
    """Not signed in."""

    code = "unauthorized"


class ForbiddenError(LaunchdError):
    """The caller may not do this."""

    code = "forbidden"


class TooManyRequestsError(LaunchdError):
    """Too many requests; try again after `retry_after` seconds."""

    code = "too_many_requests"

    def __init__(self, detail: str = "", *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class NotFoundError(LaunchdError):
    """There is no such thing."""

    code = "not_found"


class ConflictError(LaunchdError):
    """The state of the thing does not allow this."""

    code = "conflict"


class IdempotencyError(LaunchdError):
    """This Idempotency-Key was used before with another request."""

    code = "idempotency_mismatch"


class UnavailableError(LaunchdError):
    """This cannot be served at the moment; nothing was changed."""

    code = "unavailable"


class StoreError(UnavailableError):
    """The database cannot be used at the moment; nothing was changed.

    `sqlite` is the name of SQLite's error, such as "SQLITE_IOERR_READ", and empty where SQLite raised none.
    """

    code = "store_unavailable"

    def __init__(self, detail: str = "", *, sqlite: str = "") -> None:
        super().__init__(detail)
        self.sqlite = sqlite

    @property
    def passing(self) -> bool:
        """True if the error may go away without a repair of the file: no room, a lock, a failing disk."""
        return self.sqlite.startswith(("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR"))


class DiskFullError(StoreError):
    """The disk that holds the database is full; nothing was changed."""

    code = "disk_full"


class StoreBusyError(StoreError):
    """The database is locked by another program; nothing was changed."""

    code = "store_busy"


class CommitUnknownError(StoreError):
    """It is not known if this was stored: send it again with the same Idempotency-Key."""

    code = "commit_unknown"


class AlreadyRunningError(LaunchdError):
    """Another launchd uses this state directory."""

    code = "already_running"


class UnreachableError(LaunchdError):
    """The daemon cannot be reached."""

    code = "unreachable"


class StaleFenceError(LaunchdError):
    """A newer holder of the lock has written; this result is refused."""

    code = "stale_fence"


class SourceError(LaunchdError):
    """An upstream source of launch data could not be read."""

    code = "source"

    def __init__(self, detail: str = "") -> None:
        # it quotes a server's answer: make it clean and short here, before it is stored, logged and shown
        text = " ".join("".join(one if one.isprintable() else " " for one in detail[: 2 * _LONGEST_SOURCE]).split())
        super().__init__(text if len(text) <= _LONGEST_SOURCE else f"{text[:_LONGEST_SOURCE]}...")


def error_of(code: str, detail: str) -> LaunchdError:
    """The error with this code, sent by another process; a LaunchdError if the code is unknown."""
    kinds: list[type[LaunchdError]] = [LaunchdError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    found = next((kind for kind in kinds if kind.code == code and kind is not TooManyRequestsError), LaunchdError)
    return found(detail)


HTTP_STATUS: dict[str, int] = {
    "internal": 500,
    "malformed": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "too_many_requests": 429,
    "not_found": 404,
    "conflict": 409,
    "invalid": 422,
    "config_invalid": 422,
    "idempotency_mismatch": 422,
    "unavailable": 503,
    "store_unavailable": 503,
    "store_busy": 503,
    "disk_full": 503,
    "commit_unknown": 503,
    "stale_fence": 409,
    "source": 502,
}
