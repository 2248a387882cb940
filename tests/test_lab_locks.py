"""The lock torture: eight clients, holders stopped beyond their lease, the server killed in the middle."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.lab.lock_client import LEASE_SECONDS
from tests.valkey import Server, binaries, serving

SECONDS = 20.0
CLIENTS = 8


@pytest.mark.lab
async def test_no_update_is_lost_whatever_becomes_of_the_holders_and_of_the_server(tmp_path: Path) -> None:
    register, journal = tmp_path / "register.db", tmp_path / "journal"
    with sqlite3.connect(register) as db:
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE register (value INT, fence INT);")
        db.execute("INSERT INTO register VALUES (0, 0)")
    async with serving(next(iter(binaries().values())), tmp_path) as server:
        clients = [
            subprocess.Popen(  # noqa: ASYNC220 - started once, waited for at the end
                [sys.executable, "-m", "tests.lab.lock_client", server.url, register, journal, f"c{one}", str(SECONDS)],
                cwd=Path(__file__).parents[1],
            )
            for one in range(CLIENTS)
        ]
        torment(clients, server, time.monotonic())
        assert [client.wait(60) for client in clients] == [0] * CLIENTS
    lines = Counter(journal.read_text().split())
    with sqlite3.connect(register) as db:
        (value,) = db.execute("SELECT value FROM register").fetchone()
    assert value == lines["taken"]
    assert value > 100
    assert lines["lost"] + lines["late"] + lines["refused"] > 0, "no holder was stopped for long: this proves nothing"


def torment(clients: list[subprocess.Popen[bytes]], server: Server, started: float) -> None:
    """Stop whoever holds the lock for longer than its lease, again and again; kill the server once, half way."""
    chance, restarted = random.Random(7), False
    asking = Redis(unix_socket_path=str(server.socket), decode_responses=True)
    while time.monotonic() - started < SECONDS - 3 * LEASE_SECONDS:
        with suppress(RedisError):
            holder = str(asking.hget("{launchd}:lock:register", "owner") or f"c{chance.randrange(CLIENTS)}:")
        victim = clients[int(holder.partition(":")[0].removeprefix("c"))]
        os.kill(victim.pid, signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * 1.5)
        os.kill(victim.pid, signal.SIGCONT)
        if not restarted and time.monotonic() - started > SECONDS / 2:
            restarted = True
            server.kill()
            server.start()
        time.sleep(chance.uniform(0, 0.2))
    asking.close()
