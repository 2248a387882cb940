"""Reloading the configuration: read and check all of it, decide what changes, apply that.

`plan` decides and is pure. A configuration that is not valid changes nothing and is reported in the log, in the status
line and to whoever asked. A key that cannot be changed in a running daemon is named: it waits for a restart.

Most parts of the daemon read `InForce` whenever they need a value, so that a reload need not notify them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple

import msgspec

from launchd.config import Config
from launchd.errors import ConfigError, LaunchdError
from launchd.logger import get_logger
from launchd.ops.systemd import notify, reloading, status

_log = get_logger("launchd.reload")
# Tables that change in a running daemon, and the keys of [daemon] that do not.
_LIVE = ("schedules", "fetch", "sources", "alerts")
_AT_START = ("state_directory", "log_format")


class Changes(NamedTuple):
    """The decision on a new configuration.

    `applied` are the dotted keys that change now, `needs_restart` those that wait for a restart; `values` holds the old
    and the new value of each, None for one that is absent. `in_force` is the configuration in force afterwards.
    """

    applied: tuple[str, ...]
    needs_restart: tuple[str, ...]
    values: dict[str, tuple[Any, Any]]
    in_force: Config


def plan(running: Config, new: Config) -> Changes:
    """Compare the configuration in force with a new one, and decide which of its keys change now. Pure."""
    before, after = flat(running), flat(new)
    absent = object()
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key, absent) != after.get(key, absent))
    queues = running.queues.keys() & new.queues.keys()
    daemon = msgspec.structs.replace(new.daemon, **{name: getattr(running.daemon, name) for name in _AT_START})
    in_force = msgspec.structs.replace(
        running,
        daemon=daemon,
        queues={name: new.queues.get(name, queue) for name, queue in running.queues.items()},
        **{table: getattr(new, table) for table in _LIVE},
    )
    return Changes(
        applied=tuple(key for key in changed if _is_live(key, queues)),
        needs_restart=tuple(key for key in changed if not _is_live(key, queues)),
        values={key: (before.get(key), after.get(key)) for key in changed},
        in_force=in_force,
    )


def _is_live(key: str, queues: Collection[str]) -> bool:
    """True if a running daemon can change this key; `queues` are those of both configurations."""
    table, _, rest = key.partition(".")
    match table:
        case "daemon":
            return rest not in _AT_START
        case "queues":
            return rest.partition(".")[0] in queues
    return table in _LIVE


def flat(config: Config) -> dict[str, Any]:
    """Every value by its dotted key. An empty table has none, and the path of the file is no value."""
    values: dict[str, Any] = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        else:
            values[prefix] = value

    walk("", msgspec.to_builtins(config))
    values.pop("path", None)
    return values


class InForce:
    """The configuration in force. Swapped whole by the reloader, on the control loop; read from any thread."""

    def __init__(self, config: Config) -> None:
        self.config = config


class Reloader:
    """Reloads on request.

    `load` reads and checks everything, in a thread, and raises LaunchdError with all that is wrong; `apply` applies a
    configuration to the parts that do not ask for it by themselves. `read` is the configuration that was read last.
    """

    def __init__(
        self, in_force: InForce, load: Callable[[], Config], apply: Callable[[Config], Awaitable[None]]
    ) -> None:
        self.read = in_force.config
        self._in_force = in_force
        self._load = load
        self._apply = apply
        self._one_at_a_time = asyncio.Lock()

    @property
    def running(self) -> Config:
        """The configuration in force."""
        return self._in_force.config

    @property
    def needs_restart(self) -> tuple[str, ...]:
        """The keys of the configuration read last that wait for a restart."""
        return plan(self.running, self.read).needs_restart

    async def run(self, requested: asyncio.Event) -> None:
        """Reload for each request; those that come during a reload are answered by one more."""
        while True:
            await requested.wait()
            requested.clear()
            await self.run_once()

    async def run_once(self) -> Changes | None:
        """Reload now; the changes, or None if the new configuration was refused."""
        try:
            return await self.reload()
        except LaunchdError:  # the log and the status line have it
            return None

    async def reload(self) -> Changes:
        """Reload now. Raises LaunchdError if the new configuration is refused: then nothing has changed."""
        async with self._one_at_a_time:
            return await self._reload()

    async def _reload(self) -> Changes:
        notify(*reloading(), status("reloading: checking the configuration"))
        try:
            new = await _loaded(self._load)
            changes = plan(self.running, new)
            await self._apply(new)
        except LaunchdError as error:
            _report_refusal(error)
            raise
        self._in_force.config, self.read = changes.in_force, new
        _report(changes)
        return changes


async def _loaded(load: Callable[[], Config]) -> Config:
    """Run `load` in a thread; any error is a refusal, also sys.exit() in a module."""

    def call() -> Config:
        try:
            return load()
        except LaunchdError:
            raise
        except BaseException as error:
            raise ConfigError(f"the configuration cannot be loaded: {type(error).__name__}: {error}") from error

    return await asyncio.to_thread(call)


def _report_refusal(error: LaunchdError) -> None:
    problems = [f"{problem.path}: {problem.message}" for problem in error.errors]
    _log.error("reload_refused", detail="the old configuration stays in force", problems=problems or [error.detail])
    notify("READY=1", status(f"reload refused: {error.detail}"))


def _report(changes: Changes) -> None:
    write = _log.warning if changes.needs_restart else _log.info
    write("reloaded", applied=list(changes.applied), needs_restart=list(changes.needs_restart))
    waiting = f"; a restart is due for {', '.join(changes.needs_restart)}" if changes.needs_restart else ""
    notify("READY=1", status(f"reloaded, {len(changes.applied)} applied{waiting}"))
