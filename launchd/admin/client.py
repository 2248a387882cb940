"""A client of the admin API over the Unix socket; problems become exceptions that say what to do next."""

import grp
import http.client
import os
import pwd
import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import msgspec

from launchd.errors import LaunchdError, Problem, UnreachableError

# Enough for a database that another program has locked; a daemon that takes longer has hung.
TIMEOUT_SECONDS = 30.0
# For slow requests: a backup is made before its first byte is sent.
LONG_SECONDS = 3600.0
_MOST_ITEMS = 1000
_CHUNK = 256 * 1024
_ERRORS_FROM = 400


class RefusedError(LaunchdError):
    """The daemon refused the request."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        errors = [Problem(one["path"], one["message"]) for one in problem.get("errors", ())]
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"), errors=errors)
        self.status = status
        self.problem = problem


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("launchd", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except OSError as error:
            raise UnreachableError(_why_no_connection(self._path, error)) from error


class AdminClient:
    """Sends requests to the daemon that listens at `path`, and waits at most `timeout` seconds for each response."""

    def __init__(self, path: Path, timeout: float = TIMEOUT_SECONDS) -> None:
        self.path = path
        self.timeout = timeout

    def request(
        self, method: str, path: str, *, body: object = None, accept: tuple[int, ...] = (), **query: object
    ) -> Any:  # noqa: ANN401 - JSON
        """The JSON of the response; query parameters that are None are left out.

        Raises UnreachableError if there is no response, RefusedError for an error status that is not in `accept`.
        """
        given = {name: str(value) for name, value in query.items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path

        def read(response: http.client.HTTPResponse) -> Any:  # noqa: ANN401 - JSON
            return _answer(response, accept)

        return self._exchange(method, target, body, read)

    def items(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, over all of its pages. Raises as `request` does."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.request("GET", path, limit=_MOST_ITEMS, cursor=cursor)
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    def save(self, method: str, path: str, file: IO[bytes], on_progress: Callable[[int, int], None]) -> None:
        """Write the body of the response to a file; `on_progress` is called with the bytes so far and the total.

        Raises as `request` does, also if the body is shorter than announced, and OSError if the file cannot be written.
        """

        def copy(response: http.client.HTTPResponse) -> None:
            if response.status >= _ERRORS_FROM:
                _answer(response, ())
            total, done = int(response.headers["Content-Length"]), 0
            while chunk := response.read(_CHUNK):
                _write(file, chunk)
                done += len(chunk)
                on_progress(done, total)
            if done < total:
                raise http.client.IncompleteRead(b"", total - done)

        self._exchange(method, path, None, copy)

    def _exchange(self, method: str, target: str, body: object, read: Callable[[http.client.HTTPResponse], Any]) -> Any:  # noqa: ANN401 - the result of `read`
        data = None if body is None else msgspec.json.encode(body)
        connection = _UnixConnection(self.path, self.timeout)
        try:
            connection.request(method, target, body=data, headers={"Content-Type": "application/json"})
            return read(connection.getresponse())
        except _FileError as error:
            raise error.cause from error
        except TimeoutError as error:
            detail = f"the daemon at {self.path} has not answered within {self.timeout:g} s: its log says why"
            raise UnreachableError(detail) from error
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            detail = f"the connection to the daemon at {self.path} was lost ({reason}): try again; its log says why"
            raise UnreachableError(detail) from error
        finally:
            connection.close()


class _FileError(Exception):
    """An error of the file, kept apart from errors of the connection."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _write(file: IO[bytes], chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise _FileError(error) from error


def _answer(response: http.client.HTTPResponse, accept: tuple[int, ...]) -> Any:  # noqa: ANN401 - JSON
    answer = msgspec.json.decode(response.read() or b"null")
    if response.status >= _ERRORS_FROM and response.status not in accept:
        raise RefusedError(response.status, answer if isinstance(answer, dict) else {})
    return answer


def _why_no_connection(path: Path, error: OSError) -> str:
    """Why connecting failed, and what to do about it."""
    match error:
        case FileNotFoundError():
            return (
                f"there is no socket {path}: is the daemon running? Start it (`systemctl start launchd`, or "
                "`launchd run`), or name its socket with --socket"
            )
        case ConnectionRefusedError() if not path.is_socket():
            return f"{path} is not a socket: name the daemon's socket with --socket, or leave the option out"
        case ConnectionRefusedError():
            return f"no daemon listens at {path}: start it (`systemctl start launchd`, `launchd run`)"
        case PermissionError():
            return _why_no_permission(path)
        case BlockingIOError() | TimeoutError():
            return f"the daemon at {path} accepts no more connections: it has hung, or has too many clients"
    return f"cannot connect to {path}: {error.strerror or error}"


def _why_no_permission(path: Path) -> str:
    """Why this user may not use the socket, and which user or group may."""
    me = _user(os.geteuid())
    closed = next((one for one in reversed(path.parents) if not os.access(one, os.X_OK, effective_ids=True)), None)
    at = closed or path
    found = at.stat()
    group = found.st_gid
    if not found.st_mode & (0o010 if closed else 0o020):
        return f"{me} may not use {path}: only {_user(found.st_uid)} may; run the command as that user"
    try:
        name = grp.getgrgid(group).gr_name
    except KeyError:
        name = str(group)
    if group in {os.getegid(), *os.getgroups()}:
        return f"{me} may not use {path}, though in its group {name}: its mode is {found.st_mode & 0o777:04o}"
    return f"{me} may not use {path}: join its group ({name}) with `sudo usermod -aG {name} {me}`, then log in again"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
