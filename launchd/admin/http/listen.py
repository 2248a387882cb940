"""The sockets that the admin API listens on: a Unix socket, and loopback TCP if it is configured."""

import ipaddress
import os
import secrets
import socket
import stat
from pathlib import Path
from typing import NamedTuple

from launchd.config import CREDENTIAL, MAX_SOCKET_PATH, open_secret, secret_in, secret_path
from launchd.errors import AlreadyRunningError, ConfigError
from launchd.system.ownership import make_directory

BACKLOG = 128
MIN_TOKEN = 32
_HTTP_PORT = 80
# How long the start waits for a program that listens on the path of the socket already.
PROBE_SECONDS = 2.0


class Address(NamedTuple):
    """A loopback address; port 0 takes any free port."""

    host: str
    port: int


def parse_address(text: str) -> Address:
    """The address in "127.0.0.1:8470", "[::1]:8470" or "localhost:8470"; raises ConfigError for any other host."""
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ConfigError(f"admin.tcp: expected a loopback address such as 127.0.0.1:8470, got {text!r}")
    return Address(host, int(port))


def listen_unix(path: Path, mode: int) -> socket.socket:
    """Bind the socket, and replace one that was left behind; raises ConfigError or AlreadyRunningError."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ConfigError(f"admin.socket: {path} is longer than the {MAX_SOCKET_PATH} bytes a Unix socket may have")
    try:
        os.close(make_directory(path.parent, 0o750))
        if path.exists():
            _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o777 & ~mode)  # the mode holds from the first moment
        try:
            listener.bind(str(path))
        finally:
            os.umask(umask)
        listener.setblocking(False)  # noqa: FBT003 - the library's signature
    except OSError as error:
        raise ConfigError(f"admin.socket: cannot listen on {path}: {error.strerror or error}") from error
    return listener


def listen_tcp(address: Address) -> socket.socket:
    """Bind the TCP socket; raises ConfigError if it cannot be bound."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.setblocking(False)  # noqa: FBT003 - the library's signature
    except OSError as error:
        listener.close()
        raise ConfigError(f"admin.tcp: cannot listen on {address.host}:{address.port}: {error.strerror}") from error
    return listener


def host_names(listener: socket.socket) -> tuple[str, frozenset[str]]:
    """The address of a TCP listener as links show it, and every value of Host that means it."""
    host, port = listener.getsockname()[:2]
    literal = f"[{host}]" if ":" in host else host
    names = {f"{name}:{port}" for name in (literal, "localhost")}
    if port == _HTTP_PORT:  # Host leaves it out
        names |= {literal, "localhost"}
    return f"{literal}:{port}", frozenset(names)


def load_token(named: str) -> str:
    """The token of the TCP listener, made where its file is not there yet.

    Raises ConfigError for one that is too short, cannot be read, or can be read by others.
    """
    path, is_file = secret_path(named), not named.startswith(CREDENTIAL)
    if is_file and not path.exists():
        _make_token(path)
    with open_secret(named) as file:
        if is_file and os.fstat(file.fileno()).st_mode & 0o077:
            raise ConfigError(f"admin.token_file: {path} can be read by others: chmod 600 {path}")
        token = secret_in(file, named)
    if len(token) < MIN_TOKEN:
        raise ConfigError(f"admin.token_file: {path} holds {len(token)} characters, expected at least {MIN_TOKEN}")
    return token


def _make_token(path: Path) -> None:
    try:
        directory = make_directory(path.absolute().parent)
        try:
            handle = os.open(path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
        finally:
            os.close(directory)
        with os.fdopen(handle, "w") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
    except OSError as error:
        raise ConfigError(f"admin.token_file: cannot create {path}: {error.strerror or error}") from error


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(f"admin.socket: {path} exists and is not a socket")
    if is_answered(path):
        raise AlreadyRunningError(f"another program listens on {path}: stop it, or set admin.socket")
    path.unlink()


def is_answered(path: Path) -> bool:
    """True if a program listens on this socket, False if it left the file behind; raises AlreadyRunningError.

    A program that is stopped accepts nothing, and once its backlog is full connect(2) would wait for it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except (TimeoutError, BlockingIOError):
            raise AlreadyRunningError(
                f"another program listens on {path} and does not answer: end it, or set admin.socket"
            ) from None
    return True
