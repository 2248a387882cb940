"""Generated requests against a daemon on TCP: no 5xx, and no status or shape that is not in its document."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import msgspec
import schemathesis
from schemathesis import checks

from launchd.daemon import Daemon
from tests.hosting import hosted, quiet_config
from tests.scraping import asking
from tests.tasks import double, echo, failing_at_once

EXAMPLES = 40
# It never ends; tests/test_events.py reads it.
ENDLESS = "/v1/events"
CHECKS = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)


class Report(NamedTuple):
    """How many requests were sent, and what was wrong with their answers."""

    requests: int
    failures: list[str]


async def check(directory: Path) -> Report:
    """Ask a daemon whose state is in `directory`; its sources are off, so nothing leaves this machine."""
    quiet = quiet_config(directory)
    config = msgspec.structs.replace(quiet, admin=msgspec.structs.replace(quiet.admin, tcp="127.0.0.1:0"))
    async with hosted(config, tasks=[echo, double, failing_at_once]) as daemon:
        base = await _base(daemon)
        token = (directory / "admin.token").read_text().strip()
        return await asyncio.to_thread(_ask, base, token)


async def _base(daemon: Daemon) -> str:
    async with asking(daemon) as client, client.post("/v1/sign-in") as response:
        return str((await response.json())["url"]).partition("/sign-in")[0]


def _ask(base: str, token: str) -> Report:
    headers = {"Authorization": f"Bearer {token}"}
    schema: Any = schemathesis.openapi.from_url(f"{base}/openapi.json", headers=headers)
    requests, failures = 0, list[str]()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path == ENDLESS:
            continue

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            derandomize=True,
        )
        def ask(case: Any) -> None:  # noqa: ANN401 - schemathesis' own
            nonlocal requests
            requests += 1
            case.call_and_validate(base_url=base, headers=headers, checks=CHECKS)

        try:
            ask()
        except Exception as error:  # noqa: BLE001 - told with all others
            failures.append(f"{operation.method.upper()} {operation.path}: {error}")
    return Report(requests, failures)
