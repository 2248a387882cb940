"""Clients of the admin API in tests: with a token over TCP, and reading its JSON."""

from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from launchd.config import Config
from tests.support.hosted_daemon import quiet_config


def with_tcp(directory: Path, extra: str = "") -> Config:
    """A quiet configuration whose admin API listens on a free TCP port of loopback; `extra` is more TOML."""
    quiet = quiet_config(directory, extra)
    return msgspec.structs.replace(quiet, admin=msgspec.structs.replace(quiet.admin, tcp="127.0.0.1:0"))


def bearer(directory: Path) -> dict[str, str]:
    """The header that signs a request in with the token of the daemon on this state directory."""
    return {"Authorization": f"Bearer {(directory / 'admin.token').read_text().strip()}"}


async def get(client: aiohttp.ClientSession, path: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    """The JSON at a path, whose status must be this one."""
    async with client.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)
