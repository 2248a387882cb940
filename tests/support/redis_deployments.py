"""Gives a test real Sentinels and a real Cluster of its own, on ports of loopback.

All calls block: a test on an event loop makes slow ones in a thread.
"""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.support.hosted_daemon import PATIENCE_SECONDS
from tests.support.valkey_server import Certificate, KillableProcess

T = TypeVar("T")
MASTER = "themaster"
PASSWORD = "of the servers"
SENTINEL_PASSWORD = "of the sentinels"
SLOT = key_slot(b"{launchd}")
_SLOTS = 16_384


class Node(KillableProcess):
    """A server on a port; with `watches`, lines of its configuration, a Sentinel."""

    def __init__(
        self,
        binary: str,
        directory: Path,
        settings: Mapping[str, str],
        *,
        watches: Sequence[str] = (),
        password: str | None = None,
        tls: Certificate | None = None,
    ) -> None:
        self.port = free_port()
        self.bus = settings.get("cluster-port", "")
        self._password = password
        self._tls = tls
        home = directory / str(self.port)
        home.mkdir()
        ports = {"port": "0", "tls-port": str(self.port), **tls.settings} if tls else {"port": str(self.port)}
        own = {**ports, "bind": "127.0.0.1", "dir": str(home), **settings}
        path = home / "server.conf"
        path.write_text("\n".join([*(f'{name} "{value}"' for name, value in own.items()), *watches]) + "\n")
        self._log = home / "log"
        self._command = [binary, str(path), *(["--sentinel"] if watches else ["--save", "", "--appendonly", "no"])]

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(lambda: self.ask("PING"))

    def ask(self, *words: object) -> Any:  # noqa: ANN401 - what it answers
        """Send one command; returns the answer."""
        trust = {"ssl": True, "ssl_ca_certs": str(self._tls.certificate)} if self._tls else {}
        settings: dict[str, Any] = {
            "password": self._password,
            "decode_responses": True,
            "socket_timeout": 2.0,
            **trust,
        }
        with Redis(port=self.port, **settings) as client:
            return client.execute_command(*words)

    def info(self) -> dict[str, Any]:
        """The answer to INFO replication."""
        return dict(self.ask("INFO", "replication"))


class Deployment:
    """Several servers, one of which keeps the locks at a time; `url` is for `[redis]`."""

    def __init__(self, url: str, nodes: list[Node], others: list[Node], where: Callable[[], int]) -> None:
        self.url = url
        self.nodes = nodes
        self._others = others
        self._where = where

    @property
    def primary(self) -> Node:
        """The server that keeps the locks, by the Sentinels or the Cluster."""
        port = self._where()
        return next(node for node in self.nodes if node.port == port)

    def replicated(self) -> None:
        """Wait until every replica has all present data of the primary."""
        primary = self.primary
        offset = int(primary.info()["master_repl_offset"])
        others = [node for node in self.nodes if str(node.info().get("master_port")) == str(primary.port)]
        assert others
        until(lambda: all(int(node.info()["slave_repl_offset"]) >= offset for node in others))

    @contextmanager
    def forgetful(self) -> Iterator[None]:
        """Writes within the body reach no replica, unless the primary survives it."""
        primary = self.primary
        others = [node for node in self.nodes if str(node.info().get("master_port")) == str(primary.port)]
        assert others
        with ExitStack() as stack:
            for node in others:
                stack.enter_context(node.stalled())
            primary.ask("CLIENT", "KILL", "TYPE", "replica")
            yield

    def until_failed_over(self, old: Node) -> Node:
        """Wait until another server keeps the locks and reports itself as the primary."""
        until(lambda: self.primary is not old and self.primary.info()["role"] == "master")
        return self.primary

    def kill(self) -> None:
        """End all servers."""
        for node in (*self._others, *self.nodes):
            node.kill()


