from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from launchd.daemon import Daemon
from tests.hosting import hosted, quiet_config
from tests.tasks import ALL


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A real daemon with the tasks of tests/tasks.py and no schedules of its own."""
    async with hosted(quiet_config(tmp_path), tasks=ALL) as running:
        yield running
