"""What is read again and again: an ETag of its content, 304 to who has it, and no work as long as nothing changes.

An answer whose handler says until when it holds is kept, and given again to the same address and role while nobody has
committed a change to launches.db (SQLite's own word: `Database.version`) and the clock stands between the moment at
which it was made and that one. So nobody is given another answer than would be made now. Who may ask at all is for
others to say, before. Owned by the control loop.
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

# The most that is kept, in bytes.
KEPT_BYTES = 4 * 1024 * 1024
# What an answer costs beside its body and its address.
_OVERHEAD_BYTES = 1024


class _Key(NamedTuple):
    """All of a request that its answer may depend on."""

    role: Role
    address: str


class _Cached(NamedTuple):
    """An answer as it is sent, and when it holds: from `since` to before `until`."""

    body: bytes
    headers: dict[str, str]
    validators: dict[str, str]
    digest: str
    since: Instant
    until: Instant


class ResponseCache:
    """The answers that are kept, the longest unused first. `version` is another number after each change of data."""

    def __init__(self, version: Callable[[], int | None], now: Callable[[], Instant], most: int = KEPT_BYTES) -> None:
        self._version, self._now, self._most = version, now, most
        self._kept: OrderedDict[_Key, _Cached] = OrderedDict()
        self._size = 0  # bytes of all that are kept
        self._of: int | None = None  # the version that all of them are made of
        self._making: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()

    async def respond(self, request: web.Request, role: Role, make: Callable[[], Awaitable[Response]]) -> web.Response:
        """What is kept for this request, else what is made for it; 304 to who has it already (RFC 9110 §13.1.2).

        Whoever asks for what is just being made waits for it, and is given that if it holds for him too.
        """
        key = _Key(role, request.raw_path)
        sent = self._find(key)
        if sent is None:
            lock = self._making.setdefault(key, asyncio.Lock())  # there as long as anybody holds it or waits for it
            async with lock:
                sent = self._find(key) or await self._make(key, make)
        if any(one.value in {sent.digest, "*"} for one in request.if_none_match or ()):
            return web.Response(status=304, headers=sent.validators)
        return web.Response(body=sent.body, headers=sent.headers)

    def _find(self, key: _Key) -> _Cached | None:
        """What is kept and holds; what was made of another version than the present one is forgotten."""
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
        """Make an answer, and keep it if it holds and is of the version that was there before and is there still."""
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
    """An answer that was just made."""
    made = document(answer)
    digest = hashlib.sha256(made.body).hexdigest()[:32]
    # weak: the same for the content however it is coded (RFC 9110 §8.8.1)
    validators = {"ETag": f'W/"{digest}"', "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    headers = {"Content-Type": content_type(made), **(answer.headers or {}), **validators}
    return _Cached(made.body, headers, validators, digest, now(), answer.until)
