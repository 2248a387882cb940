"""Structured logs: to the journal with fields of its own, to a terminal in colours, elsewhere as JSON lines.

A line is made in the thread that logs (level, time, context, a plain copy of the values) and finished in the writer's
thread (secrets masked, rendered, written), so nothing here waits. What the standard library's loggers say (aiohttp,
asyncio, warnings, the libraries that tasks use) goes the same way, and so do exceptions that nobody caught in a thread.

Whatever a task's code logs carries the names of its job, through any logger. Logging never raises because of a value.
A task's process makes its lines the same way and sends them to the daemon instead (`bridge_to`).
"""

import atexit
import json
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import structlog

from launchd import logger
from launchd.logger import get_logger
from launchd.logs import journal
from launchd.logs.joblines import JobLines
from launchd.logs.redact import Redactor
from launchd.logs.writer import Line, Sink, Writer
from launchd.task import CURRENT
from launchd.values.failure import RemoteError, describe, trace_of
from launchd.values.plain import plain_text, plain_value
from launchd.values.text import one_line, visible

Style = Literal["auto", "json", "console"]
Form = Literal["journal", "json", "console"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_NUMBERS = LEVELS | {"critical": logging.CRITICAL}
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
        use: Callable[[type[Any]], None],
    ) -> None:
        self._use = use
        self.job_lines = job_lines
        self._in_child = in_child
        self._journaled = journaled
        self._redactor = redactor
        self._writer = writer
        self._bridge = bridge
        self._hooks = threading.excepthook, sys.unraisablehook

    @property
    def dropped(self) -> int:
        """How many lines were lost since the start; only grows."""
        return self._writer.dropped

    def set_level(self, level: str) -> None:
        """Log from this level on."""
        self._use(structlog.make_filtering_bound_logger(LEVELS[level]))
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
        threading.excepthook, sys.unraisablehook = self._hooks
        logger.tear_down()
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

    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _name_job,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _exception_renderer(form),
        _seal,
    ]
    use = partial(_use, processors, make=lambda *names: _Logger(put, *names))
    use(structlog.make_filtering_bound_logger(LEVELS[level]))
    bridge = _take_others(LEVELS[level])
    logs = Logs(writer, bridge, job_lines, redactor, in_child=sink, journaled=journaled, use=use)
    _hook()
    atexit.register(logs.close)
    return logs


def _use(processors: list[Any], wrapper_class: type[Any], make: Callable[..., Any]) -> None:
    """Set up the daemon's loggers, and structlog's for the tasks; tasks may set up the latter otherwise."""
    logger.set_up(structlog.wrap_logger, processors, wrapper_class, make)
    structlog.configure(
        processors=processors, wrapper_class=wrapper_class, logger_factory=make, cache_logger_on_first_use=False
    )


class Send(Protocol):
    """Sends a line elsewhere; `fields` are plain."""

    def __call__(
        self, level: str, logger: str, event: str, fields: dict[str, Any], error: BaseException | None
    ) -> None:
        """Send it."""


def bridge_to(send: Send, level: int) -> None:
    """Set up the log of a task's process: every line, of structlog and of the standard library, goes to `send`.

    `level` is that of the standard library's loggers; the daemon drops what its own level leaves out.
    """

    def forward(logger: _Logger, method: str, event: MutableMapping[str, Any]) -> Any:  # noqa: ANN401 - never returns
        error = _exception(event.pop("exc_info", None))
        text = plain_text(event.pop("event", ""))
        fields = {plain_text(key): plain_value(value) for key, value in event.items()}
        send("error" if method == "exception" else method, logger.name, text, fields, error)
        raise structlog.DropEvent

    _use(
        [structlog.contextvars.merge_contextvars, structlog.processors.StackInfoRenderer(), forward],
        structlog.make_filtering_bound_logger(logging.NOTSET),
        lambda *names: _Logger(_nowhere, *names),
    )
    _take_others(level)
    _hook()


def _hook() -> None:
    """Log what ends a thread or can be raised nowhere, until the interpreter takes its modules apart."""
    threading.excepthook, sys.unraisablehook = _thread_failed, _unraisable
    atexit.register(setattr, sys, "unraisablehook", sys.__unraisablehook__)


