"""The lock torture: eight clients, holders stopped for longer than their lease, the server killed in the middle.

Behind Sentinels and in a Cluster, its replica takes over, and the killed server comes back as a replica.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.lab.lock_client import LEASE_SECONDS
from tests.support.paths import ROOT
from tests.support.redis_deployments import Deployment, cluster, sentinels
from tests.support.valkey_server import Server, binaries, serving

SECONDS = 20.0
CLIENTS = 8


class Target(NamedTuple):
    """The server of the lock: its holder, and ways to kill and restart the server."""

    url: str
    holder: Callable[[], object]
    kill: Callable[[], None]


@pytest.fixture(params=["server", "sentinels", "cluster"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Target]:
    if request.param == "server":
        async with serving(next(iter(binaries().values())), tmp_path) as server:
            yield of_server(server)
        return
    valkey = binaries()["valkey"]
    made = sentinels(valkey, tmp_path, replicas=2, count=3) if request.param == "sentinels" else None
    with made or cluster(valkey, tmp_path, replicas=1) as deployment:
        yield of_deployment(deployment)


def of_server(server: Server) -> Target:
    asking = Redis(unix_socket_path=str(server.socket), decode_responses=True)

    def kill() -> None:
        server.kill()
        server.start()

    return Target(server.url, lambda: asking.hget("{launchd}:lock:register", "owner"), kill)


def of_deployment(deployment: Deployment) -> Target:
    def kill() -> None:
        old = deployment.primary
        old.kill()
        deployment.until_failed_over(old)
        old.start()

    return Target(deployment.url, lambda: deployment.primary.ask("HGET", "{launchd}:lock:register", "owner"), kill)


@pytest.mark.lab
async def test_no_update_is_lost_when_holders_are_stopped_and_the_server_is_killed(
    target: Target, tmp_path: Path
) -> None:
    register, journal = tmp_path / "register.db", tmp_path / "journal"
    with sqlite3.connect(register) as db:
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE register (value INT, fence INT);")
        db.execute("INSERT INTO register VALUES (0, 0)")
    clients = [
        subprocess.Popen(  # noqa: ASYNC220 - started once, waited for at the end
            [sys.executable, "-m", "tests.lab.lock_client", target.url, register, journal, f"c{one}", str(SECONDS)],
            cwd=ROOT,
        )
        for one in range(CLIENTS)
    ]
    torment(clients, target, time.monotonic())
    assert [client.wait(60) for client in clients] == [0] * CLIENTS
    lines = Counter(journal.read_text().split())
    with sqlite3.connect(register) as db:
        (value,) = db.execute("SELECT value FROM register").fetchone()
    assert value == lines["taken"]
    assert value > 100
    assert lines["lost"] + lines["late"] + lines["refused"] > 0, "no holder was stopped for long: this proves nothing"


def torment(clients: list[subprocess.Popen[bytes]], target: Target, started: float) -> None:
    """Stop the lock's holder for longer than its lease, again and again; kill the server once, half way."""
    chance, killed = random.Random(7), False
    while time.monotonic() - started < SECONDS - 3 * LEASE_SECONDS:
        holder = f"c{chance.randrange(CLIENTS)}:"
        with suppress(RedisError):
            holder = str(target.holder() or holder)
        victim = clients[int(holder.partition(":")[0].removeprefix("c"))]
        os.kill(victim.pid, signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * 1.5)
        os.kill(victim.pid, signal.SIGCONT)
        if not killed and time.monotonic() - started > SECONDS / 2:
            killed = True
            target.kill()
        time.sleep(chance.uniform(0, 0.2))
