"""Fixtures for all tests: a daemon with tasks, lock servers behind Sentinels and in a Cluster, gates."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from hypothesis import settings

from launchd.daemon import Daemon
from tests.lab.installed import box, wheels
from tests.support.hosted_daemon import hosted, quiet_config
from tests.support.redis_deployments import Deployment, cluster, sentinels
from tests.support.tasks import ALL, gate, started
from tests.support.valkey_server import binaries

__all__ = ["box", "daemon", "wheels"]

# A shell starts what runs in its background with SIGINT ignored, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# By default hypothesis fails an example that takes over 200 ms, which a busy machine may cause.
settings.register_profile("launchd", deadline=None)
settings.load_profile("launchd")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop: uvloop's for tests marked `uvloop`, asyncio's own for all others."""
    if item.get_closest_marker("uvloop") is not None:
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A real daemon with the tasks of tests/support/tasks.py and no schedules of its own."""
    async with hosted(quiet_config(tmp_path), tasks=ALL) as running:
        yield running


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A master without replicas, and a Sentinel."""
    with sentinels(binaries()["valkey"], tmp_path_factory.mktemp("sentinels")) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Three nodes of a Cluster, without replicas."""
    with cluster(binaries()["valkey"], tmp_path_factory.mktemp("cluster")) as deployment:
        yield deployment


@pytest.fixture
def held() -> Iterator[Callable[[str], None]]:
    """Gates that are opened at the end, so that a failed test leaves nothing running."""
    names: list[str] = []

    def hold(name: str) -> None:
        names.append(name)
        started(name).clear()
        gate(name).clear()

    yield hold
    for name in names:
        gate(name).set()
