"""The real daemon that odd endings run on, as a process with a log of its own; a new one after each death."""

import os
import resource
import signal
import socket
import subprocess
from pathlib import Path
from typing import IO, Any

import msgspec

from launchd.admin.client import AdminClient, RefusedError
from launchd.errors import UnreachableError
from tests.support.daemon_process import command
from tests.support.hosted_daemon import PATIENCE_SECONDS, QUIET_SCHEDULES, only_these_sources
from tests.support.paths import ROOT

_CONFIG = """
[daemon]
state_directory = "{directory}/state"
drain_seconds = 1.0
cancel_seconds = 1.0
minimum_free_mib = 0
log_level = "info"
[admin]
socket = "{directory}/admin.sock"
[tasks]
modules = {modules}
[queues.odd]
concurrency = 16
[queues.odd_process]
concurrency = 3
[schedules.quiet]
task = "{scheduled}"
cron = "0 0 1 1 *"
"""
# An odd value that fills the memory ends the daemon, not the machine.
_MEMORY_BYTES = 6 << 30
LISTS = (
    "/v1/jobs?limit=1000", "/v1/jobs?limit=1000&brief=true", "/v1/tasks", "/v1/schedules", "/v1/queues", "/v1/locks",
    "/v1/status", "/v1/stats", "/v1/stats/series", "/v1/stats/timeline", "/v1/audit", "/v1/alerts", "/v1/config",
)  # fmt: skip


class RealDaemon:
    """One state directory, and the daemon on it."""

    def __init__(
        self,
        directory: Path,
        modules: tuple[str, ...] = ("tests.fuzz.tasks",),
        *,
        scheduled: str = "calm_coroutine",
        extra: str = "",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.log = directory / "daemon.log"
        self.client = AdminClient(directory / "admin.sock", PATIENCE_SECONDS)
        named = "[" + ", ".join(f'"{module}"' for module in modules) + "]"
        text = _CONFIG.format(directory=directory, modules=named, scheduled=scheduled)
        config = directory / "launchd.toml"
        config.write_text(only_these_sources(text + QUIET_SCHEDULES + extra), "utf-8")
        mine = ("LAUNCHD_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_", "LISTEN_", "XDG_", "JOURNAL_")
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        self._environ |= {"PYTHONPATH": str(ROOT), "LAUNCHD_CONFIG": str(config)}
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0  # how much of the log was looked at

    # --- its life ---

    def start(self) -> None:
        """Start it and wait until it is ready."""
        address = self.directory / "notify.sock"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard, self.log.open("ab") as log:
            heard.bind(str(address))
            heard.settimeout(PATIENCE_SECONDS)
            self._process = subprocess.Popen(
                command("run"),
                env=self._environ | {"NOTIFY_SOCKET": str(address)},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_limit_memory,  # noqa: PLW1509 - nothing else runs in this process yet
            )
            while b"READY=1" not in heard.recv(4096):
                pass

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code of a daemon that has ended."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> int:
        """Stop it as systemd would; returns its exit code, or -9 if it had to be killed."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    # --- what it says ---

    def ask(self, method: str, path: str, *, body: object = None, accept: tuple[int, ...] = ()) -> Any:  # noqa: ANN401 - JSON
        """The answer's JSON; raises RefusedError and UnreachableError."""
        return self.client.request(method, path, body=body, accept=accept)

    def status_of(self, path: str) -> str | None:
        """None for an answer of 200, else a sentence."""
        try:
            self.ask("GET", path)
        except RefusedError as error:
            return f"GET {path} answers {error.status}: {error.detail[:300]}"
        except UnreachableError as error:
            return f"GET {path}: {error.detail[:300]}"
        except ValueError as error:
            return f"GET {path}: the answer cannot be read: {error!r:.300}"
        return None

    def jobs(self, state: str | None = None) -> list[dict[str, Any]]:
        """All jobs, in brief."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.client.request("GET", "/v1/jobs", limit=1000, brief="true", state=state, cursor=cursor)
            found += page["items"]
            if (cursor := page["next"]) is None:
                return found

    def lines(self) -> list[dict[str, Any] | str]:
        """The log since the last call: records, and lines that are not JSON as text."""
        with self.log.open("rb") as file:
            whole = _whole_lines(file, self._read)
        self._read += len(whole)
        return [_decoded(line) for line in whole.decode("utf-8", "replace").split("\n") if line]


def _whole_lines(file: IO[bytes], start: int) -> bytes:
    file.seek(start)
    data = file.read()
    return data[: data.rfind(b"\n") + 1]


def _decoded(line: str) -> dict[str, Any] | str:
    try:
        record = msgspec.json.decode(line)
    except msgspec.MsgspecError:
        return line
    return record if isinstance(record, dict) else line


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
