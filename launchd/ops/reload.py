"""Reloading the configuration: validate all of it first, then apply what can change in a running daemon.

A configuration that is not valid changes nothing and is told loudly: in the log, in the status line, by SIGHUP's own
answer to systemd. What cannot be applied is named, so that the operator knows that a restart is due.

Most parts of the daemon ask `InForce` whenever they need a value, so that they take up a new one by themselves.
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
# Tables that a running daemon takes up whole, and keys of [daemon] that it does not.
_LIVE = ("schedules", "fetch", "sources", "alerts")
_AT_START = ("state_directory", "log_format")


class Changes(NamedTuple):
    """The dotted keys that differ: those that can be applied now, and those that a restart applies."""

    live: tuple[str, ...]
    restart: tuple[str, ...]


def compare(running: Config, new: Config) -> Changes:
    """What differs between the configuration in force and a new one. Pure."""
    before, after = flat(running), flat(new)
    absent = object()
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key, absent) != after.get(key, absent))
    queues = running.queues.keys() & new.queues.keys()
    live = tuple(key for key in changed if _is_live(key, queues))
    return Changes(live, tuple(key for key in changed if not _is_live(key, queues)))


def _is_live(key: str, queues: Collection[str]) -> bool:
    """Whether a running daemon can change it."""
    table, _, rest = key.partition(".")
    match table:
        case "daemon":
            return rest not in _AT_START
        case "queues":  # the sizes of those that it has
            return rest.partition(".")[0] in queues
    return table in _LIVE


def _in_force(running: Config, new: Config) -> Config:
    """The configuration once what can be applied was."""
    daemon = msgspec.structs.replace(new.daemon, **{name: getattr(running.daemon, name) for name in _AT_START})
    queues = {name: new.queues.get(name, queue) for name, queue in running.queues.items()}
    live = {table: getattr(new, table) for table in _LIVE}
    return msgspec.structs.replace(running, daemon=daemon, queues=queues, **live)


class InForce:
    """The configuration in force. Swapped whole by the reloader, on the control loop; read from any thread."""

    def __init__(self, config: Config) -> None:
        self.config = config


class Reloader:
    """Reloads when asked.

    `load` reads and checks everything, in a thread, and raises LaunchdError with what is wrong; `apply` puts into force
    what does not take it up by itself. `read` is the configuration that was read last.
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

    async def run(self, asked: asyncio.Event) -> None:
        """Reload each time it is asked for; questions that come meanwhile are answered by one more."""
        while True:
            await asked.wait()
            asked.clear()
            await self.run_once()

    async def run_once(self) -> Changes | None:
        """Reload now; what changed, or None when the new configuration was refused."""
        try:
            return await self.reload()
        except LaunchdError:  # the log and the status line have it
            return None

    async def reload(self) -> Changes:
        """Reload now; what changed. Raises LaunchdError when the new configuration is refused: nothing has changed."""
        async with self._one_at_a_time:
            return await self._reload()

    async def _reload(self) -> Changes:
        notify(*reloading(), status("reloading: checking the configuration"))
        try:
            new = await _loaded(self._load)
            await self._apply(new)
        except LaunchdError as error:
            problems = [f"{problem.path}: {problem.message}" for problem in error.errors]
            _log.error("reload_refused", detail="the configuration in force stays", problems=problems or [error.detail])
            notify("READY=1", status(f"reload refused: {error.detail}"))
            raise
        changes = compare(self.running, new)
        self._in_force.config, self.read = _in_force(self.running, new), new
        write = _log.warning if changes.restart else _log.info
        write("reloaded", applied=list(changes.live), needs_restart=list(changes.restart))
        due = f"; a restart is due for {', '.join(changes.restart)}" if changes.restart else ""
        notify("READY=1", status(f"reloaded, {len(changes.live)} applied{due}"))
        return changes


async def _loaded(load: Callable[[], Config]) -> Config:
    """Run `load` in a thread; whatever it raises, sys.exit() in a module included, is a refusal."""

    def call() -> Config:
        try:
            return load()
        except LaunchdError:
            raise
        except BaseException as error:
            raise ConfigError(f"the configuration cannot be loaded: {type(error).__name__}: {error}") from error

    return await asyncio.to_thread(call)


def flat(config: Config) -> dict[str, Any]:
    """Every value by its dotted key. An empty table has none, and where the file lies is no value."""
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
