"""The paths of the configuration, the state and the socket, by the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from launchd.errors import ConfigError

SYSTEM_CONFIG = Path("/etc/launchd/launchd.toml")
SYSTEM_SOCKET = Path("/run/launchd/admin.sock")
SYSTEM_STATE = Path("/var/lib/launchd")
# sun_path of unix(7) holds 108 bytes with the final NUL.
MAX_SOCKET_PATH = 107


def find(explicit: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read, or None for the defaults. A file named explicitly must exist (ConfigError)."""
    named = explicit or environ.get("LAUNCHD_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise ConfigError(
                f"{path}: no such file; name another file with --config, or leave the option out for the defaults"
            )
        return path
    return SYSTEM_CONFIG if SYSTEM_CONFIG.is_file() else None


def default_state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """`$STATE_DIRECTORY` of systemd (its first entry), else the XDG state home."""
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "launchd"


def runtime_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """`$RUNTIME_DIRECTORY` of systemd, else the XDG runtime directory; None if neither is set."""
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    xdg = environ.get("XDG_RUNTIME_DIR")
    return Path(xdg) / "launchd" if xdg else None
