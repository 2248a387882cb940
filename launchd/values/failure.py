"""An exception as it is stored and shown: its type, message and traceback, made plain. Nothing here raises."""

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from launchd.job import MAX_TRACEBACK_BYTES, JobError
from launchd.values.plain import bounded, plain_text, type_name

MESSAGE_BYTES = 4096
# If more exceptions than this are chained or grouped, only the frames of the outermost are shown.
MAX_CHAIN = 100
# The most frames shown of one exception: the innermost.
MAX_FRAMES = 100
# The most notes shown of one exception, and the bytes of each.
MAX_NOTES, NOTE_BYTES = 20, 2000


class RemoteError(Exception):
    """An exception that was raised in another process; `error` is the description which that process sent."""

    def __init__(self, error: JobError) -> None:
        super().__init__(error.message)
        self.error = error


def describe(error: BaseException, note: str | None = None, *, with_traceback: bool = True) -> JobError:
    r"""An exception made plain; `note` is put before its message. Never raises.

    The message has at most 4096 bytes, the traceback 32 KiB. If a part cannot be read (a `__str__` that raises, an
    endless chain), the text says so.

    >>> describe(ValueError("caf\udce9")).message
    'caf?'
    """
    if type(error) is RemoteError:
        return error.error
    message = plain_text(error, MESSAGE_BYTES)
    if note:
        message = bounded(f"{note}: {message}", MESSAGE_BYTES)
    return JobError(type_name(error), message, trace_of(error) if with_traceback else None)


def trace_of(error: BaseException) -> str | None:
    """The traceback as text, cut to its last 32 KiB; None for an exception that was never raised. Never raises."""
    if type(error) is RemoteError:
        return error.error.traceback
    try:
        if _own(error, "__traceback__") is None:
            return None
        chained = sum(1 for _ in _linked(error)) <= MAX_CHAIN
        lines = _whole(error) if chained else [*_frames(error), f"{type_name(error)} [more than {MAX_CHAIN} linked]"]
    except BaseException as broken:  # noqa: BLE001 - foreign code may raise anything while it is formatted
        lines = [*_frames(error), f"{type_name(error)}: its traceback cannot be read: {type_name(broken)}"]
    return bounded("".join(lines), MAX_TRACEBACK_BYTES, keep="end")


def _whole(error: BaseException) -> list[str]:
    """The traceback as Python prints it, with causes and members of groups."""
    made = traceback.TracebackException(type(error), error, _own(error, "__traceback__"), limit=-MAX_FRAMES)
    _bound_notes(made)
    return list(made.format())


def _bound_notes(made: traceback.TracebackException) -> None:
    """Cut the notes of an exception and of all linked ones: formatting makes a string of each of their lines."""
    stack = [made]
    while stack:
        one = stack.pop()
        notes = getattr(one, "__notes__", None)
        if notes is not None:
            each = notes[:MAX_NOTES] if type(notes) in {list, tuple} else [notes]
            one.__notes__ = [plain_text(note, NOTE_BYTES) for note in each]
        stack += [linked for linked in (one.__cause__, one.__context__, *(one.exceptions or ())) if linked is not None]


def _frames(error: BaseException) -> list[str]:
    """The frames of one exception alone, read without calling any method of its class."""
    try:
        return traceback.format_tb(_own(error, "__traceback__"), -MAX_FRAMES)
    except BaseException:  # noqa: BLE001 - source files are read here, and that may fail in any way
        return []


def _linked(error: BaseException) -> Iterator[BaseException]:
    """An exception and all linked ones (causes, contexts, members of groups), at most MAX_CHAIN + 1."""
    seen: set[int] = set()
    stack = [error]
    while stack and len(seen) <= MAX_CHAIN:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        stack += [linked for name in ("__cause__", "__context__") if (linked := _own(one, name)) is not None]
        if isinstance(one, BaseExceptionGroup):
            stack += BaseExceptionGroup.exceptions.__get__(one)[: MAX_CHAIN + 1]


def _own(error: BaseException, name: str) -> Any:  # noqa: ANN401 - an exception, or a traceback
    """The interpreter's own attribute of an exception, even if its class overrides it."""
    return BaseException.__dict__[name].__get__(error)


def exception_of(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> BaseException:
    """The exception of `sys.exc_info()`, with the traceback of that triple if it has none itself."""
    _, error, trace = exc_info
    return error if _own(error, "__traceback__") is not None or trace is None else error.with_traceback(trace)
