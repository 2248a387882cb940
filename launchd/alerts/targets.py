"""The targets of alerts: the services behind the URLs of `[alerts]`, reached through apprise.

apprise is an optional extra and slow to import, so it is imported only where URLs are configured. A target is named by
its place among them and its kind ("1:json"): URLs hold secrets and are neither stored nor logged.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from launchd import config as configuration
from launchd.alerts.rules import Alert
from launchd.errors import ConfigError, Problem


class Target:
    """One service that takes alerts."""

    def __init__(self, name: str, service: Any) -> None:  # noqa: ANN401 - apprise's own type, imported only when needed
        self.name = name
        self._service = service

    def send(self, alert: Alert) -> bool:
        """Send an alert and wait for the response (never on a loop); False if it was not delivered.

        The reason is in the log, under `apprise`.
        """
        return bool(self._service.notify(title=alert.title, body=alert.body, notify_type=alert.severity.value))


class CurrentTargets:
    """The targets in force. Written by `Alerting.switch`, read by the task that sends alerts."""

    def __init__(self) -> None:
        self.all: tuple[Target, ...] = ()


def open_targets(urls: Sequence[str], *, checking: bool = False) -> list[Target]:
    """The targets of the configured URLs, each a URL, `file:PATH` or `credential:NAME`; nothing is sent.

    `checking` leaves out credentials if there are none to read: when an operator checks the configuration, and under
    systemd 252 also in the command that checks it before a reload.

    Raises ConfigError with all problems: apprise is not installed, a secret cannot be read, apprise does not know a
    URL.
    """
    if not urls:
        return []
    try:
        import apprise  # noqa: PLC0415 - see the docstring of the module
    except ImportError as error:
        message = f"needs apprise, which is not installed: {sys.executable} -m pip install apprise"
        raise ConfigError(f"[alerts] urls: {message}", errors=[Problem("alerts.urls", message)]) from error
    asset = apprise.AppriseAsset(app_id="launchd", app_desc="launchd", async_mode=False)
    targets, problems = [], []
    has_credentials = os.access(os.environ.get("CREDENTIALS_DIRECTORY", ""), os.R_OK | os.X_OK)
    for number, named in enumerate(urls, 1):
        if checking and not has_credentials and named.startswith(configuration.CREDENTIAL):
            continue
        where = f"alerts.urls[{number - 1}]"
        try:
            service = apprise.Apprise.instantiate(configuration.alert_url(named), asset=asset, suppress_exceptions=True)
        except ConfigError as error:
            problems.append(Problem(where, error.detail))
            continue
        if service is None:
            problems.append(Problem(where, "apprise does not know this URL; see github.com/caronc/apprise/wiki"))
            continue
        targets.append(Target(f"{number}:{_kind(service)}", service))
    if problems:
        raise ConfigError(configuration.render(problems), errors=problems)
    return targets


def _kind(service: Any) -> str:  # noqa: ANN401 - see Target
    """The scheme of a service's URL; of several names the first in the alphabet."""
    return str(min(service.schemas()))
