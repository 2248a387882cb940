"""Connections to the server that keeps the locks: a fixed address, or the primary at the moment of connecting.

All keys of the locks are in one hash slot, so that a Cluster, too, has one server for them, and one kind of connection
serves all three. (redis-py's cluster client would send commands again, and needs every slot to be served.)

- Sentinels and nodes are asked in turn, first the one that answered last. Only that order is remembered: each new
  connection asks again.
- A connection does not notice that its server is no longer the primary. After READONLY, MOVED or silence, idle
  connections are dropped: see `launchd.locks.redis`.
- Nothing is sent twice: redis-py's own retries are off.

How clients find the primary: https://redis.io/docs/latest/develop/reference/sentinel-clients/ and
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
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
# Finds the host and port of the primary; raises RedisError or OSError if no host knows it.
Locate = Callable[[], Awaitable[Host]]
# Asks one server for the primary and for other servers to ask; raises RedisError if it does not know.
_Ask = Callable[[Redis, Host], Awaitable[tuple[Host, Iterable[Host]]]]


def connect(url: RedisUrl, key: str, *, timeout: float, password: str | None, sentinel_password: str | None) -> Redis:
    """A client of the server that keeps `key`; nothing is sent yet.

    `timeout` in seconds applies to connecting and to each answer. `password` overrides that of the URL.
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
    """A connection that finds the primary each time it connects."""

    def __init__(self, *, locate: Locate, **settings: Any) -> None:  # noqa: ANN401 - redis-py's own
        super().__init__(**settings)
        self._locate = locate

    async def connect(self) -> None:
        """Connect to the server that is the primary now."""
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
        """The host and port of the primary; raises RedisConnectionError with the error of each host."""
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
    """Asks a Sentinel for the address of a master (SENTINEL GET-MASTER-ADDR-BY-NAME)."""

    async def ask(sentinel: Redis, _host: Host) -> tuple[Host, Iterable[Host]]:
        try:
            found = await _answer(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
        except AuthenticationError as error:
            raise RedisConnectionError(f"{error} (see [redis] sentinel_password_file)") from error
        if found is None:
            raise RedisConnectionError(f"knows no master {master}: write its name in [redis] url")
        return (found[0], int(found[1])), ()

    return ask


def _of_cluster(slot: int) -> _Ask:
    """Asks a node of a Cluster which one serves a slot (CLUSTER SLOTS); an empty host means the node itself."""

    async def ask(node: Redis, host: Host) -> tuple[Host, Iterable[Host]]:
        ranges = await _answer(node, "CLUSTER", "SLOTS")
        hosts = {one[2]: (one[0] or host[0], int(one[1])) for _, _, *servers in ranges for one in servers}
        for first, last, primary, *_ in ranges:
            if first <= slot <= last:
                return hosts[primary[2]], hosts.values()
        raise RedisConnectionError(f"no node serves slot {slot}, that of the locks: repair the Cluster")

    return ask


async def _answer(client: Redis, *words: str) -> Any:  # noqa: ANN401 - what the server answers
    try:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]
    except ResponseError as error:
        if "unknown command" in str(error):
            raise RedisConnectionError(
                "is not a Sentinel: name the Sentinels in [redis] url, or use redis://"
            ) from error
        if "cluster support disabled" in str(error):
            raise RedisConnectionError("is not a node of a Cluster: use redis:// in [redis] url") from error
        raise
