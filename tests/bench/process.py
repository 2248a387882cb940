"""The real daemon as a process, and a client of its socket, so that the figures are those of a user's daemon."""

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launchd.admin.client import AdminClient, RefusedError
from launchd.errors import UnreachableError
from tests.support.hosted_daemon import QUIET_SCHEDULES

ROOT = Path(__file__).parents[2]
CONFIG = """
[daemon]
state_directory = "{state}"
log_level = "warning"
[admin]
socket = "{state}/admin.sock"
[tasks]
modules = ["tests.bench.tasks"]
[queues.default]
concurrency = {slots}
{quiet}
{extra}
"""


class Process:
    """A daemon that runs."""

    def __init__(self, popen: subprocess.Popen[bytes], state: Path) -> None:
        self.socket = state / "admin.sock"
        self.client = AdminClient(self.socket)
        self.state = state
        self.ready_seconds = 0.0
        self._popen = popen

    def keeps_asking(self) -> Callable[[str, str, str | None], Any]:
        """A client that keeps its connection: (method, path, body) to the answer's JSON.

        It sends head and body together, as curl does; Python's own sends them one after the other.
        """
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.state / "admin.sock"))

        def ask(method: str, path: str, body: str | None) -> Any:  # noqa: ANN401 - JSON
            sent = body or ""
            head = f"{method} {path} HTTP/1.1\r\nHost: launchd\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(sent)}\r\n\r\n{sent}".encode())
            with http.client.HTTPResponse(connection, method=method) as response:
                response.begin()
                return json.loads(response.read())

        return ask

    def memory_mib(self) -> float:
        """Resident memory of the daemon, which is one process here."""
        text = Path(f"/proc/{self._popen.pid}/status").read_text("ascii")
        return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def cpu_seconds(self) -> float:
        """The CPU seconds of the daemon with all threads: utime and stime of proc(5), stat."""
        fields = Path(f"/proc/{self._popen.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """Send SIGKILL, as a stand-in for a power cut."""
        self._popen.kill()
        self._popen.wait(60)

    def enqueue(self, task: str, count: int, **settings: Any) -> float:  # noqa: ANN401 - fields of a job
        """Make jobs in batches of 1,000; returns the seconds taken."""
        started = time.perf_counter()
        for first in range(0, count, 1000):
            jobs = [{"task": task, **settings}] * min(1000, count - first)
            self.client.request("POST", "/v1/jobs", body={"jobs": jobs})
        return time.perf_counter() - started

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read jobs.db from outside."""
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/jobs.db?mode=ro", uri=True)) as db:
            return db.execute(statement, values).fetchall()

    def until_done(self, first_seq: int, count: int) -> None:
        """Wait until `count` jobs after a row have ended."""
        asked = "SELECT count(*) FROM jobs WHERE seq > ? AND seq <= ? AND finished_at IS NOT NULL"
        while self.rows(asked, first_seq, first_seq + count)[0][0] < count:
            time.sleep(0.25)  # seldom: the rate is taken from the rows, and looking costs the daemon its processor

    def last_seq(self) -> int:
        """The number of the last row."""
        return int(self.rows("SELECT coalesce(max(seq), 0) FROM jobs")[0][0])


@contextmanager
def daemon(state: Path, *options: str, slots: int = 100, extra: str = "") -> Iterator[Process]:
    """A daemon with no schedules but those of `extra`."""
    text = CONFIG.format(state=state, slots=slots, quiet=QUIET_SCHEDULES, extra=extra)
    with started(state, text, *options) as process:
        yield process


@contextmanager
def started(state: Path, text: str, *options: str, log: Path | None = None) -> Iterator[Process]:
    """Start it with this configuration, wait until it is ready, end it by its pid. It logs to a file where named."""
    state.mkdir(parents=True, exist_ok=True)
    config = state / "launchd.toml"
    config.write_text(text)
    command = [sys.executable, "-m", "launchd", "run", "--config", str(config), *options]
    began = time.perf_counter()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("ab") if log else contextlib.nullcontext() as sink:
        popen = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=sink)
    try:
        running = Process(popen, state)
        _until_ready(running, popen)
        running.ready_seconds = time.perf_counter() - began
        yield running
    finally:
        popen.send_signal(signal.SIGTERM)
        popen.wait(60)


def _until_ready(running: Process, popen: subprocess.Popen[bytes]) -> None:
    while True:
        if popen.poll() is not None:
            raise RuntimeError("the daemon did not start")
        with contextlib.suppress(UnreachableError, RefusedError):  # 503 until it takes work
            running.client.request("GET", "/readyz")
            return
        time.sleep(0.01)


def say(what: str, figure: str) -> None:
    """One line of the report."""
    sys.stdout.write(f"{what:<62} {figure}\n")
    sys.stdout.flush()


def peer_lines(text: str) -> list[dict[str, Any]]:
    """The rows that the peers print, one JSON object a line."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
