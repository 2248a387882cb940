"""The exception of a log line, in the form that the log's style shows."""

import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from launchd.values.failure import RemoteError, describe, trace_of

Form = Literal["journal", "json", "console"]


def exception_of(said: object) -> BaseException | None:
    """The exception of a line, from any `exc_info`: an exception, a triple of `sys.exc_info()`, or true."""
    if isinstance(said, tuple):
        said = said[1] if len(said) > 1 else None
    if issubclass(type(said), BaseException):
        return said  # type: ignore[return-value]
    return sys.exc_info()[1] if said is True or (type(said) is int and said) else None


def exception_renderer(form: Form) -> structlog.types.Processor:
    """A structlog processor that puts the exception of a line into its fields, as this form of the log shows it."""
    as_frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=50)

    def render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if "exc_info" not in event:
            return event
        error = exception_of(event.pop("exc_info"))
        if error is None:
            return event
        event["exception"] = _parts(error) if form == "journal" else trace_of(error) or _words(error)
        if form == "json" and type(error) is not RemoteError:
            try:  # without local variables, which may hold secrets
                event["exception"] = as_frames((type(error), error, error.__traceback__))
            except BaseException:  # noqa: BLE001 - the exception's own code may raise anything; the text stays
                return event
        return event

    return render


def _parts(error: BaseException) -> dict[str, str]:
    described = describe(error)
    return {"type": described.type, "message": described.message, "traceback": described.traceback or ""}


def _words(error: BaseException) -> str:
    described = describe(error, with_traceback=False)
    return f"{described.type}: {described.message}"
