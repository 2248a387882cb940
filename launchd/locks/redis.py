"""Locks in Redis or Valkey: the backend for several hosts. Keeps the contract of `launchd.lock.Locks`.

Rules:
- Each operation is one Lua script, one round trip, decided by the server's clock alone.
- All keys share one hash tag, so that a Cluster keeps them in one slot.
- Nothing is sent twice (see `launchd.locks.primary`). A taker whose answer was lost asks again and is told what it
  holds; renewal may be repeated; a release that was lost twice lapses with its lease.
- A server that is away, refuses or does not answer in time is an UnavailableError: fail closed. After it no connection
  is kept, so that the next question goes to whoever is the primary then.
- A replica that becomes the primary may lack the last locks and the last fences. A fence is therefore never below the
  server's clock in microseconds, so a later one is higher even if the earlier one was forgotten, unless the new
  server's clock is behind the old one's by more than the time between the two; and never below one that this daemon
  has seen, whatever the clocks say.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from importlib import resources
from typing import Any, cast

from redis.asyncio.client import PubSub
from redis.exceptions import AskError, MovedError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from launchd.clock import SECOND, Clock
from launchd.errors import UnavailableError
from launchd.lock import LEASE_SECONDS, Lock
from launchd.locks.primary import connect
from launchd.locks.redis_url import Kind, parse_redis_url
from launchd.logger import get_logger

_log = get_logger("launchd.locks")
# No command of ours blocks, so a server that is silent for this long is away.
TIMEOUT_SECONDS = 3.0
# How often the listening connection is asked for a sign of life.
PING_SECONDS = 5.0
_TAG = "{launchd}"
_FENCE, _INDEX, _CHANNEL = f"{_TAG}:fence", f"{_TAG}:locks", f"{_TAG}:freed"
_BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class RedisLocks:
    """A lock backend for several hosts; `close` it at the end."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        password: str | None = None,
        sentinel_password: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._clock = clock
        self._lease = int(lease_seconds * 1000)
        self._highest = 0
        address = parse_redis_url(url)
        self._kind = address.kind
        self._redis = connect(
            address, _FENCE, timeout=TIMEOUT_SECONDS, password=password, sentinel_password=sentinel_password
        )
        self._acquire = self._script("acquire")
        self._renew = self._script("renew")
        self._release = self._script("release")
        self._force_release = self._script("force_release")

    def raise_fence(self, fence: int) -> None:
        """Go on above a fence that was seen elsewhere."""
        self._highest = max(self._highest, fence)

    async def acquire(
        self, name: str, *, owner: str, job_id: str | None, ttl_seconds: float, token: str | None = None
    ) -> Lock:
        """Take the lock if it is free or expired; otherwise return the present holder's lock, without its token."""
        ceiling = int(ttl_seconds * 1000)
        arguments = [name, token or secrets.token_hex(16), owner, job_id or "", self._lease, ceiling, self._highest]
        answer = await self._ask(self._acquire(keys=[_key(name), _FENCE, _INDEX], args=arguments))
        return self._lock(name, answer)

    async def renew(self, held: Sequence[Lock]) -> list[Lock]:
        """Extend the leases that still stand."""
        if not held:
            return []
        keys, tokens = [_key(lock.name) for lock in held], [lock.token for lock in held]
        left = await self._ask(self._renew(keys=keys, args=[self._lease, *tokens]))
        now = self._clock.now()
        pairs = zip(held, left, strict=True)
        return [lock._replace(expires_at=now + int(ms) * 1000) for lock, ms in pairs if int(ms) > 0]

    async def release(self, lock: Lock) -> bool:
        """Give it back; False when it was no longer the caller's."""
        arguments = [lock.name, lock.token, _CHANNEL]
        return bool(await self._ask(self._release(keys=[_key(lock.name), _INDEX], args=arguments)))

    async def list(self) -> list[Lock]:
        """All locks that are held now, by any host."""
        names = sorted(await self._ask(self._redis.smembers(_INDEX)))
        found = [await self._look(name) for name in names]
        return [lock for lock in found if lock is not None]

    async def force_release(self, name: str) -> Lock | None:
        """Take the lock from its holder and raise the fence, so that what the holder still writes is late."""
        return await self._take_away(name, "", "")

    async def void_others(self, owner: str) -> int:
        """Drop what dead instances of this state directory held: its part of `owner` stands before the colon."""
        node = owner.partition(":")[0] + ":"
        names = await self._ask(self._redis.smembers(_INDEX))
        taken = [await self._take_away(name, node, owner) for name in names]
        return sum(lock is not None for lock in taken)

    async def watch(self, on_free: Callable[[], None], on_return: Callable[[], None]) -> None:
        """Tell, for ever, when a lock was given back on any host; reconnects by itself."""
        failures = 0

        def listening() -> None:
            nonlocal failures
            failures = 0
            on_return()
            on_free()  # what was given back meanwhile was not heard

        while True:
            try:
                async with self._redis.pubsub() as listener:
                    await listener.subscribe(_CHANNEL)
                    await _listen(listener, listening, on_free)
            except (RedisError, OSError) as error:
                (_log.debug if failures else _log.warning)("lock_watch_lost", error=_explain(error, self._kind))
                await self._drop_idle()
            await self._clock.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
            failures += 1

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    # --- within ---

    def _script(self, name: str) -> Any:  # noqa: ANN401 - redis-py's scripts have no public type
        text = resources.files(__package__).joinpath("lua", f"{name}.lua").read_text("utf-8")
        return self._redis.register_script(text)

    async def _ask(self, asked: Awaitable[Any]) -> Any:  # noqa: ANN401 - what the server answers
        try:
            async with asyncio.timeout(2 * TIMEOUT_SECONDS):  # to find it, and to be answered
                return await asked
        except (RedisError, OSError, asyncio.IncompleteReadError) as error:
            await self._drop_idle()
            raise UnavailableError(f"the lock server cannot be asked: {_explain(error, self._kind)}") from error

    async def _drop_idle(self) -> None:
        """Keep no connection to a server that may be the primary no more."""
        with suppress(RedisError, OSError):
            await self._redis.connection_pool.disconnect(inuse_connections=False)

    async def _look(self, name: str) -> Lock | None:
        """A lock as it is held, None when it is free; a lapsed one leaves the index."""
        fields = ("token", "owner", "job", "fence", "since")
        held = await self._ask(cast("Awaitable[Any]", self._redis.hmget(_key(name), list(fields))))
        left = await self._ask(self._redis.pttl(_key(name)))
        if held[0] is None or left <= 0:
            await self._take_away(name, "-", "")  # nobody's prefix: only tidies the index
            return None
        return self._lock(name, [0, "", *held[1:], left])

    async def _take_away(self, name: str, prefix: str, spared: str) -> Lock | None:
        arguments = [name, _CHANNEL, prefix, spared]
        answer = await self._ask(self._force_release(keys=[_key(name), _FENCE, _INDEX], args=arguments))
        return None if answer is None else self._lock(name, answer)

    def _lock(self, name: str, answer: Sequence[Any]) -> Lock:
        _, token, owner, job_id, fence, since, left = answer
        self.raise_fence(int(fence))
        expires_at = self._clock.now() + int(left) * (SECOND // 1000)
        return Lock(name, token, owner, job_id or None, int(fence), int(since), expires_at)


def _key(name: str) -> str:
    return f"{_TAG}:lock:{name}"


async def _listen(listener: PubSub, on_subscribed: Callable[[], None], on_free: Callable[[], None]) -> None:
    """Hear of locks that are given back, until the server is silent: then raises RedisConnectionError."""
    while True:
        message = await listener.get_message(timeout=PING_SECONDS)
        if message is None:
            await listener.ping()
            message = await listener.get_message(timeout=TIMEOUT_SECONDS)
        if message is None:
            raise RedisConnectionError(f"no sign of life for {TIMEOUT_SECONDS:g} s")
        if message["type"] == "subscribe":
            on_subscribed()
        elif message["type"] == "message":
            on_free()


def _explain(error: BaseException, kind: Kind) -> str:
    """What went wrong, and what to do where the address is not of the kind that it is said to be."""
    if isinstance(error, MovedError):
        cure = "; it belongs to a Cluster: use redis+cluster:// in [redis] url" if kind is Kind.SERVER else ""
        return f"its slot is served by {error.host}:{error.port}{cure}"
    if isinstance(error, AskError):
        return f"its slot is moving to {error.host}:{error.port}"
    if "unknown command 'EVALSHA'" in str(error):  # the answer repeats what was sent
        return "it is a Sentinel: use redis+sentinel:// in [redis] url"
    return str(error) or type(error).__name__
