"""The log: fields for the journal, JSON elsewhere, no secrets, and nobody ever waits for it."""

import array
import asyncio
import fcntl
import json
import logging
import os
import pty
import select
import signal
import socket
import struct
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import structlog

from launchd.admin.client import AdminClient, RefusedError
from launchd.errors import UnreachableError
from launchd.logger import get_logger
from launchd.logs import setup as logs
from launchd.logs.writer import BATCH, Line, Writer
from launchd.values.plain import MAX_TEXT_BYTES
from tests.support.hosted_daemon import PATIENCE_SECONDS, QUIET_SCHEDULES
from tests.support.log_lines import Configure, broken, line


@pytest.fixture
def stream() -> Iterator[tuple[int, int]]:
    """A real pipe: (read end, write end)."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def written(log: logs.Logs, read_end: int) -> list[dict[str, Any]]:
    """All lines, once the writer has written them."""
    assert log.close(PATIENCE_SECONDS)
    os.set_blocking(read_end, False)
    return [json.loads(line) for line in os.read(read_end, 1 << 20).decode().splitlines()]


def test_a_line_of_json_says_when_how_grave_who_and_what(configured: Configure, stream: tuple[int, int]) -> None:
    log = configured("info", "json", descriptor=stream[1])
    structlog.get_logger("launchd.pool").warning("job_skipped", job_id="0199", attempt=2, sources=("gcat",))
    (line,) = written(log, stream[0])
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "launchd.pool",
        "event": "job_skipped",
        "job_id": "0199",
        "attempt": 2,
        "sources": ["gcat"],
    }


def test_an_exception_is_structured_and_shows_no_variables(configured: Configure, stream: tuple[int, int]) -> None:
    log = configured("info", "json", descriptor=stream[1])
    hidden = "local-" + "variable"
    try:
        broken("https://me:pw-of-mine@example.org refused")
    except ValueError:
        structlog.get_logger().exception("failed", length=len(hidden))
    (line,) = written(log, stream[0])
    (exception,) = line["exception"]
    assert exception["exc_type"] == "ValueError"
    assert exception["frames"][-1]["name"] == "broken"
    assert "local-variable" not in json.dumps(line)
    assert "pw-of-mine" not in json.dumps(line)


def test_known_secrets_and_values_named_like_secrets_are_masked(configured: Configure, stream: tuple[int, int]) -> None:
    log = configured("info", "json", descriptor=stream[1], secrets=["the-very-token"])
    structlog.get_logger().info("asked with the-very-token", password="x", nested={"api_key": "y"})
    (line,) = written(log, stream[0])
    assert (line["event"], line["password"]) == ("asked with [redacted]", "[redacted]")
    assert line["nested"] == {"api_key": "[redacted]"}


def test_the_standard_librarys_loggers_and_warnings_go_the_same_way(
    configured: Configure, stream: tuple[int, int]
) -> None:
    log = configured("info", "json", descriptor=stream[1])
    with structlog.contextvars.bound_contextvars(job_id="0199"):
        logging.getLogger("aiohttp.server").error("Error handling %s", "request", exc_info=OSError("gone"))
    logging.getLogger("asyncio").debug("not shown")
    logging.getLogger("odd").log(35, "100 %")
    (bridge,) = [one for one in logging.getLogger().handlers if isinstance(one, logs._Bridge)]
    bridge.handle(logging.LogRecord("odd", logging.ERROR, "", 0, "%d", ("not a number",), None))  # pytest's would raise
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old way", stacklevel=1)
    first, second, third, fourth = written(log, stream[0])
    assert (first["logger"], first["level"], first["event"]) == ("aiohttp.server", "error", "Error handling request")
    assert (first["exception"][0]["exc_type"], first["job_id"]) == ("OSError", "0199")
    assert (second["level"], second["event"]) == ("warning", "100 %")
    assert "not formatted" in third["event"]
    assert (fourth["logger"], "old way" in fourth["event"]) == ("py.warnings", True)


def test_what_was_logged_is_what_is_written_even_if_it_changes_meanwhile(
    configured: Configure, stream: tuple[int, int]
) -> None:
    log = configured("info", "json", descriptor=stream[1])
    counts = {"parsed": 1}
    structlog.get_logger().info("counted", counts=counts)
    counts["parsed"] = 2
    (line,) = written(log, stream[0])
    assert line["counts"] == {"parsed": 1}


def test_a_value_that_cannot_be_shown_spoils_no_line(configured: Configure, stream: tuple[int, int]) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    log = configured("info", "json", descriptor=stream[1])
    loop: list[Any] = []
    loop.append(loop)
    structlog.get_logger().info("odd", broken=Broken(), loop=loop, huge=2**70, lone="\ud800")
    (line,) = written(log, stream[0])
    assert line["broken"] == "<Broken: its text cannot be read: RuntimeError>"
    assert line["huge"] == str(2**70)
    assert line["lone"] == "?"


def test_the_level_changes_while_the_daemon_runs(configured: Configure, stream: tuple[int, int]) -> None:
    log = configured("warning", "json", descriptor=stream[1])
    logger = structlog.get_logger()
    logger.info("not shown")
    log.set_level("debug")
    logger.debug("shown")
    logging.getLogger("asyncio").debug("shown as well")
    assert [line["event"] for line in written(log, stream[0])] == ["shown", "shown as well"]


# --- which form ---


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
    """A log whose stream is the journal's, and what listens in journald's place at `path`."""

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


def test_lines_go_to_the_stream_while_the_journal_is_away_and_back_when_it_returns(journald: Journaled) -> None:
    logger = structlog.get_logger()
    away = journald.path.rename(journald.path.with_name("moved"))
    logger.info("while away")
    assert json.loads(os.read(journald.stream, 65536))["event"] == "while away"
    away.rename(journald.path)
    logger.info("again")
    assert received(journald.listener)["MESSAGE"] == "again"


def test_a_journal_that_reads_nothing_blocks_nobody_who_logs(journald: Journaled) -> None:
    logger = structlog.get_logger()
    for number in range(11_000):  # more than the queue and the socket hold together
        logger.info("flood", number=number)
    assert journald.log.dropped > 0
    missing = ""
    while not missing.startswith("log_lines_dropped"):
        missing = received(journald.listener)["MESSAGE"]
    assert missing == f"log_lines_dropped count={journald.log.dropped}"


# --- floods and blocked pipes ---


class Gate:
    """A sink that writes only when it is let."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.seen: list[dict[str, Any]] = []

    def __call__(self, batch: list[Line]) -> None:
        self.entered.set()
        assert self.open.wait(PATIENCE_SECONDS)
        self.seen += [one.event for one in batch]


