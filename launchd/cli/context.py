"""The options that all commands share: the daemon to connect to, and the format of the output."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

from launchd.admin.client import TIMEOUT_SECONDS, AdminClient

F = TypeVar("F", bound=Callable[..., Any])
# click gives each option its own type; the command's function knows it
OptionValue = Any


class CommandContext:
    """The shared options. Written while the command line is parsed, read by the commands."""

    def __init__(self) -> None:
        self.config: str | None = None
        self.socket: str | None = None
        self.json = False

    def client(self, timeout: float = TIMEOUT_SECONDS) -> AdminClient:
        """A client of the daemon, with `timeout` seconds for each response. Raises ConfigError."""
        return AdminClient(self._path(), timeout)

    def state_directory(self) -> Path:
        """The state directory: the configured one, else the system's if the user's own holds no data.

        For root the system's comes first: any `launchd run` by root leaves a directory of root's own behind, and
        restoring into that would be useless. Raises ConfigError.
        """
        from launchd import config  # noqa: PLC0415 - not needed when the socket is named

        found = config.load(config.find(self.config))
        own, system = found.state_directory, config.SYSTEM_STATE
        if found.daemon.state_directory or os.environ.get("STATE_DIRECTORY"):
            return own
        return system if _holds_data(system) and (os.geteuid() == 0 or not _holds_data(own)) else own

    def _path(self) -> Path:
        named = self.socket or os.environ.get("LAUNCHD_SOCKET")
        if named:
            return Path(named)
        from launchd import config  # noqa: PLC0415 - see above

        found = config.load(config.find(self.config))
        own, system = found.socket, config.SYSTEM_SOCKET
        if found.admin.socket or os.environ.get("RUNTIME_DIRECTORY"):
            return own
        return system if system.parent.exists() and not own.exists() else own


def _holds_data(state: Path) -> bool:
    """True if the directory holds the data of a daemon, or may not be read, and so belongs to one."""
    try:
        return (state / "jobs.db").exists()
    except PermissionError:
        return True


def common(command: F) -> F:
    """Add the shared options, which may stand before a command or after it."""

    def store(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        def keep(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401 - click's
            if value:
                setattr(ctx.ensure_object(CommandContext), name, value)

        return keep

    options = (
        click.option("--json", is_flag=True, expose_value=False, callback=store("json"), help="Print JSON."),
        click.option(
            "--socket",
            metavar="PATH",
            expose_value=False,
            callback=store("socket"),
            help="The admin socket of the daemon.",
        ),
        click.option(
            "--config", metavar="FILE", expose_value=False, callback=store("config"), help="The configuration file."
        ),
    )
    for option in options:
        command = option(command)
    return command


def at(*parts: str) -> str:
    """The path of a resource: `at("jobs", job_id, "cancel")`."""
    return "/".join(("/v1", *(quote(part, safe="") for part in parts)))
