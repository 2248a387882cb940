"""Gives a test the real daemon as a process, and its command line as a user types it.

The process is ready once it sends READY=1 to NOTIFY_SOCKET, as to systemd, and it is ended by its pid.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launchd.admin.client import AdminClient
from tests.support.hosted_daemon import PATIENCE_SECONDS, QUIET_SCHEDULES, only_these_sources
from tests.support.paths import ROOT

_CONFIG = """
[daemon]
state_directory = "{directory}/state"
drain_seconds = 5.0
cancel_seconds = 2.0
minimum_free_mib = 0
[admin]
socket = "{directory}/admin.sock"
{admin}
[tasks]
modules = ["tests.support.file_tasks"]
"""


class Installation:
    """A directory with a configuration, and the daemon that runs on it; `admin` is TOML for the table `[admin]`."""

    def __init__(self, directory: Path, extra: str, *, admin: str = "") -> None:
        self.directory = directory
        self.state = directory / "state"
        self.socket = directory / "admin.sock"
        self.config = directory / "launchd.toml"
        text = _CONFIG.format(directory=directory, admin=admin) + QUIET_SCHEDULES + extra
        self.config.write_text(only_these_sources(text), "utf-8")
        words = {
            "PYTHONPATH": str(ROOT),
            "LAUNCHD_CONFIG": str(self.config),
            "COLUMNS": "200",
            "TERM": "xterm-256color",
        }
        mine = ("LAUNCHD_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_", "LISTEN_", "XDG_")
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(mine)} | words
        self.client = AdminClient(self.socket, PATIENCE_SECONDS)

    def launchd(self, *words: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command, which must exit with `code`; returns it with its output."""
        done = subprocess.run(
            command(*words),
            env=self.environ | environ,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"launchd {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
        """The JSON that a command prints with --json; a command that succeeds must print no errors."""
        done = self.launchd(*words, "--json", code=code)
        assert code != 0 or done.stderr == "", done.stderr
        return json.loads(done.stdout)

    def text(self, *words: str, code: int = 0) -> str:
        """The standard output of a command."""
        return self.launchd(*words, code=code).stdout

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """A daemon on this installation, ready; stopped as systemd would stop it."""
        address = self.directory / "notify.sock"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(str(address))
            heard.settimeout(PATIENCE_SECONDS)
            log = (self.directory / "daemon.log").open("ab")
            environ = self.environ | {"NOTIFY_SOCKET": str(address)}
            process = subprocess.Popen(command("run"), env=environ, cwd=ROOT, stdout=log, stderr=log)
            log.close()
            try:
                self._until_ready(heard, process)
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_SECONDS)

    def _until_ready(self, heard: socket.socket, process: subprocess.Popen[bytes]) -> None:
        try:
            while b"READY=1" not in heard.recv(4096):
                pass
        except TimeoutError:
            log = (self.directory / "daemon.log").read_text("utf-8")
            raise AssertionError(f"the daemon (exit {process.poll()}) is not ready\n{log}") from None


def command(*words: str) -> list[str]:
    """The command line that runs launchd with these words."""
    return [sys.executable, "-m", "launchd", *words]