def _nowhere(_line: Line) -> None:
    """No line comes this far."""


def _take_others(level: int) -> logging.Handler:
    """Let the standard library's loggers speak through structlog, from this level on."""
    bridge = _Bridge()
    root = logging.getLogger()
    root.addHandler(bridge)
    root.setLevel(level)
    logging.getLogger("aiosqlite").setLevel(logging.INFO)  # below that it tells of every statement
    logging.captureWarnings(True)  # noqa: FBT003 - the library's signature
    return bridge


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


def _name_job(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the names of the job whose code logs on the line, unless it has some."""
    context = CURRENT.get()
    if context is not None and "job_id" not in event:
        for name, value in context.names().items():
            event.setdefault(name, value)
    return event


def _seal(logger: _Logger, _method: str, event: MutableMapping[str, Any]) -> tuple[tuple[Line], dict[str, Any]]:
    """The last step: a plain copy, since what was logged may change before it is written."""
    size = 0
    sealed: dict[str, Any] = {"logger": logger.name, "event": ""}  # a call without a text has no event
    for name, value in event.items():
        key = "logger_" if name == "logger" else name  # a value of that name does not replace whose line it is
        copy = plain_value(value)
        size += len(copy) if type(copy) is str else 16 if type(copy) is not dict else 2048
        sealed[key] = copy
    return (Line(_NUMBERS.get(event["level"], logging.INFO), sealed, size),), {}


class _Bridge(logging.Handler):
    """Takes what the standard library's loggers say into the same log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it again, through structlog."""
        level = next((one for one in _STANDARD if one <= record.levelno), logging.DEBUG)
        try:
            text = record.getMessage()
        except BaseException as error:  # noqa: BLE001 - a wrong format, or an argument that fails: the caller's slip
            text = f"{plain_text(record.msg)} [not formatted: {plain_text(error)}]"
        more = {"exc_info": record.exc_info} if record.exc_info else {}
        get_logger(plain_text(record.name, 200)).log(level, plain_text(text), **more)


def _exception(said: object) -> BaseException | None:
    """The exception that a line is about, from any `exc_info`: an exception, a triple of `sys.exc_info()`, or true."""
    if isinstance(said, tuple):
        said = said[1] if len(said) > 1 else None
    if issubclass(type(said), BaseException):
        return said  # type: ignore[return-value]
    return sys.exc_info()[1] if said is True or (type(said) is int and said) else None


def _exception_renderer(form: Form) -> structlog.types.Processor:
    """Puts the exception of a line into its fields as this form of the log shows it."""
    as_frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=50)

    def render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if "exc_info" not in event:
            return event
        error = _exception(event.pop("exc_info"))
        if error is None:
            return event
        event["exception"] = _parts(error) if form == "journal" else trace_of(error) or _words(error)
        if form == "json" and type(error) is not RemoteError:
            try:  # without the variables of each frame: there are secrets among them
                event["exception"] = as_frames((type(error), error, error.__traceback__))
            except BaseException:  # noqa: BLE001 - foreign code may raise anything while it is read; the text stays
                return event
        return event

    return render


def _parts(error: BaseException) -> dict[str, str]:
    described = describe(error)
    return {"type": described.type, "message": described.message, "traceback": described.traceback or ""}


def _words(error: BaseException) -> str:
    described = describe(error, with_traceback=False)
    return f"{described.type}: {described.message}"


def _thread_failed(said: threading.ExceptHookArgs) -> None:
    """Log an exception that ended a thread; one that ends itself by SystemExit has nothing to report."""
    if said.exc_value is not None and not issubclass(type(said.exc_value), SystemExit):
        name = said.thread.name if said.thread is not None else ""
        get_logger("launchd.threads").error("thread_failed", thread=name, exc_info=said.exc_value)


def _unraisable(said: "sys.UnraisableHookArgs") -> None:
    """Log an exception that Python could raise nowhere, such as one of a `__del__`."""
    about = plain_text(said.object, 500)
    get_logger("launchd.threads").warning(
        "unraisable_exception", about=about, exc_info=said.exc_value if said.exc_value is not None else None
    )


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
