"""Structured logs: to the journal with fields of its own, to a terminal in colours, elsewhere as JSON lines.

A line is made in the thread that logs (level, time, context, a plain copy of the values) and finished in the writer's
thread (secrets masked, rendered, written), so nothing here waits. What the standard library's loggers say (aiohttp,
asyncio, warnings) goes the same way.
"""

import atexit
import json
import logging
import os
import select
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import msgspec
import structlog

from launchd.ops import journal
from launchd.ops.joblines import JobLines
from launchd.ops.logwriter import Line, Sink, Writer
from launchd.ops.redact import Redactor
from launchd.text import one_line, visible

Style = Literal["auto", "json", "console"]
Form = Literal["journal", "json", "console"]
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_NUMBERS = LEVELS | {"critical": logging.CRITICAL}
# What one value of a line may hold, and how deep and wide a nested one is copied.
MAX_TEXT = 256 * 1024
MAX_DEPTH, MAX_ITEMS = 6, 200
# Values that have lines of their own.
_LINES = frozenset({"exception", "stack"})
_NEWLINE = ord("\n")
# The least time between two attempts to write to a descriptor that has no room.
_BREATH_SECONDS = 0.005
_FIRST = ("timestamp", "level", "logger", "event")
_STANDARD = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


class Logs:
    """The log of this process, as `configure` set it up. `job_lines` keeps the last lines of each job."""

    def __init__(
        self,
        writer: Writer,
        bridge: logging.Handler,
        job_lines: JobLines,
        redactor: Redactor,
        *,
        in_child: Sink,
        journaled: journal.JournalSink | None,
    ) -> None:
        self.job_lines = job_lines
        self._in_child = in_child
        self._journaled = journaled
        self._redactor = redactor
        self._writer = writer
        self._bridge = bridge

    @property
    def dropped(self) -> int:
        """How many lines were lost since the start; only grows."""
        return self._writer.dropped

    def set_level(self, level: str) -> None:
        """Log from this level on; loggers that are bound already, such as a running job's, keep theirs."""
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]))
        logging.getLogger().setLevel(LEVELS[level])

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask these from now on, besides those that are masked already."""
        self._redactor.learn(secrets)

    def forked(self) -> None:
        """In a child of `os.fork()`, which has no writer thread: write to the descriptor from now on, line by line."""
        atexit.unregister(self.close)
        self.job_lines.forked()
        self._writer.forked(self._in_child)
        if self._journaled is not None:
            self._journaled.close()

    def close(self, seconds: float = 2.0) -> bool:
        """Write what waits, for at most so many seconds; whether all of it was written."""
        atexit.unregister(self.close)
        logging.getLogger().removeHandler(self._bridge)
        return self._writer.close(seconds)


def configure(
    level: str,
    style: Style,
    *,
    secrets: Iterable[str] = (),
    descriptor: int = 2,
    journal_socket: Path = journal.SOCKET,
) -> Logs:
    """Set up the log of this process; lines go to `descriptor` or, where that is the journal's stream, to the journal.

    `secrets` are masked wherever they appear. Close what is returned; at the end of the process it closes itself.
    """
    form = choose(style, descriptor)
    redactor = Redactor(secrets)

    def finish(line: Line) -> Line:
        return line._replace(event=redactor.value(line.event))

    render = _console(descriptor) if form == "console" else as_json
    sink = stream_sink(lambda line: render(finish(line).event), descriptor)
    journaled = journal.JournalSink(finish, sink, journal_socket) if form == "journal" else None
    writer = Writer(sink) if journaled is None else Writer(journaled, ended=journaled.close)
    job_lines = JobLines(redactor)

    def put(line: Line) -> None:
        job_lines.keep(line)
        writer.put(line)

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.ExceptionRenderer(_EXCEPTIONS[form]),
            _seal,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *names: _Logger(put, *names),
        cache_logger_on_first_use=False,
    )
    bridge = _Bridge()
    root = logging.getLogger()
    root.addHandler(bridge)
    root.setLevel(LEVELS[level])
    logging.getLogger("aiosqlite").setLevel(logging.INFO)  # below that it tells of every statement
    logging.captureWarnings(True)  # noqa: FBT003 - the library's signature
    logs = Logs(writer, bridge, job_lines, redactor, in_child=sink, journaled=journaled)
    atexit.register(logs.close)
    return logs


def choose(style: Style, descriptor: int, environ: Mapping[str, str] = os.environ) -> Form:
    """What lines look like: as asked for, else the journal's fields, a terminal's colours, or JSON."""
    if style != "auto":
        return style
    if journal.is_journal(descriptor, environ):
        return "journal"
    return "console" if os.isatty(descriptor) else "json"


# --- in the thread that logs ---


class _Logger:
    """What structlog ends in: hands a finished line to the writer. `name` is what get_logger() was given."""

    def __init__(self, put: Callable[[Line], None], name: str = "launchd") -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = self.msg = put


def _seal(logger: _Logger, _method: str, event: MutableMapping[str, Any]) -> tuple[tuple[Line], dict[str, Any]]:
    """The last step: a plain copy, since what was logged may change before it is written."""
    size = 0
    sealed: dict[str, Any] = {"logger": logger.name}
    for key, value in event.items():
        kind = type(value)
        copy = value if kind is int or kind is float or value is None else plain(value)
        size += len(copy) if type(copy) is str else 16 if type(copy) is not dict else 2048
        sealed[key] = copy
    return (Line(_NUMBERS.get(event["level"], logging.INFO), sealed, size),), {}


def plain(value: object, depth: int = 0) -> Any:  # noqa: ANN401 - text, a number, a list or a dict
    """A bounded copy of anything, of texts, numbers, lists and dicts only."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        items = list(value.items())[:MAX_ITEMS]
        return {str(key): plain(inner, depth + 1) for key, inner in items}
    if isinstance(value, list | tuple | set | frozenset) and depth < MAX_DEPTH:
        return [plain(one, depth + 1) for one in list(value)[:MAX_ITEMS]]
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as error:  # noqa: BLE001 - a value that cannot be shown must not break who logs it
        text = f"<{type(value).__name__}: {type(error).__name__} in str()>"
    return str(text) if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... [cut: {len(text)} characters]"


