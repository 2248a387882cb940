"""The addresses of feeds: secret, read-only, revocable. A calendar or a bot reads launches there without signing in.

An address holds a token of 32 random bytes. Only its hash is stored; the token is shown once and is in no log and no
audit. Each request is compared with every address in constant time, so its duration tells nothing. An address allows so
many requests an hour; wrong tokens have a limit of their own, and a right one always works. Requests are counted in
memory and written together. Owned by the control loop.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from launchd.clock import Clock
from launchd.errors import LaunchdError, NotFoundError, TooManyRequestsError
from launchd.logger import get_logger
from launchd.rate import Rate, RateLimiter
from launchd.store.feed_addresses import FeedAddress, FeedAddressStore, FeedUse, encoded
from launchd.values.rows import decoded

TOKEN_BYTES = 32
# The requests of one address, also those that get 304.
PER_ADDRESS = Rate(60, 3600.0)
# The wrong tokens of everybody.
WRONG = Rate(30, 60.0)
# Counts are written so long after the first request that they have not counted.
FLUSH_SECONDS = 60.0
_log = get_logger("launchd.admin")


class NewFeed(NamedTuple):
    """A feed to be added, and who adds it. `filters` holds only the filters that are set."""

    name: str
    filters: object
    formats: Sequence[str]
    alarm: int | None
    by: str


class FeedAddresses:
    """The addresses of one daemon. `_known` holds them all, None if they must be read again.

    `_version` grows with each change: a read that began before one is never remembered.
    """

    def __init__(self, store: FeedAddressStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: tuple[FeedAddress, ...] | None = None
        self._version = 0
        self._limits: dict[bytes, RateLimiter] = {}
        self._wrong = RateLimiter(WRONG)
        self._uses: dict[bytes, FeedUse] = {}
        self._used = asyncio.Event()

    async def list(self) -> tuple[FeedAddress, ...]:
        """All addresses by name as they are stored now, with the requests that are not written yet."""
        self._forget()
        return tuple(self._counted(one) for one in await self._addresses())

    async def add(self, new: NewFeed) -> tuple[FeedAddress, str]:
        """Add an address; returns it with its token, which is known to nobody from then on. Raises ConflictError."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        filters, formats = encoded(new.filters), encoded(list(new.formats))
        address = FeedAddress(new.name, _hash(token), filters, formats, new.alarm, new.by, self._clock.now())
        try:
            await self._store.add(address)
        finally:
            self._forget()
        return address, token

    async def revoke(self, name: str) -> FeedAddress:
        """Remove an address: the next request gets 404. Returns it with its counts; raises NotFoundError."""
        address = next((one for one in await self.list() if one.name == name), None)
        try:
            await self._store.remove(name)
        finally:
            self._forget()
        if address is None:  # another program added it a moment ago
            raise NotFoundError(f"no feed {name}")
        self._uses.pop(address.token_hash, None)
        self._limits.pop(address.token_hash, None)
        return address

    async def admit(self, token: str, kind: str) -> FeedAddress:
        """The address of a token, its request counted; raises NotFoundError and TooManyRequestsError."""
        address = await self.find(token)
        if address is None or kind not in (decoded(address.formats, list[str]) or ()):
            raise self._refusal(wrong=address is None)
        now, limit = self._clock.monotonic(), self._limits.setdefault(address.token_hash, RateLimiter(PER_ADDRESS))
        if limit.free(now) <= 0:
            raise TooManyRequestsError(
                f"this feed may be read {PER_ADDRESS.limit} times an hour", retry_after=limit.next_free() - now
            )
        limit.started(1, now)
        before = self._uses.get(address.token_hash)
        count = 1 if before is None else before.requests + 1
        self._uses[address.token_hash] = FeedUse(address.name, address.token_hash, count, self._clock.now())
        self._used.set()
        return address

    async def find(self, token: str) -> FeedAddress | None:
        """The address of a token, or None."""
        given, found = _hash(token), None
        for one in await self._addresses():  # all of them, whichever matches
            if hmac.compare_digest(one.token_hash, given):
                found = one
        return found

    async def run(self) -> None:
        """Write the counts of requests from time to time, and at the end."""
        try:
            while True:
                await self._used.wait()
                await self._clock.sleep(FLUSH_SECONDS)
                await self._flush()
        finally:
            with contextlib.suppress(LaunchdError):  # the counts of the last minute are lost with the database
                await self._flush()

    async def _flush(self) -> None:
        """Write the counts; those that cannot be written now are kept for the next time."""
        uses, self._uses = self._uses, {}
        self._used.clear()
        if not uses:
            return
        try:
            await self._store.count(list(uses.values()))
        except LaunchdError as error:
            _log.warning("feed_counts_unwritten", error=str(error))
            self._keep(uses)
        self._forget()

    def _keep(self, uses: dict[bytes, FeedUse]) -> None:
        for key, use in uses.items():
            later = self._uses.get(key)
            self._uses[key] = use if later is None else later._replace(requests=later.requests + use.requests)
        self._used.set()

    async def _addresses(self) -> tuple[FeedAddress, ...]:
        if self._known is not None:
            return self._known
        version = self._version
        found = await self._store.all()
        if version == self._version:
            self._known = found
        return found

    def _forget(self) -> None:
        self._known, self._version = None, self._version + 1

    def _counted(self, address: FeedAddress) -> FeedAddress:
        use = self._uses.get(address.token_hash)
        if use is None:
            return address
        return address._replace(requests=address.requests + use.requests, last_used_at=use.last_used_at)

    def _refusal(self, *, wrong: bool) -> LaunchdError:
        now = self._clock.monotonic()
        if wrong and self._wrong.free(now) <= 0:
            return TooManyRequestsError("too many wrong feed addresses", retry_after=self._wrong.next_free() - now)
        if wrong:
            self._wrong.started(1, now)
        return NotFoundError("no such feed: it was revoked, or has no such format, or the address is incomplete")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
