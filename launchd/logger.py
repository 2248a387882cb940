"""The daemon's own loggers, which keep their set-up even if task code changes structlog's global one.

Many projects call `structlog.configure` when they are imported. With ordinary loggers, a module of tasks could remove
the masking of secrets and the journal's fields, or make each log call of the daemon raise. Before `set_up`, and after
`tear_down`, they are structlog's ordinary loggers, so that tests can capture their lines.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class _SetUp(NamedTuple):
    """structlog's `wrap_logger`, the processors, the class that filters by level, and the maker of the final logger.

    `wrap` is kept here so that a log call imports nothing: while the interpreter shuts down, imports fail.
    """

    wrap: Callable[..., Any]
    processors: Sequence[Any]
    wrapper_class: type[Any]
    make: Callable[[str], Any]


_set_up: _SetUp | None = None


def set_up(
    wrap: Callable[..., Any], processors: Sequence[Any], wrapper_class: type[Any], make: Callable[[str], Any]
) -> None:
    """Set up the daemon's loggers from now on, in every thread."""
    global _set_up  # noqa: PLW0603 - there is one log of a process
    _set_up = _SetUp(wrap, processors, wrapper_class, make)


def tear_down() -> None:
    """Make the daemon's loggers structlog's ordinary ones again."""
    global _set_up  # noqa: PLW0603 - as above
    _set_up = None


class Logger:
    """A named logger with bound values; its methods are those of structlog's bound loggers."""

    __slots__ = ("_bound", "_name")

    def __init__(self, name: str, bound: dict[str, Any] | None = None) -> None:
        self._name = name
        self._bound = bound or {}

    def bind(self, **values: Any) -> "Logger":  # noqa: ANN401 - anything can be logged
        """The same logger with these values on each line."""
        return Logger(self._name, self._bound | values)

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - structlog's bound loggers have no common static type
        return getattr(self._logger(), method)

    def _logger(self) -> Any:  # noqa: ANN401 - as above
        now = _set_up
        if now is None:
            import structlog  # noqa: PLC0415 - the command line never logs, and starts faster without it

            return structlog.get_logger(self._name, **self._bound)
        return now.wrap(
            now.make(self._name),
            processors=now.processors,
            wrapper_class=now.wrapper_class,
            context_class=dict,
            cache_logger_on_first_use=False,
            **self._bound,
        )


def get_logger(name: str) -> Logger:
    """The logger of a name such as `launchd.pool`."""
    return Logger(name)
