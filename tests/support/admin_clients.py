"""Clients of the admin API in tests: with a token over TCP, and reading its JSON."""

from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from launchd.config import Config
from tests.support.hosted_daemon import quiet_config


def with_tcp(directory: Path) -> Config:
    quiet = quiet_config(directory)
    return msgspec.structs.replace(quiet, admin=msgspec.structs.replace(quiet.admin, tcp="127.0.0.1:0"))


def bearer(directory: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {(directory / 'admin.token').read_text().strip()}"}


async def get(client: aiohttp.ClientSession, path: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    """The JSON at a path, whose status must be this one."""
    async with client.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)
