"""A client of the admin socket: plain HTTP over a Unix socket, problems as exceptions."""

import http.client
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from launchd.errors import LaunchdError, UnreachableError

TIMEOUT_SECONDS = 330.0


class RefusedError(LaunchdError):
    """The daemon refused the request."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.status = status
        self.problem = problem


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("launchd", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(str(self._path))


class AdminClient:
    """Asks the daemon that listens at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, method: str, path: str, *, body: object = None, accept: tuple[int, ...] = (), **query: object) -> Any:  # noqa: ANN401 - JSON
        """The answer's JSON; parameters that are None are left out.

        Raises UnreachableError when nobody answers, RefusedError for an error status that is not in `accept`.
        """
        given = {name: str(value) for name, value in query.items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        data = None if body is None else msgspec.json.encode(body)
        connection = _UnixConnection(self.path)
        try:
            connection.request(method, target, body=data, headers={"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = msgspec.json.decode(response.read() or b"null")
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UnreachableError(
                f"no daemon answers at {self.path} ({reason}): start one with `launchd run`, or name its socket with "
                "--socket"
            ) from error
        finally:
            connection.close()
        if response.status >= 400 and response.status not in accept:  # noqa: PLR2004 - HTTP's errors begin here
            raise RefusedError(response.status, answer if isinstance(answer, dict) else {})
        return answer
