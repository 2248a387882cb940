"""The log as lines of a stream: JSON or a terminal's colours, written by the writer's thread."""

import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from launchd.logs.writer import Line, Sink
from launchd.values.text import one_line, visible

# Values that have lines of their own.
_LINES = frozenset({"exception", "stack"})
_NEWLINE = ord("\n")
# The least time between two attempts to write to a descriptor that has no room.
_BREATH_SECONDS = 0.005
_FIRST = ("timestamp", "level", "logger", "event")


def as_json(event: dict[str, Any]) -> str:
    """One line of JSON; timestamp, level, logger and event come first."""
    ordered = {key: event[key] for key in _FIRST if key in event} | event
    try:
        return msgspec.json.encode(ordered).decode()
    except (UnicodeEncodeError, msgspec.MsgspecError, TypeError):  # lone surrogates, numbers beyond 64 bits
        return json.dumps(ordered, default=str)


def console(descriptor: int) -> Callable[[dict[str, Any]], str]:
    """A renderer of lines for people, in colours if the descriptor is a terminal; control characters are escaped."""
    renderer = structlog.dev.ConsoleRenderer(colors=os.isatty(descriptor))
    return lambda event: str(renderer(None, "", {one_line(key): _shown(key, event[key]) for key in event}))


def _shown(key: str, value: object) -> object:
    """A value with its control characters escaped; a traceback keeps its lines."""
    if key in _LINES:
        return visible(value) if isinstance(value, str) else value
    # the renderer shows containers by repr(), which escapes
    return one_line(value) if isinstance(value, str) else value


def stream_sink(render: Callable[[Line], str], descriptor: int = 2) -> Sink:
    """A sink that writes each batch of lines to a descriptor in one write; it blocks while there is no room."""
    torn = False  # True if the last write ended within a line

    def write(batch: list[Line]) -> None:
        nonlocal torn
        text = "".join(f"{render(line)}\n" for line in batch)
        data = memoryview((f"\n{text}" if torn else text).encode("utf-8", "backslashreplace"))
        while data:
            try:
                written = os.write(descriptor, data)
            except BlockingIOError:  # another program made it non-blocking: wait here, in the writer's own thread
                _until_writable(descriptor)
            else:
                torn = data[written - 1] != _NEWLINE
                data = data[written:]

    return write


def _until_writable(descriptor: int) -> None:
    """Wait until there is room, and at least _BREATH_SECONDS, since some descriptors report room without having it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
    time.sleep(_BREATH_SECONDS)
