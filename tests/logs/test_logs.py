"""The log: JSON lines, exceptions, levels and secrets, for the daemon's loggers and all others."""

import json
import logging
import os
import warnings
from typing import Any

import structlog

from launchd.logger import get_logger
from launchd.logs import setup as logs
from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.log_lines import Configure, broken


def written(log: logs.Logs, read_end: int) -> list[dict[str, Any]]:
    """All lines, after the writer was closed."""
    assert log.close(PATIENCE_SECONDS)
    os.set_blocking(read_end, False)
    return [json.loads(line) for line in os.read(read_end, 1 << 20).decode().splitlines()]


def test_a_line_of_json_has_time_level_logger_and_event(configured: Configure, stream: tuple[int, int]) -> None:
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


def test_values_are_written_as_they_were_when_they_were_logged(configured: Configure, stream: tuple[int, int]) -> None:
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
