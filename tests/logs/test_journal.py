"""The form of the log, and its lines in the journal: fields for searches, and never a blocked log call."""

import array
import fcntl
import json
import os
import pty
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from launchd.logs import setup as logs
from launchd.values.plain import MAX_TEXT_BYTES
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.log_lines import Configure, broken

# --- the form of lines ---


def test_the_journal_is_chosen_only_where_the_stream_is_the_journals_own(stream: tuple[int, int]) -> None:
    stat = os.fstat(stream[1])
    ours = {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}
    assert logs.choose("auto", stream[1], ours) == "journal"
    assert logs.choose("json", stream[1], ours) == "json"
    assert logs.choose("auto", stream[1], {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino + 1}"}) == "json"
    assert logs.choose("auto", stream[1], {"JOURNAL_STREAM": "nonsense"}) == "json"
    assert logs.choose("auto", stream[1], {}) == "json"


def test_a_terminal_gets_colours() -> None:
    ours, theirs = pty.openpty()
    assert logs.choose("auto", theirs, {}) == "console"
    os.close(ours)
    os.close(theirs)


# --- the journal ---


class Journaled(NamedTuple):
    """A log whose stream is the journal's, and a socket in place of journald at `path`."""

    log: logs.Logs
    listener: socket.socket
    path: Path
    stream: int


@pytest.fixture
def journald(
    configured: Configure, stream: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Journaled]:
    path = tmp_path / "socket"
    stat = os.fstat(stream[1])
    monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(PATIENCE_SECONDS)
        log = configured("debug", "auto", descriptor=stream[1], journal_socket=path)
        yield Journaled(log, listener, path, stream[0])


def received(listener: socket.socket) -> dict[str, str]:
    """The fields of the next entry, from its datagram or from the memfd it carries."""
    data, ancillary, _, _ = listener.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    if ancillary:
        (descriptor,) = array.array("i", ancillary[0][2])
        with os.fdopen(descriptor, "rb") as file:
            assert fcntl.fcntl(file, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
            file.seek(0)
            data = file.read()
    fields = {}
    while data:
        name, _, rest = data.partition(b"\n")
        if b"=" in name:
            key, _, value = name.partition(b"=")
            data = rest
        else:
            (length,) = struct.unpack("<Q", rest[:8])
            key, value, data = name, rest[8 : 8 + length], rest[9 + length :]
        fields[key.decode()] = value.decode()
    return fields


def test_the_journal_gets_the_fields_an_operator_searches_by(journald: Journaled) -> None:
    logger = structlog.get_logger("launchd.task").bind(job_id="0199", task="scrape", queue="scraping", attempt=2)
    logger.error("source failed", schedule="daily", lock="scraping_task_lock", source="gcat", rows=3, note="")
    fields = received(journald.listener)
    assert fields.pop("SYSLOG_PID") == str(os.getpid())
    assert fields.pop("MESSAGE") == (
        "source failed job_id=0199 task=scrape queue=scraping attempt=2 schedule=daily lock=scraping_task_lock "
        "source=gcat rows=3 note=''"
    )
    assert fields == {
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "launchd",
        "LOGGER": "launchd.task",
        "JOB_ID": "0199",
        "TASK": "scrape",
        "QUEUE": "scraping",
        "SCHEDULE": "daily",
        "ATTEMPT": "2",
        "LOCK": "scraping_task_lock",
        "SOURCE": "gcat",
    }


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "7"), ("info", "6"), ("warning", "4"), ("error", "3"), ("critical", "2")]
)
def test_levels_become_the_priorities_of_syslog(journald: Journaled, level: str, priority: str) -> None:
    getattr(structlog.get_logger(), level)("said")
    assert received(journald.listener)["PRIORITY"] == priority


def test_an_exception_reaches_the_journal_with_its_traceback_and_searchable_type(journald: Journaled) -> None:
    try:
        broken("token=abc is wrong\nin two lines")
    except ValueError:
        structlog.get_logger().exception("failed")
    fields = received(journald.listener)
    assert fields["EXCEPTION_TYPE"] == "ValueError"
    assert fields["EXCEPTION_MESSAGE"] == "token=[redacted] is wrong\nin two lines"
    assert fields["MESSAGE"].startswith("failed\nTraceback (most recent call last)")
    assert "token=abc" not in fields["MESSAGE"]


def test_a_line_too_large_for_a_datagram_arrives_whole(journald: Journaled) -> None:
    large = "x" * (MAX_TEXT_BYTES - 1)
    structlog.get_logger().info("large", text=large)
    assert received(journald.listener)["MESSAGE"] == f"large text={large}"


def test_lines_go_to_the_stream_while_the_journal_is_down_and_to_the_journal_again_afterwards(
    journald: Journaled,
) -> None:
    logger = structlog.get_logger()
    away = journald.path.rename(journald.path.with_name("moved"))
    logger.info("while away")
    assert json.loads(os.read(journald.stream, 65536))["event"] == "while away"
    away.rename(journald.path)
    logger.info("again")
    assert received(journald.listener)["MESSAGE"] == "again"


def test_a_journal_that_reads_nothing_blocks_no_log_call(journald: Journaled) -> None:
    logger = structlog.get_logger()
    for number in range(11_000):  # more than the queue and the socket hold together
        logger.info("flood", number=number)
    assert journald.log.dropped > 0
    missing = ""
    while not missing.startswith("log_lines_dropped"):
        missing = received(journald.listener)["MESSAGE"]
    assert missing == f"log_lines_dropped count={journald.log.dropped}"
