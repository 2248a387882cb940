"""Secrets: the configuration holds only their paths; they are read when they are needed."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from launchd.config.tables import Config
from launchd.errors import ConfigError
from launchd.system.ownership import open_regular

# The prefix of a secret that systemd provides (LoadCredential=); it is a file in $CREDENTIALS_DIRECTORY.
CREDENTIAL = "credential:"
# The prefix of a secret in a file, for keys whose text would otherwise be the secret itself.
FILE = "file:"
_MAX_SECRET = 64 * 1024


def secret_path(named: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The file of a secret: a path, or "credential:NAME" for one that systemd provides.

    Raises ConfigError for a credential that systemd has not provided.
    """
    if not named.startswith(CREDENTIAL):
        return Path(named).expanduser()
    name, directory = named.removeprefix(CREDENTIAL), environ.get("CREDENTIALS_DIRECTORY")
    if not directory or not (Path(directory) / name).exists():
        raise ConfigError(
            f"{named}: systemd has not provided it; put it into /etc/credstore/{name}, see that the unit has "
            f"LoadCredential={name}, and restart"
        )
    return Path(directory) / name


def read_secret(named: str) -> str:
    """The secret in a file, without the white space around it; raises ConfigError."""
    with open_secret(named) as file:
        return secret_in(file, named)


def open_secret(named: str) -> IO[bytes]:
    """Open the file of a secret: a regular file, and for root one that no link of another user leads to."""
    try:
        return open_regular(secret_path(named))
    except OSError as error:
        raise ConfigError(f"{named} cannot be read: {error.strerror or error}") from error


def secret_in(file: IO[bytes], named: str) -> str:
    """The secret that an open file holds, without the white space around it; raises ConfigError."""
    try:
        found = file.read(_MAX_SECRET + 1)
        if len(found) > _MAX_SECRET:
            raise ConfigError(f"{named} is longer than {_MAX_SECRET} bytes: name a file that holds the secret alone")
        return found.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{named} cannot be read: {error}") from error


def alert_url(named: str) -> str:
    """The URL behind an entry of `[alerts] urls`; raises ConfigError when the secret cannot be read."""
    if named.startswith(CREDENTIAL):
        return read_secret(named)
    return read_secret(named.removeprefix(FILE)) if named.startswith(FILE) else named


def secrets(config: Config) -> list[str]:
    """The secrets that the log must mask: those that the configuration names, and all that systemd provides.

    A secret that cannot be read cannot leak.
    """
    found = _credentials()
    own = [config.redis.password_file, config.redis.sentinel_password_file]
    own += [config.token_file] if config.admin.tcp else []
    for named in (*own, *(source.token_file for source in config.sources.values())):
        if named is not None:
            with suppress(ConfigError):
                found.append(read_secret(named))
    for named in config.alerts.urls:
        with suppress(ConfigError):
            found.append(alert_url(named))
    return found


def _credentials(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The lines of every credential; a binary one cannot appear in the log."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    lines: list[str] = []
    for file in sorted(Path(directory).iterdir()) if directory else ():
        with suppress(OSError, UnicodeDecodeError):
            lines += map(str.strip, file.read_text("utf-8").splitlines())
    return lines
