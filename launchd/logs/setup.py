"""Sets up structured logs: fields in the journal, colours on a terminal, JSON lines elsewhere.

A line is made in the thread that logs (level, time, context, a plain copy of the values) and finished in the writer's
thread (secrets masked, rendered, written), so no log call waits. Lines of the standard library's loggers (aiohttp,
asyncio, warnings, the libraries that tasks use) go the same way, and so do uncaught exceptions of threads.

Every line that task code logs carries the names of its job, through any logger. Logging never raises because of a
value. A task's process makes its lines in the same way and sends them to the daemon (`bridge_to`).
"""

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import structlog

from launchd import logger
from launchd.logger import get_logger
from launchd.logs import journal
from launchd.logs.exceptions import Form, exception_of, exception_renderer
from launchd.logs.joblines import JobLines
from launchd.logs.redact import Redactor
from launchd.logs.stream import as_json, console, stream_sink
from launchd.logs.writer import Line, LogWriter, Sink
from launchd.task import CURRENT
from launchd.values.plain import plain_text, plain_value

Style = Literal["auto", "json", "console"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_NUMBERS = LEVELS | {"critical": logging.CRITICAL}
_STANDARD = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


class Logs:
    """The log of this process, set up by `configure`. `job_lines` keeps the last lines of each job."""

    def __init__(
        self,
        writer: LogWriter,
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
        """The number of lines dropped since the start; it only grows."""
        return self._writer.dropped

    def set_level(self, level: str) -> None:
        """Log lines of this level and above: "debug", "info", "warning" or "error"."""
        self._use(structlog.make_filtering_bound_logger(LEVELS[level]))
        logging.getLogger().setLevel(LEVELS[level])

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask these secrets as well from now on."""
        self._redactor.learn(secrets)

    def forked(self) -> None:
        """In a child of `os.fork()`, which has no writer thread: write each line to the descriptor from now on."""
        atexit.unregister(self.close)
        self.job_lines.forked()
        self._writer.forked(self._in_child)
        if self._journaled is not None:
            self._journaled.close()

    def close(self, seconds: float = 2.0) -> bool:
        """Write the waiting lines, for at most `seconds`; True if all were written."""
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
    """Set up the log of this process; lines go to `descriptor`, or to the journal if that is the journal's stream.

    `level` is as for `Logs.set_level`; `secrets` are masked wherever they appear. Close the returned Logs, or let the
    end of the process do it.
    """
    form = choose(style, descriptor)
    redactor = Redactor(secrets)

    def finish(line: Line) -> Line:
        return line._replace(event=redactor.value(line.event))

    render = console(descriptor) if form == "console" else as_json
    sink = stream_sink(lambda line: render(finish(line).event), descriptor)
    journaled = journal.JournalSink(finish, sink, journal_socket) if form == "journal" else None
    writer = LogWriter(sink) if journaled is None else LogWriter(journaled, ended=journaled.close)
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
        exception_renderer(form),
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
    """Set up the daemon's loggers, and structlog for tasks; a task may set up structlog differently."""
    logger.set_up(structlog.wrap_logger, processors, wrapper_class, make)
    structlog.configure(
        processors=processors, wrapper_class=wrapper_class, logger_factory=make, cache_logger_on_first_use=False
    )


class Send(Protocol):
    """Sends a line to the daemon; `fields` are plain."""

    def __call__(
        self, level: str, logger: str, event: str, fields: dict[str, Any], error: BaseException | None
    ) -> None:
        """Send one line."""


def bridge_to(send: Send, level: int) -> None:
    """Set up the log of a task's process: every line of structlog and of the standard library goes to `send`.

    `level` applies to the standard library's loggers; the daemon drops lines below its own level.
    """

    def forward(logger: _Logger, method: str, event: MutableMapping[str, Any]) -> Any:  # noqa: ANN401 - never returns
        error = exception_of(event.pop("exc_info", None))
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
    """Log uncaught exceptions of threads and unraisable ones, until the interpreter shuts down."""
    threading.excepthook, sys.unraisablehook = _thread_failed, _unraisable
    atexit.register(setattr, sys, "unraisablehook", sys.__unraisablehook__)


def _nowhere(_line: Line) -> None:
    """Never called: `forward` raises DropEvent before."""


def _take_others(level: int) -> logging.Handler:
    """Pass records of the standard library's loggers to structlog, from this level on."""
    bridge = _Bridge()
    root = logging.getLogger()
    root.addHandler(bridge)
    root.setLevel(level)
    logging.getLogger("aiosqlite").setLevel(logging.INFO)  # at debug it logs every statement
    logging.captureWarnings(True)  # noqa: FBT003 - the library's signature
    return bridge


def choose(style: Style, descriptor: int, environ: Mapping[str, str] = os.environ) -> Form:
    """The form of lines: `style` unless it is "auto"; then "journal", "console" on a terminal, else "json"."""
    if style != "auto":
        return style
    if journal.is_journal(descriptor, environ):
        return "journal"
    return "console" if os.isatty(descriptor) else "json"


# --- in the thread that logs ---


class _Logger:
    """The last step of structlog: passes a line to the writer. `name` is the argument of get_logger()."""

    def __init__(self, put: Callable[[Line], None], name: str = "launchd") -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = self.msg = put


def _name_job(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the names of the current job to the line, unless it has a `job_id`."""
    context = CURRENT.get()
    if context is not None and "job_id" not in event:
        for name, value in context.names().items():
            event.setdefault(name, value)
    return event


def _seal(logger: _Logger, _method: str, event: MutableMapping[str, Any]) -> tuple[tuple[Line], dict[str, Any]]:
    """Make a plain copy of the values, since they may change before the line is written."""
    size = 0
    sealed: dict[str, Any] = {"logger": logger.name, "event": ""}  # a call without a text has no event
    for name, value in event.items():
        key = "logger_" if name == "logger" else name  # a value of that name must not replace the logger's name
        copy = plain_value(value)
        size += len(copy) if type(copy) is str else 16 if type(copy) is not dict else 2048
        sealed[key] = copy
    return (Line(_NUMBERS.get(event["level"], logging.INFO), sealed, size),), {}


class _Bridge(logging.Handler):
    """Passes records of the standard library's loggers to the same log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record through structlog."""
        level = next((one for one in _STANDARD if one <= record.levelno), logging.DEBUG)
        try:
            text = record.getMessage()
        except BaseException as error:  # noqa: BLE001 - a wrong format, or an argument whose str() raises
            text = f"{plain_text(record.msg)} [not formatted: {plain_text(error)}]"
        more = {"exc_info": record.exc_info} if record.exc_info else {}
        get_logger(plain_text(record.name, 200)).log(level, plain_text(text), **more)


def _thread_failed(said: threading.ExceptHookArgs) -> None:
    """Log an exception that ended a thread, except SystemExit."""
    if said.exc_value is not None and not issubclass(type(said.exc_value), SystemExit):
        name = said.thread.name if said.thread is not None else ""
        get_logger("launchd.threads").error("thread_failed", thread=name, exc_info=said.exc_value)


def _unraisable(said: "sys.UnraisableHookArgs") -> None:
    """Log an exception that Python could not raise, such as one in a `__del__`."""
    about = plain_text(said.object, 500)
    get_logger("launchd.threads").warning(
        "unraisable_exception", about=about, exc_info=said.exc_value if said.exc_value is not None else None
    )
