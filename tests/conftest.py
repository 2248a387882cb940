from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from launchd.daemon import Daemon
from tests.deployments import Deployment, cluster, sentinels
from tests.hosting import hosted, quiet_config
from tests.lab.installed import box, wheels
from tests.tasks import ALL
from tests.valkey import binaries

__all__ = ["box", "daemon", "wheels"]


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A real daemon with the tasks of tests/tasks.py and no schedules of its own."""
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