@contextmanager
def sentinels(
    binary: str,
    directory: Path,
    *,
    replicas: int = 0,
    count: int = 1,
    secured: bool = False,
    tls: Certificate | None = None,
) -> Iterator[Deployment]:
    """A master with its replicas, and Sentinels that notice its end after 0.3 s; `secured` sets passwords."""
    settings = {"repl-diskless-sync-delay": "0"} | ({"tls-replication": "yes"} if tls else {})
    if secured:
        settings |= {"requirepass": PASSWORD, "masterauth": PASSWORD}
    password = PASSWORD if secured else None
    nodes = [Node(binary, directory, settings, password=password, tls=tls) for _ in range(1 + replicas)]
    watches = [
        f"sentinel monitor {MASTER} 127.0.0.1 {nodes[0].port} {count // 2 + 1}",
        f"sentinel down-after-milliseconds {MASTER} 300",
        f"sentinel failover-timeout {MASTER} 3000",
        *([f'sentinel auth-pass {MASTER} "{PASSWORD}"'] if secured else []),
    ]
    own = ({"requirepass": SENTINEL_PASSWORD} if secured else {}) | ({"tls-replication": "yes"} if tls else {})
    password = SENTINEL_PASSWORD if secured else None
    watchers = [Node(binary, directory, own, watches=watches, password=password, tls=tls) for _ in range(count)]
    hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
    url = f"redis{'s' if tls else ''}+sentinel://{hosts}/{MASTER}"
    deployment = Deployment(url, nodes, watchers, lambda: _master_of(watchers[0]))
    try:
        for node in nodes:
            node.start()
        for node in nodes[1:]:
            node.ask("REPLICAOF", "127.0.0.1", nodes[0].port)
        until(lambda: all(node.info()["master_link_status"] == "up" for node in nodes[1:]))
        for watcher in watchers:
            watcher.start()
        until(lambda: all(_knows_all(watcher, replicas, count) for watcher in watchers))
        yield deployment
    finally:
        deployment.kill()


@contextmanager
def cluster(binary: str, directory: Path, *, replicas: int = 0) -> Iterator[Deployment]:
    """Three primaries, with replicas of the one that keeps the locks; the address names another one."""
    settings = {"cluster-enabled": "yes", "cluster-node-timeout": "500", "repl-diskless-sync-delay": "0"}
    nodes = [Node(binary, directory, settings | {"cluster-port": str(free_port())}) for _ in range(3 + replicas)]
    primaries, copies = nodes[:3], nodes[3:]
    keeper, stranger = (primaries[(SLOT * 3 // _SLOTS + step) % 3] for step in (0, 1))
    url = f"redis+cluster://127.0.0.1:{stranger.port}"
    deployment = Deployment(url, nodes, [], lambda: int(_servers_of_slot(stranger)[0][1]))
    try:
        for node in nodes:
            node.start()
        for number, node in enumerate(primaries):
            first, last = (-(-_SLOTS * edge // 3) for edge in (number, number + 1))
            node.ask("CLUSTER ADDSLOTSRANGE", first, last - 1)
            node.ask("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            nodes[0].ask("CLUSTER MEET", "127.0.0.1", node.port, node.bus)
        until(lambda: all(len(node.ask("CLUSTER NODES")) == len(nodes) for node in nodes))
        for node in copies:
            node.ask("CLUSTER REPLICATE", keeper.ask("CLUSTER MYID"))
        until(lambda: all(node.ask("CLUSTER INFO")["cluster_state"] == "ok" for node in nodes))
        until(lambda: all(node.info()["master_link_status"] == "up" for node in copies))
        until(lambda: all(len(_servers_of_slot(node)) == 1 + replicas for node in primaries))
        yield deployment
    finally:
        deployment.kill()


def _master_of(watcher: Node) -> int:
    """The port of the master, by a Sentinel."""
    return int(watcher.ask("SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER)[1])


def _knows_all(watcher: Node, replicas: int, count: int) -> bool:
    state = watcher.ask("SENTINEL MASTER", MASTER)
    return (state["num-slaves"], state["num-other-sentinels"]) == (replicas, count - 1)


def _servers_of_slot(node: Node) -> list[Any]:
    for first, last, *servers in node.ask("CLUSTER", "SLOTS"):
        if first <= SLOT <= last:
            return list(servers)
    return []


def free_port() -> int:
    """A free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until(found: Callable[[], T]) -> T:
    """Wait for a fact about servers in other processes, by asking them again and again."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        with suppress(RedisError, OSError):
            if answer := found():
                return answer
        if time.monotonic() > patience:
            raise TimeoutError("the servers do not get there")
        time.sleep(0.01)