class _Bridge(logging.Handler):
    """Takes what the standard library's loggers say into the same log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it again, through structlog."""
        level = next((one for one in _STANDARD if one <= record.levelno), logging.DEBUG)
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a wrong format string is the caller's slip, not the log's end
            text = f"{record.msg} [not formatted: {error}]"
        more = {"exc_info": record.exc_info} if record.exc_info else {}
        structlog.get_logger(record.name).log(level, text, **more)


def _as_text(exc_info: _ExcInfo) -> str:
    return "".join(traceback.format_exception(*exc_info))


def _as_parts(exc_info: _ExcInfo) -> dict[str, str]:
    return {"type": exc_info[0].__name__, "message": str(exc_info[1]), "traceback": _as_text(exc_info)}


_EXCEPTIONS: dict[Form, structlog.types.ExceptionTransformer] = {
    "console": _as_text,
    "journal": _as_parts,
    # without the variables of each frame: there are secrets among them
    "json": structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=50),
}


# --- in the writer's thread ---


def as_json(event: dict[str, Any]) -> str:
    """One line of JSON, the same keys first."""
    ordered = {key: event[key] for key in _FIRST if key in event} | event
    try:
        return msgspec.json.encode(ordered).decode()
    except (UnicodeEncodeError, msgspec.MsgspecError, TypeError):  # lone surrogates, numbers beyond 64 bits
        return json.dumps(ordered, default=str)


def _console(descriptor: int) -> Callable[[dict[str, Any]], str]:
    renderer = structlog.dev.ConsoleRenderer(colors=os.isatty(descriptor))
    return lambda event: str(renderer(None, "", {one_line(key): _shown(key, event[key]) for key in event}))


def _shown(key: str, value: object) -> object:
    """A value as a terminal may show it; a traceback keeps its lines."""
    if key in _LINES:
        return visible(value) if isinstance(value, str) else value
    # containers are shown by their repr(), which escapes
    return one_line(value) if isinstance(value, str) else value


def stream_sink(render: Callable[[Line], str], descriptor: int = 2) -> Sink:
    """Writes lines to a descriptor, all of a batch in one write; waits where it must."""
    torn = False  # the last write ended within a line

    def write(batch: list[Line]) -> None:
        nonlocal torn
        text = "".join(f"{render(line)}\n" for line in batch)
        data = memoryview((f"\n{text}" if torn else text).encode("utf-8", "backslashreplace"))
        while data:
            try:
                written = os.write(descriptor, data)
            except BlockingIOError:  # somebody made it non-blocking: wait here, where nobody waits for us
                _until_writable(descriptor)
            else:
                torn = data[written - 1] != _NEWLINE
                data = data[written:]

    return write


def _until_writable(descriptor: int) -> None:
    """Wait until there is room; a moment at least, for a descriptor that only claims to have some."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
    time.sleep(_BREATH_SECONDS)
