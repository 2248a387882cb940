"""Access: the identity and the role of each caller. The table of routes (routes.py) says which role may do what.

On the Unix socket the kernel names the caller (SO_PEERCRED, SO_PEERGROUPS): root and the service's own user are admins,
members of the socket's group are operators, others are refused. On TCP the caller has the token, or both halves of a
session that a one-time link opened; the link is made over the Unix socket and carries its maker's name and role.

A session has a cookie and a key. Browsers send cookies to every port of a host, so another local server gets the
cookie: alone it opens nothing. The key lies in the page's own storage, which belongs to one port, and goes by a header.
The cookie holds the user, the end of the session and the digest of its key, signed with a secret that is derived from
the token: a restart signs nobody out, a new token does. A session that was signed out is refused until it expires.
Secrets are kept as digests and compared in constant time. This module knows nothing of endpoints.
"""

import base64
import hashlib
import hmac
import os
import pwd
import secrets
import socket
import struct
from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from launchd.clock import SECOND, Clock, Instant

COOKIE = "launchd_session"  # with the mark of an instance behind it, so that two daemons of a host keep apart
SESSION_KEY = "Launchd-Session-Key"
TICKET_SECONDS = 120.0
SESSION_SECONDS = 12 * 3600.0
# The most tickets that are kept; the oldest goes first.
MAX_TICKETS = 32
# The most wrong tokens and tickets in any window of so many seconds; further ones are refused with 429.
MAX_FAILURES, FAILURE_SECONDS = 10, 60.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_USUAL_PORTS = {"http": 80, "https": 443}
_OWN_SITES = frozenset({"same-origin", "none"})
_SO_PEERGROUPS = 59  # asm-generic/socket.h; Python has no name for it
_MAX_OPTION = 1024  # bytes that getsockopt of Python gives room for: 256 groups


class Role(StrEnum):
    """The role of a caller, the least first. An admin may do all that an operator may."""

    OPERATOR = "operator"
    ADMIN = "admin"


_RANK = {role: rank for rank, role in enumerate(Role)}


class Session(NamedTuple):
    """A session by its id, and when it expires."""

    id: str
    until: Instant


class Caller(NamedTuple):
    """The caller: its name for the audit, its role, and its session if it has signed in."""

    name: str
    role: Role
    session: Session | None = None

    def may(self, needs: Role) -> bool:
        """True if this caller's role is at least `needs`."""
        return _RANK[self.role] >= _RANK[needs]


NOBODY = Caller("nobody", Role.OPERATOR)


class Peer(NamedTuple):
    """The process at the other end of a Unix socket, as the kernel knows it."""

    uid: int
    groups: frozenset[int]


class Ticket(NamedTuple):
    """A one-time secret that opens a session before `expires_at`."""

    text: str
    expires_at: Instant


class _Held(NamedTuple):
    caller: Caller
    until: float


class Opened(NamedTuple):
    """The two halves of a new session."""

    cookie: str
    key: str


class _Session(msgspec.Struct, array_like=True):
    """The content of a cookie: its user, its end (wall time, which outlives a restart), and its key's digest."""

    name: str
    role: Role
    until: Instant
    id: str
    key: str


class SocketOptions(Protocol):
    """The part of a connected socket that `peer_of` reads."""

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes:
        """socket.getsockopt."""


def peer_of(connection: SocketOptions) -> Peer:
    """The process at the other end of a connected Unix socket: its user and groups (socket(7), unix(7))."""
    layout = struct.Struct("3i")
    _, uid, gid = layout.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size))
    groups = {gid}
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_OPTION)
        groups |= set(memoryview(packed).cast("I"))
    except OSError:  # more groups than fit, or a kernel before 4.13: the first group alone is known
        pass
    return Peer(uid, frozenset(groups))


def peer_role(peer: Peer, *, service_uid: int, group: int) -> Role | None:
    """The role of a process on this machine; None for a stranger. Pure."""
    if peer.uid in {0, service_uid}:
        return Role.ADMIN
    return Role.OPERATOR if group in peer.groups else None


