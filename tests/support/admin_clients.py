"""Clients of the admin API in tests: with a token, over TCP."""

from pathlib import Path

import msgspec

from launchd.config import Config
from tests.support.hosted_daemon import quiet_config


def with_tcp(directory: Path) -> Config:
    quiet = quiet_config(directory)
    return msgspec.structs.replace(quiet, admin=msgspec.structs.replace(quiet.admin, tcp="127.0.0.1:0"))


def bearer(directory: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {(directory / 'admin.token').read_text().strip()}"}