def blocked_writer(limit: int = 100, limit_characters: int = 10_000) -> tuple[Writer, Gate]:
    """A writer whose thread is held in its sink, its queue empty."""
    gate = Gate()
    writer = Writer(gate, limit=limit, limit_characters=limit_characters)
    writer.put(line("held"))
    assert gate.entered.wait(PATIENCE_SECONDS)
    return writer, gate


def test_a_full_queue_drops_chatter_first_keeps_room_for_warnings_and_says_what_is_missing() -> None:
    writer, gate = blocked_writer(limit=10)
    for number in range(15):
        writer.put(line(f"chatter {number}"))
    for number in range(3):
        writer.put(line(f"warning {number}", logging.WARNING))
    assert writer.dropped == 5 + 2
    gate.open.set()
    assert writer.close(PATIENCE_SECONDS)
    events = [one["event"] for one in gate.seen]
    kept = [f"chatter {number}" for number in range(10)]
    assert events == ["held", *kept, "warning 0", "log_lines_dropped"]
    assert gate.seen[-1]["count"] == 7


def test_large_lines_fill_the_queue_by_their_size() -> None:
    writer, gate = blocked_writer(limit_characters=1000)
    for _ in range(5):
        writer.put(line("x" * 400))
    assert writer.dropped == 3
    gate.open.set()
    writer.close(PATIENCE_SECONDS)


def test_a_sink_that_fails_loses_its_lines_counted_and_is_tried_again() -> None:
    seen: list[str] = []

    def sink(batch: list[Line]) -> None:
        if not seen:
            seen.append("failed")
            raise OSError
        seen.extend(str(one.event["event"]) for one in batch)

    writer = Writer(sink)
    writer.put(line("lost"))
    while writer.dropped == 0:
        os.sched_yield()
    writer.put(line("kept"))
    assert writer.close(PATIENCE_SECONDS)
    assert sorted(seen) == ["failed", "kept", "log_lines_dropped"]
    assert writer.dropped == 1


def test_closing_gives_up_on_a_blocked_sink_and_what_comes_later_is_counted() -> None:
    writer, gate = blocked_writer()
    assert not writer.close(0.0)
    writer.put(line("late"))
    assert writer.dropped == 1
    gate.open.set()
    assert writer.close(PATIENCE_SECONDS)


