"""The TCP listener of the admin API: given by systemd, or bound here and retried until it can be bound.

The daemon works without it, so a port that another program uses makes health degraded and no worse. Until the port is
bound, no sign-in link is made: it would lead to that program.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable

from launchd.admin.http.access import Access
from launchd.admin.http.listen import Address, host_names, listen_tcp
from launchd.clock import Clock
from launchd.errors import ConfigError
from launchd.logger import get_logger
from launchd.ops.health import Check, Finding, Level

RETRY_SECONDS = 5.0
_log = get_logger("launchd.admin")
Open = Callable[[socket.socket], Awaitable[object]]


class TcpListener:
    """Serves the TCP listener, and sets its address in `access`, or the reason why there is none."""

    def __init__(self, access: Access, serve: Open, clock: Clock) -> None:
        self._access = access
        self._serve = serve
        self._clock = clock

    async def begin(self, tcp: Address | socket.socket) -> bool:
        """Serve a listener that was given, or bind an address; False if binding should be retried."""
        try:
            listener = _accepted(tcp) if isinstance(tcp, socket.socket) else listen_tcp(tcp)
            self._access.address, self._access.hosts = host_names(listener)
            await self._serve(listener)
        except (ConfigError, OSError) as error:
            self._failed(error.detail if isinstance(error, ConfigError) else str(error.strerror or error))
            return isinstance(tcp, socket.socket)
        if self._access.tcp_error is not None:
            _log.info("tcp_available", address=self._access.address)
        self._access.tcp_error = None
        return True

    async def retry(self, address: Address) -> None:
        """Retry until the address is bound and served."""
        served = False
        while not served:
            await self._clock.sleep(RETRY_SECONDS)
            served = await self.begin(address)

    def _failed(self, detail: str) -> None:
        if self._access.tcp_error != detail:
            _log.error("tcp_unavailable", detail=detail)
        self._access.address, self._access.hosts, self._access.tcp_error = None, frozenset(), detail


def _accepted(given: socket.socket) -> socket.socket:
    """The listener that systemd gave, if its address is loopback; else close it and raise ConfigError."""
    address = given.getsockname()
    host = str(address[0]) if given.family in {socket.AF_INET, socket.AF_INET6} else f"{address!s:.100}"
    try:
        if ipaddress.ip_address(host).is_loopback:
            return given
    except ValueError:  # a Unix socket
        pass
    given.close()
    raise ConfigError(f"launchd's socket unit listens on {host}: ListenStream= must name a loopback address")


def tcp_check(access: Access) -> Check:
    """A health check: the configured TCP listener is served."""

    async def check() -> Finding:
        if access.tcp_error is not None:
            return Finding(Level.DEGRADED, f"{access.tcp_error}; the dashboard and clients over TCP cannot connect")
        return Finding(Level.HEALTHY, f"listens on {access.address}")

    return check
