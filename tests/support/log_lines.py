"""Gives a test the log, set up and undone afterwards, and lines for it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from launchd.logs import setup as logs
from launchd.logs.writer import Line

Configure = Callable[..., logs.Logs]


@pytest.fixture
def configured() -> Iterator[Configure]:
    """`logs.configure`; its changes are undone at the end."""
    made: list[logs.Logs] = []
    before = logging.getLogger().level

    def configure(*words: Any, **more: Any) -> logs.Logs:  # noqa: ANN401 - passed on
        made.append(logs.configure(*words, **more))
        return made[-1]

    yield configure
    for one in made:
        one.close()
    logging.captureWarnings(False)
    logging.getLogger().setLevel(before)
    structlog.reset_defaults()


def broken(message: str) -> None:
    """Raise an error whose traceback has this function."""
    raise ValueError(message)


def line(text: str, level: int = logging.INFO) -> Line:
    """A line with this event."""
    return Line(level, {"event": text}, len(text))
