"""Hooks that schemathesis loads: facts about the daemon that its OpenAPI document does not have."""

import os
from typing import Any

import schemathesis

_LONGEST_SECONDS = 0.2
_MOST_ALLOWED = 300


def before_load_schema(_context: object, document: dict[str, Any]) -> None:
    """Over the Unix socket the kernel identifies the caller (SO_PEERCRED), so no header is checked."""
    if "CONTRACT_TOKEN" in os.environ:
        return
    del document["components"]["securitySchemes"]
    for path in document["paths"].values():
        for operation in path.values():
            operation["security"] = []


def before_call(_context: object, case: Any, _kwargs: object) -> None:  # noqa: ANN401 - schemathesis' own
    """Shorten the wait for the end of a job, unless its value is invalid anyway."""
    query = case.query or {}
    try:
        if _LONGEST_SECONDS < float(query["wait"]) <= _MOST_ALLOWED:
            query["wait"] = str(_LONGEST_SECONDS)
    except (KeyError, TypeError, ValueError):
        return


# called, not used as decorators: where schemathesis is not installed, those would have no type
schemathesis.hook(before_load_schema)
schemathesis.hook(before_call)
