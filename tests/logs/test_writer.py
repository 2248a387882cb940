"""The log's writer: full queues, failing sinks and blocked pipes cost lines, which are counted, and block nothing."""

import asyncio
import json
import logging
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import structlog

from launchd.admin.client import AdminClient, RefusedError
from launchd.errors import UnreachableError
from launchd.logs.writer import BATCH, Line, LogWriter
from tests.support.hosted_daemon import PATIENCE_SECONDS, QUIET_SCHEDULES
from tests.support.log_lines import Configure, line

# --- floods and blocked pipes ---


class Gate:
    """A sink that writes only while it is open."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.seen: list[dict[str, Any]] = []

    def __call__(self, batch: list[Line]) -> None:
        self.entered.set()
        assert self.open.wait(PATIENCE_SECONDS)
        self.seen += [one.event for one in batch]


def blocked_writer(limit: int = 100, limit_characters: int = 10_000) -> tuple[LogWriter, Gate]:
    """A writer whose thread is blocked in its sink, with an empty queue."""
    gate = Gate()
    writer = LogWriter(gate, limit=limit, limit_characters=limit_characters)
    writer.put(line("held"))
    assert gate.entered.wait(PATIENCE_SECONDS)
    return writer, gate


def test_a_full_queue_drops_minor_lines_first_keeps_room_for_warnings_and_reports_missing_lines() -> None:
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

    writer = LogWriter(sink)
    writer.put(line("lost"))
    while writer.dropped == 0:
        os.sched_yield()
    writer.put(line("kept"))
    assert writer.close(PATIENCE_SECONDS)
    assert sorted(seen) == ["failed", "kept", "log_lines_dropped"]
    assert writer.dropped == 1


def test_closing_gives_up_on_a_blocked_sink_and_later_lines_are_counted() -> None:
    writer, gate = blocked_writer()
    assert not writer.close(0.0)
    writer.put(line("late"))
    assert writer.dropped == 1
    gate.open.set()
    assert writer.close(PATIENCE_SECONDS)


def test_every_line_of_many_threads_is_written_once_or_counted() -> None:
    seen: list[str] = []
    writer = LogWriter(lambda batch: seen.extend(one.event["event"] for one in batch), limit=50)

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


def test_a_blocked_pipe_blocks_no_log_call_and_the_log_goes_on_once_it_is_read(
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


def test_a_non_blocking_stream_loses_no_line(configured: Configure, stream: tuple[int, int]) -> None:
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
