"""`launchd demo`: the product's own daemon and command line against a replay server on loopback, nothing else.

Only `base_url` points the sources to the replay server; sources that it does not play are off.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from launchd.admin.client import AdminClient
from launchd.demo import payloads
from launchd.errors import UnavailableError, UnreachableError
from launchd.launches.sources import SOURCES

_READY_SECONDS = 30.0
_CONFIG = """
[daemon]
log_level = "warning"
[schedules.scrape_launch_data]
run_on_first_start = false
[sources.launch_library]
base_url = "{url}/ll2/"
[sources.gcat]
base_url = "{url}/gcat/"
[sources.wikipedia]
enabled = false
"""


class _Replay(ThreadingHTTPServer):
    """Answers as the sources do; `edition` is that of the payloads."""

    edition = 1
    daemon_threads = True
    born = datetime.now(UTC)

    def body(self, path: str) -> bytes | None:
        """The payload at a path."""
        match path.partition("?")[0]:
            case "/ll2/launches/upcoming/":
                return payloads.upcoming(self.born, self.edition)
            case "/ll2/launches/previous/":
                return payloads.previous()
            case "/gcat/tsv/derived/launchlog.tsv":
                return payloads.launchlog()
        return None


class _Handler(BaseHTTPRequestHandler):
    server: _Replay

    def do_GET(self) -> None:
        body = self.server.body(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_args: object) -> None:
        """Log nothing: the daemon's own log is enough."""


def show(*, as_json: bool = False) -> int:
    """Run the demonstration; returns the exit code. As JSON, standard output holds only the commands' answers."""
    with TemporaryDirectory(prefix="launchd-demo-") as name, _replaying() as replay:
        directory = Path(name)
        config = directory / "launchd.toml"
        others = (f"[sources.{one}]\nenabled = false\n" for one in SOURCES if f"[sources.{one}]" not in _CONFIG)
        config.write_text(_CONFIG.format(url=f"http://127.0.0.1:{replay.server_port}") + "".join(others), "utf-8")
        socket = directory / "admin.sock"
        environ = os.environ | {"STATE_DIRECTORY": name, "RUNTIME_DIRECTORY": name, "LAUNCHD_SOCKET": str(socket)}
        with _daemon(config, environ, AdminClient(socket)) as client:

            def say(title: str, *words: str) -> int:
                click.echo(f"\n{title}\n$ launchd {' '.join(words)}", err=as_json)
                command = [sys.executable, "-m", "launchd", *words, *(["--json"] if as_json else [])]
                return subprocess.run(command, env=environ, check=False).returncode  # noqa: S603 - our own program, fixed words

            codes = [
                say("The first scrape, both sources:", "refresh", "--wait"),
                say("Upcoming launches:", "launches", "--upcoming"),
                say(
                    "Past launches, each once, with the lift-off of GCAT to the second:",
                    "launches",
                    "--past",
                    "--limit",
                    "12",
                ),
            ]
            replay.edition = 2
            codes.append(say("Six hours later one has slipped and one was scrubbed:", "refresh", "--wait"))
            for part in (payloads.SLIPPED, payloads.SCRUBBED):
                (found,) = client.request("GET", "/v1/launches", q=part.partition(" | ")[2])["items"]
                codes.append(say("It is the same launch, with its history:", "launch", found["id"]))
            codes += [say("The state of the sources:", "sources"), say("The health of the daemon:", "health")]
    return max(codes)


@contextmanager
def _replaying() -> Iterator[_Replay]:
    with _Replay(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _daemon(config: Path, environ: dict[str, str], client: AdminClient) -> Iterator[AdminClient]:
    """The real daemon in a process of its own, once it is ready; it is stopped as systemd stops it."""
    process = subprocess.Popen([sys.executable, "-m", "launchd", "run", "--config", str(config)], env=environ)  # noqa: S603 - our own program
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                client.request("GET", "/readyz")
                break
            except UnreachableError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise UnavailableError("the daemon of the demonstration did not start; see its log") from None
                time.sleep(0.05)  # between two checks of /readyz
        yield client
    finally:
        process.terminate()
        process.wait()
