"""Gives a test a real daemon process with misbehaving tasks, and reads of its jobs, log lines and children."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon_process import Installation
from tests.support.hosted_daemon import PATIENCE_SECONDS

MODULES = "[queues.default]\nconcurrency = 8\n"


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    found = Installation(tmp_path, MODULES)
    text = found.config.read_text("utf-8").replace('"tests.support.file_tasks"', '"tests.support.misbehaving_tasks"')
    found.config.write_text(text.replace("drain_seconds = 5.0", "drain_seconds = 0.5"), "utf-8")
    return found


def run(place: Installation, name: str, **args: object) -> dict[str, Any]:
    """Run a task; returns its job once it has ended."""
    return waited(place, start(place, name, **args))


def start(place: Installation, name: str, **args: object) -> str:
    return str(place.client.request("POST", f"/v1/tasks/{name}/trigger", body={"args": args})["id"])


def waited(place: Installation, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = place.client.request("GET", f"/v1/jobs/{job_id}", wait=PATIENCE_SECONDS)
    assert job["state"] not in {"queued", "running"}
    return job


def word(path: Path) -> str:
    """The word that a task has written."""
    until(path.exists)
    return path.read_text()


def until(fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """True if a process runs and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def lines(place: Installation, event: str) -> list[dict[str, Any]]:
    log = (place.directory / "daemon.log").read_text("utf-8")
    found = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def answers(place: Installation) -> bool:
    try:
        return bool(place.client.request("GET", "/v1/status"))
    except Exception:  # noqa: BLE001 - not yet
        return False
