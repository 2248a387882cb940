"""Values that a source did not give again, or gave unreadably: the last known ones are kept, and marked. Pure.

A field is kept for as long as the source's answer cannot be read there. A value that was itself only a makeshift (a
code without its table, a NET read as coarsely as possible) is no known value, so a newer makeshift replaces it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from launchd.errors import InvalidError
from launchd.launches.dates import net_from
from launchd.launches.launch import Net, Sighting


def keep(before: Sighting | None, sighting: Sighting) -> Sighting:
    """The sighting with the values of the source's earlier record in the fields that were refused."""
    if before is None or not sighting.refused:
        return sighting
    makeshift = set(before.refused).difference(before.kept)
    found: dict[str, Any] = {}
    for field in sighting.refused:
        value = getattr(before, field)
        if field in makeshift or value in (None, (), {}):
            continue
        if field == "net" and not _same_date(value, sighting):
            continue
        found[field] = value
    if "net" in found:  # the window is of that date
        for field in ("window_start", "window_end"):
            value = getattr(before, field)
            if value is not None and getattr(sighting, field) is None:
                found[field] = value
    return msgspec.structs.replace(sighting, **found, kept=tuple(sorted(found))) if found else sighting


def _same_date(known: Net, sighting: Sighting) -> bool:
    """True unless the record gives another instant than the known NET, though not its precision."""
    if sighting.stated is None:
        return True
    try:
        return net_from(sighting.stated, known.precision) == known
    except InvalidError:
        return False


def same_values(before: Sighting, sighting: Sighting) -> bool:
    """True if two records differ in nothing but their marks, and so say the same."""
    marks: Mapping[str, Any] = {"modified": None, "refused": (), "kept": (), "stated": None}
    return msgspec.structs.replace(before, **marks) == msgspec.structs.replace(sighting, **marks)
