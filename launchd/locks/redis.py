"""Locks in Redis or Valkey: the backend for several hosts. Keeps the contract of `launchd.lock.Locks`.

The algorithm is the lock on a single server of https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/
with a random token for each holder, and in addition a fence
(https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html).

- Each operation is one Lua script and one round trip; the server's clock alone decides.
- All keys share one hash tag, so that a Cluster keeps them in one slot.
- Nothing is sent twice (see `launchd.locks.primary`). An acquire whose answer was lost may be repeated and returns the
  lock that is held; a renewal may be repeated; a lock whose release was lost expires with its lease.
- A server that is down, refuses or does not answer in time raises UnavailableError: fail closed. Then no connection is
  kept, so that the next request goes to the server that is the primary by then.
- A replica that becomes the primary may lack the last locks and fences. A fence is therefore at least the server's
  clock in microseconds: a later fence is higher even if the earlier one was lost, unless the new server's clock is
  behind the old one's by more than the time between the two. It is also higher than every fence that this daemon has
  seen, whatever the clocks say.
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
# The time-out of an answer: no command of launchd blocks.
TIMEOUT_SECONDS = 3.0
# The listening connection is pinged after this long without a message.
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
        """Give only fences above this one, which was seen elsewhere."""
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
        """Extend the leases of the locks that are still held, and return those locks."""
        if not held:
            return []
        keys, tokens = [_key(lock.name) for lock in held], [lock.token for lock in held]
        left = await self._ask(self._renew(keys=keys, args=[self._lease, *tokens]))
        now = self._clock.now()
        pairs = zip(held, left, strict=True)
        return [lock._replace(expires_at=now + int(ms) * 1000) for lock, ms in pairs if int(ms) > 0]

    async def release(self, lock: Lock) -> bool:
        """Release the lock; False if it was no longer the caller's."""
        arguments = [lock.name, lock.token, _CHANNEL]
        return bool(await self._ask(self._release(keys=[_key(lock.name), _INDEX], args=arguments)))

    async def list(self) -> list[Lock]:
        """All locks that are held now, by any host."""
        names = sorted(await self._ask(self._redis.smembers(_INDEX)))
        found = [await self._look(name) for name in names]
        return [lock for lock in found if lock is not None]

    async def force_release(self, name: str) -> Lock | None:
        """Take the lock from its holder and raise the fence, so that later writes of the holder are refused."""
        return await self._take_away(name, "", "")

    async def void_others(self, owner: str) -> int:
        """Delete locks of dead instances of this state directory, which is the part of `owner` before the colon."""
        node = owner.partition(":")[0] + ":"
        names = await self._ask(self._redis.smembers(_INDEX))
        taken = [await self._take_away(name, node, owner) for name in names]
        return sum(lock is not None for lock in taken)

    async def watch(self, on_free: Callable[[], None], on_return: Callable[[], None]) -> None:
        """Call `on_free` for each release on any host, for ever; reconnects by itself."""
        failures = 0

        def listening() -> None:
            nonlocal failures
            failures = 0
            on_return()
            on_free()  # releases while the connection was down were not heard

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
            async with asyncio.timeout(2 * TIMEOUT_SECONDS):  # to find the server, and to get the answer
                return await asked
        except (RedisError, OSError, asyncio.IncompleteReadError) as error:
            await self._drop_idle()
            raise UnavailableError(f"the lock server cannot be asked: {_explain(error, self._kind)}") from error

    async def _drop_idle(self) -> None:
        """Close idle connections: their server may no longer be the primary."""
        with suppress(RedisError, OSError):
            await self._redis.connection_pool.disconnect(inuse_connections=False)

    async def _look(self, name: str) -> Lock | None:
        """A lock that is held; None if it is free. An expired lock is removed from the index."""
        fields = ("token", "owner", "job", "fence", "since")
        held = await self._ask(cast("Awaitable[Any]", self._redis.hmget(_key(name), list(fields))))
        left = await self._ask(self._redis.pttl(_key(name)))
        if held[0] is None or left <= 0:
            await self._take_away(name, "-", "")  # no owner has this prefix: it only removes the name from the index
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
    """Call `on_free` for each release; raises RedisConnectionError if the server does not answer a ping."""
    while True:
        message = await listener.get_message(timeout=PING_SECONDS)
        if message is None:
            await listener.ping()
            message = await listener.get_message(timeout=TIMEOUT_SECONDS)
        if message is None:
            raise RedisConnectionError(f"no answer to PING within {TIMEOUT_SECONDS:g} s")
        if message["type"] == "subscribe":
            on_subscribed()
        elif message["type"] == "message":
            on_free()


def _explain(error: BaseException, kind: Kind) -> str:
    """The error in words, with the right form of address if `[redis] url` names another kind of server."""
    if isinstance(error, MovedError):
        cure = "; it belongs to a Cluster: use redis+cluster:// in [redis] url" if kind is Kind.SERVER else ""
        return f"its slot is served by {error.host}:{error.port}{cure}"
    if isinstance(error, AskError):
        return f"its slot is moving to {error.host}:{error.port}"
    if "unknown command 'EVALSHA'" in str(error):  # the rest of the text repeats the command
        return "it is a Sentinel: use redis+sentinel:// in [redis] url"
    return str(error) or type(error).__name__