@lru_cache(maxsize=256)
def user_name(uid: int) -> str:
    """A user as the audit names it. It may query a directory over the network: never call it on a loop."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
    return f"{name.encode('utf-8', 'replace').decode()} (uid {uid})"  # a directory of users may hold any bytes


def misdirected(headers: Mapping[str, str], hosts: frozenset[str]) -> bool:
    """True if a TCP request names another host: a foreign name that resolves to this machine (DNS rebinding)."""
    return headers.get("Host", "").lower() not in hosts


def forged(method: str, headers: Mapping[str, str], *, by_cookie: bool) -> bool:
    """True if a page of another site may have sent this write (CSRF).

    Browsers name the origin of a request; a cookie, which they add by themselves, is accepted only with an origin.
    """
    if method in SAFE_METHODS:
        return False
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None and site.lower() not in _OWN_SITES:
        return True
    if origin is not None and origin.lower() != f"http://{headers.get('Host', '').lower()}":
        return True
    return by_cookie and site is None and origin is None


def public_hosts(url: str | None) -> frozenset[str]:
    """Every value of Host that means a public address; a port that its scheme implies may be left out."""
    if url is None:
        return frozenset()
    parts = urlsplit(url)
    host = parts.netloc.lower()
    usual = f":{_USUAL_PORTS[parts.scheme.lower()]}"
    return frozenset({host, host.removesuffix(usual)} | ({f"{host}{usual}"} if parts.port is None else set()))


class Access:
    """The token, the tickets and the sessions of one daemon. Owned by the control loop.

    The server sets `group` and `hosts` before the first connection: the socket's group, and the values of Host that
    mean the TCP listener (empty without one). `tcp_error` says why a configured TCP listener is missing.
    `public_url` is the address of a proxy for others, and `public_hosts` are the values of Host that mean it.
    """

    def __init__(self, clock: Clock, token: str | None = None, public_url: str | None = None) -> None:
        self.public_url = None if public_url is None else public_url.rstrip("/")
        self.public_hosts = public_hosts(self.public_url)
        self.group = -1
        self.hosts: frozenset[str] = frozenset()
        self.address: str | None = None
        self.tcp_error: str | None = None
        self._clock = clock
        self._token = None if token is None else _digest(token)
        self._service = os.geteuid()
        self._tickets: dict[bytes, _Held] = {}
        secret = secrets.token_bytes(32) if token is None else token.encode("utf-8", "surrogateescape")
        self._key = hmac.digest(secret, b"launchd session", "sha256")
        self.cookie = f"{COOKIE}_{hmac.digest(secret, b'launchd cookie', 'sha256').hex()[:8]}"
        self._signed_out: dict[str, Instant] = {}
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)

    @property
    def base_url(self) -> str:
        """The beginning of addresses of this daemon, without a final slash; empty if it listens on no TCP port."""
        return self.public_url or (f"http://{self.address}" if self.address is not None else "")

    def peer(self, peer: Peer) -> Role | None:
        """The role of a process that connected to the Unix socket; None for a stranger."""
        return peer_role(peer, service_uid=self._service, group=self.group)

    def bearer(self, authorization: str) -> Caller | None:
        """The caller of an Authorization header with the right token; else None, which counts as a failure."""
        scheme, _, given = authorization.partition(" ")
        known = self._token if self._token is not None else secrets.token_bytes(32)
        if hmac.compare_digest(_digest(given.strip()), known) and scheme.lower() == "bearer":
            return Caller("token", Role.ADMIN)
        self._failed()
        return None

    def session(self, cookie: str, key: str) -> Caller | None:
        """The caller of a session; None if a half is wrong, or the session has expired or was signed out."""
        said, _, signature = cookie.encode("utf-8", "surrogateescape").partition(b".")
        if not hmac.compare_digest(self._signature(said), signature):
            return None
        try:
            found = msgspec.json.decode(base64.urlsafe_b64decode(said + b"=="), type=_Session)
        except msgspec.MsgspecError:  # signed by an earlier launchd, whose sessions had no key
            return None
        if not hmac.compare_digest(_digest(key).hex(), found.key):
            return None
        left = found.until - self._clock.now()  # far more than a session lasts: the clock was ahead when it was opened
        if found.id in self._signed_out or not 0 < left <= int(2 * SESSION_SECONDS * SECOND):
            return None
        return Caller(found.name, found.role, Session(found.id, found.until))

    def sign_out(self, session: Session) -> None:
        """Refuse a session from now on; it is forgotten once it has expired."""
        now = self._clock.now()
        self._signed_out = {one: until for one, until in self._signed_out.items() if now < until}
        self._signed_out[session.id] = session.until

    def ticket(self, caller: Caller) -> Ticket:
        """Make a ticket that signs `caller` in, once, within two minutes."""
        text = secrets.token_urlsafe(32)
        while len(self._tickets) >= MAX_TICKETS:
            del self._tickets[next(iter(self._tickets))]
        self._tickets[_digest(text)] = _Held(caller, self._clock.monotonic() + TICKET_SECONDS)
        return Ticket(text, self._clock.now() + int(TICKET_SECONDS * SECOND))

    def redeem(self, text: str) -> Opened | None:
        """Open a session for a ticket; None if the ticket is unknown, used or expired."""
        held = self._tickets.pop(_digest(text), None)
        if held is None or self._clock.monotonic() >= held.until:
            self._failed()
            return None
        until = self._clock.now() + int(SESSION_SECONDS * SECOND)
        key = secrets.token_urlsafe(32)
        session = _Session(held.caller.name, held.caller.role, until, secrets.token_hex(16), _digest(key).hex())
        said = base64.urlsafe_b64encode(msgspec.json.encode(session)).rstrip(b"=")  # a cookie would have to quote "="
        return Opened(b".".join((said, self._signature(said))).decode(), key)

    def wait_seconds(self) -> float:
        """For how many seconds wrong tokens are refused with 429; 0 below the limit.

        A right token is accepted at any time: else anybody who can connect could lock all others out.
        """
        if len(self._failures) < MAX_FAILURES:
            return 0.0
        return max(self._failures[0] + FAILURE_SECONDS - self._clock.monotonic(), 0.0)

    def _signature(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, "sha256").hex().encode()

    def _failed(self) -> None:
        if self.wait_seconds() == 0.0:
            self._failures.append(self._clock.monotonic())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
