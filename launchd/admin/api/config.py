"""The endpoints of the configuration: the values in force, and the reload."""

from typing import Any

import msgspec

from launchd.admin.http.access import Role
from launchd.admin.http.view import View
from launchd.admin.route import Api, Body, Query, Request, Response, Route
from launchd.config import Config
from launchd.logs.redact import Redactor
from launchd.ops.reload import compare, flat


class ConfigView(View):
    """The configuration in force, secrets masked; `needs_restart` are the keys whose new values need a restart."""

    path: str | None
    config: dict[str, Any]
    needs_restart: list[str]


class ChangeView(View):
    """A key whose value has changed; null means no value."""

    key: str
    old: Any
    new: Any
    applied: bool


class ReloadView(View):
    """The keys that a reload has changed, and those that a restart will."""

    applied: list[str]
    needs_restart: list[str]
    changes: list[ChangeView]


async def config(api: Api, _request: Request[Query, Body]) -> Response:
    """The configuration in force, secrets masked."""
    running = api.reloader.running
    shown = Redactor().value(msgspec.to_builtins(running))
    path = shown.pop("path")
    waiting = compare(running, api.reloader.read).restart
    return Response(ConfigView(path=path, config=shown, needs_restart=list(waiting)))


async def reload(api: Api, request: Request[Query, Body]) -> Response:
    """Reload the configuration, as SIGHUP does; the whole file is checked first."""
    before = api.reloader.running
    changes = await api.reloader.reload()
    changed = _differences(before, api.reloader.read)
    summary = (
        f"applied: {', '.join(changes.live) or 'nothing'}; needs a restart: {', '.join(changes.restart) or 'nothing'}"
    )
    await api.control.audit(request.by, "reload", "configuration", summary)
    views = [ChangeView(key=key, old=old, new=new, applied=key in changes.live) for key, (old, new) in changed.items()]
    return Response(ReloadView(applied=list(changes.live), needs_restart=list(changes.restart), changes=views))


def _differences(before: Config, after: Config) -> dict[str, tuple[Any, Any]]:
    """The old and the new value of each dotted key that differs, secrets masked."""
    old, new = flat(before), flat(after)
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return {key: (_masked(key, old.get(key)), _masked(key, new.get(key))) for key in keys}


def _masked(key: str, value: object) -> Any:  # noqa: ANN401 - any value of a configuration
    name = key.rpartition(".")[2]
    return Redactor().value({name: value})[name]


CONFIG_ROUTES = (
    Route("GET", "/v1/config", config, ConfigView, needs=Role.ADMIN),
    Route("POST", "/v1/config/reload", reload, ReloadView, needs=Role.ADMIN),
)
