"""The endpoints of the configuration: the values in force, and the reload."""

from typing import Any

import msgspec

from launchd.admin.http.access import Role
from launchd.admin.http.view import View
from launchd.admin.route import Api, Body, Query, Request, Response, Route
from launchd.logs.redact import Redactor


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
    return Response(ConfigView(path=path, config=shown, needs_restart=list(api.reloader.needs_restart)))


async def reload(api: Api, request: Request[Query, Body]) -> Response:
    """Reload the configuration, as SIGHUP does; the whole file is checked first."""
    changes = await api.reloader.reload()
    applied, waiting = list(changes.applied), list(changes.needs_restart)
    summary = f"applied: {', '.join(applied) or 'nothing'}; needs a restart: {', '.join(waiting) or 'nothing'}"
    await api.control.audit(request.by, "reload", "configuration", summary)
    views = [
        ChangeView(key=key, old=_masked(key, old), new=_masked(key, new), applied=key in changes.applied)
        for key, (old, new) in changes.values.items()
        if old != new
    ]
    return Response(ReloadView(applied=applied, needs_restart=waiting, changes=views))


def _masked(key: str, value: object) -> Any:  # noqa: ANN401 - any value of a configuration
    name = key.rpartition(".")[2]
    return Redactor().value({name: value})[name]


CONFIG_ROUTES = (
    Route("GET", "/v1/config", config, ConfigView, needs=Role.ADMIN),
    Route("POST", "/v1/config/reload", reload, ReloadView, needs=Role.ADMIN),
)