def test_every_line_of_many_threads_is_written_once_or_counted() -> None:
    seen: list[str] = []
    writer = Writer(lambda batch: seen.extend(one.event["event"] for one in batch), limit=50)

    def talk(name: str) -> None:
        for number in range(2000):
            writer.put(line(f"{name}:{number}"))

    threads = [threading.Thread(target=talk, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close(PATIENCE_SECONDS)
    told = [one for one in seen if one != "log_lines_dropped"]
    assert len(told) == len(set(told)) == 8000 - writer.dropped


def test_a_blocked_pipe_blocks_nobody_who_logs_and_the_log_goes_on_once_it_is_read(
    configured: Configure, stream: tuple[int, int]
) -> None:
    log = configured("info", "json", descriptor=stream[1])
    logger = structlog.get_logger()
    for number in range(12_000):  # more than the queue (10,000), a batch and the pipe (64 KiB) hold together
        logger.info("flood", number=number)
    assert log.dropped >= 12_000 - 10_000 - BATCH - 65536 // 100
    text = bytearray()
    while b"log_lines_dropped" not in text:
        text += os.read(stream[0], 65536)
    logger.info("after")
    while b'"after"' not in text:
        text += os.read(stream[0], 65536)
    lines = [json.loads(one) for one in text.decode().splitlines()]
    missing = sum(one["count"] for one in lines if one["event"] == "log_lines_dropped")
    assert missing == log.dropped
    assert sum(one["event"] == "flood" for one in lines) == 12_000 - missing


def test_a_stream_that_somebody_made_non_blocking_loses_no_line(configured: Configure, stream: tuple[int, int]) -> None:
    os.set_blocking(stream[1], False)
    log = configured("info", "json", descriptor=stream[1])
    for number in range(3000):
        structlog.get_logger().info("many", number=number)
    text = bytearray()
    while text.count(b"\n") < 3000:
        assert select.select([stream[0]], [], [], PATIENCE_SECONDS)[0]
        text += os.read(stream[0], 65536)
    assert [json.loads(one)["number"] for one in text.splitlines()] == list(range(3000))
    assert log.dropped == 0


TALKATIVE = """
from launchd import Context, task

@task
async def talk(ctx: Context) -> None:
    for number in range(3000):
        ctx.log.info("talking", number=number, text="x" * 1000)
"""


async def test_a_daemon_whose_standard_error_nobody_reads_works_and_stops_in_good_order(tmp_path: Path) -> None:
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    config = tmp_path / "launchd.toml"
    where = f'[daemon]\nstate_directory = "{tmp_path}"\n[admin]\nsocket = "{tmp_path}/admin.sock"\n'
    config.write_text(f'{where}[tasks]\nmodules = ["talkative"]\n{QUIET_SCHEDULES}')
    unread, stderr = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "launchd", "run", "--config", str(config), stderr=stderr
    )
    os.close(stderr)
    client = AdminClient(tmp_path / "admin.sock")
    try:
        await asyncio.to_thread(until_ready, client)
        for _ in range(4):
            job = await asyncio.to_thread(client.request, "POST", "/v1/tasks/talk/trigger", body={})
            ended = await asyncio.to_thread(client.request, "GET", f"/v1/jobs/{job['id']}", wait=PATIENCE_SECONDS)
            assert ended["state"] == "succeeded"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(unread)


def until_ready(client: AdminClient) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            client.request("GET", "/readyz")
        except (UnreachableError, RefusedError):  # 503 until it takes work
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two looks
        else:
            return


def test_a_task_that_sets_up_structlog_changes_nothing_of_the_daemon_s_own_log(
    configured: Configure, stream: tuple[int, int]
) -> None:
    log = configured("info", "json", descriptor=stream[1], secrets=["hunter2-hunter2"])
    structlog.configure(processors=[lambda *_: 1 // 0])  # type: ignore[list-item]
    get_logger("launchd.pool").bind(queue="default").info("still masked", text="hunter2-hunter2")
    get_logger("launchd.pool").debug("below the level")
    log.set_level("debug")
    get_logger("launchd.pool").debug("at the level")
    lines = written(log, stream[0])
    assert [line["event"] for line in lines] == ["still masked", "at the level"]
    assert (lines[0]["text"], lines[0]["queue"]) == ("[redacted]", "default")
