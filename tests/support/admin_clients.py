"""Gives a test the admin API over TCP: a configuration that listens on loopback, and the header with its token."""

from pathlib import Path

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
