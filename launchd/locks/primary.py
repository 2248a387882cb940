"""The way to the server that keeps the locks: a fixed address, or whoever is the primary when a connection is made.

All keys of the locks lie in one slot, so in a Cluster, too, there is one server to speak to, and one kind of connection
serves all three. (redis-py's cluster client would add its own re-sending, and needs every slot to be served.)

- Sentinels and nodes are asked in turn, the one that answered last first. Nothing is remembered but who answered:
  each new connection asks anew.
- A connection does not notice that its server is the primary no more. Whoever is told so (READONLY, MOVED, silence)
  drops the idle ones, see `launchd.locks.redis`.
- Nothing is sent twice: redis-py's own retries are off.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from redis.asyncio import Connection, ConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from launchd.locks.redis_url import Kind, RedisUrl

Host = tuple[str, int]
# Where the primary is now; raises RedisError or OSError when nobody can say.
Locate = Callable[[], Awaitable[Host]]
# Asks one server: where the primary is, and who else could be asked. Raises RedisError when it does not know.
_Ask = Callable[[Redis, Host], Awaitable[tuple[Host, Iterable[Host]]]]


def connect(url: RedisUrl, key: str, *, timeout: float, password: str | None, sentinel_password: str | None) -> Redis:
    """A client of the server that keeps `key`; nothing is sent yet.

    `timeout` in seconds is for each step: to connect, to be answered. A password beats that of the URL.
    """
    settings: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "launchd",
        **(url.tls or {}),
    }
    own = settings | {"username": url.username, "password": password or url.password, "db": url.database}
    plain, located = (Connection, _Located) if url.tls is None else (SSLConnection, _LocatedTls)
    match url.kind:
        case Kind.SENTINEL:
            asked = settings | {"username": url.sentinel_username, "password": sentinel_password}
            locate = _Locator(url.hosts, _of_sentinel(url.master), partial(_client, plain, **asked))
        case Kind.CLUSTER:
            locate = _Locator(url.hosts, _of_cluster(key_slot(key.encode())), partial(_client, plain, **own))
        case _ if url.socket is not None:
            return _client(UnixDomainSocketConnection, path=url.socket, **own)
        case _:
            ((host, port),) = url.hosts
            return _client(plain, host=host, port=port, **own)
    return _client(located, locate=locate, **own)


def _client(connection: type[Connection | UnixDomainSocketConnection], **settings: Any) -> Redis:  # noqa: ANN401 - redis-py's own
    return Redis.from_pool(ConnectionPool(connection_class=connection, **settings))


class _Located(Connection):
    """A connection that asks where to go each time that it is made."""

    def __init__(self, *, locate: Locate, **settings: Any) -> None:  # noqa: ANN401 - redis-py's own
        super().__init__(**settings)
        self._locate = locate

    async def connect(self) -> None:
        """Connect to whoever is the primary now."""
        if not self.is_connected:
            self.host, self.port = await self._locate()
        await super().connect()  # type: ignore[no-untyped-call]


class _LocatedTls(_Located, SSLConnection):
    """The same under TLS."""


class _Locator:
    """Finds the primary by asking the known hosts (Sentinels or nodes), one after the other.

    `_candidates` starts with the host that answered last. A host that fails goes to the end at once: the caller's
    time-out is over before many silent hosts were tried, and the next call then goes on with the others.
    """

    def __init__(self, hosts: Sequence[Host], ask: _Ask, client: Callable[..., Redis]) -> None:
        self._hosts = hosts
        self._candidates = list(hosts)
        self._ask = ask
        self._client = client

    async def __call__(self) -> Host:
        """Where the primary is; raises RedisConnectionError with what each of them said."""
        refusals = []
        for host in tuple(self._candidates):
            client = self._client(host=host[0], port=host[1])
            try:
                primary, others = await self._ask(client, host)
            except (RedisError, OSError) as error:
                refusals.append(f"{host[0]}:{host[1]}: {str(error) or type(error).__name__}")
                self._candidates = [*(one for one in self._candidates if one != host), host]
            else:
                self._candidates = list(dict.fromkeys((host, *others, *self._hosts)))
                return primary
            finally:
                await client.aclose()
        raise RedisConnectionError("; ".join(refusals))


def _of_sentinel(master: str) -> _Ask:
    """What a Sentinel says of a master."""

    async def ask(sentinel: Redis, _host: Host) -> tuple[Host, Iterable[Host]]:
        try:
            found = await _answer(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
        except AuthenticationError as error:
            raise RedisConnectionError(f"{error} (see [redis] sentinel_password_file)") from error
        if found is None:
            raise RedisConnectionError(f"knows no master {master}")
        return (found[0], int(found[1])), ()

    return ask


def _of_cluster(slot: int) -> _Ask:
    """What a node of a Cluster says of the one that serves a slot; one that names no host means itself."""

    async def ask(node: Redis, host: Host) -> tuple[Host, Iterable[Host]]:
        ranges = await _answer(node, "CLUSTER", "SLOTS")
        hosts = {one[2]: (one[0] or host[0], int(one[1])) for _, _, *servers in ranges for one in servers}
        for first, last, primary, *_ in ranges:
            if first <= slot <= last:
                return hosts[primary[2]], hosts.values()
        raise RedisConnectionError(f"nobody serves slot {slot}, that of the locks")

    return ask


async def _answer(client: Redis, *words: str) -> Any:  # noqa: ANN401 - what the server answers
    try:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]
    except ResponseError as error:
        if "unknown command" in str(error):
            raise RedisConnectionError("is no Sentinel: name the Sentinels in [redis] url, or use redis://") from error
        if "cluster support disabled" in str(error):
            raise RedisConnectionError("belongs to no Cluster: use redis:// in [redis] url") from error
        raise
