"""The cache of responses that are read again and again, with an ETag of their content and 304 for a client that has it.

A response whose handler says until when it is valid is cached, and sent again to the same address and role until that
moment, while launches.db has not changed (SQLite's data version: `Database.version`) and the clock has not gone back.
So a cached response is never another than the handler would make now. The server checks the caller's role before it
comes here. Owned by the control loop.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from weakref import WeakValueDictionary

from aiohttp import web

from launchd.admin.http.access import Role
from launchd.admin.route import Response, content_type, document
from launchd.clock import Instant

# The most that is cached, in bytes.
KEPT_BYTES = 4 * 1024 * 1024
# The cost of a cached response beside its body and its address.
_OVERHEAD_BYTES = 1024


class _Key(NamedTuple):
    """The parts of a request that its response may depend on."""

    role: Role
    address: str


class _Cached(NamedTuple):
    """A response as it is sent; it is valid from `since` to before `until`."""

    body: bytes
    headers: dict[str, str]
    validators: dict[str, str]
    digest: str
    since: Instant
    until: Instant


class ResponseCache:
    """The cached responses, the least recently used first. `version` is a new number after each change of the data."""

    def __init__(self, version: Callable[[], int | None], now: Callable[[], Instant], most: int = KEPT_BYTES) -> None:
        self._version, self._now, self._most = version, now, most
        self._kept: OrderedDict[_Key, _Cached] = OrderedDict()
        self._size = 0  # the cost of all entries, in bytes
        self._of: int | None = None  # the version of the data that all entries were made of
        self._making: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()

    async def respond(self, request: web.Request, role: Role, make: Callable[[], Awaitable[Response]]) -> web.Response:
        """The response to a request, from the cache or made now; 304 if the client has it (RFC 9110 §13.1.2).

        A request whose response is being made waits for it, and shares it if it is still valid.
        """
        key = _Key(role, request.raw_path)
        sent = self._find(key)
        if sent is None:
            lock = self._making.setdefault(key, asyncio.Lock())  # it lives while a request holds it or waits for it
            async with lock:
                sent = self._find(key) or await self._make(key, make)
        if any(one.value in {sent.digest, "*"} for one in request.if_none_match or ()):
            return web.Response(status=304, headers=sent.validators)
        return web.Response(body=sent.body, headers=sent.headers)

    def _find(self, key: _Key) -> _Cached | None:
        """The valid entry of a key, or None; all entries are dropped if the data have changed."""
        version = self._version()
        if version is None or version != self._of:
            self._kept.clear()
            self._size, self._of = 0, version
        sent = self._kept.get(key)
        if sent is None or not sent.since <= self._now() < sent.until:
            return None
        self._kept.move_to_end(key)
        return sent

    async def _make(self, key: _Key, make: Callable[[], Awaitable[Response]]) -> _Cached:
        """Make a response; cache it if it is valid for a time and the data did not change while it was made."""
        version = self._of
        sent = _cached(await make(), self._now)
        cost = _cost(key, sent)
        if version != self._of or sent.until <= sent.since or cost > self._most:
            return sent
        before = self._kept.pop(key, None)
        self._size += cost - (0 if before is None else _cost(key, before))
        self._kept[key] = sent
        while self._size > self._most:
            self._size -= _cost(*self._kept.popitem(last=False))
        return sent


def _cost(key: _Key, sent: _Cached) -> int:
    return len(key.address) + len(sent.body) + _OVERHEAD_BYTES


def _cached(answer: Response, now: Callable[[], Instant]) -> _Cached:
    """A response that was just made."""
    made = document(answer)
    digest = hashlib.sha256(made.body).hexdigest()[:32]
    # weak: the same for each content coding (RFC 9110 §8.8.1)
    validators = {"ETag": f'W/"{digest}"', "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    headers = {"Content-Type": content_type(made), **(answer.headers or {}), **validators}
    return _Cached(made.body, headers, validators, digest, now(), answer.until)
