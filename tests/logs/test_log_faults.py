"""The log with a failing sink, and with values that contain control characters."""

import errno
import os
import resource
import threading
from pathlib import Path
from typing import Any

import pytest
import structlog

from launchd.cli.job import print_log
from launchd.cli.output import columns, print_table
from launchd.logs.stream import stream_sink
from launchd.logs.writer import Line, LogWriter
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.log_lines import Configure, broken, line

# --- a sink that does not recover ---


def test_a_sink_that_keeps_failing_is_tried_with_growing_pauses_until_the_end() -> None:
    attempts = threading.Semaphore(0)

    def sink(_batch: list[Line]) -> None:
        attempts.release()
        raise OSError(errno.ENOSPC, "no space")

    writer = LogWriter(sink, pauses=(3600, 3600))
    writer.put(line("first"))
    assert attempts.acquire(timeout=PATIENCE_SECONDS)
    for number in range(1000):
        writer.put(line(f"later {number}"))
    assert not attempts.acquire(blocking=False)  # nobody has tried again
    assert writer.close(PATIENCE_SECONDS)  # the end does not wait for the pause
    assert writer.dropped == 1001


def test_lines_that_were_lost_are_counted_once_it_works_again() -> None:
    seen: list[dict[str, Any]] = []
    failures = iter([True] * 4)
    told = threading.Event()

    def sink(batch: list[Line]) -> None:
        if next(failures, False):
            raise OSError(errno.EIO, "the terminal is closed")
        seen.extend(one.event for one in batch)
        told.set()

    writer = LogWriter(sink, pauses=(0.001, 0.001))
    writer.put(line("lost"))
    assert told.wait(PATIENCE_SECONDS)  # without another line
    assert writer.close(PATIENCE_SECONDS)
    assert [(one["event"], one.get("count")) for one in seen] == [("log_lines_dropped", 1)]
    assert writer.dropped == 1


def test_a_line_that_a_full_disk_has_torn_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write = stream_sink(lambda one: str(one.event["event"]), descriptor)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3, before[1]))  # room for three bytes
    try:
        with pytest.raises(OSError, match="File too large"):
            write([line("torn line")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    write([line("whole")])
    os.close(descriptor)
    assert path.read_text() == "tor\nwhole\n"


HOSTILE = "a\nb\r\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.exe\x7f\t\x00\u2028"


def test_no_value_can_move_the_terminal_or_look_like_a_line_of_its_own(configured: Configure, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        log = configured("info", "console", descriptor=file.fileno())
        logger = structlog.get_logger("x").bind(**{"na\nme": "1"})
        logger.info(HOSTILE, value=HOSTILE, nested=[HOSTILE], table={HOSTILE: HOSTILE}, path=Path(HOSTILE))
        log.close(PATIENCE_SECONDS)
        text = (tmp_path / "log").read_text("utf-8")
    assert text.count("\n") == 1
    assert not [one for one in text[:-1] if not one.isprintable()]
    assert "\\x1b[2J" in text
    assert "\\u202e" in text


def test_a_traceback_keeps_its_lines_and_loses_its_escapes(configured: Configure, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        log = configured("info", "console", descriptor=file.fileno())
        try:
            broken(HOSTILE)
        except ValueError:
            structlog.get_logger("x").exception("failed")
        log.close(PATIENCE_SECONDS)
        text = (tmp_path / "log").read_text("utf-8")
    assert "Traceback (most recent call last):\n" in text
    assert not [one for one in text if not one.isprintable() and one not in "\n\t"]


def test_no_value_of_a_jobs_log_or_a_table_can_move_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"value": HOSTILE, HOSTILE: [HOSTILE], "exception": f"Traceback\n{HOSTILE}", "table": {HOSTILE: HOSTILE}}
    print_log({"missing": 0, "items": [{"at": "now", "level": "info", "event": HOSTILE, "fields": fields}]})
    print_table([{"a": HOSTILE, "reason": HOSTILE, "error": [HOSTILE]}], columns("a", "reason", "error"))
    text = capsys.readouterr().out
    assert not [one for one in text if not one.isprintable() and one not in "\n\t"]
    assert text.count("\n") == 1 + 3 + 2  # the line, the traceback, heading and row
