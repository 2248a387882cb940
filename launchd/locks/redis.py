"""Locks in Redis or Valkey: the backend for several hosts. Keeps the contract of `launchd.lock.Locks`.

Rules:
- Each operation is one Lua script, one round trip, decided by the server's clock alone.
- All keys share one hash tag, so that a cluster keeps them together.
- Nothing is sent twice: redis-py's own retries are off. A taker whose answer was lost asks again and is told what it
  holds; renewal may be repeated; a release that was lost twice lapses with its lease.
- A server that is away, refuses or does not answer in time is an UnavailableError: fail closed.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from launchd.clock import SECOND, Clock
from launchd.errors import UnavailableError
from launchd.lock import LEASE_SECONDS, Lock

_log = structlog.get_logger("launchd.locks")
# No command of ours blocks, so a server that is silent for this long is away.
TIMEOUT_SECONDS = 3.0
_TAG = "{launchd}"
_FENCE, _INDEX, _CHANNEL = f"{_TAG}:fence", f"{_TAG}:locks", f"{_TAG}:freed"
_BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class RedisLocks:
    """A lock backend for several hosts; `close` it at the end."""

    def __init__(
        self, url: str, clock: Clock, *, password: str | None = None, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._clock = clock
        self._lease = int(lease_seconds * 1000)
        self._redis: Redis = Redis.from_url(
            url,
            password=password,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            health_check_interval=0,
            client_name="launchd",
        )
        # a connection that listens is silent for long: it has no time-out, only the kernel's keep-alive
        self._listening: Redis = Redis.from_url(
            url,
            password=password,
            decode_responses=True,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            socket_timeout=None,
            client_name="launchd",
        )
        self._acquire = self._script("acquire")
        self._renew = self._script("renew")
        self._release = self._script("release")
        self._seize = self._script("seize")

    async def acquire(self, name: str, *, owner: str, job_id: str | None, ttl_seconds: float) -> Lock:
        """Take the lock if it is free or lapsed; otherwise tell who holds it, without the token."""
        arguments = [name, secrets.token_hex(16), owner, job_id or "", self._lease, int(ttl_seconds * 1000)]
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

    async def watch(self, on_free: Callable[[], None]) -> None:
        """Tell, for ever, when a lock was given back on any host; reconnects by itself."""
        failures = 0
        while True:
            try:
                async with self._listening.pubsub() as listener:
                    await listener.subscribe(_CHANNEL)
                    failures = 0
                    on_free()  # what was given back meanwhile was not heard
                    while True:
                        if await listener.get_message(ignore_subscribe_messages=True, timeout=None) is not None:
                            on_free()
            except (RedisError, OSError) as error:
                _log.warning("lock_watch_lost", error=str(error))
            await self._clock.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
            failures += 1

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._listening.aclose()

    # --- within ---

    def _script(self, name: str) -> Any:  # noqa: ANN401 - redis-py's scripts have no public type
        text = resources.files(__package__).joinpath("lua", f"{name}.lua").read_text("utf-8")
        return self._redis.register_script(text)

    async def _ask(self, asked: Awaitable[Any]) -> Any:  # noqa: ANN401 - what the server answers
        try:
            return await asked
        except (RedisError, OSError, asyncio.IncompleteReadError) as error:
            raise UnavailableError(f"the lock server cannot be asked: {_said(error)}") from error

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
        answer = await self._ask(self._seize(keys=[_key(name), _FENCE, _INDEX], args=arguments))
        return None if answer is None else self._lock(name, answer)

    def _lock(self, name: str, answer: Sequence[Any]) -> Lock:
        _, token, owner, job_id, fence, since, left = answer
        expires_at = self._clock.now() + int(left) * (SECOND // 1000)
        return Lock(name, token, owner, job_id or None, int(fence), int(since), expires_at)


def _key(name: str) -> str:
    return f"{_TAG}:lock:{name}"


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
