"""Loaded by schemathesis: what it is told of the daemon besides its document."""

import os
from typing import Any

import schemathesis

_LONGEST_SECONDS = 0.2
_MOST_ALLOWED = 300


def before_load_schema(_context: object, document: dict[str, Any]) -> None:
    """Over the Unix socket the kernel says who calls: no header does, so none is right or wrong."""
    if "CONTRACT_TOKEN" in os.environ:
        return
    del document["components"]["securitySchemes"]
    for path in document["paths"].values():
        for operation in path.values():
            operation["security"] = []


def before_call(_context: object, case: Any, _kwargs: object) -> None:  # noqa: ANN401 - schemathesis' own
    """Wait for the end of a job, but not for long; what is refused anyway stays as it is."""
    query = case.query or {}
    try:
        if _LONGEST_SECONDS < float(query["wait"]) <= _MOST_ALLOWED:
            query["wait"] = str(_LONGEST_SECONDS)
    except (KeyError, TypeError, ValueError):
        return


# called, not used as decorators: where schemathesis is not installed, those would have no type
schemathesis.hook(before_load_schema)
schemathesis.hook(before_call)
