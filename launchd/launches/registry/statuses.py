"""How launchd and each source word a launch's status: for documentation and display. Pure; the parsers decide."""

from functools import cache
from typing import Any

import msgspec

from launchd.launches.launch import LaunchStatus
from launchd.launches.registry.words import read


class StatusWords(msgspec.Struct, frozen=True, gc=False):
    """A status, its label, and each source's ids and words for it."""

    status: LaunchStatus
    label: str
    words: dict[str, tuple[str, ...]]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    facts: str
    statuses: dict[LaunchStatus, dict[str, Any]]


@cache
def all_statuses() -> dict[LaunchStatus, StatusWords]:
    """The words of every status, in the order of a launch."""
    rows = read("statuses", _File).statuses
    return {
        status: StatusWords(
            status, row["label"], {source: tuple(words) for source, words in row.items() if source != "label"}
        )
        for status, row in rows.items()
    }
